"""Readers of the page: with the keyboard alone, in either language and theme, by any address."""

import pytest

from browser import walks

# Not wait_for_function: beyond its first try it is evaluated within the page, whose policy forbids that.
expect = pytest.importorskip("playwright.sync_api").expect

FOCUSED = """() => {
    const one = document.activeElement;
    const shown = one.matches('[type=radio]') ? one.closest('label') : one;
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    const box = shown.getBoundingClientRect();
    const name = one.name || one.className || one.tagName.toLowerCase();
    return [name, outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && box.width > 8 && box.height > 8];
}"""


def test_the_keyboard_alone_goes_everywhere_and_sees_where_it_is(visit):
    page = visit("masks", reduced_motion="reduce")
    page.wait_for_selector("[name=text]")
    walked = []
    page.keyboard.press("Tab")
    while (step := page.evaluate(FOCUSED))[0] != "body" and len(walked) < 60:
        walked.append(step)
        page.keyboard.press("Tab")
    assert [name for name, is_seen in walked if not is_seen] == []
    names = ["skip", "language", "theme", "model", "plain", "plain", "plain", "text", "main"]
    assert [name for name, _ in walked] == names


def test_a_question_is_asked_and_a_mask_filled_with_the_keyboard_alone(visit):
    page = visit("classes", reduced_motion="reduce")
    page.wait_for_selector("[name=text]")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "work"
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "text"
    page.keyboard.type("A fine film.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".bars")
    while page.evaluate("document.activeElement.name") != "model":
        page.keyboard.press("Shift+Tab")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("[document.activeElement.value, location.hash]") == ["masks", "#masks"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the example; then the focus is on what asks
    page.keyboard.press("Enter")
    page.wait_for_selector(".choices button")
    while not page.evaluate("document.activeElement.matches('.choices button')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".gap.filled")
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    page.keyboard.press("Space")
    expect(page.locator(".gap.filled")).to_have_count(0)


@pytest.mark.parametrize(("browser", "language"), [("ja-JP", "ja"), ("de-DE", "en"), ("en-US", "en")])
def test_the_language_is_the_browsers_until_another_is_chosen(visit, browser, language):
    page = visit("classes", browser)
    walks.ask(page, text="A fine film.")
    asks = {"en": "Ask", "ja": "実行"}
    other = {"en": "ja", "ja": "en"}[language]
    for one in (language, other):
        page.check(f"[value={one}]")
        assert page.locator("html").get_attribute("lang") == one
        assert page.locator("button.main").text_content() == asks[one]
        assert page.locator(".bars").count() == 1
        assert page.locator("[name=text]").input_value() == "A fine film."
    page.reload()
    page.wait_for_selector("main form")
    assert page.locator("html").get_attribute("lang") == other


def test_colours_are_the_systems_until_others_are_chosen(visit):
    page = visit("classes", theme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(colour)
    assert light != dark
    page.check("[value=dark]")
    assert page.evaluate(colour) == dark
    page.reload()
    page.wait_for_selector("main form")
    assert page.evaluate(colour) == dark
    page.check("[value=auto]")
    assert page.evaluate(colour) == light


def test_nothing_moves_for_who_wants_no_motion(visit):
    page = visit("classes", reduced_motion="reduce")
    page.route("**/models/classes", lambda route: None, times=1)
    page.fill("[name=text]", "A film.")
    page.click("button.main")
    page.wait_for_selector("#answer[aria-busy=true]")
    assert page.evaluate("document.getAnimations().length") == 0
    page = visit("classes")
    page.route("**/models/classes", lambda route: None, times=1)
    page.fill("[name=text]", "A film.")
    page.click("button.main")
    assert page.evaluate("document.getAnimations().length") > 0


def test_an_address_names_a_model_and_texts_stay_with_their_task(visit, server):
    page = visit("tags")
    assert page.title() == "tags · albertkit"
    page.goto(f"{server}/#several")
    expect(page).to_have_title("several · albertkit")
    page.fill("[name=text]", "A fine film.")
    page.check("[value=classes]")
    assert page.locator("[name=text]").input_value() == "A fine film."
    page.goto(f"{server}/#nothing%E0")
    page.reload()
    page.wait_for_selector("main form")
    assert page.title() == "classes · albertkit"
