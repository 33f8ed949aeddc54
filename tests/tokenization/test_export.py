import json
import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit import protobuf
from albertkit.errors import CheckpointError
from albertkit.tokenization.export import to_tokenizers
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece_segmenter import SentencePieceSegmenter

SEPARATORS = "[CLS]", "[SEP]"
SPECIAL = {"<pad>": 0, "<unk>": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4}
NORMALIZERS = [
    AlbertNormalizer(),
    *(AlbertNormalizer(do_lower_case=False), AlbertNormalizer(keep_accents=True), AlbertNormalizer(remove_space=False)),
]


def segmenter(model, normalizer=NORMALIZERS[0]):
    made = SentencePieceSegmenter(model, normalizer)
    for token, index in SPECIAL.items():
        made.add_tokens({index: AddedToken(token, special=True, lstrip=token == "[MASK]")})
    return made


@pytest.fixture(scope="module")
def fixture(vocabularies):
    return segmenter(vocabularies["fixture"])


def ids(backend, text):
    return backend.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("normalizer", NORMALIZERS, ids=str)
def test_text_is_cut_as_by_sentencepiece(normalizer, vocabularies, data):
    source = segmenter(vocabularies["fixture"], normalizer)
    backend = to_tokenizers(source, *SEPARATORS)
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
    return to_tokenizers(fixture, *SEPARATORS)


def test_no_piece_ends_in_digit_and_comma(exported, vocabularies):
    assert exported.encode("2,000, 1, x5,", add_special_tokens=False).tokens[-1] == ","
    many = to_tokenizers(segmenter(vocabularies["many numbers"]), *SEPARATORS)
    assert many.encode("in 1999, 7, 99,", add_special_tokens=False).tokens.count(",") == 3


@pytest.mark.parametrize("kind", ["many numbers", "comma only in pieces"])
def test_symbols_that_the_maker_chose_win(kind, vocabularies):
    source = segmenter(vocabularies[kind])
    backend = to_tokenizers(source, *SEPARATORS)
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


def test_separators_may_be_missing_or_other_tokens(fixture):
    bare, other = to_tokenizers(fixture, None, None), to_tokenizers(fixture, "[MASK]", "[SEP]")
    assert bare.encode("the cat").ids == ids(to_tokenizers(fixture, *SEPARATORS), "the cat")
    assert other.encode("a").ids == [4, *ids(bare, "a"), 3]
    assert ids(other, "漢") == fixture.encode(["漢"], False, False)[0].ids


def test_added_tokens_come_along(vocabularies):
    source = segmenter(vocabularies["fixture"])
    source.add_tokens({600: AddedToken("newtok", normalized=True)})
    source.add_tokens({601: AddedToken("<entity>", special=True)})
    backend = to_tokenizers(source, *SEPARATORS)
    added = {token["id"]: token for token in json.loads(backend.to_str())["added_tokens"]}
    assert list(added) == [0, 1, 2, 3, 4, 600, 601]
    assert (added[4]["lstrip"], added[4]["special"], added[600]["special"]) == (True, True, False)
    assert ids(backend, "a NEWTOK<entity>")[-2:] == [600, 601]


def test_added_tokens_with_a_gap_before_them_cannot_come_along(vocabularies):
    source = segmenter(vocabularies["fixture"])
    source.add_tokens({650: AddedToken("newtok")})
    with pytest.raises(CheckpointError, match=r"consecutive ids behind the vocabulary. Received: 'newtok' with id 650"):
        to_tokenizers(source, *SEPARATORS)


def test_only_unigram_models_become_a_tokenizer_json(vocabularies, monkeypatch):
    from albertkit.tokenization import export

    real = export.protobuf.fields
    monkeypatch.setattr(
        export.protobuf, "fields", lambda message: [(n, 2 if n == 3 and v == 1 else v) for n, v in real(message)]
    )
    with pytest.raises(CheckpointError, match=r"Only a SentencePiece model of type unigram"):
        to_tokenizers(segmenter(vocabularies["fixture"]), *SEPARATORS)


def test_all_kinds_of_fields_are_read():
    message = b"\x08\x96\x01" + b"\x15" + struct.pack("<f", 0.5) + b"\x1a\x03abc" + b"\x21" + struct.pack("<d", 2.0)
    half, two = 0x3F000000, 0x4000000000000000  # 0.5 and 2.0 as the integers of their bytes
    assert list(protobuf.fields(message)) == [(1, 150), (2, half), (3, b"abc"), (4, two)]
