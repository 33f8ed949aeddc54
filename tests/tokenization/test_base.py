import copy
import json
import logging
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from albertkit.errors import CheckpointError, InputError
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.options import UNLIMITED
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

PAIR = ("The cat sat on the wall, in 1999, twice.", "It rained (2,000 drops).")
HARD = [
    "",
    " ",
    "The café",
    "2,000, 1,",
    "a [MASK] b",
    "[SEP]",
    "漢字 😀",
    "``x''",
    "İ ﬁ ½",
    "\u200b",
    "x\ud800y",
    "cats hello",
]
KINDS = ["slow", "exact", "library", "wordpiece"]
words = st.lists(
    st.sampled_from(["the", "Cat", "2,000,", "é", "[MASK]", "gardener", "hello", "(x)", "漢"]), max_size=10
)
texts = st.one_of(words.map(" ".join), st.text(max_size=15))
STRATEGIES = ["longest_first", "only_first", "only_second"]


@pytest.mark.parametrize("pair", [None, PAIR[1]])
def test_columns_come_in_the_order_of_model_input_names(tokenizer, pair):
    encoded = tokenizer(PAIR[0], pair)
    assert list(encoded) == tokenizer.model_input_names == ["input_ids", "token_type_ids", "attention_mask"]
    first = tokenizer(PAIR[0], add_special_tokens=False)["input_ids"]
    second = None if pair is None else tokenizer(pair, add_special_tokens=False)["input_ids"]
    assert encoded["input_ids"] == tokenizer.build_inputs_with_special_tokens(first, second)
    assert encoded["token_type_ids"] == tokenizer.create_token_type_ids_from_sequences(first, second)
    assert encoded["attention_mask"] == [1] * len(encoded["input_ids"])
    assert tokenizer.num_special_tokens_to_add(pair is not None) == len(encoded["input_ids"]) - len(
        first + (second or [])
    )


def test_columns_may_be_asked_for_and_left_out(tokenizer):
    encoded = tokenizer(
        *PAIR,
        return_token_type_ids=False,
        return_attention_mask=False,
        return_special_tokens_mask=True,
        return_offsets_mapping=True,
        return_length=True,
        padding="max_length",
        max_length=60,
    )
    assert list(encoded) == ["input_ids", "special_tokens_mask", "offset_mapping", "length"]
    assert encoded["length"] == len(encoded["input_ids"]) == 60
    assert encoded["special_tokens_mask"] == encoded[0].special_tokens_mask
    assert encoded["offset_mapping"] == encoded[0].offsets


@settings(max_examples=50)
@given(text=texts, pair=st.none() | texts, options=st.sampled_from([{}, {"truncation": True, "max_length": 7}]))
def test_a_text_is_encoded_as_the_row_of_a_batch(tokenizer, text, pair, options):
    options = {**options, "return_offsets_mapping": True, "return_special_tokens_mask": True}
    alone = tokenizer(text, pair, **options)
    rows = tokenizer([text, "the"], None if pair is None else [pair, "cat"], **options)
    assert {name: column[0] for name, column in rows.items()} == dict(alone)
    assert rows.tokens(0) == alone.tokens()
    assert rows.truncated[0] == alone.truncated[0]


def test_pairs_may_be_given_in_one_list(tokenizer):
    assert dict(tokenizer([PAIR, PAIR])) == dict(tokenizer([PAIR[0]] * 2, [PAIR[1]] * 2))
    assert dict(tokenizer.batch_encode_plus((PAIR, PAIR))) == dict(tokenizer([PAIR, list(PAIR)]))
    assert dict(tokenizer.batch_encode_plus(("a", "b"))) == dict(tokenizer(["a", "b"]))
    assert dict(tokenizer([PAIR[0]], PAIR[1])) == dict(tokenizer([PAIR]))


def test_the_other_names_of_the_call(tokenizer):
    encoded = tokenizer(*PAIR, truncation=True, max_length=9)
    assert tokenizer.encode(*PAIR, truncation=True, max_length=9) == encoded["input_ids"]
    assert dict(tokenizer.encode_plus(*PAIR, truncation=True, max_length=9)) == dict(encoded)
    assert tokenizer.encode("the", return_tensors="np").shape == (1, 3)
    assert tokenizer.tokenize(*PAIR) == tokenizer(*PAIR, add_special_tokens=False).tokens()
    assert tokenizer.tokenize("the", add_special_tokens=True) == ["[CLS]", tokenizer.tokenize("the")[0], "[SEP]"]


@settings(max_examples=50)
@given(first=words, second=words)
def test_words_are_encoded_one_by_one_and_numbered(tokenizer, first, second):
    encoded = tokenizer(first, second, is_split_into_words=True, add_special_tokens=False)
    expected, numbers = [], []
    for group in (first, second):
        for number, word in enumerate(group):
            ids = tokenizer(word, add_special_tokens=False)["input_ids"]
            expected += ids
            numbers += [number] * len(ids)
    assert encoded["input_ids"] == expected
    assert encoded.word_ids() == numbers
    batch = tokenizer([first], [second], is_split_into_words=True, add_special_tokens=False)
    assert batch["input_ids"] == [expected]


def test_offsets_of_words_stay_within_the_word(slow):
    encoded = slow(["The", "café,", "", "once"], is_split_into_words=True, return_offsets_mapping=True)
    assert list(dict.fromkeys(encoded.word_ids())) == [None, 0, 1, 3]
    assert encoded["offset_mapping"][1:6] == [(0, 3), (0, 2), (2, 3), (3, 4), (4, 5)]
    assert encoded["offset_mapping"][-2][1] == len("once")


def test_targets_become_labels(tokenizer):
    encoded = tokenizer("the cat", text_target="a dog", text_pair_target="x")
    assert encoded["labels"] == tokenizer("a dog", "x")["input_ids"]
    assert encoded["input_ids"] == tokenizer("the cat")["input_ids"]
    assert dict(tokenizer(text_target="a dog")) == dict(tokenizer("a dog"))


def test_special_tokens_may_be_taken_for_text(make):
    tokenizer = make()
    mask = tokenizer.mask_token_id
    assert mask in tokenizer("a [MASK]")["input_ids"]
    assert mask not in tokenizer("a [MASK]", split_special_tokens=True)["input_ids"]
    tokenizer.split_special_tokens = True
    assert mask not in tokenizer("a [MASK]")["input_ids"]
    assert mask in tokenizer("a [MASK]", split_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("text", [5, None, ["a", 5], ["a", ["b"]], [["a", 5]], b"bytes", ["a", None], {"a": 1}])
def test_what_is_no_text_is_refused(tokenizer, text):
    with pytest.raises(InputError, match=r"text input must be of type `str`.*Received: |specify either `text`"):
        tokenizer(text)


def test_a_list_of_words_must_be_announced(tokenizer):
    with pytest.raises(InputError, match=r"lists of words need is_split_into_words=True. Received: \['a', 'b', 'c'\]"):
        tokenizer([["a", "b", "c"]])
    with pytest.raises(InputError, match=r"Received: 'ab'"):
        tokenizer("ab", is_split_into_words=True)


def test_batches_of_first_and_second_texts_have_one_length(tokenizer):
    with pytest.raises(InputError, match=r"length of `text`: 2 does not match batch length of `text_pair`: 1"):
        tokenizer(["a", "b"], ["c"])


def test_a_text_or_a_target_is_needed(tokenizer):
    with pytest.raises(InputError, match=r"either `text` or `text_target`"):
        tokenizer()


def test_an_empty_batch_has_no_rows(tokenizer):
    assert dict(tokenizer([])) == {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    assert tokenizer([], padding=True, truncation=True, max_length=5, return_offsets_mapping=True)["input_ids"] == []
    assert tokenizer([[]], is_split_into_words=True)["input_ids"] == [[tokenizer.cls_token_id, tokenizer.sep_token_id]]


def test_arguments_stay_as_they_were(tokenizer):
    first, second = ["the cat", "a"], ["dog", "x y"]
    tokenizer(first, second, padding=True, truncation=True, max_length=6, return_tensors="np").encodings  # noqa: B018
    assert (first, second) == (["the cat", "a"], ["dog", "x y"])


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_have_alignments_that_hold(tokenizer, text):
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert encoded["input_ids"] == tokenizer(text)["input_ids"]
    starts = [start for start, _ in encoded["offset_mapping"][1:-1]]
    assert starts == sorted(starts)
    assert all(0 <= start <= end <= len(text) for start, end in encoded["offset_mapping"])


def test_special_tokens_are_needed_to_put_them_around(makers):
    tokenizer = makers["slow"](cls_token=None, bos_token=None)
    with pytest.raises(InputError, match=r"need a cls_token and a sep_token. Pass add_special_tokens=False"):
        tokenizer("the")
    assert tokenizer("the", add_special_tokens=False)["input_ids"] == [14]


def rows_of(encoded):
    """Ids of each row, without padding."""
    columns = zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
    return [[i for i, keep in zip(ids, mask, strict=True) if keep] for ids, mask in columns]


@settings(max_examples=60)
@given(
    text=words.map(" ".join),
    length=st.integers(4, 14),
    stride=st.integers(0, 5),
    side=st.sampled_from(["left", "right"]),
)
@pytest.mark.parametrize("kind", KINDS)
def test_windows_hold_every_token_and_overlap_by_the_stride(kind, makers, sided, text, length, stride, side):
    assume(stride < length - 2)
    tokenizer = sided[kind, side]
    whole = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    encoded = tokenizer(
        text,
        truncation=True,
        max_length=length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    assert encoded["overflow_to_sample_mapping"] == [0] * len(encoded["input_ids"])
    assert encoded.truncated == [0]
    assert all(len(ids) <= length for ids in encoded["input_ids"])
    gathered = []
    windows = list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))
    for number, (ids, offsets) in enumerate(windows):
        body = list(zip(ids[1:-1], offsets[1:-1], strict=True))
        if side == "left":
            body = body[::-1]
        if number:
            assert gathered[len(gathered) - stride :] == body[:stride] or len(body) <= stride
            body = body[stride:]
        gathered += body
    expected = list(zip(whole["input_ids"], whole["offset_mapping"], strict=True))
    assert gathered == (expected[::-1] if side == "left" else expected)


@pytest.fixture(scope="module")
def sided(makers):
    return {(k, side): make(truncation_side=side) for k, make in makers.items() for side in ("left", "right")}


@settings(max_examples=40)
@given(first=words.map(" ".join), second=words.map(" ".join), length=st.integers(6, 24))
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_pairs_are_cut_by_the_strategy(tokenizer, strategy, first, second, length):
    sizes = [len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in (first, second)]
    try:
        encoded = tokenizer(first, second, truncation=strategy, max_length=length)
    except InputError:
        fixed = {"only_first": sizes[1], "only_second": sizes[0], "longest_first": 0}[strategy]
        assert fixed + 3 >= length
        return
    ids, types = encoded["input_ids"], encoded["token_type_ids"]
    assert len(ids) == min(length, sum(sizes) + 3)
    kept = types.count(0) - 2, types.count(1) - 1
    assert encoded.truncated == [sum(sizes) - sum(kept)]
    parts = [
        tokenizer(text, add_special_tokens=False)["input_ids"][:n]
        for text, n in zip((first, second), kept, strict=True)
    ]
    assert ids == tokenizer.build_inputs_with_special_tokens(*parts)
    if strategy == "only_first":
        assert kept[1] == sizes[1]
    elif strategy == "only_second":
        assert kept[0] == sizes[0]
    elif kept != tuple(sizes):
        assert abs(kept[0] - kept[1]) <= 1 or kept[kept.index(min(kept))] == sizes[kept.index(min(kept))]


@settings(max_examples=40)
@given(batch=st.lists(texts, min_size=1, max_size=4), multiple=st.sampled_from([None, 8]), longest=st.booleans())
@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_rows_are_the_rows_with_padding(tokenizer, side, batch, multiple, longest):
    options = {"padding": "longest"} if longest else {"padding": "max_length", "max_length": 40}
    plain = tokenizer(batch)["input_ids"]
    padded = tokenizer(
        batch, pad_to_multiple_of=multiple, padding_side=side, return_special_tokens_mask=True, **options
    )
    target = max(map(len, plain)) if longest else 40
    target = -(-target // multiple) * multiple if multiple else target
    for row, ids in enumerate(plain):
        space = max(target - len(ids), 0)
        filled = [tokenizer.pad_token_id] * space
        assert padded["input_ids"][row] == (filled + ids if side == "left" else ids + filled)
        assert padded["attention_mask"][row].count(0) == space
        assert len(padded["token_type_ids"][row]) == len(padded["input_ids"][row])
        assert padded["special_tokens_mask"][row].count(1) >= space + 2
        assert padded[row].tokens.count(tokenizer.pad_token) >= space
    assert rows_of(padded) == plain


def test_arrays_have_the_shape_of_the_batch(tokenizer):
    arrays = tokenizer(["the cat", "a"], padding=True, return_tensors="np", return_length=True)
    assert {name: array.shape for name, array in arrays.items() if name != "length"} == dict.fromkeys(
        tokenizer.model_input_names, (2, len(tokenizer("the cat")["input_ids"]))
    )
    assert arrays["length"].shape == (2,)
    assert tokenizer("the cat", return_tensors="np")["input_ids"].ndim == 2
    windows = tokenizer(
        "the cat", truncation=True, max_length=3, return_overflowing_tokens=True, padding=True, return_tensors="np"
    )
    assert windows["input_ids"].shape[1] == 3
    assert windows["overflow_to_sample_mapping"].dtype == np.int64
    with pytest.raises(InputError, match=r"lengths from 3 to"):
        tokenizer(["the cat sat", "a"], return_tensors="np")


def test_windows_say_which_text_they_belong_to(slow):
    encoded = slow(["the cat sat on", "a", "the wall"], truncation=True, max_length=4, return_overflowing_tokens=True)
    mapping = encoded["overflow_to_sample_mapping"]
    assert mapping == sorted(mapping)
    assert set(mapping) == {0, 1, 2}
    assert mapping.count(1) == 1
    assert mapping.count(0) > 1
    assert encoded.truncated == [0, 0, 0]


def test_tokens_that_stand_in_no_window_are_counted(slow):
    sizes = [len(slow.tokenize(text)) for text in PAIR]
    assert slow(PAIR[0], truncation=True, max_length=6).truncated == [sizes[0] - 4]
    assert slow([PAIR[0], "a"], truncation=True, max_length=6).truncated == [sizes[0] - 4, 0]
    overflow = {"truncation": True, "return_overflowing_tokens": True}
    assert slow(*PAIR, max_length=3, **overflow).truncated == [sum(sizes)]
    assert slow(*PAIR, max_length=4, **overflow).truncated == [sizes[1]]
    assert slow(*PAIR, max_length=5, **overflow).truncated == [0]


def test_the_limit_of_the_tokenizer_is_the_usual_length(make):
    tokenizer = make(model_max_length=6)
    assert len(tokenizer(PAIR[0], truncation=True)["input_ids"]) == 6
    assert len(tokenizer("a", padding="max_length")["input_ids"]) == 6
    assert tokenizer.max_len_single_sentence == 4
    assert tokenizer.max_len_sentences_pair == 3
    assert make().model_max_length == UNLIMITED


def test_what_is_too_long_is_warned_of_once(make, caplog):
    tokenizer = make(model_max_length=6)
    with caplog.at_level(logging.WARNING):
        tokenizer("a")
        tokenizer(PAIR[0], truncation=True)
        tokenizer(PAIR[0], verbose=False)
        tokenizer.tokenize(PAIR[0])
        assert not caplog.records
        length = len(tokenizer(PAIR[0])["input_ids"])
        tokenizer(PAIR[0])
    assert [record.message for record in caplog.records] == [
        "Token indices sequence length is longer than the specified maximum sequence length for this model "
        f"({length} > 6). Running this sequence through the model will result in indexing errors. Pass truncation=True "
        "to cut it."
    ]


def test_asking_for_alignments_warns_of_nothing_a_second_time(make, caplog):
    tokenizer = make()
    with caplog.at_level(logging.WARNING):
        encoded = tokenizer("the cat", truncation=True)
        assert len(caplog.records) == 1
        encoded.tokens()
    assert len(caplog.records) == 1


def test_sides_may_be_set_when_made(make):
    left = make(padding_side="left", truncation_side="left")
    right = make()
    ids = right("the cat sat", add_special_tokens=False)["input_ids"]
    assert left("the cat sat", truncation=True, max_length=4)["input_ids"][1:-1] == ids[-2:]
    assert left(["the cat sat", "a"], padding=True)["attention_mask"][1][0] == 0
    assert right(["the cat sat", "a"], padding=True)["attention_mask"][1][-1] == 0
    for name in ("padding_side", "truncation_side"):
        with pytest.raises(InputError, match=r"'left' or 'right'. Received: 'middle'"):
            make(**{name: "middle"})


def test_special_tokens_around_ids(slow):
    assert slow.build_inputs_with_special_tokens([7, 8]) == [2, 7, 8, 3]
    assert slow.build_inputs_with_special_tokens([7, 8], [9]) == [2, 7, 8, 3, 9, 3]
    assert slow.create_token_type_ids_from_sequences([7, 8]) == [0, 0, 0, 0]
    assert slow.create_token_type_ids_from_sequences([7, 8], [9]) == [0, 0, 0, 0, 1, 1]
    assert slow.get_special_tokens_mask([7, 8]) == [1, 0, 0, 1]
    assert slow.get_special_tokens_mask([7, 8], [9]) == [1, 0, 0, 1, 0, 1]
    assert slow.get_special_tokens_mask([2, 7, 4, 3, 0], already_has_special_tokens=True) == [1, 0, 1, 1, 1]
    with pytest.raises(InputError, match=r"are one sequence. Received: two"):
        slow.get_special_tokens_mask([2], [3], already_has_special_tokens=True)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"truncation": True, "max_length": 8},
        {"padding": "max_length", "max_length": 60},
        {"add_special_tokens": False},
    ],
)
@pytest.mark.parametrize("pair", [False, True])
def test_a_model_input_of_ids_is_that_of_their_text(tokenizer, options, pair):
    chosen = PAIR if pair else PAIR[:1]
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in chosen]
    made = tokenizer.prepare_for_model(*ids, **options)
    assert dict(made) == dict(tokenizer(*chosen, **options))
    assert made.truncated == tokenizer(*chosen, **options).truncated
    overflow = {"truncation": True, "max_length": 8, "stride": 1, "return_overflowing_tokens": True}
    assert dict(tokenizer.prepare_for_model(*ids, **overflow)) == dict(tokenizer(*chosen, **overflow))


def test_ids_have_no_offsets(tokenizer):
    with pytest.raises(InputError, match=r"Only what is made from text has offsets"):
        tokenizer.prepare_for_model([5, 6], return_offsets_mapping=True)


@pytest.mark.parametrize("side", ["left", "right"])
def test_encoded_inputs_are_padded_later_as_at_once(tokenizer, side):
    batch = ["the cat sat", "a", "漢"]
    at_once = tokenizer(batch, padding=True, padding_side=side)
    assert dict(tokenizer.pad(tokenizer(batch), padding_side=side)) == dict(at_once)
    assert dict(tokenizer.pad([tokenizer(text) for text in batch], padding_side=side)) == dict(at_once)
    rows = [{"input_ids": np.array(tokenizer(text)["input_ids"])} for text in batch]
    assert tokenizer.pad(rows, padding_side=side)["attention_mask"] == at_once["attention_mask"]


def test_padding_serves_as_collate_function(slow):
    rows = [{**slow("the cat"), "labels": 1, "score": 0.5}, {**slow("a"), "labels": 0, "score": 0.25}]
    before = copy.deepcopy(rows)
    arrays = slow.pad(rows, return_tensors="np", pad_to_multiple_of=8)
    assert rows == before
    assert arrays["input_ids"].shape == (2, 8)
    assert arrays["labels"].tolist() == [1, 0]
    assert arrays["score"].tolist() == [0.5, 0.25]


def test_one_encoding_may_be_padded(slow):
    ids = slow("the cat")["input_ids"]
    assert slow.pad(slow("the cat"), padding="max_length", max_length=6)["input_ids"] == [*ids, 0, 0]
    assert slow.pad(slow("the cat"), return_tensors="np")["input_ids"].shape == (1, 4)
    assert dict(slow.pad({"input_ids": ids}, padding=False)) == {"input_ids": ids}
    assert list(slow.pad({"input_ids": ids}, return_attention_mask=False)) == ["input_ids"]


@pytest.mark.parametrize("rows", [[], [{"labels": 1}], {"labels": [1]}])
def test_padding_needs_ids(slow, rows):
    with pytest.raises(InputError, match=r"that includes input_ids, but you provided"):
        slow.pad(rows)


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("hello world", "[CLS] hello world[SEP]"),
        ("hello [MASK] a", "[CLS] hello[MASK] a[SEP]"),
        ("[MASK][MASK]", "[CLS][MASK][MASK][SEP]"),
        ("", "[CLS][SEP]"),
        ("2,000, 1, (a)", "[CLS] 2,000, 1, (a)[SEP]"),
    ],
)
def test_special_tokens_are_written_as_they_are(slow, text, decoded):
    assert slow.decode(slow(text)["input_ids"]) == decoded


def test_text_behind_the_last_special_token_follows_directly(slow):
    assert slow.convert_tokens_to_string(slow.tokenize("hello world[MASK] x")) == "hello world[MASK]x"
    assert slow.convert_tokens_to_string(["[MASK]", "▁a", "[MASK]"]) == "[MASK] a[MASK]"
    assert slow.convert_tokens_to_string([]) == ""


@given(text=words.map(" ".join))
def test_text_comes_back_cleaned(slow, text):
    ids = slow(text)["input_ids"]
    assume(slow.unk_token_id not in ids)
    expected = " ".join(text.replace("[MASK]", " ").replace("é", "e").lower().split())
    assert slow.decode(ids, skip_special_tokens=True).replace(" ", "") == expected.replace(" ", "")
    if "[MASK]" not in text:
        assert slow.decode(ids, skip_special_tokens=True) == expected


def test_added_tokens_are_set_off_by_spaces(make):
    tokenizer = make()
    tokenizer.add_tokens("newtok")
    ids = tokenizer("thenewtokthe")["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "the newtok the"
    assert "thenewtokthe" in tokenizer.decode(ids, spaces_between_special_tokens=False).replace(" ", "")


def test_ids_may_come_as_arrays_or_one_by_one(tokenizer):
    encoded = tokenizer(["the cat", "a"], padding=True, return_tensors="np")
    rows = tokenizer.batch_decode(encoded["input_ids"], skip_special_tokens=True)
    assert rows == [tokenizer.decode(row.tolist(), skip_special_tokens=True) for row in encoded["input_ids"]]
    sep = tokenizer.sep_token_id
    assert tokenizer.decode(sep) == tokenizer.decode(np.int64(sep)) == tokenizer.decode([sep]) == "[SEP]"


@pytest.mark.torch
def test_ids_may_come_as_tensors(slow):
    torch = pytest.importorskip("torch")
    assert slow.decode(torch.tensor([2, 14])) == slow.decode([2, 14])
    padded = slow.pad([{"input_ids": torch.tensor([2, 14])}, {"input_ids": torch.tensor([2])}], return_tensors="pt")
    assert padded["input_ids"].tolist() == [[2, 14], [2, 0]]


def test_spaces_before_punctuation_may_be_cleaned_up(make):
    tokenizer = make(clean_up_tokenization_spaces=True)
    plain = make()
    tokens = "a . b ? c ! d , do n't I 'm he 's we 've you 're x ' y"
    ids = plain.convert_tokens_to_ids(["[SEP]"])
    plain.convert_tokens_to_string = tokenizer.convert_tokens_to_string = lambda _: tokens
    assert plain.decode(ids) == tokens
    expected = "a. b? c! d, don't I'm he's we've you're x'y"
    assert tokenizer.decode(ids) == plain.decode(ids, clean_up_tokenization_spaces=True) == expected
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == tokens


CHANGES = {
    "plain": {},
    "settings": {
        "model_max_length": 99,
        "padding_side": "left",
        "truncation_side": "left",
        "split_special_tokens": True,
    },
    "cased": {"do_lower_case": False, "clean_up_tokenization_spaces": True},
    "roles": {"mask_token": AddedToken("<mask>", rstrip=True, special=True), "additional_special_tokens": ["<e>"]},
}
SETTINGS = (
    "model_max_length",
    "padding_side",
    "truncation_side",
    "split_special_tokens",
    "clean_up_tokenization_spaces",
)


def state(tokenizer):
    """What makes a tokenizer what it is, as far as callers can see."""
    flags = ("content", "lstrip", "rstrip", "single_word", "normalized", "special")
    return {
        "vocabulary": tokenizer.get_vocab(),
        "added": {i: [getattr(t, flag) for flag in flags] for i, t in tokenizer.added_tokens_decoder.items()},
        "roles": tokenizer.special_tokens_map,
        "settings": [getattr(tokenizer, name) for name in SETTINGS],
        "encodings": [
            [dict(tokenizer(text, return_offsets_mapping=True)), tokenizer.tokenize(text)]
            for text in [*HARD, "NewTok newtok <e> [e] <mask>  x", "Ärger xRawx xrawx 5, 1,"]
        ],
    }


def changed(make, change):
    tokenizer = make(**CHANGES[change])
    if change != "plain":
        tokenizer.add_tokens(["NewTok", AddedToken("xRawx", normalized=False, lstrip=True)])
        tokenizer.add_special_tokens({"additional_special_tokens": ["[e]"]}, replace_additional_special_tokens=False)
    return tokenizer


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_saved_is_loaded_again(make, change, tmp_path):
    tokenizer = changed(make, change)
    written = tokenizer.save_pretrained(tmp_path / "new")
    assert sorted(written) == sorted(str(path) for path in (tmp_path / "new").iterdir())
    again = type(tokenizer).from_pretrained(tmp_path / "new")
    assert type(again) is type(tokenizer)
    assert state(again) == state(tokenizer)
    again.save_pretrained(tmp_path / "newer")
    for path in (tmp_path / "new").iterdir():
        assert (tmp_path / "newer" / path.name).read_bytes() == path.read_bytes(), path.name


def sent(thing):
    """What another process receives."""
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("again", [copy.deepcopy, sent])
def test_copies_are_equal_and_independent(make, change, again):
    tokenizer = changed(make, change)
    twin = again(tokenizer)
    before = state(tokenizer)
    assert state(twin) == before
    twin.add_tokens("anothertok")
    twin.mask_token = twin.pad_token
    assert state(tokenizer) == before


def test_saving_leaves_the_tokenizer_as_it_was(make, tmp_path):
    tokenizer = changed(make, "roles")
    before = state(tokenizer)
    tokenizer.save_pretrained(tmp_path)
    assert state(tokenizer) == before


@pytest.mark.parametrize("kind", ["slow", "exact", "wordpiece"])
def test_keywords_override_the_files(kind, makers, tmp_path):
    makers[kind]().save_pretrained(tmp_path)
    tokenizer = type(makers[kind]()).from_pretrained(
        tmp_path, do_lower_case=False, model_max_length=7, padding_side="left"
    )
    assert (tokenizer.model_max_length, tokenizer.padding_side) == (7, "left")
    assert tokenizer.tokenize("THE") != tokenizer.tokenize("the")
    assert tokenizer.name_or_path == str(tmp_path)


def test_files_are_those_that_transformers_reads(make, tmp_path):
    tokenizer = changed(make, "roles")
    tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == type(tokenizer).saved_class
    assert config["mask_token"] == "<mask>"
    last = str(len(tokenizer) - 1)
    assert config["added_tokens_decoder"][last] == {
        "content": "[e]",
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
    assert "vocab_file" not in config
    assert "tokenizer_file" not in config
    roles = json.loads((tmp_path / "special_tokens_map.json").read_text(encoding="utf-8"))
    assert roles["mask_token"] == {
        "content": "<mask>",
        "lstrip": False,
        "normalized": False,
        "rstrip": True,
        "single_word": False,
    }
    assert roles["additional_special_tokens"] == tokenizer.additional_special_tokens
    assert {"<e>", "[e]"} <= set(tokenizer.additional_special_tokens)
    added = json.loads((tmp_path / "added_tokens.json").read_text(encoding="utf-8"))
    assert added == {t: i for t, i in tokenizer.added_tokens_encoder.items() if i >= tokenizer.vocab_size}


def test_keys_of_others_are_kept(makers, tmp_path):
    tokenizer = makers["slow"](of_others={"a": 1})
    tokenizer.save_pretrained(tmp_path)
    again = AlbertTokenizer.from_pretrained(tmp_path)
    assert again.init_kwargs["of_others"] == {"a": 1}


def test_a_prefix_stands_before_every_name(make, tmp_path):
    written = make().save_pretrained(tmp_path, filename_prefix="my")
    names = {path.name for path in tmp_path.iterdir()}
    assert {path.rsplit("/", 1)[1] for path in written} == names
    assert all(name.startswith("my-") for name in names)


def test_old_files_do_not_survive_a_new_save(make, tmp_path):
    (tmp_path / "added_tokens.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("kept")
    make().save_pretrained(tmp_path)
    assert not (tmp_path / "added_tokens.json").exists()
    assert (tmp_path / "model.safetensors").read_text() == "kept"


def test_files_may_be_written_beside_others(make, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    names = make().write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert "config.json" in names


def test_a_save_that_fails_leaves_what_was_there(make, tmp_path, monkeypatch):
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    tokenizer.model_max_length = 5
    monkeypatch.setattr(type(tokenizer), "save_vocabulary", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(CheckpointError, match=r"What was there before is untouched"):
        tokenizer.save_pretrained(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_missing_folder_is_named(tmp_path):
    for reader in (AlbertTokenizer, AlbertTokenizerFast, AlbertWordPieceTokenizer):
        with pytest.raises(CheckpointError, match=r"nowhere"):
            reader.from_pretrained(tmp_path / "nowhere")


def test_a_tokenizer_says_its_size_and_limit(make):
    tokenizer = make()
    assert repr(tokenizer) == f"{type(tokenizer).__name__}({len(tokenizer)} tokens, 0 of them added; no limit)"
    tokenizer.add_tokens("newtok")
    tokenizer.model_max_length = 512
    assert f"({len(tokenizer)} tokens, 1 of them added; at most 512 tokens)" in repr(tokenizer)


def test_the_base_asks_its_classes_for_their_files(tmp_path):
    with pytest.raises(NotImplementedError):
        AlbertTokenizerBase._vocabulary_files(tmp_path, {})
    with pytest.raises(NotImplementedError):
        AlbertTokenizerBase.save_vocabulary(None, tmp_path)


def literal(tokenizer, texts):
    """The rows that `literal` gives as one array."""
    ids, lengths = tokenizer.literal(texts)
    assert (ids.dtype, lengths.dtype, len(lengths), lengths.sum()) == (np.int32, np.int64, len(texts), len(ids))
    return [row.tolist() for row in np.split(ids, np.cumsum(lengths)[:-1])] if texts else []


PLAIN = {"add_special_tokens": False, "split_special_tokens": True}


def test_literal_takes_special_tokens_for_text(tokenizer):
    texts = ["hello world", "", "in 1999, or 2,000, 9,", "a [MASK] b [SEP]", "[CLS]", "9,"]
    rows = literal(tokenizer, texts)
    assert rows == tokenizer(texts, **PLAIN)["input_ids"]
    assert not {index for row in rows for index in row} & {2, 3, 4}
    assert literal(tokenizer, []) == []


@given(st.lists(st.text("19, ab.é"), max_size=6))
def test_literal_gives_the_ids_of_the_call(makers, vocabularies, tmp_path_factory, texts):
    for name, model in vocabularies.items():
        path = tmp_path_factory.getbasetemp() / f"{name}.model"
        if not path.exists():
            path.write_bytes(model)
        tokenizer = AlbertTokenizerFast(path)
        assert literal(tokenizer, texts) == (tokenizer(texts, **PLAIN)["input_ids"] if texts else [])


def test_literal_finds_tokens_that_were_added(make):
    tokenizer = make()
    tokenizer.add_tokens(["newtok"])
    index = tokenizer.convert_tokens_to_ids("newtok")
    rows = literal(tokenizer, ["a newtok", "[MASK] hello", "newtok"])
    assert index in rows[0]
    assert rows[2] == [index]
    assert rows[1] == literal(make(), ["[MASK] hello"])[0]


def test_one_thread_gives_the_same_ids(make):
    tokenizer = make()
    tokenizer.use_one_thread()
    assert literal(tokenizer, ["hello world"] * 3) == literal(make(), ["hello world"] * 3)
