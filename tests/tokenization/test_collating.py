"""Rows that were encoded before, padded together; the padding itself is tested in test_columns.py."""

import numpy as np
import pytest

from albertkit.errors import InputError, WrongType


def test_the_column_of_ids_is_the_first_of_the_input_names(make):
    tokenizer = make()
    tokenizer.model_input_names = ["inputs", "attention_mask"]
    padded = tokenizer.pad({"inputs": [[5], [5, 6]]})
    assert dict(padded) == {"inputs": [[5, 0], [5, 6]], "attention_mask": [[1, 0], [1, 1]]}
    with pytest.raises(InputError, match=r"which have `inputs`\. Received: "):
        tokenizer.pad({"input_ids": [[5]]})


def test_no_mask_is_made_where_the_model_takes_none(slow):
    assert list(slow.pad({"input_ids": [[5], [5, 6]]}, return_attention_mask=False)) == ["input_ids"]
    given = {"input_ids": [[5]], "attention_mask": [[1]]}
    assert dict(slow.pad(given, return_attention_mask=False)) == given


@pytest.mark.parametrize("column", [np.array([[5, 6]]), [np.array([5]), np.array([5, 6])]])
def test_arrays_come_back_as_arrays(slow, column):
    padded = slow.pad({"input_ids": column})
    assert isinstance(padded["input_ids"], np.ndarray)
    assert padded["input_ids"].tolist()[-1] == [5, 6]


def test_tensors_come_back_as_tensors(slow):
    torch = pytest.importorskip("torch")
    padded = slow.pad([{"input_ids": torch.tensor([5])}, {"input_ids": torch.tensor([5, 6])}])
    assert torch.equal(padded["input_ids"], torch.tensor([[5, 0], [5, 6]]))
    assert isinstance(slow.pad({"input_ids": torch.tensor([[5]])}, return_tensors="np")["input_ids"], np.ndarray)


def test_inputs_with_other_columns_are_named(slow):
    with pytest.raises(InputError, match=r"the same columns. Received: input_ids, labels, and for input 1 input_ids"):
        slow.pad([{"input_ids": [5], "labels": 1}, {"input_ids": [5, 6]}])


@pytest.mark.parametrize("nothing", [None, 5, ["a"]])
def test_what_is_no_encoding_is_refused(slow, nothing):
    with pytest.raises(WrongType, match="an encoding or a list of encodings"):
        slow.pad(nothing)
