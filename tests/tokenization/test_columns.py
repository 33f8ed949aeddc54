import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.tokenization import columns as batch_columns
from albertkit.tokenization.options import Padding


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=4), st.integers(0, 12))
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("multiple", [None, 4])
def test_rows_are_filled_to_one_length(side, multiple, rows, length):
    columns = {"input_ids": rows, "token_type_ids": [[1] * len(row) for row in rows], "labels": [[7]] * len(rows)}
    before = copy.deepcopy(columns)
    longest = max(map(len, rows))
    for wanted in (None, length):
        target = longest if wanted is None else wanted
        target = -(-target // multiple) * multiple if multiple else target
        filled = batch_columns.pad(columns, 0, Padding(wanted, multiple, side))
        for row, ids, types, mask in zip(
            rows, filled["input_ids"], filled["token_type_ids"], filled["attention_mask"], strict=True
        ):
            space = [0] * (target - len(row))
            ones = [1] * len(row)
            assert ids == (space + row if side == "left" else row + space)
            assert types == mask == (space + ones if side == "left" else ones + space)
        assert filled["labels"] == before["labels"]
    assert columns == before


def test_each_column_has_its_own_filling():
    columns = {
        "input_ids": [[5, 6], [7]],
        "attention_mask": [[1, 0], [1]],
        "special_tokens_mask": [[0, 0], [0]],
        "offset_mapping": [[(0, 1), (1, 2)], [(0, 4)]],
    }
    filled = batch_columns.pad(columns, 9, Padding(None, None, "right"))
    assert filled["input_ids"] == [[5, 6], [7, 9]]
    assert filled["attention_mask"] == [[1, 0], [1, 0]]
    assert filled["special_tokens_mask"] == [[0, 0], [0, 1]]
    assert filled["offset_mapping"] == [[(0, 1), (1, 2)], [(0, 4), (0, 0)]]
