"""Texts that are longer than a model's input: read in windows, whose logits make one answer, or cut.

Letters: N examples, R rows, of which a long text fills several, C classes.
"""

import numpy as np

from albertkit.tasks.features import Features
from albertkit.tasks.pieces import whole_ids
from albertkit.tasks.text_classification.options import ClassificationOptions
from albertkit.tasks.texts import TextExamples
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json

WINDOWS = "windows"
_LEAST = 2
"""Of a pair the text that is not read in windows takes one in so many of the tokens at most."""


def encoded(tokenizer: AlbertTokenizerBase, examples: TextExamples, options: ClassificationOptions) -> Features:
    """Texts or pairs as rows of `max_length` tokens at most: a row each, or with `long` windows as many as it needs.

    Of a pair the longer text is read in windows, each beside the whole of the other. What is cut is counted: that are
    the ends of long texts, or with windows those of a shorter text of a pair that leaves too little room.
    """
    if options.long != WINDOWS:
        found = tokenizer(examples.first, examples.second, truncation=True, max_length=options.max_length)
        return Features(
            found["input_ids"], found["token_type_ids"], truncated=sum(count > 0 for count in found.truncated)
        )
    first = whole_ids(tokenizer, examples.first, split_special_tokens=False)
    others = None if examples.second is None else [one or "" for one in examples.second]
    second = None if others is None else whole_ids(tokenizer, others, split_special_tokens=False)
    ids: list[Json] = []
    types: list[Json] = []
    owners: list[int] = []
    truncated = 0
    for number, one in enumerate(first):
        other = None if second is None or (examples.second or ())[number] is None else second[number]
        rows, is_cut = _rows(tokenizer, one, other, options)
        truncated += is_cut
        for row in rows:
            ids.append(tokenizer.build_inputs_with_special_tokens(*row))
            types.append(tokenizer.create_token_type_ids_from_sequences(*row))
            owners.append(number)
    return Features(ids, types, example=owners, whole=_whole(first, second), truncated=truncated)


def merged(logits: np.ndarray, features: Features, examples: int) -> np.ndarray:
    """(R, C) logits -> (N, C): the mean over the windows of each text, weighted by their tokens."""
    if features.example is None:
        return logits
    weights = np.array(features.lengths(), np.float64)
    owners = np.asarray(features.example, np.int64)
    totals = np.bincount(owners, weights, examples)
    sums = np.zeros((examples, logits.shape[-1]))
    np.add.at(sums, owners, logits * weights[:, None])
    return (sums / totals[:, None]).astype(np.float32)


def of_rows(values: np.ndarray, features: Features) -> np.ndarray:
    """Values of each example (N, ...) as those of each row (R, ...): a window has the label of its text."""
    return values if features.example is None else values[np.asarray(features.example, np.int64)]


def of_examples(values: np.ndarray, features: Features) -> np.ndarray:
    """Values of each row (R, ...) as those of each example (N, ...): those of its first window."""
    if features.example is None:
        return values
    return values[np.unique(np.asarray(features.example, np.int64), return_index=True)[1]]


def _rows(
    tokenizer: AlbertTokenizerBase, first: list[int], second: list[int] | None, options: ClassificationOptions
) -> tuple[list[tuple[list[int], ...]], bool]:
    """The texts of each row of an example, and whether something was cut."""
    size = options.max_length - tokenizer.num_special_tokens_to_add(second is not None)
    if second is None:
        return [(first[part.start : part.stop],) for part in _windows(len(first), size, options)], False
    is_first_longer = len(first) > len(second)
    long, short = (first, second) if is_first_longer else (second, first)
    room = max(size // _LEAST, size - len(long))  # where the other leaves more, it may take that
    is_cut, short = len(short) > room, short[:room]
    rows = [long[part.start : part.stop] for part in _windows(len(long), size - len(short), options)]
    return [(row, short) if is_first_longer else (short, row) for row in rows], is_cut


def _windows(length: int, size: int, options: ClassificationOptions) -> list[range]:
    return windows(length, size, options.doc_stride or size // 4)


def _whole(first: list[list[int]], second: list[list[int]] | None) -> list[Json]:
    """The ids of each example."""
    return list(first) if second is None else [one + other for one, other in zip(first, second, strict=True)]
