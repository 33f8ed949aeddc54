"""Scores of starts and ends -> the best answers of a question.

Letters: L tokens of a row, P pieces of a context.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from albertkit.backends import Outputs
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.windows import best_windows


@dataclass(frozen=True)
class Candidate:
    """An answer: characters of the context, with the sum of the scores of its start and its end."""

    start: int
    stop: int
    score: float


def of_questions(
    features: Features, outputs: Iterable[Outputs], count: int, longest: int
) -> Iterator[tuple[list[Candidate], float]]:
    """For each question its best `count` answers, best first, and the score of there being none.

    An answer lies in one window, begins and ends in the context, is at most `longest` pieces long, and begins in the
    window that sees most around its start. None scores as [CLS] does, in the window where it scores least. InputError
    where a score is not finite.
    """
    columns = features.columns
    rows = zip(features.example or (), columns["pieces"], columns["window"], columns["first"], outputs, strict=True)
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, pieces, windows, firsts, scores = zip(*group, strict=True)
        best = best_windows(windows, len(pieces[0]))
        found: list[Candidate] = []
        null = np.inf
        for number, (window, first, row) in enumerate(zip(windows, firsts, scores, strict=True)):
            both = np.stack([row["start_logits"], row["end_logits"]]).astype(np.float64)
            require_finite(both)
            null = min(null, both[:, 0].sum())
            starts, ends = both[:, first : first + len(window)]
            may_start = best[window.start : window.stop] == number
            found += _of_window(pieces[0], window, starts, ends, may_start, count, longest)
        yield _distinct(found)[:count], float(null)


def _of_window(
    pieces: Pieces,
    window: range,
    starts: np.ndarray,
    ends: np.ndarray,
    may_start: np.ndarray,
    count: int,
    longest: int,
) -> list[Candidate]:
    is_text = np.array([pieces.spans[place].start < pieces.spans[place].stop for place in window], bool)
    sums = starts[:, None] + ends[None, :]
    distance = np.arange(len(window))[None, :] - np.arange(len(window))[:, None]
    allowed = (distance >= 0) & (distance < longest) & (may_start & is_text)[:, None] & is_text[None, :]
    places = np.flatnonzero(allowed)
    if not len(places):
        return []
    values = sums.ravel()[places]
    chosen = places[np.argpartition(-values, min(count, len(values)) - 1)[:count]]
    found = []
    for start, end in zip(*np.unravel_index(chosen, sums.shape), strict=True):
        first, last = pieces.spans[window.start + start], pieces.spans[window.start + end]
        found.append(Candidate(first.start, last.stop, float(sums[start, end])))
    return found


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Best first, each span once; of equal scores the one that begins first."""
    best: dict[tuple[int, int], Candidate] = {}
    for one in sorted(found, key=lambda one: (-one.score, one.start, one.stop)):
        best.setdefault((one.start, one.stop), one)
    return list(best.values())
