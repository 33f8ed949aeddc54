"""Scores of starts and ends -> the best answers of a question.

Letters: L tokens of a row, P pieces of a context.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

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


@dataclass(frozen=True)
class Found:
    """What a model says of one question."""

    candidates: list[Candidate]
    """The best answers, best first."""
    null: float
    """The score of there being no answer."""
    spread: Sequence["Spread"]
    """The scores of all answers in each window."""
    pieces: Pieces
    """Those of the context."""
    temperature: float = 1.0
    """Scores are divided by it before they become probabilities."""
    may_be_none: bool = False
    """Whether it may be said that there is no answer; where there is none at all, nothing else can be said."""

    @property
    def odds(self) -> float:
        """By how much none scores better than the best answer; 0 where there is no other."""
        return self.null - self.candidates[0].score if self.candidates else 0.0

    @cached_property
    def log_total(self) -> float:
        """The logarithm of the sum of exp(score) over all that may be answered, scores over the temperature."""
        totals = [one.log_total(self.temperature) for one in self.spread]
        none = [self.null / self.temperature] if self.may_be_none or not self.candidates else []
        return float(np.logaddexp.reduce([*none, *totals]))

    def probability(self, score: float) -> float:
        """How probable an answer of so high a score is, among all that may be answered: these add up to 1."""
        return min(float(np.exp(score / self.temperature - self.log_total)), 1.0)


class Spread(NamedTuple):
    """The scores of all answers that a window may give: each start with each end that is near enough behind it.

    Letter D: how many pieces an answer may be long. Of a model that searches by beams each answer that it found is a
    start, with an end of 0 at the same place.
    """

    starts: np.ndarray
    """(P,) -inf where none may begin."""
    ends: np.ndarray
    """(P,) -inf where none may end."""
    longest: int

    def scores(self) -> np.ndarray:
        """(P, D) the score of each start with the ends from its own place on; -inf where there is no answer."""
        width = min(self.longest, len(self.starts))
        if not width:
            return np.empty((0, 0))
        ends = np.append(self.ends, np.full(width - 1, -np.inf))
        return self.starts[:, None] + np.lib.stride_tricks.sliding_window_view(ends, width)

    def log_total(self, temperature: float) -> float:
        """The logarithm of the sum of exp(score) over all of them, scores over the temperature; -inf without any."""
        scores = self.scores()
        best = float(scores.max(initial=-np.inf))
        if best == -np.inf:
            return best
        return best / temperature + float(np.log(np.exp((scores - best) / temperature).sum()))


def of_questions(
    features: Features,
    outputs: Iterable[Outputs],
    count: int | None = None,
    longest: int | None = None,
    temperature: float = 1.0,
    may_be_none: bool = False,
) -> Iterator[Found]:
    """For each question its best `count` answers, by default as many as the options of the data say, and the score of
    there being none.

    An answer lies in one window, begins and ends in the context, is at most `longest` pieces long, by default as long
    as the options of the data allow, and begins in the window that sees most around its start. None scores as [CLS]
    does, in the window where it scores least. Of a model that searches by beams, scores are log probabilities, and none
    scores better than the best answer by the least of its log odds. Only probabilities depend on the `temperature`
    and on whether it `may_be_none`. InputError where a score is not finite.
    """
    columns = features.columns
    rows = zip(features.example or (), columns["pieces"], columns["window"], columns["first"], outputs, strict=True)
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, pieces, windows, firsts, scores = zip(*group, strict=True)
        most_found = count or int(columns["n_best"][0])
        best = best_windows(windows, len(pieces[0]))
        has_beams = "cls_logits" in scores[0]
        candidates: list[Candidate] = []
        nulls, spread = list[float](), list[Spread]()
        for number, (window, first, row) in enumerate(zip(windows, firsts, scores, strict=True)):
            may_start = best[window.start : window.stop] == number
            of_window = _of_beams if has_beams else _of_window
            most = longest or columns["longest"][0]
            found, null, all_of_window = of_window(pieces[0], window, first, row, may_start, most_found, most)
            candidates += found
            nulls.append(null)
            spread.append(all_of_window)
        listed = _distinct(candidates)[:most_found]
        null = min(nulls) + (listed[0].score if has_beams and listed else 0.0)
        yield Found(listed, null, spread, pieces[0], temperature, may_be_none)


def _of_window(
    pieces: Pieces, window: range, first: int, row: Outputs, may_start: np.ndarray, count: int, longest: int
) -> tuple[list[Candidate], float, Spread]:
    """The best answers of a window whose tokens have scores, the score of there being none, and those of all."""
    both = np.stack([row["start_logits"], row["end_logits"]]).astype(np.float64)
    require_finite(both)
    starts, ends = both[:, first : first + len(window)]
    is_text = np.array([pieces.spans[place].start < pieces.spans[place].stop for place in window], bool)
    nowhere = np.full(len(window), -np.inf)
    spread = Spread(np.where(may_start & is_text, starts, nowhere), np.where(is_text, ends, nowhere), longest)
    scores = spread.scores()
    places = np.flatnonzero(np.isfinite(scores))
    found = []
    for place in _highest(places, scores.ravel()[places], count):
        start, distance = divmod(int(place), scores.shape[1])
        one, other = pieces.spans[window.start + start], pieces.spans[window.start + start + distance]
        parts = float(starts[start]), float(ends[start + distance])
        found.append(Candidate(one.start, other.stop, float(scores[start, distance]), parts))
    return found, float(both[:, 0].sum()), spread


def _highest(places: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """The `count` places of the highest scores, or all, in any order."""
    return places if len(places) <= count else places[np.argpartition(-scores, count - 1)[:count]]


def _of_beams(
    pieces: Pieces, window: range, first: int, row: Outputs, may_start: np.ndarray, count: int, longest: int
) -> tuple[list[Candidate], float, Spread]:
    """The answers among the best starts of a window and the best ends for each, and the log odds of there being none.

    Third the scores of these answers.
    """
    require_finite(np.concatenate([np.ravel(values) for values in row.values()])[None])
    starts, ends = (row[f"{name}_top_index"].astype(np.int64) - first for name in ("start", "end"))
    begun, ended = (row[f"{name}_top_log_probs"].astype(np.float64) for name in ("start", "end"))
    found = []
    for number, (end, end_score) in enumerate(zip(ends.tolist(), ended.tolist(), strict=True)):
        beam = number * len(starts) // len(ends)  # the ends of each start stand together
        start, start_score = int(starts[beam]), float(begun[beam])
        if not (0 <= start <= end < min(start + longest, len(window)) and may_start[start]):
            continue
        one, other = pieces.spans[window.start + start], pieces.spans[window.start + end]
        if one.start < one.stop and other.start < other.stop:
            found.append(Candidate(one.start, other.stop, start_score + end_score, (start_score, end_score)))
    scores = np.array([one.score for one in found])
    return found, float(row["cls_logits"]), Spread(scores, np.zeros(len(scores)), 1)


def _distinct(found: Sequence[Candidate]) -> list[Candidate]:
    """Best first, each span once; of equal scores the one that begins first."""
    best: dict[tuple[int, int], Candidate] = {}
    for one in sorted(found, key=lambda one: (-one.score, one.start, one.stop)):
        best.setdefault((one.start, one.stop), one)
    return list(best.values())


def of_whole_words(found: Found) -> list[Candidate]:
    """The best answers, each made longer until it begins and ends with a word, best first.

    Several that become the same one are one, of the probability of all of them together.
    """
    units = found.pieces.units
    begins = [unit.start for unit in units]
    whole: dict[tuple[int, int], Candidate] = {}
    temperature = found.temperature
    for one in found.candidates:
        first, last = (units[bisect_right(begins, place) - 1] for place in (one.start, one.stop - 1))
        key = first.start, max(last.stop, one.stop)
        known = whole.get(key)
        both = (
            one.score
            if known is None
            else temperature * np.logaddexp(*(np.array([known.score, one.score]) / temperature))
        )
        whole[key] = Candidate(*key, float(both))
    return _distinct(list(whole.values()))
