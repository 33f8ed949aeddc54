import json
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit.errors import CheckpointError
from albertkit.tokenization.export import to_tokenizers
from albertkit.tokenization.segmenters import SentencePieceSegmenter
from albertkit.tokenization.text import Cleaning

ROLES = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "<unk>"}
SPECIAL = {"<pad>": 0, "<unk>": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
CLEANINGS = [Cleaning(), Cleaning(lower=False), Cleaning(keep_accents=True), Cleaning(collapse=False)]


def segmenter(model, cleaning=CLEANINGS[0]):
    made = SentencePieceSegmenter(model, cleaning)
    for token, index in SPECIAL.items():
        made.add(AddedToken(token, special=True, lstrip=token == "[MASK]"), index)
    return made


@pytest.fixture(scope="module")
def fixture(vocabularies):
    return segmenter(vocabularies["fixture"])


def ids(backend, text):
    return backend.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("cleaning", CLEANINGS, ids=str)
def test_text_is_cut_as_by_sentencepiece(cleaning, vocabularies, data):
    source = segmenter(vocabularies["fixture"], cleaning)
    backend = to_tokenizers(source, ROLES)
    lines = (data / "text.txt").read_text(encoding="utf-8").splitlines()
    texts = [line for line in lines if not re.search(r"\d,", line)]
    assert len(texts) > 100
    texts += [
        "  two  spaces\tand a tab ",
        "``quotes''",
        "ﬁne ½ 한국 漢字 😀",
        "a [MASK] b[SEP]",
        "",
        " ",
        "Straße, İstanbul",
    ]
    expected = [tokens.ids for tokens in source.encode(texts, False, False)]
    assert [ids(backend, text) for text in texts] == expected


@given(
    st.lists(st.sampled_from(["The", "gardener", "  ", "é", "E\u0301", "(a)", "-", "“x”", "ﬁ", "xyzzy"]), max_size=9)
)
def test_drawn_text_is_cut_as_by_sentencepiece(exported, fixture, words):
    text = " ".join(words)
    assert ids(exported, text) == fixture.encode([text], False, False)[0].ids


@pytest.fixture(scope="module")
def exported(fixture):
    return to_tokenizers(fixture, ROLES)


def test_no_piece_ends_in_digit_and_comma(exported, vocabularies):
    assert exported.encode("2,000, 1, x5,", add_special_tokens=False).tokens[-1] == ","
    many = to_tokenizers(segmenter(vocabularies["many numbers"]), ROLES)
    assert many.encode("in 1999, 7, 99,", add_special_tokens=False).tokens.count(",") == 3


@pytest.mark.parametrize("kind", ["many numbers", "comma only in pieces"])
def test_symbols_that_the_maker_chose_win(kind, vocabularies):
    source = segmenter(vocabularies[kind])
    backend = to_tokenizers(source, ROLES)
    for text in ("the cat", "a dog in 5", "3 cats"):
        assert ids(backend, text) == source.encode([text], False, False)[0].ids


def test_pairs_are_put_together_as_in_albert(exported):
    row = exported.encode("the cat", "the dog")
    first, second = ids(exported, "the cat"), ids(exported, "the dog")
    assert row.ids == [2, *first, 3, *second, 3]
    assert row.type_ids == [0] * (len(first) + 2) + [1] * (len(second) + 1)
    assert exported.encode("the cat").ids == [2, *first, 3]


def test_text_comes_back(exported):
    assert exported.decode(ids(exported, "the cat sat, once")) == "the cat sat, once"


def test_roles_may_be_missing_or_other_tokens(fixture):
    assert to_tokenizers(fixture, {}).encode("the cat").ids == ids(to_tokenizers(fixture, ROLES), "the cat")
    other = to_tokenizers(fixture, {**ROLES, "unk_token": "[MASK]"})
    assert ids(other, "漢") == fixture.encode(["漢"], False, False)[0].ids
    assert other.encode("a").ids[0] == 2


def test_added_tokens_come_along(vocabularies):
    source = segmenter(vocabularies["fixture"])
    source.add(AddedToken("newtok", normalized=True), 600)
    source.add(AddedToken("<entity>", special=True), 601)
    backend = to_tokenizers(source, ROLES)
    added = {token["id"]: token for token in json.loads(backend.to_str())["added_tokens"]}
    assert list(added) == [0, 1, 2, 3, 4, 600, 601]
    assert (added[4]["lstrip"], added[4]["special"], added[600]["special"]) == (True, True, False)
    assert ids(backend, "a NEWTOK<entity>")[-2:] == [600, 601]


def test_added_tokens_with_a_gap_before_them_cannot_come_along(vocabularies):
    source = segmenter(vocabularies["fixture"])
    source.add(AddedToken("newtok"), 650)
    with pytest.raises(CheckpointError, match=r"consecutive ids behind the vocabulary. Received: 'newtok' with id 650"):
        to_tokenizers(source, ROLES)


def test_only_unigram_models_become_a_tokenizer_json(vocabularies, monkeypatch):
    from albertkit.tokenization import export

    real = export._fields
    monkeypatch.setattr(
        export, "_fields", lambda message: [(n, 2 if n == 3 and v == 1 else v) for n, v in real(message)]
    )
    with pytest.raises(CheckpointError, match=r"Only a SentencePiece model of type unigram"):
        to_tokenizers(segmenter(vocabularies["fixture"]), ROLES)


def test_all_kinds_of_fields_are_read():
    from albertkit.tokenization.export import _fields

    message = b"\x08\x96\x01" + b"\x15" + struct.pack("<f", 0.5) + b"\x1a\x03abc" + b"\x21" + struct.pack("<d", 2.0)
    assert list(_fields(message)) == [(1, 150), (2, struct.pack("<f", 0.5)), (3, b"abc"), (4, struct.pack("<d", 2.0))]
