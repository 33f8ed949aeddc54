"""What the page says where there is no answer: in words, in the reader's language, and to those who do not see it."""

import json

import pytest

from browser import walks

Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
expect = pytest.importorskip("playwright.sync_api").expect


def refuse(page, status, headers=None):
    """Have the server refuse the next question as it would."""
    body = json.dumps({"error": "A sentence of the server.", "error_type": str(status)})
    answer = {"status": status, "headers": headers or {}, "body": body, "content_type": "application/json"}
    page.route("**/models/*", lambda route: route.fulfill(**answer), times=1)


REFUSALS = [
    (429, {"Retry-After": "3"}, "too much to do. Try again in 3 seconds", "混み合っています。 3 秒後"),
    (429, {"Retry-After": "1"}, "Try again in 1 second.", "1 秒後"),
    (503, {}, "starting or stopping", "起動中か停止中"),
    (504, {}, "took too long", "時間内に"),
    (500, {}, "made a fault", "エラーが起きました"),
    (418, {}, "status 418", "ステータス 418"),
]


def test_refusals_are_told_in_both_languages(visit):
    page = visit("classes")
    page.fill("[name=text]", "A film.")
    for status, headers, *told in REFUSALS:
        refuse(page, status, headers)
        page.click("button.main")
        for language, sentence in zip(("en", "ja"), told, strict=True):
            page.check(f"[value={language}]")
            alert = page.get_by_role("alert").filter(has_text="A sentence of the server.")
            expect(alert.locator(".what, p:not([lang])").last).to_be_visible()
            assert sentence in " ".join(alert.locator("p:not([lang])").all_text_contents())
            assert page.locator("#answer").get_attribute("aria-busy") == "false"
        assert alert.get_by_role("button").count() == (status != 418)
        if status != 418:
            alert.get_by_role("button").click()
        walks.ask(page)


def test_a_refusal_has_nothing_that_axe_finds(visit):
    page = visit("classes")
    for theme in ("light", "dark"):
        page.check(f"[value={theme}]")
        refuse(page, 429, {"Retry-After": "1"})
        walks.ask(page, text="A film.")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_what_the_server_cannot_answer_is_told_with_its_rule(visit):
    page = visit("masks")
    walks.ask(page, text="word " * 100 + "[MASK]")
    told = page.locator(".refused").text_content()
    assert "cannot answer this as it is" in told
    assert "must hold [MASK]" in told
    assert page.locator(".refused [lang=en]").count() == 1


def test_another_answer_than_of_the_server_is_a_refusal(visit):
    page = visit("classes")
    page.route("**/models/*", lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>"), times=1)
    walks.ask(page, text="A film.")
    assert "status 502" in page.locator(".refused").text_content()
    page.route("**/models/*", lambda route: route.fulfill(status=200, body="<h1>Welcome</h1>"), times=1)
    page.click(".refused button")
    expect(page.locator(".refused")).to_contain_text("status 200")


def test_a_server_that_is_gone_is_told(visit):
    page = visit("classes")
    page.context.set_offline(True)
    walks.ask(page, text="A film.")
    assert "cannot be reached" in page.locator(".refused").text_content()
    page.context.set_offline(False)
    page.click(".refused button")
    page.wait_for_selector(".bars")


def test_a_page_whose_server_is_not_there_yet_can_be_tried_again(visit, chromium, server):
    page = visit("classes")
    page.route("**/info", lambda route: route.fulfill(status=503, body="{}"), times=1)
    page.reload()
    page.wait_for_selector(".refused")
    page.click(".refused button")
    page.wait_for_selector("main form")


def test_a_key_is_asked_for_and_kept_in_the_tab_alone(visit, strict):
    page = visit(address=strict)
    asked = []
    page.on("request", lambda request: asked.append((request.url, request.headers.get("authorization"))))
    page.click("button.main")
    assert "Fill this in" in page.get_by_role("alert").text_content()
    for key, told in (("ö", "ASCII"), ("wrong", "does not know this key")):
        page.fill("#key", key)
        page.keyboard.press("Enter")
        expect(page.locator("#key-wrong")).to_contain_text(told)
        assert page.evaluate("document.activeElement.id") == "key"
    assert [one for _, one in asked] == ["Bearer wrong"]
    page.fill("#key", "a-key")
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=text]")
    walks.ask(page, text="A film.")
    assert page.locator(".bars .name").count() == 3
    page.reload()
    page.wait_for_selector("[name=text]")
    stores = "() => [Object.values({...sessionStorage}), Object.values({...localStorage}), document.cookie]"
    assert page.evaluate(stores) == [["a-key"], [], ""]
    assert not any("a-key" in url for url, _ in asked)
    page.click("#forget")
    page.wait_for_selector("#key")
    assert page.evaluate(stores) == [[], [], ""]
    other = visit(address=strict)
    assert other.locator("#key").count() == 1


def test_the_form_for_a_key_has_nothing_that_axe_finds(visit, strict):
    page = visit(address=strict, theme="dark", language="ja-JP")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.check("[value=light]")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_key_that_is_taken_back_is_asked_for_anew(visit, strict):
    page = visit(address=strict)
    page.fill("#key", "a-key")
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=text]")
    page.fill("[name=text]", "A film.")
    page.route("**/models/*", lambda route: route.fulfill(status=401, body="{}"), times=1)
    page.click("button.main")
    page.wait_for_selector("#key")
    assert "does not know this key" in page.locator("#key-wrong").text_content()
    page.fill("#key", "a-key")
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=text]")
    assert page.locator("[name=text]").input_value() == "A film."


def test_what_is_too_long_is_told_whether_it_is_sent_or_not(visit, strict):
    page = visit(address=strict)
    page.fill("#key", "a-key")
    page.keyboard.press("Enter")
    page.wait_for_selector("[name=text]")
    page.check("[name=whole]")
    walks.ask(page, text="word " * 60)
    assert "This one has" in page.locator(".refused").text_content()
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    walks.ask(page, text="word " * 2000)
    expect(page.locator(".refused")).to_have_text("The text is too long for this server. Shorten it, or ask in parts.")
    assert sent == []


def test_a_new_question_takes_the_place_of_the_one_before(visit):
    page = visit("classes")
    held, ended = [], []
    page.on("requestfailed", lambda request: ended.append(request.post_data_json["inputs"]["text"]))
    page.route("**/models/classes", lambda route: held.append(route), times=1)
    page.fill("[name=text]", "First.")
    page.click("button.main")
    page.wait_for_selector("#answer[aria-busy=true]")
    walks.ask(page, text="Second.")
    assert ended == ["First."]
    assert len(held) == 1
    assert page.locator(".bars").count() == 1
    page.route("**/models/classes", lambda route: held.append(route), times=1)
    page.fill("[name=text]", "Third.")
    page.click("button.main")
    with page.expect_event("requestfailed"):
        page.click(".stop")
    assert ended == ["First.", "Third."]
    assert page.locator("#said").text_content() == "Stopped."
    assert page.locator(".refused").count() == 0
    page.route("**/models/classes", lambda route: held.append(route), times=1)
    page.click("button.main")
    with page.expect_event("requestfailed"):
        page.check("[value=tags]")
    expect(page).to_have_title("tags · albertkit")
    assert ended == ["First.", "Third.", "Third."]
