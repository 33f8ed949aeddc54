"""Rows of token ids -> padded arrays, which rows go together, and batches of few shapes."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from albertkit.rules import IGNORED

_ITEMS = (("mlm_positions", "mlm_labels"), ("cls_positions", "sop_labels"))
"""The items of a batch of pre-training that losses count: where each stands, ascending, and what it should be."""


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
    """Batches of row numbers, longest rows first, of at most `tokens` tokens with L rounded up."""
    order = np.argsort(-np.asarray(lengths, np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(tokens // rounded(int(lengths[order[start]])), 1)
        yield order[start : start + size]
        start += size


def rounded(length: int) -> int:
    """A length rounded up: to a multiple of 8, and beyond 64 to one of four between a power of two and the next.

    So batches have few shapes, for the frameworks that compile anew for each.
    """
    step = max(2 ** max(length - 1, 1).bit_length() // 8, 8)
    return -(-max(length, 1) // step) * step


def lengthened(batch: Mapping[str, np.ndarray], longest: int, pad_id: int = 0) -> dict[str, np.ndarray]:
    """A batch whose L is rounded up, but not beyond `longest`, by places that are masked out.

    Ids grow by `pad_id`, types and positions by 0, and so does the attention mask, which is made where the batch has
    none, so that all batches of a shape look alike. Labels grow by -100 where they are integers and stand one a token.
    Other arrays stay, and no given one is changed. What is spread over the places, such as the chances of an answer's
    start, must leave the new ones out itself.
    """
    ids = batch["input_ids"]
    length = ids.shape[-1]
    added = max(min(rounded(length), longest) - length, 0)
    mask = batch.get("attention_mask", np.ones(ids.shape, np.int64))
    grown = {"input_ids": _grown(ids, added, pad_id), "attention_mask": _grown(mask, added, 0)}
    if mask.shape != ids.shape and mask.shape[-2] == length:  # (B, L, L) or (B, N, L, L)
        grown["attention_mask"] = _grown(grown["attention_mask"].swapaxes(-1, -2), added, 0).swapaxes(-1, -2)
    for name, filling in (("token_type_ids", 0), ("position_ids", 0), ("labels", IGNORED)):
        array = batch.get(name)
        fits = name == "position_ids" or (array is not None and array.shape == ids.shape and array.dtype.kind in "iu")
        if array is not None and fits:
            grown[name] = _grown(array, added, filling)
    return {**batch, **grown}


def shortened(outputs: Mapping[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
    """Outputs of a lengthened batch without the places that were added: those of each token, and an answer's bounds."""
    return {
        name: array[:, :length] if array.ndim == 3 or name in ("start_logits", "end_logits") else array
        for name, array in outputs.items()
    }


def _grown(array: np.ndarray, added: int, filling: int) -> np.ndarray:
    """An array with places added at the end of its last axis."""
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, added)], constant_values=filling) if added else array


def unpadded(batch: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], tuple[tuple[int, int], ...]]:
    """Rows of sequences -> their T tokens end to end, without the places that hold none, and the runs of one length.

    `batch` is what `albertkit.pretraining.examples` makes. Arrays of (B, L) become (1, T), longest sequences first;
    `mlm_positions` and `cls_positions` then count these tokens, and keep their order. Runs are (sequences, length).
    """
    sequence = batch["sequence"].ravel()
    tokens = np.flatnonzero(sequence)
    is_start = np.zeros(len(sequence), bool)
    is_start[batch["cls_positions"]] = True
    owner = np.cumsum(is_start[tokens]) - 1
    lengths = np.bincount(owner)
    order = np.argsort(-lengths[owner], kind="stable")
    places = np.zeros(len(sequence), np.int64)
    places[tokens[order]] = np.arange(len(tokens))
    flat = {
        name: places[array] if name.endswith("_positions") else array.reshape(1, -1)[:, tokens[order]]
        for name, array in batch.items()
        if not name.endswith("_labels") and name != "sequence"
    }
    labels = {name: array for name, array in batch.items() if name.endswith("_labels")}
    sizes, numbers = (found[::-1].tolist() for found in np.unique(lengths, return_counts=True))
    return flat | labels, tuple(zip(numbers, sizes, strict=True))


def tokens(batch: Mapping[str, np.ndarray]) -> int:
    """How many places of a batch hold a token."""
    for name in ("sequence", "attention_mask"):
        if name in batch:
            return int(np.count_nonzero(batch[name]))
    return batch["input_ids"].size


def counts(batch: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Of how many items each loss of a batch is the mean: examples, or masked pieces and ordered sequences."""
    labels = {name: f"{name}_labels" for name in ("mlm", "sop") if f"{name}_labels" in batch}
    if not labels:
        return {"loss": len(batch["input_ids"])}
    return {name: int((batch[key] != IGNORED).sum()) for name, key in labels.items()}


def cut(batch: Mapping[str, np.ndarray], start: int, stop: int) -> dict[str, np.ndarray]:
    """Some rows of a batch of pre-training as a batch of their own, with what is masked and begins in them."""
    length = batch["sequence"].shape[1]
    found = {name: array[start:stop] for name, array in batch.items() if array.ndim == 2}
    for places, labels in _ITEMS:
        first, last = np.searchsorted(batch[places], (start * length, stop * length))
        found[places] = batch[places][first:last] - np.int32(start * length)
        if labels in batch:
            found[labels] = batch[labels][first:last]
    return found


def filled(
    batch: Mapping[str, np.ndarray], rows: int, masked: int, sequences: int, pad_id: int = 0
) -> dict[str, np.ndarray]:
    """A batch of pre-training with so many rows, masked pieces and sequences, the new ones empty.

    Empty rows hold `pad_id` in no sequence; empty items stand at place 0 with the label -100, which no loss counts.
    """
    wanted = {name: rows for name, array in batch.items() if array.ndim == 2}
    wanted |= {name: count for names, count in zip(_ITEMS, (masked, sequences), strict=True) for name in names}
    fillings = {"input_ids": pad_id, "mlm_labels": IGNORED, "sop_labels": IGNORED}
    return {
        name: np.pad(
            array,
            [(0, wanted[name] - len(array)), *[(0, 0)] * (array.ndim - 1)],
            constant_values=fillings.get(name, 0),
        )
        for name, array in batch.items()
    }


def roomy(rows: int, length: int, masked: int, sequences: int) -> tuple[int, int]:
    """Masked pieces and sequences of a batch of pre-training, rounded up so that nearly all batches have one shape.

    Masked pieces to a multiple of a thirty-second of the places, so that the usual 15 % become five of them; sequences
    to a power of two, and to four a row at least.
    """
    step = max(rows * length // 32, 8)
    return max(-(-masked // step), 1) * step, 2 ** max(sequences - 1, 4 * rows - 1, 1).bit_length()
