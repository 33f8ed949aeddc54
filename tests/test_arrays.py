import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit import arrays

ROWS = st.lists(st.lists(st.integers(-5, 30000), max_size=9), max_size=9)
LENGTHS = st.lists(st.integers(0, 600), max_size=60)


@given(ROWS, st.integers(-5, 5))
def test_padding_stands_on_the_right_of_each_row(rows, filling):
    array = arrays.pad(rows, filling)
    width = max(map(len, rows), default=0)
    assert array.shape == (len(rows), width)
    assert array.dtype == np.int64
    assert array.tolist() == [row + [filling] * (width - len(row)) for row in rows]


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
        more = 8 if len(batch) >= 8 else 1  # many rows are a multiple of 8
        assert (len(batch) + more) * arrays.bucket(lengths[batch[0]]) > tokens
        assert arrays.round_rows(len(batch)) == len(batch) or len(batch) < 8


def test_numbers_of_rows_are_rounded_to_few():
    assert [arrays.round_rows(rows) for rows in (1, 2, 3, 5, 8, 9, 16, 17)] == [1, 2, 4, 8, 8, 16, 16, 24]


def test_lengths_are_rounded_to_few():
    found = [arrays.bucket(length) for length in range(513)]
    assert sorted(set(found)) == [*range(8, 65, 8), 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512]
    assert all(0 <= new - length <= max(8, length / 4) for length, new in enumerate(found))


@given(LENGTHS, st.integers(1, 4096))
def test_full_batches_of_one_rounded_length_have_one_size(lengths, tokens):
    sizes = {}
    for batch in list(arrays.by_length(lengths, tokens))[:-1]:
        sizes.setdefault(arrays.bucket(lengths[batch[0]]), set()).add(len(batch))
    assert all(len(found) == 1 for found in sizes.values())


@pytest.mark.parametrize("lengths", [[3, 1, 2], np.array([3, 1, 2]), (3, 1, 2)])
def test_lengths_may_be_any_sequence(lengths):
    assert [batch.tolist() for batch in arrays.by_length(lengths, 16)] == [[0, 2], [1]]
