"""Batches for `fit` from a table of examples, such as a Dataset of the library `datasets`, which is not needed here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from albertkit.errors import InputError
from albertkit.tensorflow.typing import Data

Batch = dict[str, np.ndarray]


class Table(Protocol):
    """Columns by name, of rows that can be asked for by their numbers."""

    column_names: Sequence[str]

    def __len__(self) -> int:
        """The number of rows."""
        ...

    def __getitem__(self, rows: list[int]) -> Mapping[str, Sequence[Any]]:
        """Some rows: for each column its values."""
        ...


def batches(
    table: Table,
    inputs: Sequence[str],
    label_names: Sequence[str],
    batch_size: int,
    shuffle: bool,
    collate: Callable[[list[dict[str, Any]]], Mapping[str, Data]] | None,
    drop_remainder: bool,
) -> tf.data.Dataset:
    """(inputs by name, labels) of `batch_size` rows at a time, in a new random order in each epoch where `shuffle`.

    Of the table's columns those are used that are among `inputs` or `label_names`; a column `label` counts as `labels`.
    `collate` makes a batch of a list of rows, each a dict; without it each column is an array, so its rows must be of
    one length. InputError where the first of them are not, and where no column is an input.
    """
    known = {*inputs, *label_names}
    names = {name: "labels" if name == "label" and "labels" in known else name for name in table.column_names}
    used = {name: other for name, other in names.items() if other in known}
    if not set(used.values()) & set(inputs) - set(label_names):
        raise InputError(
            f"A table must have a column that the model takes: {', '.join(inputs)}. Received: "
            f"{', '.join(table.column_names) or 'none'}. Tokenize the texts first."
        )

    def read(rows: Sequence[int]) -> Batch:
        columns = table[[int(row) for row in rows]]
        if collate is None:
            return {other: _array(name, columns[name]) for name, other in used.items()}
        examples = [{other: columns[name][row] for name, other in used.items()} for row in range(len(rows))]
        return {name: np.asarray(value) for name, value in collate(examples).items() if name in known}

    first = read(range(min(batch_size, len(table))))  # here an error is its own, inside a Dataset it is TensorFlow's
    order, types = list(first), [value.dtype for value in first.values()]

    def load(rows: Data) -> Data:
        values = tf.numpy_function(lambda numbers: [read(numbers)[name] for name in order], [rows], types)
        for name, value in zip(order, values, strict=True):
            value.set_shape([None] * first[name].ndim)
        found = dict(zip(order, values, strict=True))
        labels = {name: found.pop(name) for name in label_names if name in found}
        if not labels:
            return found
        return found, labels if len(label_names) > 1 else next(iter(labels.values()))

    rows = tf.data.Dataset.range(len(table))
    rows = rows.shuffle(len(table)) if shuffle else rows
    return rows.batch(batch_size, drop_remainder=drop_remainder).map(load).prefetch(tf.data.AUTOTUNE)


def padding_with(tokenizer: Any, pad_to_multiple_of: int | None = None) -> Callable[[list[dict[str, Any]]], Batch]:
    """A `collate` that pads the rows of a batch to the longest, by the tokenizer; labels of a row stay as they are."""
    options = {"pad_to_multiple_of": pad_to_multiple_of} if pad_to_multiple_of else {}
    known = set(tokenizer.model_input_names)

    def collate(rows: list[dict[str, Any]]) -> Batch:
        padded = tokenizer.pad([{name: row[name] for name in row if name in known} for row in rows], **options)
        rest = {name: _array(name, [row[name] for row in rows]) for name in rows[0] if name not in known}
        return {**{name: np.asarray(value) for name, value in padded.items()}, **rest}

    return collate


def _array(name: str, values: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(
            f"The rows of a batch must be of one length. Received: column `{name}` with rows of several. Pad them when "
            "you tokenize, or pass tokenizer=... to have each batch padded."
        ) from None
