"""What stands best in the place of a mask: which words may, and the answer that a person is given.

Letters: P masks, V vocabulary, K answers a mask.
"""

from collections.abc import Sequence

import numpy as np

from albertkit.errors import InputError, abbreviate
from albertkit.tasks.features import require_finite
from albertkit.tasks.inputs import require_count
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.sentencepiece_segmenter import UNDERLINE
from albertkit.typing import Record

_BLANK = f"{UNDERLINE} "


def words_of(tokenizer: AlbertTokenizerBase, size: int) -> np.ndarray:
    """The ids below `size` that say something, in order: all but the mark of a word's start alone.

    Before a sign that no space precedes, such as a full stop, models give that mark most of the probability, for it
    leaves the word open. It is no word, and its text is empty.
    """
    blank = {index for token, index in tokenizer.get_vocab().items() if not token.strip(_BLANK)}
    return np.array([index for index in range(size) if index not in blank])


def targets(tokenizer: AlbertTokenizerBase, words: str | Sequence[str]) -> list[int]:
    """The ids of the words that may be answered, each once.

    A target is a word, as it stands alone in a text, or a piece of the vocabulary as it is written there. InputError
    names those that are several pieces or none.
    """
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise InputError(f"`targets` must be a word or a list of words. Received: {abbreviate(words)}.")
    vocabulary = tokenizer.get_vocab()
    found, wrong = [], []
    for word in words:
        pieces = tokenizer.tokenize(word)
        if not word.strip(_BLANK):
            wrong.append(f"{word!r} (a space alone)" if word else "'' (none)")
        elif len(pieces) == 1 and pieces[0] != tokenizer.unk_token:
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


def best(logits: np.ndarray, allowed: Sequence[int] | np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """(P, V) logits -> probabilities (P, K) float64 and ids (P, K) of the best of the allowed ids, best first.

    Probabilities are those among the whole vocabulary. InputError where logits are not finite, or `top_k` is below 1.
    """
    require_count("top_k", top_k)
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


def answer(
    tokenizer: AlbertTokenizerBase,
    input_ids: Sequence[int],
    columns: Sequence[int],
    scores: np.ndarray,
    ids: np.ndarray,
) -> list[Record] | list[list[Record]]:
    """The answer for a text of `input_ids` whose masks stand at `columns`, from a row of `best` for each of them.

    A list of {"score", "token", "token_str", "sequence"}, best first, or a list of such lists where there are several
    masks. Then a sequence has one mask filled, and shows the special tokens.
    """
    answers = []
    for column, row_scores, row_ids in zip(columns, scores, ids, strict=True):
        ranked = []
        for score, token in zip(row_scores.tolist(), row_ids.tolist(), strict=True):
            filled = [*input_ids]
            filled[column] = token
            ranked.append(
                {
                    "score": score,
                    "token": token,
                    "token_str": tokenizer.decode([token]),
                    "sequence": tokenizer.decode(filled, skip_special_tokens=len(columns) == 1),
                }
            )
        answers.append(ranked)
    return answers[0] if len(answers) == 1 else answers
