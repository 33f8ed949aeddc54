import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit import arrays

ROWS = st.lists(st.lists(st.integers(-5, 30000), max_size=9), max_size=9)
LENGTHS = st.lists(st.integers(0, 600), max_size=60)


@given(ROWS, st.integers(-5, 5))
def test_padding_stands_on_the_right_of_each_row(rows, filling):
    array = arrays.padded(rows, filling)
    width = max(map(len, rows), default=0)
    assert array.shape == (len(rows), width)
    assert array.dtype == np.int64
    assert array.tolist() == [row + [filling] * (width - len(row)) for row in rows]


@given(ROWS.filter(len), st.integers(0, 9))
def test_the_mask_marks_what_is_not_padding(rows, pad_id):
    types = [[1] * len(row) for row in rows]
    batch = arrays.model_inputs(rows, types, pad_id)
    mask = batch.get("attention_mask", np.ones_like(batch["input_ids"]))
    assert mask.dtype == np.int64
    assert mask.shape == batch["input_ids"].shape == batch["token_type_ids"].shape
    assert [ids[seen].tolist() for ids, seen in zip(batch["input_ids"], mask == 1, strict=True)] == rows
    assert (batch["input_ids"][mask == 0] == pad_id).all()
    assert (batch["token_type_ids"] == mask).all()
    assert set(np.unique(mask)) <= {0, 1}


def test_no_mask_where_nothing_is_padded():
    assert set(arrays.model_inputs([[2, 7, 3], [2, 9, 3]], [[0] * 3] * 2, 0)) == {"input_ids", "token_type_ids"}
    assert "attention_mask" in arrays.model_inputs([[2, 7, 3], [2, 3]], [[0] * 3, [0] * 2], 0)


def test_a_pad_id_inside_a_text_is_not_masked():
    batch = arrays.model_inputs([[2, 0, 3], [2, 3]], [[0] * 3, [0] * 2], 0)
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_no_rows_make_an_empty_batch():
    assert arrays.model_inputs([], [], 0)["input_ids"].shape == (0, 0)


@given(LENGTHS, st.integers(1, 4096))
def test_batches_cover_every_row_once_within_the_budget(lengths, tokens):
    batches = [batch.tolist() for batch in arrays.by_length(lengths, tokens)]
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        width = max(lengths[row] for row in batch)
        assert len(batch) == 1 or len(batch) * width <= tokens


@given(LENGTHS, st.integers(1, 4096))
def test_batches_run_from_long_to_short(lengths, tokens):
    seen = [lengths[row] for batch in arrays.by_length(lengths, tokens) for row in batch]
    assert seen == sorted(lengths, reverse=True)


@given(LENGTHS, st.integers(1, 4096))
def test_no_batch_could_have_taken_its_next_row(lengths, tokens):
    batches = list(arrays.by_length(lengths, tokens))
    for batch in batches[:-1]:
        assert (len(batch) + 1) * max(lengths[batch[0]], 1) > tokens


@pytest.mark.parametrize("lengths", [[3, 1, 2], np.array([3, 1, 2]), (3, 1, 2)])
def test_lengths_may_be_any_sequence(lengths):
    assert [batch.tolist() for batch in arrays.by_length(lengths, 4)] == [[0], [2, 1]]
