"""Rows of token ids -> padded arrays, and which rows go together."""

from collections.abc import Iterator, Sequence

import numpy as np


def padded(rows: Sequence[Sequence[int]], filling: int) -> np.ndarray:
    """Rows of different length as one int64 array (B, L), filled up on the right."""
    array = np.full((len(rows), max(map(len, rows), default=0)), filling, np.int64)
    for row, values in zip(array, rows, strict=True):
        row[: len(values)] = values
    return array


def model_inputs(
    input_ids: Sequence[Sequence[int]], token_type_ids: Sequence[Sequence[int]], pad_id: int
) -> dict[str, np.ndarray]:
    """The arrays of a batch (B, L): input_ids, token_type_ids, and attention_mask where any row is padded."""
    batch = {"input_ids": padded(input_ids, pad_id), "token_type_ids": padded(token_type_ids, 0)}
    lengths = np.fromiter(map(len, input_ids), np.int64)
    if lengths.size and lengths.min() < lengths.max():
        batch["attention_mask"] = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    return batch


def by_length(lengths: Sequence[int], tokens: int) -> Iterator[np.ndarray]:
    """Batches of row numbers, longest rows first, of at most `tokens` tokens with their padding."""
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(tokens // max(lengths[order[start]], 1), 1)
        yield order[start : start + size]
        start += size
