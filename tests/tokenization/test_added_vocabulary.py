import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit.tokenization import added_vocabulary
from albertkit.tokenization.added_vocabulary import AddedVocabulary, TextSpan


def holding(*tokens, do_lower_case=True):
    """A vocabulary with tokens 10, 11, ..."""
    vocabulary = AddedVocabulary(do_lower_case)
    for number, token in enumerate(tokens):
        token = AddedToken(token, normalized=False) if isinstance(token, str) else token
        vocabulary.add(vocabulary.normalized(token), 10 + number)
    return vocabulary


def shown(vocabulary, text):
    """Plain stretches as text and added tokens as ids."""
    return [text[p.start : p.end] if p.token_id is None else p.token_id for p in vocabulary.split(text)]


contents = st.lists(st.text("ab[]é", min_size=1, max_size=4), min_size=1, max_size=5, unique=True)
flags = st.fixed_dictionaries({name: st.booleans() for name in ("lstrip", "rstrip", "single_word", "normalized")})


@given(contents, st.lists(flags, min_size=5, max_size=5), st.text("abAB[]éÉ  \n", max_size=30))
def test_parts_tile_the_text(contents, flags, text):
    tokens = [AddedToken(content, **options) for content, options in zip(contents, flags, strict=False)]
    parts = holding(*tokens).split(text)
    assert [p.start for p in parts] == [0, *[p.end for p in parts]][: len(parts)]
    assert (parts[-1].end if parts else 0) == len(text)
    assert all(p.start < p.end for p in parts)


@given(contents, st.text("ab[]é ", max_size=30))
def test_no_plain_stretch_holds_a_token_and_every_token_stands_in_the_text(contents, text):
    for part in (vocabulary := holding(*contents)).split(text):
        stretch = text[part.start : part.end]
        if part.token_id is None:
            assert not any(content in stretch for content in contents)
        else:
            assert stretch == vocabulary.by_id[part.token_id].content


@given(contents, st.text("abAB[]éÉ ", max_size=30))
def test_normalized_tokens_are_found_as_in_lower_case_text(contents, text):
    tokens = [AddedToken(content, normalized=True) for content in contents]
    assert holding(*tokens).split(text) == holding(*contents).split(text.lower())


def test_the_first_and_then_the_longest_token_wins():
    assert shown(holding("bcd", "ab", "abc"), "xabcd") == ["x", 12, "d"]
    assert shown(holding("a", AddedToken("AB", normalized=True)), "ab") == [11]
    assert shown(holding("ab", AddedToken("A", normalized=True)), "ab") == [10]


def test_tokens_follow_each_other_directly():
    assert shown(holding("[A]", "[B]"), "[A][B][A]x[B]") == [10, 11, 10, "x", 11]


def test_a_token_that_is_not_normalized_is_found_only_as_written():
    assert shown(holding("NewTok"), "newtok NewTok NEWTOK") == ["newtok ", 10, " NEWTOK"]


def test_a_special_token_is_found_only_as_written():
    token = AddedToken("[MASK]", special=True, normalized=True)
    assert shown(holding(token), "[mask][MASK]") == ["[mask]", 10]


def test_without_lower_case_nothing_is_found_in_another_case():
    token = AddedToken("NewTok", normalized=True)
    assert shown(holding(token, do_lower_case=False), "newtok NewTok") == ["newtok ", 10]


@pytest.mark.parametrize("text", ["\u212aelvin", "KELVIN", "kelvin"])
def test_every_letter_that_has_the_same_lower_case_is_the_same(text):
    assert shown(holding(AddedToken("kelvin", normalized=True)), text) == [10]


@pytest.mark.parametrize("content", ["ΟΔΟΣ", "οδοσ"])
def test_a_sigma_at_the_end_is_one_letter_with_its_capital(content):
    assert shown(holding(AddedToken(content, normalized=True)), "ΟΔΟΣ") == [10]


def test_places_hold_behind_a_letter_whose_lower_case_is_longer():
    assert shown(holding(AddedToken("newtok", normalized=True)), "İ NEWTOK x") == ["İ ", 10, " x"]


def test_a_token_stored_with_capitals_is_found_whatever_its_case():
    vocabulary = AddedVocabulary(do_lower_case=True)
    vocabulary.add(AddedToken("NewTok", normalized=True), 10)
    assert shown(vocabulary, "newtok NEWTOK") == [10, " ", 10]


def test_preparing_a_token_leaves_the_given_one_alone():
    token = AddedToken("NewTok", normalized=True, rstrip=True)
    prepared = AddedVocabulary(do_lower_case=True).normalized(token)
    assert (prepared.content, prepared.rstrip, prepared.normalized) == ("newtok", True, True)
    assert token.content == "NewTok"


def test_tokens_take_the_white_space_that_they_claim():
    left, right = AddedToken("[L]", lstrip=True, normalized=False), AddedToken("[R]", rstrip=True, normalized=False)
    assert shown(holding(left, right), "a \n[L] b [R] \t c") == ["a", 10, " b ", 11, "c"]
    assert holding(left).split("a \n[L]") == [TextSpan(0, 1, None), TextSpan(1, 6, 10)]
    assert holding(left, right).split(" [L] ") == [TextSpan(0, 4, 10), TextSpan(4, 5, None)]
    assert holding(left, right).split("[R]  [L]") == [TextSpan(0, 5, 11), TextSpan(5, 8, 10)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tok", [10]),
        ("a tok b", ["a ", 10, " b"]),
        ("a\ntok\tb", ["a\n", 10, "\tb"]),
        ("atok", ["atok"]),
        ("toks and tok", ["toks and ", 10]),
        ("xtoky", ["xtoky"]),
        ("tok, tok", ["tok, ", 10]),
        ("toktok", ["toktok"]),
        ("[S]tok[S]", [11, 10, 11]),
    ],
)
def test_a_single_word_is_not_found_inside_another(text, parts):
    word = AddedToken("tok", single_word=True, normalized=False)
    assert shown(holding(word, AddedToken("[S]", special=True, normalized=False)), text) == parts


def test_a_single_word_may_claim_white_space():
    token = AddedToken("tok", single_word=True, lstrip=True, rstrip=True, normalized=False)
    assert shown(holding(token), "a tok  b") == ["a", 10, "b"]


def test_a_text_without_tokens_is_one_part():
    assert holding("[A]").split("plain [text") == [TextSpan(0, 11, None)]
    assert holding("[A]").split("") == []
    assert holding().split("plain") == [TextSpan(0, 5, None)]


def test_many_tokens_are_taken_in_without_making_a_pattern_for_each(monkeypatch):
    made, real = [], re.compile
    monkeypatch.setattr(added_vocabulary.re, "compile", lambda pattern: made.append(pattern) or real(pattern))
    vocabulary = holding(*[f"tok{number}" for number in range(200)])
    assert made == []
    assert shown(vocabulary, "a tok199 b") == ["a ", 209, " b"]
    assert shown(vocabulary, "tok19") == [29]
    assert len(made) == 2


def test_a_token_that_is_nowhere_is_looked_for_once(monkeypatch):
    vocabulary = holding("[A]", AddedToken("nowhere", normalized=True))
    vocabulary.split("[A]")
    searches = []

    class Counting:
        def search(self, text, position=0):
            searches.append(position)
            return re.compile("nowhere").search(text, position)

    exact, _ = vocabulary._finder._patterns
    monkeypatch.setattr(vocabulary._finder, "_patterns", (exact, Counting()))
    assert shown(vocabulary, "[A] " * 50) == [10, " "] * 50
    assert searches == [0]
