import copy
import logging

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from albertkit.errors import InputError, WrongType
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.options import UNLIMITED
from tokenization.common import HARD, words

PAIR = ("The cat sat on the wall, in 1999, twice.", "It rained (2,000 drops).")
KINDS = ["slow", "exact", "library", "wordpiece"]
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
    with pytest.raises(InputError, match=r"A text is a string.*Received: |A call needs texts"):
        tokenizer(text)


def test_a_list_of_words_must_be_announced(tokenizer):
    with pytest.raises(
        InputError, match=r"with is_split_into_words=True a text is a list of its words. Received: \['a', 'b', 'c'\]"
    ):
        tokenizer([["a", "b", "c"]])
    with pytest.raises(InputError, match=r"Received: 'ab'"):
        tokenizer("ab", is_split_into_words=True)


def test_batches_of_first_and_second_texts_have_one_length(tokenizer):
    with pytest.raises(InputError, match=r"Received: 2 in `text` and 1 in `text_pair`"):
        tokenizer(["a", "b"], ["c"])


def test_a_text_or_a_target_is_needed(tokenizer):
    with pytest.raises(InputError, match=r"A call needs texts: as `text`, or as `text_target`"):
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
        assert len(tokenizer(PAIR[0], truncation=True, max_length=7)["input_ids"]) == 7  # named, so meant
        tokenizer(PAIR[0], verbose=False)
        tokenizer.tokenize(PAIR[0])
        assert not caplog.records
        length = len(tokenizer(PAIR[0])["input_ids"])
        tokenizer(PAIR[0])
    assert [record.message for record in caplog.records] == [
        f"A text of {length} tokens is longer than `model_max_length`, 6, and the model will refuse it. Pass "
        "truncation=True to cut it."
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
    padded = tokenizer.pad(rows, padding_side=side)
    assert isinstance(padded["attention_mask"], np.ndarray)  # as the rows were
    assert padded["attention_mask"].tolist() == at_once["attention_mask"]


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
    assert dict(slow.pad({"input_ids": ids}, padding=False)) == {"input_ids": ids, "attention_mask": [1, 1, 1, 1]}
    assert list(slow.pad({"input_ids": ids}, return_attention_mask=False)) == ["input_ids"]


@pytest.mark.parametrize("rows", [[], [{"labels": 1}], {"labels": [1]}])
def test_padding_needs_ids(slow, rows):
    with pytest.raises(InputError, match=r"Padding needs encodings, which have `input_ids`. Received: "):
        slow.pad(rows)


def literal(tokenizer, texts):
    """The rows that `literal` gives as one array."""
    ids, lengths = tokenizer.raw(texts)
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


def test_options_that_there_are_not_are_refused_by_every_call(tokenizer):
    for call in (tokenizer, tokenizer.encode, tokenizer.encode_plus, tokenizer.tokenize):
        with pytest.raises(WrongType, match=r"no option `pad_to_max_length`\. Pass padding='max_length'"):
            call("the cat", pad_to_max_length=True)
    with pytest.raises(WrongType, match="no option `nonsense`"):
        tokenizer.prepare_for_model([5], nonsense=1)


def test_pairs_of_lists_of_words_may_stand_in_one_list(tokenizer):
    first, second = ["the", "cat"], ["sat"]
    expected = tokenizer([first], [second], is_split_into_words=True)
    assert dict(tokenizer.batch_encode_plus([(first, second)], is_split_into_words=True)) == dict(expected)
    words = tokenizer.batch_encode_plus([["the", "cat"], ["sat", "on"]], is_split_into_words=True)
    assert words["input_ids"][0] == tokenizer(first, is_split_into_words=True)["input_ids"]


def test_texts_and_pairs_may_stand_in_one_list(tokenizer):
    mixed = tokenizer([("the", "cat"), "sat"])["input_ids"]
    assert mixed == [tokenizer("the", "cat")["input_ids"], tokenizer("sat")["input_ids"]]


def test_nothing_is_no_text(tokenizer):
    for call in (tokenizer, tokenizer.encode, tokenizer.encode_plus, tokenizer.tokenize, tokenizer.batch_encode_plus):
        with pytest.raises(InputError):
            call(None)
    for batch in ([None], ["the", None]):
        with pytest.raises(InputError, match=r"A text is a string.*Received: None"):
            tokenizer.batch_encode_plus(batch)
    with pytest.raises(WrongType, match=r"a list of ids or an array of them\. Received: None"):
        tokenizer.decode(None)
    assert tokenizer.convert_tokens_to_ids(None) is None


def test_one_text_is_not_a_batch(tokenizer):
    with pytest.raises(WrongType, match="Put a single text into a list"):
        tokenizer.batch_encode_plus("the cat")
    with pytest.raises(InputError, match=r"`tokenize` takes one text.*a list of 2"):
        tokenizer.tokenize(["the", "cat"])
    words = tokenizer.tokenize(["the", "cat"], is_split_into_words=True)
    assert words == [*tokenizer.tokenize("the"), *tokenizer.tokenize("cat")]


def test_ids_in_place_of_text_are_sent_to_their_method(tokenizer):
    for ids in ([5, 6], [[5, 6]]):
        with pytest.raises(InputError, match="Ids are taken by prepare_for_model"):
            tokenizer.encode(ids)


def test_the_type_of_padding_is_fixed(make):
    with pytest.raises(AttributeError):
        make().pad_token_type_id = 2


def test_one_input_of_ids_may_be_a_batch(tokenizer):
    assert tokenizer.prepare_for_model([5, 6], return_tensors="np")["input_ids"].shape == (4,)
    batch = tokenizer.prepare_for_model([5, 6], return_tensors="np", prepend_batch_axis=True)
    assert batch["input_ids"].shape == (1, 4)
