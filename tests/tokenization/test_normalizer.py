import itertools
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit.tokenization.normalizer import AlbertNormalizer

FLAGS = [
    AlbertNormalizer(lower, collapse, keep_accents)
    for lower in (True, False)
    for collapse in (True, False)
    for keep_accents in (True, False)
]
HARD = [
    *"`'\"  \t\n\u00a0\u2003\u3000\x85\x1cABzΣςİıßéÉ\u0301\u0323¨½ﬁℌ한漢😀\u200b\u1fef\U0001d6ba\U0001d400ǅK",
    "``",
    "''",
]
HARD += ["\ud800", "\udfff", "e\u0301", "\r\n", "A word", "2,000,"]
texts = st.one_of(st.lists(st.sampled_from(HARD), max_size=14).map("".join), st.text(max_size=20))


def by_the_original(text, normalizer):
    """`preprocess_text` of the original, with the lower-casing of single characters that came before it."""
    text = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)
    if normalizer.do_lower_case:
        text = "".join(character.lower() for character in text)
    if normalizer.remove_space:
        text = " ".join(text.strip().split())
    text = text.replace("``", '"').replace("''", '"')
    if not normalizer.keep_accents:
        text = unicodedata.normalize("NFKD", text)
        text = "".join(character for character in text if not unicodedata.combining(character))
    return text.lower() if normalizer.do_lower_case else text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("", ""),
        (" \t\n ", ""),
        ("  Hello \t World\n", "hello world"),
        ("``quoted'' ```x'''", '"quoted" "`x"\''),
        ("Crêpes Ünïcödé", "crepes unicode"),
        ("e\u0301\u0323", "e"),
        ("½ ﬁ Ⅷ", "1⁄2 fi viii"),
        ("İSTANBUL", "istanbul"),
        ("ΟΔΟΣ", "οδοσ"),
        ("a\u00a0b\u3000c", "a b c"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_cleaning_of_known_texts(text, cleaned):
    assert AlbertNormalizer()(text) == cleaned


@pytest.mark.parametrize(
    ("normalizer", "cleaned"),
    [
        (AlbertNormalizer(do_lower_case=False), 'E a la "Carte"'),
        (AlbertNormalizer(remove_space=False), '  e a  la "carte"'),
        (AlbertNormalizer(keep_accents=True), 'é à la "carte"'),
    ],
)
def test_each_step_can_be_left_out(normalizer, cleaned):
    assert normalizer("  É à  la ``Carte''") == cleaned


@settings(max_examples=70)
@pytest.mark.parametrize("normalizer", FLAGS, ids=str)
@given(text=texts)
def test_cleaning_is_that_of_the_original(normalizer, text):
    assert normalizer(text) == by_the_original(text, normalizer)


@settings(max_examples=70)
@pytest.mark.parametrize("normalizer", FLAGS, ids=str)
@given(text=texts)
def test_every_cleaned_character_has_one_span_of_the_text(normalizer, text):
    cleaned, spans = normalizer.with_offsets(text)
    assert cleaned == normalizer(text)
    if spans is None:
        assert len(text) == len(cleaned)
        spans = [(place, place + 1) for place in range(len(text))]
    assert len(spans) == len(cleaned)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    assert all(a == b or a[1] <= b[0] for a, b in itertools.pairwise(spans))


@settings(max_examples=70)
@pytest.mark.parametrize("normalizer", FLAGS, ids=str)
@given(text=texts)
def test_every_cleaned_character_comes_from_its_span(normalizer, text):
    cleaned, spans = normalizer.with_offsets(text)
    alone = AlbertNormalizer(normalizer.do_lower_case, False, normalizer.keep_accents)
    for place, character in enumerate(cleaned):
        start, end = (place, place + 1) if spans is None else spans[place]
        if character == " " and text[start:end].isspace():
            continue
        assert character.replace("ς", "σ") in alone(text[start:end]).replace("ς", "σ")


def test_characters_of_one_letter_share_its_span():
    assert AlbertNormalizer().with_offsets("aﬁ½") == ("afi1⁄2", [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3), (2, 3)])


def test_dropped_characters_belong_to_no_span():
    assert AlbertNormalizer().with_offsets(" e\u0301  ``x'' ") == ('e "x"', [(1, 2), (3, 5), (5, 7), (7, 8), (8, 10)])


def test_no_spans_are_made_where_every_character_stands_where_it_stood():
    assert AlbertNormalizer().with_offsets("The Cat\tsat.") == ("the cat sat.", None)
