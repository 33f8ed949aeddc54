"""Texts -> rows that a head can be tried on, whatever its task is: pairs, choices and masks are made up.

Letters: N rows.
"""

from collections.abc import Sequence

import numpy as np

from albertkit.tasks.features import Features
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json

MASKED = 0.15
"""The share of pieces that are masked for the head of a masked language model."""


def of_texts(tokenizer: AlbertTokenizerBase, head: str, texts: Sequence[str], max_length: int) -> Features:
    """Rows of texts, of which a head for questions is given pairs, and one for choices two pairs a row."""
    if head == "ForMultipleChoice":
        first, second = (_pairs(tokenizer, texts, step, max_length) for step in (1, 2))
        ids = [list(row) for row in zip(first["input_ids"], second["input_ids"], strict=True)]
        types = [list(row) for row in zip(first["token_type_ids"], second["token_type_ids"], strict=True)]
        return Features(ids, types)
    if head.startswith("ForQuestionAnswering"):
        encoded = _pairs(tokenizer, texts, 1, max_length)
    else:
        encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    ids, types = encoded["input_ids"], encoded["token_type_ids"]
    return masked(tokenizer, ids, types) if head == "ForMaskedLM" else Features(ids, types)


def masked(tokenizer: AlbertTokenizerBase, rows: Sequence[Sequence[int]], types: Json) -> Features:
    """Rows in which some pieces are masked, one of each row at least, always the same."""
    rng, special = np.random.default_rng(0), set(tokenizer.all_special_ids)
    ids, positions = [], []
    for row in rows:
        free = [place for place, piece in enumerate(row) if piece not in special] or [0]
        count = max(round(MASKED * len(free)), 1)
        chosen = sorted(rng.choice(free, count, replace=False).tolist())
        ids.append([tokenizer.mask_token_id if place in chosen else piece for place, piece in enumerate(row)])
        positions.append(chosen)
    return Features(ids, types, positions=positions)


def _pairs(tokenizer: AlbertTokenizerBase, texts: Sequence[str], step: int, max_length: int) -> Json:
    """Each text with one that stands behind it."""
    second = [texts[(number + step) % len(texts)] for number in range(len(texts))]
    return tokenizer(list(texts), second, truncation=True, max_length=max_length)
