"""What a person may want to see of a model's scores, as numbers; what draws them is elsewhere.

Letters: C classes, K bins.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from albertkit.errors import InputError
from albertkit.typing import Json, Record

BINS = 10
_SHOWN = 20
"""Classes of a confusion matrix from which on the rarest are taken together."""
OTHERS = "others"


@dataclass(frozen=True)
class Figure(ABC):
    """One picture, or one table of the same numbers."""

    name: str
    """What its file is called, without an ending."""
    title: str

    @abstractmethod
    def table(self) -> list[list[str]]:
        """The numbers as rows of texts, the head first."""

    def as_record(self) -> Record:
        """The figure for JSON; see `of_record`."""
        return {"kind": type(self).__name__, **asdict(self)}


@dataclass(frozen=True)
class Confusion(Figure):
    """How many of each class were taken for which."""

    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    """(C, C): the true class, then the predicted one."""

    def table(self) -> list[list[str]]:
        """A row for each true class."""
        rows = [[label, *(f"{count:,}" for count in row)] for label, row in zip(self.labels, self.counts, strict=True)]
        return [["true, then predicted", *self.labels], *rows]


@dataclass(frozen=True)
class Bars(Figure):
    """Scores of parts, such as types or lengths, side by side."""

    labels: Sequence[str]
    scores: Mapping[str, Sequence[float]]
    """By name, of 0 to 1, one for each label."""
    counts: Sequence[int]
    """How many examples each label has."""
    axis: str
    """What the labels are."""

    def table(self) -> list[list[str]]:
        """A row for each label."""
        columns = zip(*self.scores.values(), strict=True)
        rows = [
            [label, *(f"{score:.3f}" for score in row), f"{count:,}"]
            for label, row, count in zip(self.labels, columns, self.counts, strict=True)
        ]
        return [[self.axis, *self.scores, "count"], *rows]


@dataclass(frozen=True)
class Reliability(Figure):
    """How often answers of a given confidence are right."""

    confidence: Sequence[float]
    """(K,) the mean confidence of the answers in each bin that holds any."""
    accuracy: Sequence[float]
    """(K,) the share of them that is right."""
    counts: Sequence[int]
    error: float
    """The expected calibration error: the mean distance of both, weighed by the counts."""

    def table(self) -> list[list[str]]:
        """A row for each bin."""
        rows = zip(self.confidence, self.accuracy, self.counts, strict=True)
        found = [[f"{one:.3f}", f"{other:.3f}", f"{count:,}"] for one, other, count in rows]
        return [["confidence", "right", "count"], *found]


_KINDS: dict[str, type[Figure]] = {one.__name__: one for one in (Confusion, Bars, Reliability)}


def of_record(record: Mapping[str, Json]) -> Figure:
    """A figure of what `as_record` gave. InputError for anything else."""
    values = {name: value for name, value in record.items() if name != "kind"}
    try:
        return _KINDS[str(record.get("kind"))](**values)
    except (KeyError, TypeError):
        raise InputError(f"A figure must be one of {', '.join(_KINDS)}. Received: {record!s:.100}.") from None


def confusion(true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Confusion:
    """The matrix of (N,) true and predicted classes; of many classes the rarest are taken together."""
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (true, predicted), 1)
    if len(labels) > _SHOWN:
        kept = np.sort(np.argsort(-counts.sum(1), kind="stable")[: _SHOWN - 1])
        place = np.full(len(labels), len(kept))
        place[kept] = np.arange(len(kept))
        labels = [*(str(labels[one]) for one in kept.tolist()), OTHERS]
        smaller = np.zeros((len(labels), len(labels)), np.int64)
        np.add.at(smaller, (place[:, None], place[None, :]), counts)
        counts = smaller
    return Confusion("confusion", "Which class was taken for which", list(labels), counts.tolist())


def of_classes(true: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> Bars:
    """Precision, recall and F1 of each class, from (N, C) of zeros and ones."""
    both, found, wanted = ((one.astype(bool)).sum(0) for one in (true * predicted, predicted, true))
    scores = {
        "precision": (both / np.maximum(found, 1)).tolist(),
        "recall": (both / np.maximum(wanted, 1)).tolist(),
        "F1": (2 * both / np.maximum(found + wanted, 1)).tolist(),
    }
    return Bars("scores_by_class", "Scores by class", list(labels), scores, wanted.tolist(), "class")


def grouped(name: str, title: str, axis: str, groups: Sequence[str], scores: Mapping[str, Sequence[float]]) -> Bars:
    """Means of scores in each group of examples, the groups in the order in which they first come when sorted."""
    labels = sorted(set(groups), key=_natural)
    chosen = [np.array([group == label for group in groups], bool) for label in labels]
    means = {key: [float(np.asarray(values)[rows].mean()) for rows in chosen] for key, values in scores.items()}
    return Bars(name, title, labels, means, [int(rows.sum()) for rows in chosen], axis)


def _natural(label: str) -> tuple[int, str]:
    """The number that a label begins with, then the label: "9 to 16" is before "17 or more"."""
    digits = label.split(" ", 1)[0].replace(",", "")
    return (int(digits) if digits.isdecimal() else 0), label


def length_group(length: int) -> str:
    """The group of a length: 1, 2, 3 to 4, 5 to 8, and so on."""
    if length <= 2:
        return str(length)
    high = 1 << (length - 1).bit_length()
    return f"{high // 2 + 1} to {high}"


def reliability(confidence: np.ndarray, is_right: np.ndarray, what: str) -> Reliability | None:
    """The figure of (N,) confidences of 0 to 1 and whether each answer is right; None without answers."""
    if not len(confidence):
        return None
    bins = np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    used = counts > 0
    means = [
        (np.bincount(bins, weights=values, minlength=BINS)[used] / counts[used])
        for values in (np.asarray(confidence, np.float64), np.asarray(is_right, np.float64))
    ]
    error = float((counts[used] * np.abs(means[0] - means[1])).sum() / len(confidence))
    title = f"How often {what} of a given confidence are right"
    return Reliability("reliability", title, means[0].tolist(), means[1].tolist(), counts[used].tolist(), error)
