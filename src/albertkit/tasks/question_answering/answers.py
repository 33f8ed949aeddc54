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
    parts: tuple[float, float] = (0.0, 0.0)
    """The two scores, each by itself."""


def of_questions(
    features: Features, outputs: Iterable[Outputs], count: int, longest: int
) -> Iterator[tuple[list[Candidate], float]]:
    """For each question its best `count` answers, best first, and the score of there being none.

    An answer lies in one window, begins and ends in the context, is at most `longest` pieces long, and begins in the
    window that sees most around its start. None scores as [CLS] does, in the window where it scores least. Of a model
    that searches by beams, scores are log probabilities, and none scores better than the best answer by the least of
    its log odds. InputError where a score is not finite.
    """
    columns = features.columns
    rows = zip(features.example or (), columns["pieces"], columns["window"], columns["first"], outputs, strict=True)
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, pieces, windows, firsts, scores = zip(*group, strict=True)
        best = best_windows(windows, len(pieces[0]))
        found: list[Candidate] = []
        null = np.inf
        has_beams = "cls_logits" in scores[0]
        for number, (window, first, row) in enumerate(zip(windows, firsts, scores, strict=True)):
            if has_beams:
                null = min(null, float(row["cls_logits"]))
                may_start = best[window.start : window.stop] == number
                found += _of_beams(pieces[0], window, first, row, may_start, longest)
                continue
            both = np.stack([row["start_logits"], row["end_logits"]]).astype(np.float64)
            require_finite(both)
            null = min(null, both[:, 0].sum())
            starts, ends = both[:, first : first + len(window)]
            may_start = best[window.start : window.stop] == number
            found += _of_window(pieces[0], window, starts, ends, may_start, count, longest)
        listed = _distinct(found)[:count]
        yield listed, float(null) + (listed[0].score if has_beams and listed else 0.0)


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
        parts = float(starts[start]), float(ends[end])
        found.append(Candidate(first.start, last.stop, float(sums[start, end]), parts))
    return found


def _of_beams(
    pieces: Pieces, window: range, first: int, row: Outputs, may_start: np.ndarray, longest: int
) -> list[Candidate]:
    """The answers among the best starts of a window, and the best ends for each; `first` is its place in the row."""
    require_finite(np.concatenate([np.ravel(values) for values in row.values()])[None])
    starts, ends = row["start_top_index"].astype(np.int64) - first, row["end_top_index"].astype(np.int64) - first
    count = len(starts)
    begun, ended = row["start_top_log_probs"].tolist(), row["end_top_log_probs"].reshape(count, -1).tolist()
    found = []
    for start, start_score, its_ends, its_scores in zip(starts, begun, ends.reshape(count, -1), ended, strict=True):
        if not (0 <= start < len(window) and may_start[start]):
            continue
        for end, end_score in zip(its_ends, its_scores, strict=True):
            if not start <= end < min(start + longest, len(window)):
                continue
            one, other = pieces.spans[window.start + start], pieces.spans[window.start + end]
            if one.start < one.stop and other.start < other.stop:
                found.append(Candidate(one.start, other.stop, start_score + end_score, (start_score, end_score)))
    return found


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Best first, each span once; of equal scores the one that begins first."""
    best: dict[tuple[int, int], Candidate] = {}
    for one in sorted(found, key=lambda one: (-one.score, one.start, one.stop)):
        best.setdefault((one.start, one.stop), one)
    return list(best.values())
