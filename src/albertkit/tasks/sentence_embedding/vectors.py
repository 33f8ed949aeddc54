"""What is done with vectors: their length, who may be compared with whom, scores, the nearest of many.

Letters: N examples, S sentences of each, H hidden size, Q queries, K answers to each.
"""

from collections.abc import Sequence

import numpy as np

from albertkit.tasks.sentence_embedding.sentences import Sentences

_BLOCK = 1024
"""Rows whose cosines with all others are held at a time."""


def normalized(vectors: np.ndarray) -> np.ndarray:
    """(..., H) float32 of length 1; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def groups(examples: Sequence[Sequence[str]]) -> np.ndarray:
    """(N,) int64: a number for each example, the same where two share a sentence that is no hard negative.

    Such examples are no negatives of each other, for one of them may be the other.
    """
    parents = list(range(len(examples)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = number = parents[parents[number]]
        return number

    first: dict[str, int] = {}
    for number, row in enumerate(examples):
        for sentence in row[:2]:
            parents[root(number)] = root(first.setdefault(sentence, number))
    return np.array([root(number) for number in range(len(examples))], np.int64)


def scores(vectors: np.ndarray, examples: Sentences) -> dict[str, float]:
    """Spearman and Pearson correlation of the cosines (N, S, H) of pairs with what they should be.

    That are the scores of pairs, where they have any. Else it is 1 for each pair, and 0 for its first sentence and the
    hard negative, or where there is none the second sentence of the next pair; then there is the `accuracy` too, the
    share of first sentences for which no sentence of another pair is nearer than their own.
    """
    from albertkit.tasks import metrics

    units = normalized(vectors)
    own = _cosines(units[:, 0], units[:, 1])
    if examples.scores is not None:
        return metrics.correlations(own, np.array(examples.scores))
    others = units[:, 2] if examples.width > 2 else np.roll(units[:, 1], -1, 0)
    found = np.concatenate([own, _cosines(units[:, 0], others)])
    wanted = np.repeat([1.0, 0.0], len(own))
    return {**metrics.correlations(found, wanted), "accuracy": _accuracy(units, groups(examples.sentences))}


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(-1, dtype=np.float64)


def _accuracy(units: np.ndarray, group: np.ndarray) -> float:
    """The share of anchors (N, S, H) whose own positive is at least as near as those of other groups and negatives."""
    right = 0
    negatives = units[:, 2:].reshape(-1, units.shape[-1])
    for start in range(0, len(units), _BLOCK):
        block = units[start : start + _BLOCK]
        own = (block[:, 0] * block[:, 1]).sum(-1, keepdims=True)
        among = block[:, 0] @ units[:, 1].T
        among[group[start : start + _BLOCK, None] == group] = -np.inf
        best = np.maximum(among.max(-1), (block[:, 0] @ negatives.T).max(-1, initial=-np.inf))
        right += int((own[:, 0] >= best).sum())
    return right / len(units) if len(units) else 0.0


class Nearest:
    """The K nearest of many vectors to each of Q queries, by their cosines. Vectors come in blocks and are not kept."""

    def __init__(self, queries: np.ndarray, count: int) -> None:
        """`queries` (Q, H), `count` is K."""
        self._queries, self._count = normalized(queries), count
        self.numbers = np.zeros((len(queries), 0), np.int64)
        """(Q, up to K) the number of each, from 0, the nearest first; of equal ones the earlier."""
        self.cosines = np.zeros((len(queries), 0), np.float32)
        """(Q, up to K)"""
        self._seen = 0

    def add(self, block: np.ndarray) -> None:
        """Vectors (B, H) that come next."""
        found = np.clip(self._queries @ normalized(block).T, -1, 1)  # rounding may lead beyond
        numbers = np.broadcast_to(np.arange(self._seen, self._seen + len(block)), found.shape)
        cosines = np.concatenate([self.cosines, found], axis=1)
        numbers = np.concatenate([self.numbers, numbers], axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : self._count]
        self.cosines, self.numbers = (np.take_along_axis(one, order, 1) for one in (cosines, numbers))
        self._seen += len(block)
