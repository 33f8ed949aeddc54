"""Sentences: cut by the rules of a language, never losing a letter."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.corpus.sentences import SentenceSplitter
from albertkit.errors import ConfigError, MissingDependency

pytest.importorskip("sentencex")


@pytest.mark.parametrize(
    ("language", "text", "sentences"),
    [
        (
            "en",
            "Dr. Smith left Washington, D.C. at 5 p.m. with $3.50. He came back.",
            ["Dr. Smith left Washington, D.C. at 5 p.m. with $3.50.", "He came back."],
        ),
        ("en", "“Is it true?” he asked. “Yes!” said she.", ["“Is it true?” he asked.", "“Yes!” said she."]),
        ("ja", "今日は晴れ。明日は雨だろう！そうです", ["今日は晴れ。", "明日は雨だろう！", "そうです"]),
        ("zh", "你好。今天天气很好！", ["你好。", "今天天气很好！"]),
        ("de", "Er kam z. B. am Abend. Dann ging er.", ["Er kam z. B. am Abend.", "Dann ging er."]),
        ("de-DE", "Am 3. Mai kam er. Dann ging er.", ["Am 3. Mai kam er.", "Dann ging er."]),
        ("en", " \n ", []),
    ],
)
def test_rules_of_languages(language, text, sentences):
    assert SentenceSplitter(language)(text) == sentences


TEXT = "A title\nFirst. Second\ngoes on.\r\n\n  \nLast."


def test_what_a_line_break_is():
    assert SentenceSplitter()(TEXT) == ["A title", "First.", "Second", "goes on.", "Last."]
    assert SentenceSplitter(line_breaks="space")(TEXT) == ["A title First.", "Second goes on.", "Last."]
    assert SentenceSplitter(method="lines")(TEXT) == ["A title", "First. Second", "goes on.", "Last."]


@given(st.text(st.sampled_from("ab .!?\n“”\"'()[]1。」「\u3000é")), st.sampled_from(["en", "ja", "zh", "xx"]))
@pytest.mark.parametrize("options", [{}, {"line_breaks": "space"}, {"method": "lines"}])
def test_nothing_is_lost(options, text, language):
    found = SentenceSplitter(language, **options)(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(sentence and sentence == sentence.strip() for sentence in found)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"language": "english"}, "such as en, ja, zh"),
        ({"language": "deu"}, r"two letters .* Received: 'deu'\. Did you mean `de`\?"),
        ({"language": "fre-ca"}, r"Did you mean `fr`\?"),
        ({"method": "regex"}, "split, lines"),
        ({"line_breaks": "none"}, "paragraph, space"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        SentenceSplitter(**options)


def test_lines_need_no_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencex", None)
    assert SentenceSplitter(method="lines")("a\nb") == ["a", "b"]
    assert SentenceSplitter(method="lines").rules == "lines"
    with pytest.raises(MissingDependency, match=r'pip install "albertkit\[train\]"'):
        SentenceSplitter()("a")


@pytest.mark.parametrize(
    ("options", "words"),
    [({"language": "qqq"}, "for 'qqq': sentences end by those of a relative"), ({"language": "pt-br"}, "")],
)
def test_that_a_language_has_no_rules_is_known(options, words):
    warning = SentenceSplitter(**options).warning
    assert words in warning
    assert bool(words) == bool(warning)
    assert SentenceSplitter(**options, method="lines").warning == ""


def test_the_release_of_the_rules_is_known():
    assert SentenceSplitter().rules.startswith("sentencex ")
