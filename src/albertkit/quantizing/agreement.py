"""How much two precisions agree on the same rows. NumPy only; it knows no task.

Letters: N rows, C classes, L tokens of a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig

_DECIDED = ("logits", "prediction_logits", "sop_logits", "start_logits", "end_logits", "start_top_index")
"""Outputs of which the largest, or for several labels at once the sign, is the answer."""
_CLOSE = 0.1
"""How far what is no choice may move, as a share of how far its values lie from their mean: vectors and numbers."""


@dataclass(frozen=True)
class Agreement:
    """Of the answers of one precision with those of another."""

    answers: int
    agreement: float
    """The share of answers that are the same: classes, tokens' classes, ends of spans; vectors and numbers that are
    close."""
    largest_difference: float
    """Of any output, which are logits, log probabilities or the numbers of vectors."""
    mean_difference: float


def compare(config: AlbertConfig, exact: Sequence[Outputs], other: Iterable[Outputs]) -> Agreement:
    """The agreement of outputs of the same rows."""
    same, answers, largest, total, count = 0, 0, 0.0, 0.0, 0
    spread = _spread(exact)
    for one, found in zip(exact, other, strict=True):
        for name, values in one.items():
            equal = _equal(config, name, values, found[name], spread.get(name, 0.0))
            same, answers = same + int(equal.sum()), answers + equal.size
            if values.dtype.kind == "f":
                difference = np.abs(values - found[name])
                largest = max(largest, float(difference.max(initial=0.0)))
                total, count = total + float(difference.sum(dtype=np.float64)), count + difference.size
    return Agreement(answers, same / max(answers, 1), largest, total / max(count, 1))


def _equal(config: AlbertConfig, name: str, one: np.ndarray, other: np.ndarray, spread: float) -> np.ndarray:
    """Whether each answer of a row is the same."""
    if name in _DECIDED and config.problem_type == "multi_label_classification":
        return (one > 0) == (other > 0)
    if name == "start_top_index":  # of which the first is the best
        return np.atleast_1d(one.ravel()[0] == other.ravel()[0])
    if name in _DECIDED and one.ndim and one.shape[-1] > 1 and one.dtype.kind == "f":
        return np.atleast_1d(one.argmax(-1) == other.argmax(-1))
    if name.startswith(("start_", "end_", "cls_")):  # of a search for answers: what is compared is where it begins
        return np.zeros(0, bool)
    return np.atleast_1d(np.abs(one - other).mean() <= _CLOSE * spread)


def _spread(rows: Sequence[Outputs]) -> dict[str, float]:
    """By name of an output how far its values lie from the mean over all rows, on the average."""
    found = {}
    for name, first in rows[0].items() if rows else ():
        if first.dtype.kind == "f":
            flat = np.stack([one[name].mean(0) if one[name].ndim > 1 else one[name] for one in rows])
            found[name] = float(np.abs(flat - flat.mean(0)).mean()) if first.ndim else float(np.abs(flat).mean())
    return found
