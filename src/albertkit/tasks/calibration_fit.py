"""What fits confidence to held-out rows: a temperature, thresholds, where to abstain.

SciPy finds a zero or the least of a function; the rest is NumPy. Letters: N rows, C classes.
"""

import math
from collections.abc import Callable

import numpy as np

from albertkit.arrays import softmax
from albertkit.errors import InputError, MissingDependency

try:
    from scipy import optimize
except ImportError:
    raise MissingDependency("Calibrating", "scikit-learn", "train") from None

FEWEST = 100
"""Rows from which on a temperature says more than chance; half of them check it."""
FEWEST_ANSWERED = 20
"""Rows that must be left to answer, of a threshold to abstain below."""
FEWEST_OF_CLASS = 5
"""Rows of a class from which on it gets a threshold of its own."""
LOWEST, HIGHEST = 0.05, 20.0
"""Bounds of the temperature: at them probabilities are all 0 and 1, or all alike."""
_GRID = 13
"""Temperatures that are tried before the best is searched between its neighbours."""
_UNLIKELY = 1e-12
"""Probabilities are taken for no smaller, so that one that was wrong does not decide alone."""


def require_target(accuracy: float | None) -> None:
    """InputError for an accuracy to reach that is none."""
    if accuracy is not None and not 0 < accuracy < 1:
        raise InputError(
            f"The accuracy to reach must lie between 0 and 1. Received: {accuracy}. Leave it out, or give another."
        )


def require_enough(count: int, path: str) -> None:
    """InputError for too few rows to fit anything to."""
    if count < FEWEST:
        raise InputError(
            f"Confidence is fitted to {FEWEST} rows at least, which training has not seen. {path} has {count}. Give a "
            "file with more."
        )


def temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature under which rows are likeliest, within the bounds: a convex search for one number.

    (N, C) logits and (N, C) targets: rows of one 1 each for one class a row, or any zeros and ones with `(N, 1)` logits
    of as many decisions. A logit is -inf where a row has no such class.
    """
    logits = logits.astype(np.float64)
    known = np.where(np.isfinite(logits), logits, 0)

    def slope(inverse: float) -> float:
        scaled = logits * inverse
        chances = softmax(scaled) if logits.shape[1] > 1 else np.exp(-np.logaddexp(0, -scaled))
        return float(((chances - targets) * known).sum() / len(logits))

    low, high = 1 / HIGHEST, 1 / LOWEST
    if slope(low) >= 0:
        return HIGHEST
    if slope(high) <= 0:
        return LOWEST
    return 1 / float(optimize.root_scalar(slope, bracket=(low, high), xtol=1e-10).root)


def temperature_of_answers(confidences: Callable[[float], np.ndarray], right: np.ndarray) -> float:
    """The temperature under which it is likeliest that the (K,) answers which are `right` are so, and no others.

    `confidences` gives the probability of each answer, (K,), under a temperature. A bound where the best lies there.
    """

    def loss(logarithm: float) -> float:
        sure = np.clip(confidences(math.exp(logarithm)), _UNLIKELY, 1 - _UNLIKELY)
        return -float(np.where(right, np.log(sure), np.log1p(-sure)).mean())

    places = np.linspace(math.log(LOWEST), math.log(HIGHEST), _GRID)
    best = int(np.argmin([loss(place) for place in places]))
    if best in (0, _GRID - 1):
        return HIGHEST if best else LOWEST
    bounds = (places[best - 1], places[best + 1])
    return math.exp(np.asarray(optimize.fminbound(loss, *bounds, xtol=1e-3)).item())


def require_inside(value: float, right: int, count: int, path: str) -> None:
    """InputError for a temperature at its bounds, where rows say nothing of it."""
    if not LOWEST < value < HIGHEST:
        raise InputError(
            f"A temperature can be fitted where some answers are wrong, and surer ones less often. In {path} {right} "
            f"of {count} are right, and none between {LOWEST} and {HIGHEST} fits. Give rows that training has not "
            "seen, or a model that has learned more."
        )


def abstain_below(confidences: np.ndarray, correct: np.ndarray, target: float, path: str) -> float:
    """The lowest confidence above which the share of right answers is `target`; 0 where it is so for all rows.

    InputError where there is none that leaves some rows.
    """
    if len(correct) < FEWEST_ANSWERED:
        raise InputError(
            f"Where to abstain is fitted to {FEWEST_ANSWERED} answers at least. With {path} the model gives "
            f"{len(correct)}. Give more rows, or a model that has learned more."
        )
    order = np.argsort(-confidences, kind="stable")
    sure, right = confidences[order], correct[order]
    shares = np.cumsum(right) / np.arange(1, len(right) + 1)
    is_cut = np.append(sure[:-1] > sure[1:], True)  # rows of one confidence are answered together
    is_cut[: FEWEST_ANSWERED - 1] = False
    fitting = np.flatnonzero(is_cut & (shares >= target))
    if not len(fitting):
        best = int(np.argmax(np.where(is_cut, shares, -1)))
        raise InputError(
            f"The accuracy to reach must be one that {FEWEST_ANSWERED} answers at least have together. Received: "
            f"{target}. In {path} the surest {best + 1} of {len(right)} are right in {shares[best]:.3f}. Ask for less."
        )
    last = int(fitting[-1])
    return 0.0 if last + 1 == len(sure) else float((sure[last] + sure[last + 1]) / 2)


def thresholds(chances: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N, C) probabilities and zeros and ones -> (C,) the threshold of each class at which its F1 is best.

    The one nearest to 1/2 of several; 1/2 for a class of too few rows, or that all rows have.
    """
    return np.array([_threshold(*columns) for columns in zip(chances.T, truth.T, strict=True)])


def _threshold(chances: np.ndarray, truth: np.ndarray) -> float:
    positive = int(truth.sum())
    if not FEWEST_OF_CLASS <= positive <= len(truth) - FEWEST_OF_CLASS:
        return 0.5
    order = np.argsort(-chances, kind="stable")
    sure, hits = chances[order], np.cumsum(truth[order])
    scores = 2 * hits / (np.arange(1, len(truth) + 1) + positive)
    following = np.append(sure[1:], 0.0)
    scores[sure == following] = -1
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    # Every number from the next row's chance up to this row's gives the same answers.
    nearest = [min(max(0.5, float(following[one])), float(np.nextafter(sure[one], 0))) for one in best]
    middle = [float((following[one] + sure[one]) / 2) for one in best]
    found = [0.5 if one == 0.5 else other for one, other in zip(nearest, middle, strict=True)]
    return min(found, key=lambda one: abs(one - 0.5))
