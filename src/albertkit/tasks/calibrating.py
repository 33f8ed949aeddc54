"""A calibration fitted to labelled examples, and checked: each half of them with what was fitted to the other half.

It knows no task: what an answer is, and whether it is right, a task says. Letters: N examples, C classes, K answers.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from albertkit.arrays import softmax
from albertkit.tasks import calibration, calibration_fit
from albertkit.tasks.calibration import NONE, Calibration
from albertkit.typing import Record

_SEED = 0
"""Decides which examples check what was fitted to the others."""

Fit = Callable[[np.ndarray], Calibration]
"""Numbers of examples -> what fits them."""
Judge = Callable[[Calibration, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""A calibration and numbers of examples -> the confidence (K,) of the answers to them, and whether each is right."""


def fitted(
    count: int, fit: Fit, judge: Judge, path: str, target_accuracy: float | None, answered: Judge | None = None
) -> tuple[Calibration, Record]:
    """What fits `count` examples of a file, and how far confidence is off before and after.

    `answered` judges what abstains as a whole, where that is something else than what `judge` does. InputError for too
    few examples, for a temperature that they say nothing of, and for an accuracy that no threshold reaches.
    """
    calibration_fit.require_target(target_accuracy)
    calibration_fit.require_enough(count, path)
    every = np.arange(count)
    found = fit(every)
    before = judge(NONE, every)
    calibration_fit.require_inside(found.temperature, int(before[1].sum()), len(before[1]), path)
    if target_accuracy is not None:
        below = calibration_fit.abstain_below(*(answered or judge)(found, every), target_accuracy, path)
        found = replace(found, abstain_below=below)
    results = {"examples": count, **found.record()}
    return found, {**results, **_errors("before", *before), **_errors("after", *checked(count, fit, judge))}


def of_classes(
    logits: np.ndarray, labels: np.ndarray, path: str, target_accuracy: float | None
) -> tuple[Calibration, Record]:
    """`fitted` for (N, C) logits, of which (N,) `labels` are right; -inf where an example has fewer classes."""
    targets = np.eye(logits.shape[1])[labels]

    def fit(rows: np.ndarray) -> Calibration:
        return Calibration(calibration_fit.temperature(logits[rows], targets[rows]))

    def judge(found: Calibration, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chances = softmax(found.scaled(logits[rows]))
        return chances.max(-1), chances.argmax(-1) == labels[rows]

    found, results = fitted(len(logits), fit, judge, path, target_accuracy)
    return found, {**results, **answered_right(found, *judge(found, np.arange(len(logits)))), "data": path}


def halves(count: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The numbers of `count` examples in halves, each with the other: to check, and to fit what is checked to."""
    order = np.random.default_rng(_SEED).permutation(count)
    one, other = order[: count // 2], order[count // 2 :]
    return (one, other), (other, one)


def checked(count: int, fit: Fit, judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Confidences of all examples and whether answers are right, each half with what fits the other half."""
    parts = [judge(fit(fitted_to), rows) for rows, fitted_to in halves(count)]
    return np.concatenate([sure for sure, _ in parts]), np.concatenate([right for _, right in parts])


def answered_right(found: Calibration, sure: np.ndarray, right: np.ndarray) -> Mapping[str, float]:
    """The share of right answers among all (K,), and among those that do not abstain."""
    kept = sure >= found.abstain_below
    told = {"accuracy": float(right.mean()) if len(right) else 0.0}
    if not kept.all():
        told |= {"coverage": float(kept.mean()), "accuracy_answered": float(right[kept].mean())}
    return told


def _errors(when: str, sure: np.ndarray, right: np.ndarray) -> Record:
    return {
        f"expected_calibration_error_{when}": calibration.expected_calibration_error(sure, right),
        f"bins_{when}": calibration.rows(calibration.bins(sure, right)),
    }
