"""The confidence of classes: what is fitted to labelled rows, and what it changes on rows that it was not fitted to.

Letters: N examples, C classes.
"""

import numpy as np

from albertkit.errors import InputError
from albertkit.tasks import calibrating, calibration_fit, metrics
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.text_classification import answers
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, Schema
from albertkit.typing import Record


def fitted(
    logits: np.ndarray, labels: np.ndarray, schema: Schema, path: str, target_accuracy: float | None
) -> tuple[Calibration, Record]:
    """A calibration of (N, C) logits, and how it does: each half of the rows with what was fitted to the other half.

    InputError for a regression, for too few rows, and where no temperature or threshold fits.
    """
    if schema.problem_type == REGRESSION:
        raise InputError("Confidence is that of classes. Received a model of numbers, which has none to calibrate.")
    if schema.problem_type != MULTI:
        return calibrating.of_classes(logits, labels, path, target_accuracy)
    if target_accuracy is not None:
        raise InputError(
            f"The accuracy to reach is for a model of one class a row. Received: {target_accuracy} for {MULTI}. Leave "
            "it out."
        )

    def fit(rows: np.ndarray) -> Calibration:
        return _of_several(logits[rows], labels[rows], schema)

    def judge(found: Calibration, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chances = answers.scored(found.scaled(logits[rows]), "sigmoid").ravel()
        return np.maximum(chances, 1 - chances), (chances > 0.5) == (labels[rows].ravel() > 0.5)

    found, results = calibrating.fitted(len(logits), fit, judge, path, None)
    return found, {**results, **_several(logits, labels, schema), "data": path}


def _of_several(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> Calibration:
    temperature = calibration_fit.temperature(logits.reshape(-1, 1), labels.reshape(-1, 1))
    chances = answers.scored(logits / temperature, "sigmoid")
    found = calibration_fit.thresholds(chances, labels)
    stated = {name: float(one) for name, one in zip(schema.names, found, strict=True) if one != 0.5}
    return Calibration(temperature, stated)


def _several(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> Record:
    """F1 with a threshold of 1/2, and of each half of the rows with the thresholds of the other half."""
    moved = np.array(logits, np.float64)
    for rows, fitted_to in calibrating.halves(len(logits)):
        found = _of_several(logits[fitted_to], labels[fitted_to], schema)
        moved[rows] = answers.above_thresholds(logits[rows], schema, found)
    before, after = metrics.multi_label(logits, labels), metrics.multi_label(moved, labels)
    return {
        f"{name}_{when}": scores[name] for name in before for when, scores in (("before", before), ("after", after))
    }
