"""The confidence of classes: what is fitted to labelled rows, and what it changes on rows that it was not fitted to.

Letters: N examples, C classes.
"""

from collections.abc import Callable

import numpy as np

from albertkit.errors import InputError
from albertkit.tasks import calibration, calibration_fit, metrics
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.text_classification import answers
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, Schema
from albertkit.typing import Record

_SEED = 0
"""Decides which rows check what was fitted to the others."""


def fitted(
    logits: np.ndarray, labels: np.ndarray, schema: Schema, path: str, target_accuracy: float | None
) -> tuple[Calibration, Record]:
    """A calibration of (N, C) logits, and how it does: each half of the rows with what was fitted to the other half.

    InputError for a regression, for too few rows, and where no temperature or threshold fits.
    """
    if schema.problem_type == REGRESSION:
        raise InputError("Confidence is that of classes. Received a model of numbers, which has none to calibrate.")
    if target_accuracy is not None and (schema.problem_type == MULTI or not 0 < target_accuracy < 1):
        raise InputError(
            "The accuracy to reach must lie between 0 and 1, for a model of one class a row. Received: "
            f"{target_accuracy} for {schema.problem_type}. Leave it out, or give another."
        )
    calibration_fit.require_enough(len(logits), path)
    several = schema.problem_type == MULTI
    fit = _fit_several if several else _fit_one
    found = fit(logits, labels, schema)
    sure, correct = confidences(logits, labels, schema, Calibration())
    calibration_fit.require_inside(found.temperature, int(correct.sum()), len(correct), path)
    if target_accuracy is not None:
        scaled, _ = confidences(logits, labels, schema, found)
        below = calibration_fit.abstain_below(scaled, correct, target_accuracy, path)
        found = Calibration(found.temperature, abstain_below=below)
    after = _checked(logits, labels, schema, fit)
    results = {
        "examples": len(logits),
        **found.record(),
        **_errors("before", sure, correct),
        **_errors("after", *after),
    }
    more = _several(logits, labels, schema) if several else _abstaining(logits, labels, schema, found)
    return found, {**results, **more, "data": path}


def confidences(
    logits: np.ndarray, labels: np.ndarray, schema: Schema, found: Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each answer, (N,) or of each decision of several classes (N C,), and whether it is right."""
    if schema.problem_type == MULTI:
        chances = answers.scored(found.scaled(logits), "sigmoid").ravel()
        return np.maximum(chances, 1 - chances), (chances > 0.5) == (labels.ravel() > 0.5)
    chances = answers.scored(found.scaled(logits), "softmax")
    return chances.max(-1), chances.argmax(-1) == labels


def _fit_one(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> Calibration:
    return Calibration(calibration_fit.temperature(logits, np.eye(len(schema.names))[labels]))


def _fit_several(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> Calibration:
    temperature = calibration_fit.temperature(logits.reshape(-1, 1), labels.reshape(-1, 1))
    chances = answers.scored(logits / temperature, "sigmoid")
    found = calibration_fit.thresholds(chances, labels)
    stated = {name: float(one) for name, one in zip(schema.names, found, strict=True) if one != 0.5}
    return Calibration(temperature, stated)


def _halves(count: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng(_SEED).permutation(count)
    return order[: count // 2], order[count // 2 :]


Fit = Callable[[np.ndarray, np.ndarray, Schema], Calibration]


def _checked(logits: np.ndarray, labels: np.ndarray, schema: Schema, fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    one, other = _halves(len(logits))
    parts = [
        confidences(logits[rows], labels[rows], schema, fit(logits[fitted_to], labels[fitted_to], schema))
        for rows, fitted_to in ((one, other), (other, one))
    ]
    return np.concatenate([sure for sure, _ in parts]), np.concatenate([right for _, right in parts])


def _errors(when: str, sure: np.ndarray, correct: np.ndarray) -> Record:
    return {
        f"expected_calibration_error_{when}": calibration.expected_calibration_error(sure, correct),
        f"bins_{when}": calibration.rows(calibration.bins(sure, correct)),
    }


def _abstaining(logits: np.ndarray, labels: np.ndarray, schema: Schema, found: Calibration) -> Record:
    """The accuracy of all answers and of those that do not abstain."""
    sure, correct = confidences(logits, labels, schema, found)
    kept = sure >= found.abstain_below
    return {
        "accuracy": float(correct.mean()),
        **(
            {"coverage": float(kept.mean()), "accuracy_answered": float(correct[kept].mean())} if not kept.all() else {}
        ),
    }


def _several(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> Record:
    """F1 with a threshold of 1/2, and of each half of the rows with the thresholds of the other half."""
    one, other = _halves(len(logits))
    moved = np.array(logits, np.float64)
    for rows, fitted_to in ((one, other), (other, one)):
        found = _fit_several(logits[fitted_to], labels[fitted_to], schema)
        moved[rows] = answers.above_thresholds(logits[rows], schema, found)
    before, after = metrics.multi_label(logits, labels), metrics.multi_label(moved, labels)
    return {
        f"{name}_{when}": scores[name] for name in before for when, scores in (("before", before), ("after", after))
    }
