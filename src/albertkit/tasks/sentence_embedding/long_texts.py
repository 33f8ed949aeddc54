"""Texts as rows of ids, those longer than the model as one row that is cut, or as windows that are averaged.

Letters: N texts, R rows, H hidden size.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from albertkit.errors import InputError, abbreviate
from albertkit.tasks.features import Features
from albertkit.tasks.pieces import whole_ids
from albertkit.tasks.sentence_embedding.sentences import SentenceOptions
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json

WAYS = ("truncate", "windows")


def require_known(long: Json) -> None:
    """InputError for a way that is none."""
    if long not in WAYS:
        raise InputError(f"`long` must be one of {', '.join(WAYS)}. Received: {abbreviate(long)}.")


def encode(tokenizer: AlbertTokenizerBase, examples: Sequence[Sequence[str]], options: SentenceOptions) -> Features:
    """A row for each text of each example, or several where `options.long` is windows and it is longer.

    Windows share no token, so that none counts twice. `columns` has the number of the `text` of each row, from 0, and
    its `tokens` beside the special ones.
    """
    texts = [text for one in examples for text in one]
    owners = [number for number, one in enumerate(examples) for _ in one]
    if not texts or options.long == "truncate":
        encoded = tokenizer(texts, truncation=True, max_length=options.max_length) if texts else None
        ids = encoded["input_ids"] if encoded else []
        types = encoded["token_type_ids"] if encoded else []
        cut = {owner for owner, count in zip(owners, encoded.truncated, strict=True) if count > 0} if encoded else ()
        columns = {"text": list(range(len(texts))), "tokens": [len(row) - 2 for row in ids]}
        return Features(ids, types, example=owners, columns=columns, truncated=len(cut))
    whole = whole_ids(tokenizer, texts, split_special_tokens=False)
    rows, numbers = [], []
    for number, pieces in enumerate(whole):
        for window in windows(len(pieces), options.max_length - 2, 0):
            rows.append(list(pieces[window.start : window.stop]))
            numbers.append(number)
    ids = [tokenizer.build_inputs_with_special_tokens(row) for row in rows]
    types = [tokenizer.create_token_type_ids_from_sequences(row) for row in rows]
    columns = {"text": numbers, "tokens": [len(row) for row in rows]}
    return Features(ids, types, example=[owners[number] for number in numbers], columns=columns)


def merged(features: Features, rows: Iterable[np.ndarray], size: int) -> np.ndarray:
    """(N, H) float32: the vector of each text, of several windows their mean, each counting by its tokens."""
    numbers = np.array(features.columns["text"], np.int64)
    weights = np.maximum(np.array(features.columns["tokens"], np.float64), 1)
    count = int(numbers[-1]) + 1 if len(numbers) else 0
    sums, totals = np.zeros((count, size)), np.zeros((count, 1))
    for number, weight, row in zip(numbers, weights, rows, strict=True):
        sums[number] += weight * row
        totals[number] += weight
    return (sums / np.maximum(totals, 1)).astype(np.float32)
