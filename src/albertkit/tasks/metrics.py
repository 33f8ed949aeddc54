"""Scores: logits and true labels -> named numbers. scikit-learn and SciPy do the arithmetic."""

import warnings

import numpy as np

from albertkit.errors import MissingDependency
from albertkit.typing import Record

try:
    from scipy import stats
    from sklearn import metrics as sklearn_metrics
except ImportError:
    raise MissingDependency("Scoring", "scikit-learn", "train") from None


# A class that nothing was predicted as has an F1 of 0.
_QUIET: Record = {"zero_division": 0}


def single_label(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """(N, C) logits and (N,) classes -> accuracy, F1 and Matthews correlation, those GLUE uses.

    F1 is that of class 1 where there are two classes, else the unweighted mean over classes.
    """
    predicted = logits.argmax(-1)
    average = "binary" if logits.shape[1] == 2 else "macro"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that only one class occurs; the correlation is then 0
        correlation = sklearn_metrics.matthews_corrcoef(labels, predicted)
    return {
        "accuracy": float((predicted == labels).mean()),
        "f1": float(sklearn_metrics.f1_score(labels, predicted, average=average, **_QUIET)),
        "matthews_correlation": float(correlation),
    }


def multi_label(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """(N, C) logits and (N, C) zeros and ones -> F1 over all decisions and over classes, and share of exact rows."""
    predicted = logits > 0
    truth = labels > 0.5
    # scikit-learn would take a single column for classes 0 and 1, so all decisions go in as one list.
    micro = sklearn_metrics.f1_score(truth.ravel(), predicted.ravel(), **_QUIET)
    one = truth.shape[1] == 1
    macro = micro if one else sklearn_metrics.f1_score(truth, predicted, average="macro", **_QUIET)
    return {
        "f1_micro": float(micro),
        "f1_macro": float(macro),
        "exact_match": float((predicted == truth).all(axis=1).mean()),
    }


def regression(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """(N, 1) predictions and (N,) numbers -> Pearson and Spearman correlation, mean squared and absolute error.

    A correlation is 0 where all predictions or all numbers are equal.
    """
    predicted = logits[:, 0].astype(np.float64)
    error = predicted - labels
    errors = {"mse": float((error**2).mean()), "mae": float(np.abs(error).mean())}
    return {**correlations(predicted, labels), **errors}


def correlations(predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """(N,) predictions and (N,) numbers -> Pearson and Spearman correlation; 0 where all of either are equal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        found: Record = {
            "pearson": stats.pearsonr(predicted, labels)[0] if len(labels) > 1 else 0.0,
            "spearman": stats.spearmanr(predicted, labels)[0] if len(labels) > 1 else 0.0,
        }
    return {name: float(np.nan_to_num(value)) for name, value in found.items()}
