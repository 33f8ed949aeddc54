import copy
import itertools
import pickle
import re
import threading

import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit.errors import CheckpointError, InputError, OutdatedDependency
from albertkit.tokenization import sentencepiece_segmenter
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece_segmenter import SentencePieceSegmenter, ends_in_digit_comma
from albertkit.tokenization.tokenizers_segmenter import TokenizersSegmenter

KINDS = ["fixture", "no digit, no comma", "no comma", "comma only in pieces", "many numbers"]
SPECIAL = ("[CLS]", "[SEP]", "[MASK]")
FRAGMENTS = [
    "the",
    "cat",
    "in",
    "1999",
    "99",
    "9",
    "7",
    "3",
    "5",
    ",",
    ",",
    " ",
    " ",
    "  ",
    "é",
    "e\u0301",
    "½",
    "ﬁ",
    "²",
    "٣",
]
FRAGMENTS += [
    "漢",
    "😀",
    "\u200b",
    "\u2581",
    "``",
    "''",
    "\t",
    "\x00",
    "\u00ad",
    "Σ",
    "(",
    ".",
    "1999, ",
    "x9,",
    "x",
    "[MASK]",
]
texts = st.one_of(st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join), st.text(max_size=12))


def encode_pieces_of_the_original(processor, text):
    """`encode_pieces` of the original: what SentencePiece gives, with commas taken off digits."""
    found = []
    for piece in processor.encode(text, out_type=str):
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            cut = processor.encode(piece[:-1].replace("\u2581", ""), out_type=str)
            if piece[0] != "\u2581" and cut[0][0] == "\u2581":
                cut = cut[1:] if len(cut[0]) == 1 else [cut[0][1:], *cut[1:]]
            found += [*cut, ","]
        else:
            found.append(piece)
    return found


@pytest.fixture(scope="module")
def segmenters(vocabularies):
    return {
        (kind, normalizer): SentencePieceSegmenter(model, normalizer)
        for kind, model in vocabularies.items()
        for normalizer in (AlbertNormalizer(), AlbertNormalizer(keep_accents=True))
    }


@pytest.fixture(scope="module")
def processors(vocabularies):
    return {kind: sentencepiece.SentencePieceProcessor(model_proto=model) for kind, model in vocabularies.items()}


def test_the_vocabularies_differ_as_they_should(segmenters):
    known = {kind: segmenter for (kind, normalizer), segmenter in segmenters.items() if not normalizer.keep_accents}
    commas = {
        kind: [piece for piece in map(s.id_to_token, range(s.vocab_size)) if ends_in_digit_comma(piece)]
        for kind, s in known.items()
    }
    assert {kind: s.token_to_id(",") is not None for kind, s in known.items()} == {
        "fixture": True,
        "no digit, no comma": False,
        "no comma": False,
        "comma only in pieces": False,
        "many numbers": True,
    }
    assert commas["fixture"]
    assert {piece[0] == "\u2581" for piece in commas["fixture"]} == {True, False}
    assert commas["comma only in pieces"]
    assert not commas["no comma"]
    assert known["no digit, no comma"].token_to_id("1") is None


@settings(max_examples=60)
@pytest.mark.parametrize(
    "normalizer", [AlbertNormalizer(), AlbertNormalizer(keep_accents=True)], ids=["no accents", "accents"]
)
@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_pieces_are_those_of_the_original(kind, normalizer, text, segmenters, processors):
    segmenter, processor = segmenters[kind, normalizer], processors[kind]
    pieces = encode_pieces_of_the_original(processor, normalizer(text))
    [tokens] = segmenter.encode([text], True, False)
    assert tokens.pieces == pieces
    assert tokens.ids == [processor.piece_to_id(piece) for piece in pieces]
    [bare] = segmenter.encode([text], False, False)
    assert bare.ids == tokens.ids
    assert bare.pieces is bare.offsets is bare.word_ids is None


@pytest.mark.parametrize(
    ("kind", "text", "pieces"),
    [
        ("fixture", "2,000,", ["▁", "2", ",000", ","]),
        ("fixture", "1,", ["▁1", ","]),
        ("fixture", "x1,", ["▁", "x", "1", ","]),
        ("many numbers", "in 1999, 99, 7, x7, x99,", None),
        ("comma only in pieces", "x9, 9,", None),
        ("no digit, no comma", "the 1, 22,", None),
    ],
)
def test_no_piece_ends_in_digit_and_comma(kind, text, pieces, segmenters):
    [tokens] = segmenters[kind, AlbertNormalizer()].encode([text], True, False)
    assert not any(map(ends_in_digit_comma, tokens.pieces))
    assert "".join(tokens.pieces).replace("\u2581", "") == text.replace(" ", "")
    assert pieces is None or tokens.pieces == pieces


def letters(text):
    return re.sub(r"[\s\u2581]", "", text).replace("ς", "σ")


@settings(max_examples=60)
@pytest.mark.parametrize("kind", KINDS)
@given(text=texts)
def test_offsets_point_to_where_the_pieces_come_from(kind, text, segmenters):
    segmenter = segmenters[kind, AlbertNormalizer()]
    [tokens] = segmenter.encode([text], True, False)
    assert len(tokens.offsets) == len(tokens.pieces) == len(tokens.word_ids) == len(tokens.ids)
    assert all(0 <= start <= end <= len(text) for start, end in tokens.offsets)
    assert [start for start, _ in tokens.offsets] == sorted(start for start, _ in tokens.offsets)
    assert [end for _, end in tokens.offsets] == sorted(end for _, end in tokens.offsets)
    processor = segmenter.processor
    for piece, (start, end) in zip(tokens.pieces, tokens.offsets, strict=True):
        source = processor.normalize(segmenter.normalizer(text[start:end]))
        assert letters(processor.normalize(piece)) in letters(source)


@given(text=st.lists(st.sampled_from(["the", "Cat", "2,000,", "é", "sat.", "(1,", "x"]), max_size=8).map(" ".join))
def test_offsets_of_plain_text_tile_it(text, segmenters):
    [tokens] = segmenters["fixture", AlbertNormalizer()].encode([text], True, False)
    assert "".join(text[start:end] for start, end in tokens.offsets) == text
    assert [a[1] for a in tokens.offsets[:-1]] == [b[0] for b in tokens.offsets[1:]]


@given(text=st.lists(st.sampled_from(["the", "cat,", "1,", "é", "gardener"]), max_size=8))
def test_words_are_counted_by_the_spaces(text, segmenters):
    [tokens] = segmenters["fixture", AlbertNormalizer()].encode([" ".join(text)], True, False)
    words = [
        letters("".join(piece for _, piece in group)).replace("\u2581", "")
        for _, group in itertools.groupby(zip(tokens.word_ids, tokens.pieces, strict=True), key=lambda pair: pair[0])
    ]
    assert words == [word.replace("é", "e") for word in text]
    assert list(dict.fromkeys(tokens.word_ids)) == list(range(len(text)))


def test_known_offsets_and_words(segmenters):
    [tokens] = segmenters["fixture", AlbertNormalizer()].encode(["The  É, 1,"], True, False)
    assert tokens.pieces == ["▁the", "▁", "e", ",", "▁1", ","]
    assert tokens.offsets == [(0, 3), (3, 5), (5, 6), (6, 7), (7, 9), (9, 10)]
    assert tokens.word_ids == [0, 1, 1, 1, 2, 2]


def with_tokens(segmenter):
    for number, token in enumerate([*(AddedToken(t, normalized=False) for t in SPECIAL), AddedToken("newtok")]):
        segmenter.add_tokens({number + 2 if number < 3 else segmenter.vocab_size: token})
    return segmenter


def test_added_tokens_stand_between_runs_of_pieces(vocabularies):
    segmenter = with_tokens(SentencePieceSegmenter(vocabularies["fixture"], AlbertNormalizer()))
    text = "The cat [MASK]  NewTok apple"
    [tokens] = segmenter.encode([text], True, False)
    assert tokens.pieces == ["▁the", "▁cat", "[MASK]", "newtok", "▁apple"]
    assert [text[start:end] for start, end in tokens.offsets] == ["The", " cat", "[MASK]", "NewTok", "apple"]
    assert tokens.ids[2:4] == [4, 600]
    assert tokens.word_ids == [0, 1, 2, 3, 4]
    assert segmenter.encode([text, "", "[CLS]"], False, False)[1:] == [([], None, None, None), ([2], None, None, None)]


def test_special_tokens_are_text_where_asked(vocabularies):
    segmenter = with_tokens(SentencePieceSegmenter(vocabularies["fixture"], AlbertNormalizer()))
    [tokens] = segmenter.encode(["a [MASK]"], True, True)
    assert "".join(tokens.pieces) == "▁a▁[mask]"
    assert 4 not in tokens.ids


@given(batch=st.lists(texts, max_size=6))
def test_a_batch_gives_what_its_texts_give(batch, segmenters):
    segmenter = segmenters["fixture", AlbertNormalizer()]
    for align in (False, True):
        assert segmenter.encode(batch, align, False) == [segmenter.encode([t], align, False)[0] for t in batch]


def test_many_texts_keep_their_order(segmenters):
    segmenter = segmenters["fixture", AlbertNormalizer()]
    batch = [f"{number} cats, {number * 7}, é" for number in range(150)]
    rows = segmenter.encode(batch, True, False)
    assert [segmenter.decode_pieces(row.pieces) for row in rows] == [text.replace("é", "e") for text in batch]


def test_sampling_cuts_one_text_in_many_ways_and_aligns_each(vocabularies):
    segmenter = SentencePieceSegmenter(
        vocabularies["fixture"], AlbertNormalizer(), enable_sampling=True, alpha=0.1, nbest_size=-1
    )
    assert segmenter.random
    text = "The gardener planted 2,000, tulips"
    rows = segmenter.encode([text] * 20, True, False)
    assert len({tuple(row.ids) for row in rows}) > 1
    for row in rows:
        assert "".join(text[start:end] for start, end in row.offsets) == text
        assert not any(map(ends_in_digit_comma, row.pieces))


def test_sampling_goes_on_from_call_to_call_where_a_seed_is_set(vocabularies):
    # Of lists SentencePiece cuts each in a new thread, which begins again at the seed.
    segmenter = SentencePieceSegmenter(
        vocabularies["fixture"], AlbertNormalizer(), enable_sampling=True, alpha=0.1, nbest_size=-1
    )
    text = "The gardener planted 2,000, tulips and watered them. " * 2
    sentencepiece.set_random_generator_seed(7)
    for align in (False, True):
        ways = {tuple(segmenter.encode([text] * 40, align, False)[0].ids) for _ in range(10)}
        assert len(ways) > 3


def test_only_settings_of_sampling_are_taken(vocabularies):
    with pytest.raises(InputError, match=r"may hold enable_sampling, nbest_size and alpha. Received: add_bos"):
        SentencePieceSegmenter(vocabularies["fixture"], AlbertNormalizer(), add_bos=True)


def sent(thing):
    """What another process receives."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


@pytest.mark.parametrize("again", [copy.deepcopy, sent])
def test_copies_cut_alike(again, vocabularies, tokenizer_json):
    cased = SentencePieceSegmenter(vocabularies["fixture"], AlbertNormalizer(do_lower_case=False, keep_accents=True))
    library = TokenizersSegmenter(tokenizers.Tokenizer.from_file(str(tokenizer_json)))
    for segmenter in (with_tokens(cased), library):
        twin = again(segmenter)
        for split in (False, True):
            texts = ["The café [MASK] NewTok", "2,000,"]
            assert twin.encode(texts, True, split) == segmenter.encode(texts, True, split)
        twin.add_tokens({twin.vocab_size + 1 if segmenter is cased else twin.vocab_size: AddedToken("other")})
        assert "other" not in segmenter.added.ids


def test_a_copy_keeps_the_settings_of_sampling(vocabularies):
    segmenter = SentencePieceSegmenter(
        vocabularies["fixture"], AlbertNormalizer(), enable_sampling=True, alpha=0.3, nbest_size=5
    )
    twin = sent(segmenter)
    assert twin.sampling == {"enable_sampling": True, "alpha": 0.3, "nbest_size": 5}
    assert twin.random


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x0a\x05short", "half"])
def test_what_is_no_model_is_refused(content, vocabularies):
    content = vocabularies["fixture"][:4000] if content == "half" else content
    with pytest.raises(CheckpointError, match=rf"must be a SentencePiece model. Reading {len(content):,} bytes failed"):
        SentencePieceSegmenter(content, AlbertNormalizer())


def test_pieces_and_indices_are_inverse(segmenters):
    segmenter = segmenters["fixture", AlbertNormalizer()]
    assert [segmenter.token_to_id(segmenter.id_to_token(index)) for index in range(segmenter.vocab_size)] == list(
        range(segmenter.vocab_size)
    )
    assert segmenter.id_to_token(-1) is None
    assert segmenter.id_to_token(segmenter.vocab_size) is None
    assert segmenter.token_to_id("no such piece") is None
    assert segmenter.token_to_id("") is None


@pytest.fixture(scope="module")
def library_segmenter(tokenizer_json):
    return TokenizersSegmenter(tokenizers.Tokenizer.from_file(str(tokenizer_json)))


def test_the_library_is_taken_as_it_is(tokenizer_json, library_segmenter):
    backend = tokenizers.Tokenizer.from_file(str(tokenizer_json))
    text = "The café [MASK] 2,000, "
    row = backend.encode(text, add_special_tokens=False)
    assert library_segmenter.encode([text], True, False) == [(row.ids, row.tokens, row.offsets, row.word_ids)]
    assert library_segmenter.encode([text], False, False) == [(row.ids, None, None, None)]
    assert library_segmenter.vocab_size == backend.get_vocab_size(with_added_tokens=False)
    assert library_segmenter.added.ids["[MASK]"] == 4


def test_settings_of_length_in_the_file_are_not_used(tokenizer_json):
    backend = tokenizers.Tokenizer.from_file(str(tokenizer_json))
    backend.enable_truncation(3)
    backend.enable_padding(length=50)
    [tokens] = TokenizersSegmenter(backend).encode(["the cat sat on the wall"], False, False)
    assert 3 < len(tokens.ids) < 50
    assert 0 not in tokens.ids


def test_a_negative_id_has_no_piece(library_segmenter):
    assert library_segmenter.id_to_token(-100) is None
    assert library_segmenter.id_to_token(4) == "[MASK]"
    assert library_segmenter.id_to_token(10**6) is None


def test_half_characters_are_replaced(library_segmenter):
    assert library_segmenter.encode(["a\ud800b"], True, False) == library_segmenter.encode(["a\ufffdb"], True, False)


def test_an_added_token_must_follow_the_vocabulary(tokenizer_json):
    segmenter = TokenizersSegmenter(tokenizers.Tokenizer.from_file(str(tokenizer_json)))
    with pytest.raises(CheckpointError, match=r"consecutive ids .* 'newtok' with id 605, where tokenizer.json has 600"):
        segmenter.add_tokens({605: AddedToken("newtok")})


def test_added_tokens_are_known_whether_special_ones_are_split_or_not(tokenizer_json):
    segmenter = TokenizersSegmenter(tokenizers.Tokenizer.from_file(str(tokenizer_json)))
    assert 600 not in segmenter.encode(["a newtok"], False, True)[0].ids
    segmenter.add_tokens({600: AddedToken("newtok")})
    for split in (False, True):
        assert 600 in segmenter.encode(["a newtok"], False, split)[0].ids


def test_threads_may_ask_for_different_things(library_segmenter):
    expected = {split: library_segmenter.encode(["the [MASK] cat"], False, split)[0].ids for split in (False, True)}
    assert expected[False] != expected[True]
    wrong = []

    def ask(split):
        for _ in range(150):
            [tokens, *_] = library_segmenter.encode(["the [MASK] cat"] * 8, False, split)
            if tokens.ids != expected[split]:
                wrong.append(tokens.ids)

    threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_joining_without_a_decoder_puts_spaces():
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    assert TokenizersSegmenter(backend).decode_pieces(["a", "b"]) == "a b"


@pytest.mark.parametrize(("version", "is_enough"), [("0.2.1", False), ("0.1.99", False), ("0.2.2", True), ("1", True)])
def test_a_sentencepiece_without_offsets_in_characters_is_named(spiece, monkeypatch, version, is_enough):
    monkeypatch.setattr(sentencepiece_segmenter.sentencepiece, "__version__", version)
    sentencepiece_segmenter._require_release.cache_clear()
    try:
        if is_enough:
            SentencePieceSegmenter(spiece.read_bytes(), AlbertNormalizer())
            return
        with pytest.raises(OutdatedDependency, match=rf"0\.2\.2 or later. Installed is {version}. Run: pip install"):
            SentencePieceSegmenter(spiece.read_bytes(), AlbertNormalizer())
    finally:
        sentencepiece_segmenter._require_release.cache_clear()


def test_few_and_many_texts_have_the_same_ids(monkeypatch):
    tokenizer = AlbertTokenizerFast.from_pretrained("albertkit/small-en")
    texts = [f"In {number}, 9, a text of {number * 37} words, or {'so ' * (number % 5)}so." for number in range(40)]
    found = {}
    for few in (0, 2**20):  # all by the threads of SentencePiece, and all without
        monkeypatch.setattr(sentencepiece_segmenter, "_FEW", few)
        flat = tokenizer.raw(texts)[0].tolist()
        found[few] = tokenizer(texts)["input_ids"], tokenizer(texts, return_offsets_mapping=True).data, flat
    assert found[0] == found[2**20]
