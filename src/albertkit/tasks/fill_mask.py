"""Fill-mask: the best tokens for each [MASK] of a text.

Letters: P masks, V vocabulary, K answers a mask.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from albertkit.errors import InputError
from albertkit.tasks.base import Features, require_finite

NAME: Final = "fill-mask"
HEAD = "ForMaskedLM"
HEADS = ("ForMaskedLM", "ForPreTraining")
"""What holds the weights of the head: the rest of a pre-trained model has no part in the answer."""


def encode(tokenizer: Any, texts: Sequence[str], max_length: int) -> Features:
    """Texts -> ids and token types of at most `max_length` tokens. What is cut is counted.

    InputError names the texts in which no mask is left.
    """
    mask = tokenizer.mask_token
    if mask is None:
        raise InputError(
            "Filling in needs a tokenizer with a mask token. Received: one without. Pass mask_token to it."
        )
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    ids = encoded["input_ids"]
    without = [number for number, row in enumerate(ids) if tokenizer.mask_token_id not in row]
    if without:
        first = texts[without[0]]
        way_out = f"Write {mask} in its place."
        if mask in first:
            way_out = f"Its {mask} was cut off with all beyond {max_length} tokens: shorten the text."
        shown = first if len(first) <= 60 else f"{first[:57]}..."
        which = f"{len(without)} of {len(texts)} without, the first of them number {without[0] + 1}"
        raise InputError(
            f"A text must hold {mask} where a word is wanted. Received: "
            f"{which if len(texts) > 1 else 'one without'}, {shown!r}. {way_out}"
        )
    return Features(ids, encoded["token_type_ids"], sum(count > 0 for count in encoded.truncated))


def targets(tokenizer: Any, words: str | Sequence[str]) -> list[int]:
    """The ids of the words that may be answered, each once.

    A target is a word, as it stands alone in a text, or a piece of the vocabulary as it is written there. InputError
    names those that are several pieces or none.
    """
    words = [words] if isinstance(words, str) else list(words)
    vocabulary = tokenizer.get_vocab()
    found, wrong = [], []
    for word in words:
        pieces = tokenizer.tokenize(word)
        if len(pieces) == 1 and pieces[0] != tokenizer.unk_token:
            found.append(vocabulary[pieces[0]])
        elif word in vocabulary:
            found.append(vocabulary[word])
        else:
            wrong.append(f"{word!r} ({' '.join(pieces) or 'none'})")
    if wrong or not words:
        raise InputError(
            "A target must be one piece of the vocabulary, for a mask stands for one. Received: "
            f"{', '.join(wrong) or 'no target'}. Ask for other words, or write a mask for each piece."
        )
    return list(dict.fromkeys(found))


def best(logits: np.ndarray, allowed: Sequence[int], top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """(P, V) logits -> probabilities (P, K) float64 and ids (P, K) of the best of the allowed ids, best first.

    Probabilities are those among the whole vocabulary. InputError where logits are not finite, or `top_k` is below 1.
    """
    if top_k < 1:
        raise InputError(f"`top_k` must be at least 1. Received: {top_k}.")
    require_finite(logits)
    peak = logits.max(axis=-1, keepdims=True)
    total = np.exp(logits - peak).sum(axis=-1, keepdims=True, dtype=np.float64)
    ids = np.asarray(allowed)
    scores = logits[:, ids]
    if top_k < len(ids):
        chosen = np.argpartition(-scores, top_k - 1, axis=-1)[:, :top_k]
        ids, scores = ids[chosen], np.take_along_axis(scores, chosen, axis=-1)
    else:
        ids = np.broadcast_to(ids, scores.shape)
    order = np.lexsort((ids, -scores), axis=-1)  # of equal scores the lower id first
    ids, scores = np.take_along_axis(ids, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
    return np.exp(scores.astype(np.float64) - peak) / total, ids


def decode(
    tokenizer: Any, input_ids: Sequence[int], columns: Sequence[int], scores: np.ndarray, ids: np.ndarray
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The answer for a text of `input_ids` whose masks stand at `columns`, from a row of `best` for each of them.

    A list of {"score", "token", "token_str", "sequence"}, best first, or a list of such lists where there are several
    masks. Then a sequence has one mask filled, and shows the special tokens.
    """
    answers = []
    for column, row_scores, row_ids in zip(columns, scores, ids, strict=True):
        answer = []
        for score, token in zip(row_scores.tolist(), row_ids.tolist(), strict=True):
            filled = [*input_ids]
            filled[column] = token
            answer.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token]),
                    "sequence": tokenizer.decode(filled, skip_special_tokens=len(columns) == 1),
                }
            )
        answers.append(answer)
    return answers[0] if len(answers) == 1 else answers
