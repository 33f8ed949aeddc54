"""How exactly one engine answers as another does: numbers, vectors and answers of the same rows side by side.

Letters: C classes, L tokens of a row, H hidden size, K starts, M ends for each.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from albertkit.backends import Outputs
from albertkit.errors import InputError
from albertkit.inference.engine import Engine
from albertkit.rules import NO_SCORE, SMALLEST_NORM
from albertkit.tasks.features import Features
from albertkit.typing import Record

_VECTORS = ("last_hidden_state", "pooler_output", "sentence_embedding")


@dataclass
class Parity:
    """What was found over some rows."""

    rows: int = 0
    tokens: int = 0
    largest_difference: float = 0.0
    largest_value: float = 0.0
    answers: int = 0
    """Classes, words and places that were decided."""
    same: int = 0
    """How many of them are the same."""
    whole_rows: int = 0
    """Rows all of whose answers are the same."""
    cosines: list[float] = field(default_factory=list)
    """The least of each row, where outputs are vectors."""
    numbers: list[tuple[float, float]] = field(default_factory=list)
    """What a model of numbers answered, and the other."""

    @property
    def relative_difference(self) -> float:
        """The largest difference as a part of the largest value, or of 1 where that is less."""
        return self.largest_difference / max(self.largest_value, 1.0)

    @property
    def row_agreement(self) -> float:
        """The share of rows all of whose answers are the same; 1 where nothing is decided."""
        return self.whole_rows / self.rows if self.answers else 1.0

    def agreements(self) -> Record:
        """What there is of: the share of answers that are the same, the least cosine, the correlation of numbers."""
        found: Record = {}
        if self.answers:
            found["agreement"] = self.same / self.answers
        if self.cosines:
            found["least_cosine"] = min(self.cosines)
        if len(self.numbers) > 1:
            ours, theirs = np.array(self.numbers, np.float64).T
            both = ((ours - ours.mean()) * (theirs - theirs.mean())).sum()
            spread = np.sqrt(ours.var() * theirs.var()) * len(ours)
            found["correlation"] = float(both / spread) if spread else float(np.array_equal(ours, theirs))
        return found

    def record(self, data: str) -> Record:
        """The figures for a file; `data` says what rows they are of."""
        found: Record = {"data": data, "rows": self.rows, "tokens": self.tokens}
        found |= {"largest_difference": self.largest_difference, "largest_value": self.largest_value}
        whole = {"row_agreement": self.row_agreement} if self.answers > self.rows else {}
        return found | ({"answers": self.answers} if self.answers else {}) | whole | self.agreements()

    def add(self, ours: Outputs, theirs: Outputs, problem_type: str | None) -> None:
        """Count the outputs of one more row; `ours` are those that are wanted."""
        self.rows += 1
        for name, wanted, found in _compared(ours, theirs):
            self.largest_difference = max(self.largest_difference, float(np.abs(found - wanted).max(initial=0)))
            self.largest_value = max(self.largest_value, float(np.abs(wanted).max(initial=0)))
            if name in _VECTORS:
                self.cosines.append(float(_cosines(wanted, found).min(initial=1)))
        decided = _decided(ours, problem_type)
        if decided is not None:
            same = decided == _decided(theirs, problem_type)
            self.answers += decided.size
            self.same += int(same.sum())
            self.whole_rows += bool(same.all())
        elif "logits" in ours:
            self.numbers += zip(ours["logits"].ravel().tolist(), theirs["logits"].ravel().tolist(), strict=True)


def measure(reference: Engine, other: Engine, features: Features) -> Parity:
    """Both engines over all rows. InputError where an answer is no number, or of another shape."""
    return compare(reference.run(features), other.run(features), features, reference.config.problem_type)


def compare(
    reference: Iterable[Outputs], other: Iterable[Outputs], features: Features, problem_type: str | None
) -> Parity:
    """The same of outputs that are there already, an entry a row of the features."""
    parity = Parity(tokens=sum(features.lengths()))
    for ours, theirs in zip(reference, other, strict=True):
        parity.add(ours, theirs, problem_type)
    return parity


def _compared(ours: Outputs, theirs: Outputs) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """The numbers of two rows by name: no places, 0 where no answer may stand, of ends those of the best start."""
    for name, wanted in ours.items():
        found = theirs[name]
        if wanted.shape != found.shape or not np.isfinite(found).all():
            raise InputError(
                f"A model must answer with numbers of the same shape everywhere. `{name}` is {found.shape} in place of "
                f"{wanted.shape}, or not finite. See what the weights hold with `albertkit info`."
            )
        if name == "end_top_log_probs":
            most = len(wanted) // len(ours["start_top_log_probs"])
            wanted, found = wanted[:most], found[:most]
        if not name.endswith("_index"):
            may_stand = wanted > NO_SCORE / 2
            yield name, np.where(may_stand, wanted, 0), np.where(may_stand, found, 0)


def _cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """(..., H) -> (...)."""
    lengths = np.sqrt((ours**2).sum(-1) * (theirs**2).sum(-1))
    return ((ours * theirs).sum(-1) + SMALLEST_NORM) / (lengths + SMALLEST_NORM)


def _decided(outputs: Outputs, problem_type: str | None) -> np.ndarray | None:
    """What a row's scores decide: classes, words, places of an answer; None where they decide nothing."""
    if "start_top_index" in outputs:
        return np.array([outputs["start_top_index"][0], outputs["end_top_index"][0]])
    if "start_logits" in outputs:
        return np.array([outputs["start_logits"].argmax(), outputs["end_logits"].argmax()])
    logits = outputs.get("logits")
    if logits is None or logits.shape[-1] == 1 or problem_type == "regression":
        return None
    if problem_type == "multi_label_classification":
        return logits > 0
    return np.atleast_1d(logits.argmax(-1))
