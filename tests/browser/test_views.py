"""Every task on the page: its form, its answer as the server gives it, both languages and themes, and axe."""

import re

import pytest

from browser import walks

httpx = pytest.importorskip("httpx")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
expect = pytest.importorskip("playwright.sync_api").expect

VIEWS = ["classes", "several", "many", "number", "pairs", "tags", "questions", "choices", "masks", "vectors", "states"]
VIEWS += ["likelihood"]
LOOKS = [("light", "rgb(243, 245, 244)", "en", 1280), ("dark", "rgb(15, 20, 19)", "ja", 390)]
"""Theme, colour of the page, language and width."""


def answer(server, model, inputs, **parameters):
    """What the server itself answers."""
    found = httpx.post(f"{server}/models/{model}", json={"inputs": inputs, "parameters": parameters})
    assert found.status_code == 200, found.text
    return found.json()


@pytest.mark.parametrize("model", VIEWS)
def test_each_view_has_nothing_that_axe_finds_in_either_theme_and_fits_its_width(visit, model):
    page = visit(model, reduced_motion="reduce")
    for theme, colour, language, width in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.check(f"[value={theme}]")
        page.check(f"[value={language}]")
        walks.example(page, ["en", "ja"].index(language))
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == colour


def test_classes_are_bars_from_the_best_on(visit, server):
    page = visit("classes", reduced_motion="reduce")
    walks.ask(page, text="A fine film.")
    found = answer(server, "classes", "A fine film.", top_k=None)
    assert walks.texts(page, ".bars .name") == [one["label"] for one in found]
    assert walks.texts(page, ".bars .number") == [f"{one['score']:.1%}" for one in found]
    widths = [bar.bounding_box()["width"] for bar in page.locator(".bars .fill").all()]
    tracks = [bar.bounding_box()["width"] for bar in page.locator(".bars .track").all()]
    shares = [width / track for width, track in zip(widths, tracks, strict=True)]
    assert shares == pytest.approx([one["score"] for one in found], abs=0.01)
    assert page.locator(".result strong").text_content() == found[0]["label"]
    assert found[0]["label"] in page.locator("#said").text_content()


def test_of_many_classes_the_others_can_be_unfolded(visit):
    page = visit("many")
    walks.ask(page, text="A fine film.")
    assert page.locator(".bars .name:visible").count() == 12
    page.click("summary")
    assert page.locator(".bars .name:visible").count() == 40


def test_of_several_classes_those_above_their_bound_are_named(visit, server):
    page = visit("several")
    walks.ask(page, text="A fine film.")
    found = answer(server, "several", "A fine film.", top_k=None)
    given = [one["label"] for one in found if one["score"] > 0.5]
    assert page.locator(".result strong").text_content() == (", ".join(given) or "None of the classes")
    assert page.locator(".bars .note").count() == len(given)


def test_a_number_is_a_number(visit, server):
    page = visit("number")
    walks.ask(page, text="A fine film.", second="Another.")
    pair = {"text": "A fine film.", "text_pair": "Another."}
    score = answer(server, "number", pair, top_k=None)[0]["score"]
    assert float(page.locator(".result strong").text_content()) == pytest.approx(score, abs=6e-4)


def test_a_model_of_pairs_wants_both_texts(visit):
    page = visit("pairs")
    walks.fill(page, text="One.")
    page.click("button.main")
    assert page.locator("[name=second]").get_attribute("aria-invalid") == "true"
    assert page.evaluate("document.activeElement.name") == "second"
    walks.ask(page, second="Two.")
    assert page.locator(".bars .name").count() == 3
    assert page.locator(".warning").count() == 0


@pytest.mark.parametrize(
    "text",
    [
        "Ada met Babbage in London.",
        "😀😀 Ada met 𠮷野 and 👩‍👩‍👧 in London 𝒳𝒴, e\u0301t\u00e9.",
        "<b onclick=alert(1)>Ada</b> & <img src=x onerror=alert(1)> in London",
        "שלום Ada בלונדון London",
    ],
)
def test_entities_are_marked_where_the_server_says_in_characters(visit, server, text):
    page = visit("tags")
    walks.ask(page, text=text)
    found = answer(server, "tags", text, aggregation_strategy="first")
    assert found
    marked, shown = walks.reading(page)
    assert marked == [text[one["start"] : one["end"]] for one in found]
    assert shown == text
    assert walks.texts(page, ".entities tbody th") == [one["word"] for one in found]
    assert page.locator(".reading img").count() == 0
    direction = page.evaluate("getComputedStyle(document.querySelector('.reading')).direction")
    assert direction == ("rtl" if text.startswith("ש") else "ltr")


def test_a_long_text_is_shown_whole_and_its_list_of_entities_in_part(visit):
    page = visit("tags")
    text = "Ada Lovelace met Charles Babbage in London. " * 300
    walks.ask(page, text=text)
    marked, shown = walks.reading(page)
    assert shown == text
    assert len(marked) > 500
    assert page.locator(".entities tbody tr").count() == 100
    assert f"{len(marked) - 100:,} more" in page.locator("#answer").text_content()


@pytest.mark.parametrize("context", ["Peter came on Friday, and Anna on Monday.", "😀 Peter 𠮷 came on 🎉 Friday 𝒳."])
def test_answers_are_shown_in_their_context_one_at_a_time(visit, server, context):
    page = visit("questions")
    walks.ask(page, question="Who came?", context=context)
    found = answer(server, "questions", {"question": "Who came?", "context": context}, top_k=5)
    assert walks.texts(page, ".bars .name") == [one["answer"] for one in found]
    for place, one in enumerate(found):
        page.click(f".bars button >> nth={place}")
        marked, shown = walks.reading(page)
        assert marked == [context[one["start"] : one["end"]]]
        assert shown == context
        assert page.locator(".bars button[aria-pressed=true]").count() == 1


def test_that_there_is_no_answer_is_said_in_words(visit, server):
    page = visit("questions")
    page.check("[name=none]")
    walks.ask(page, question="Who came?", context="Peter came.")
    asked = {"question": "Who came?", "context": "Peter came."}
    found = answer(server, "questions", asked, top_k=5, handle_impossible_answer=True)
    names = [one["answer"] or "No answer in the text" for one in found]
    assert "No answer in the text" in names
    assert walks.texts(page, ".bars .name") == names
    page.click(f".bars button >> nth={names.index('No answer in the text')}")
    assert page.locator(".reading mark").count() == 0


def test_choices_are_any_number_of_lines(visit, server):
    page = visit("choices")
    choices = ["the moon", "the grass", "tea", "<b>bread</b>", "a mug", "rain", "snow"]
    walks.ask(page, question="What is wet?", choices="\n".join(["", *choices, " "]), context="It rained.")
    asked = {"question": "What is wet?", "choices": choices, "context": "It rained."}
    scores = answer(server, "choices", asked)["scores"]
    order = sorted(range(len(choices)), key=lambda place: -scores[place])
    assert walks.texts(page, ".bars .name") == [choices[place] for place in order]
    walks.fill(page, choices="alone")
    page.click("button.main")
    assert "two choices" in page.locator("#field-choices-wrong").text_content()


def test_masks_are_filled_with_a_click_and_the_others_asked_anew(visit, server):
    page = visit("masks")
    text = "😀 A [MASK] of [MASK]."
    walks.ask(page, text=text)
    first, second = answer(server, "masks", text, top_k=6)
    lists = [walks.texts(section, ".name") for section in page.locator(".choices").all()]
    assert lists == [[one["token_str"] for one in found] for found in (first, second)]
    word = first[2]["token_str"]
    with page.expect_response("**/models/masks"):
        page.click(".choices >> nth=0 >> button >> nth=2")
    page.wait_for_selector("#answer[aria-busy=false]")
    anew = answer(server, "masks", f"😀 A {word} of [MASK].", top_k=6)
    assert walks.texts(page.locator(".choices").nth(1), ".name") == [one["token_str"] for one in anew]
    assert page.evaluate("document.activeElement.textContent").startswith(word)
    page.click(".choices >> nth=1 >> button >> nth=0")
    filled = f"😀 A {word} of {anew[0]['token_str']}."
    seen = page.locator(".reading [aria-hidden], .reading").evaluate_all(
        "all => { const shown = all[0].cloneNode(true);"
        " shown.querySelectorAll('.unseen').forEach((one) => one.remove()); return shown.textContent; }"
    )
    assert seen == filled
    page.click("#answer .plain")
    assert page.locator("[name=text]").input_value() == filled


def test_a_mask_is_written_where_the_cursor_is_and_wanted(visit):
    page = visit("masks")
    walks.fill(page, text="A  of tea.")
    page.click("button.main")
    assert "[MASK]" in page.locator("#field-text-wrong").text_content()
    page.locator("[name=text]").evaluate("field => field.setSelectionRange(2, 2)")
    page.get_by_role("button", name="Insert [MASK]").click()
    assert page.locator("[name=text]").input_value() == "A [MASK] of tea."
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".choices")


@pytest.mark.parametrize("model", ["vectors", "states"])
def test_similarity_is_a_matrix_of_cosines(visit, server, model):
    import numpy as np

    page = visit(model)
    texts = ["A cup of tea.", "A mug of tea.", "Rain 🌧 falls."]
    walks.ask(page, texts="\n".join(texts))
    found = answer(server, model, texts)
    vectors = np.array([np.mean(one[0], axis=0) for one in found] if model == "states" else found)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shown = np.array(walks.texts(page, ".matrix tbody td"), float).reshape(3, 3)
    np.testing.assert_allclose(shown, vectors @ vectors.T, atol=0.0051)
    assert walks.texts(page, ".matrix tbody th span[dir]") == texts
    walks.ask(page, texts="\n".join(f"Text {number}." for number in range(20)))
    expect(page.locator(".matrix tbody tr")).to_have_count(16)
    assert "4 are left out" in page.locator("#answer").text_content()


def test_how_likely_a_text_is_stands_in_numbers(visit, server):
    page = visit("likelihood")
    walks.ask(page, text="A cup of tea.")
    found = answer(server, "likelihood", "A cup of tea.")
    shown = float(page.locator(".result strong").text_content().replace(",", ""))
    assert shown == pytest.approx(found["pseudo_perplexity"], abs=0.06)
    assert walks.texts(page, ".figures dd")[3] == str(found["tokens"])


def test_what_speaks_against_an_answer_is_said(visit):
    page = visit("classes", language="ja-JP")
    walks.ask(page, text="word " * 100)
    assert walks.texts(page, ".warning") == ["テキストがモデルの読める長さを超えているため、末尾を切り捨てました。"]
    page.check("[name=whole]")
    walks.ask(page)
    expect(page.locator(".warning")).to_have_count(0)
    page = visit("classes")
    walks.ask(page, text="漢字仮名交じり")
    assert "unknown to the model's vocabulary" in page.locator(".warning").text_content()
    assert "unknown to the model's vocabulary" in page.locator("#said").text_content()


def test_half_a_character_is_sent_as_none(visit):
    page = visit("tags")
    page.evaluate("document.querySelector('[name=text]').value = 'Ada \\ud83d met Babbage'")
    page.locator("[name=text]").press("End")
    page.keyboard.type(".")
    walks.ask(page)
    page.wait_for_selector(".reading")
    assert re.sub("\ufffd", "?", walks.reading(page)[1]) == "Ada ? met Babbage."
