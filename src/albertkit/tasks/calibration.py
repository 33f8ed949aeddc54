"""Confidence that means something: what is fitted on held-out rows and kept with a model, and how far it is off.

Guo et al. 2017, "On calibration of modern neural networks". NumPy alone. Letters: N rows, C classes.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Self

import numpy as np

from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.typing import Json, Record

TRAINED = "task"
"""The key of config.json that says what a model was trained for, see `trained_on`."""
KEY = "calibration"
"""The key of the entry `task` of a config under which it stands."""
FITTED = "fitted"
"""That of what held-out examples decided for answers beside it, see `trained_on`."""
BINS = 15
"""Bins of confidence, as many as in the paper."""


@dataclass(frozen=True)
class Calibration:
    """What is kept with a model. Without any it is as if nothing had been fitted."""

    temperature: float = 1.0
    """Logits are divided by it before they become probabilities."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of several classes at once: the probability above which each is given; 1/2 for those that are not named."""
    abstain_below: float = 0.0
    """The probability below which an answer abstains; not of several classes at once."""

    def record(self) -> Record:
        """What is not as without a calibration, for JSON."""
        return {name: value for name, value in asdict(self).items() if value != getattr(Calibration(), name)}

    @classmethod
    def of(cls, values: Json) -> Self:
        """The inverse of `record`. What does not fit is passed over, for a config can be written by hand."""
        values = values if isinstance(values, Mapping) else {}
        found = cls()
        if _is_number(values.get("temperature"), 0, math.inf):
            found = replace(found, temperature=float(values["temperature"]))
        if _is_number(values.get("abstain_below"), 0, 1):
            found = replace(found, abstain_below=float(values["abstain_below"]))
        if isinstance(stated := values.get("thresholds"), Mapping):
            found = replace(found, thresholds={n: float(v) for n, v in stated.items() if _is_number(v, 0, 1)})
        return found

    def scaled(self, logits: np.ndarray) -> np.ndarray:
        """(N, C) logits of calibrated probabilities."""
        return logits / self.temperature


NONE = Calibration()
"""That of a model for which nothing was fitted."""


def _is_number(value: Json, above: float, below: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and above < value < below


def read(config: AlbertConfig) -> Calibration:
    """What is kept in a model's config."""
    entry = getattr(config, TRAINED, None)
    return Calibration.of(entry.get(KEY) if isinstance(entry, Mapping) else None)


def entry(present: Json, task: str, calibration: Calibration, decided: Record | None = None) -> Record:
    """The entry `task` of a config with a calibration in place of the one that it has.

    `decided` are options of answers that the same rows decide, see `trained_on.fitted`; others stay as they are.
    """
    kept: Record = {"name": task}
    if isinstance(present, Mapping) and present.get("name") == task:
        kept = dict(present)
    if decided:
        earlier = kept.get(FITTED)
        kept[FITTED] = {**(earlier if isinstance(earlier, Mapping) else {}), **decided}
    return {**kept, KEY: calibration.record()}


def kind(stated: Json, config: AlbertConfig) -> Record:
    """What `abstained` adds to the kinds of an answer: see `Task.answer_kinds`."""
    return {"abstained": bool} if bound(stated, read(config)) else {}


def bound(stated: Json, found: Calibration) -> float:
    """The confidence below which an answer abstains: that of a call, or else of the model. InputError for no number."""
    if stated is None:
        return found.abstain_below
    if isinstance(stated, bool) or not isinstance(stated, (int, float)) or not 0 <= stated <= 1:
        raise InputError(f"`abstain_below` must be a probability from 0 to 1. Received: {abbreviate(stated)}.")
    return float(stated)


def abstained(confidence: float, below: float) -> Record:
    """{"abstained"} of an answer; nothing where none may abstain."""
    return {"abstained": bool(confidence < below)} if below else {}


@dataclass(frozen=True)
class Bin:
    """The rows whose confidence lies above `lower` and at most at `upper`: a bar of a reliability diagram."""

    lower: float
    upper: float
    count: int
    confidence: float
    """Their mean confidence; NaN where there are none."""
    accuracy: float
    """The share of them that is right; NaN where there are none."""


def bins(confidences: np.ndarray, correct: np.ndarray, count: int = BINS) -> list[Bin]:
    """(N,) probabilities of the answers given and (N,) whether each is right -> `count` bins of equal width."""
    edges = np.linspace(0, 1, count + 1)
    places = np.clip(np.searchsorted(edges, confidences, side="left") - 1, 0, count - 1)
    found = []
    for number in range(count):
        chosen = places == number
        means = [float(values[chosen].mean()) if chosen.any() else math.nan for values in (confidences, correct)]
        found.append(Bin(float(edges[number]), float(edges[number + 1]), int(chosen.sum()), *means))
    return found


def expected_calibration_error(confidences: np.ndarray, correct: np.ndarray, count: int = BINS) -> float:
    """The distance of confidence and accuracy, in the mean over rows: that of each bin by its share of them."""
    found = [one for one in bins(confidences, correct, count) if one.count]
    return sum(one.count * abs(one.confidence - one.accuracy) for one in found) / max(len(confidences), 1)


def rows(found: list[Bin]) -> list[Record]:
    """Bins that hold something, for JSON."""
    return [asdict(one) for one in found if one.count]
