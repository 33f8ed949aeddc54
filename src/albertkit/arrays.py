"""Rows of token ids -> padded arrays, which rows go together, and lengths of which there are few."""

from collections.abc import Iterator, Sequence

import numpy as np

Tensors = dict[str, np.ndarray]
"""Arrays by name: those of a checkpoint by their canonical names, which are the published PyTorch ones."""


def pad(rows: Sequence[Sequence[int]], filling: int) -> np.ndarray:
    """Rows of different length as one int64 array (B, L), filled up on the right."""
    array = np.full((len(rows), max(map(len, rows), default=0)), filling, np.int64)
    for row, values in zip(array, rows, strict=True):
        row[: len(values)] = values
    return array


def grow(array: np.ndarray, added: int, filling: int) -> np.ndarray:
    """An array with `added` places at the end of its last axis."""
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, added)], constant_values=filling) if added else array


def by_length(
    lengths: Sequence[int], tokens: int, rows: int | None = None, choices: Sequence[int] | None = None
) -> Iterator[np.ndarray]:
    """Batches of row numbers, longest rows first, of at most `tokens` tokens with L rounded up by `bucket`.

    `rows` is the most rows of a batch, where there is such a bound. Where rows are several sequences each, `choices`
    says how many; a batch has rows of one number.
    """
    for group in by_choices(np.arange(len(lengths)), choices):
        width = choices[group[0]] if choices is not None and len(group) else 1
        order = group[np.argsort(-np.asarray(lengths, np.int64)[group], kind="stable")]
        start = 0
        while start < len(order):
            size = max(tokens // (bucket(int(lengths[order[start]])) * width), 1)
            size = size if size < 8 else size - size % 8  # which is a number of `round_rows`
            size = size if rows is None else min(size, rows)
            yield order[start : start + size]
            start += size


def by_choices(rows: np.ndarray, choices: Sequence[int] | None) -> list[np.ndarray]:
    """Row numbers in groups of one number of choices, fewest first; all together where there are no choices."""
    if choices is None:
        return [rows]
    counts = np.asarray(choices, np.int64)[rows]
    return [rows[counts == count] for count in np.unique(counts)]


def softmax(scores: np.ndarray) -> np.ndarray:
    """(..., C) -> (..., C) float64, which sum to 1 over the last axis."""
    scores = scores.astype(np.float64)
    exponents = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def log_probabilities(scores: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(P, V) scores and (P,) places among them -> the logarithm of the softmax of each there, (P,) float64."""
    peaks = scores.max(axis=-1, keepdims=True)
    totals = np.exp(scores - peaks).sum(axis=-1, dtype=np.float64)
    own = np.take_along_axis(scores - peaks, chosen[:, None].astype(np.int64), axis=-1)[:, 0]
    return own.astype(np.float64) - np.log(totals)


def round_rows(rows: int) -> int:
    """A number of rows rounded up: to a power of two up to 8, and beyond to a multiple of 8; see `bucket`."""
    return 2 ** max(rows - 1, 0).bit_length() if rows <= 8 else -(-rows // 8) * 8


def bucket(length: int) -> int:
    """A length rounded up: to a multiple of 8, and beyond 64 to one of four between a power of two and the next.

    So batches have few shapes, for the frameworks that compile anew for each.
    """
    step = max(2 ** max(length - 1, 1).bit_length() // 8, 8)
    return -(-max(length, 1) // step) * step
