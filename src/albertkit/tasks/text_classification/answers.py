"""Logits of classes or numbers as answers, and what a call may say of their form.

Letters: N examples, C classes.
"""

from collections.abc import Iterable

import numpy as np

from albertkit.arrays import softmax
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.tasks.features import require_finite
from albertkit.tasks.inputs import require_count
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, SINGLE, Schema
from albertkit.typing import Json, Record

_FUNCTIONS = {SINGLE: "softmax", MULTI: "sigmoid", REGRESSION: "none"}
"""What makes scores of logits, by the kind of problem."""

BEST = "best"
"""The `top_k` that gives the best class alone, and not in a list."""


def records(logits: np.ndarray, schema: Schema, function: str | None = None, top_k: int | None = None) -> list[Record]:
    """(N, C) logits -> a record for each example; see `TextClassification.records`."""
    rows = scored(logits, function or _FUNCTIONS[schema.problem_type])
    if schema.problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in rows]
    ranked = np.argsort(-rows, axis=-1, kind="stable")
    kept = np.broadcast_to(np.arange(rows.shape[-1]), rows.shape) if top_k is None else ranked[:, :top_k]
    found: list[Record] = []
    for row, best, shown in zip(rows.tolist(), ranked[:, 0].tolist(), kept.tolist(), strict=True):
        scores = {schema.names[index]: row[index] for index in shown}
        if schema.problem_type == MULTI:
            likely = [name for name, score in zip(schema.names, row, strict=True) if score > 0.5]
            found.append({"labels": likely, "scores": scores})
        else:
            found.append({"label": schema.names[best], "score": row[best], "scores": scores})
    return found


def scored(logits: np.ndarray, function: str) -> np.ndarray:
    """(N, C) logits -> scores by softmax, sigmoid or none. InputError where they are not finite."""
    require_finite(logits)
    logits = logits.astype(np.float64)
    if function == "sigmoid":
        return np.exp(-np.logaddexp(0, -logits))
    return softmax(logits) if function == "softmax" else logits


def default_function(config: AlbertConfig) -> str:
    """What makes scores of logits in Transformers, by what the config states."""
    if config.problem_type == REGRESSION:
        return "none"
    return "sigmoid" if config.problem_type == MULTI or config.num_labels == 1 else "softmax"


def asked(options: Record) -> tuple[str | None, Json]:
    """The function of a call, None for the default one, and its `top_k`. InputError for other values."""
    function, top_k = options.get("function_to_apply"), options.get("top_k", BEST)
    if top_k not in (BEST, None):
        require_count("top_k", top_k)
    if function is None:
        return None, top_k
    if not isinstance(function, str) or function.lower() not in (*_FUNCTIONS.values(), "default"):
        raise InputError(
            f'`function_to_apply` must be "softmax", "sigmoid", "none" or "default". Received: {abbreviate(function)}.'
        )
    return None if function.lower() == "default" else function.lower(), top_k


def logits_of(outputs: Iterable[Outputs], config: AlbertConfig) -> np.ndarray:
    """(N, C) of all rows."""
    rows = [row["logits"] for row in outputs]
    return np.stack(rows) if rows else np.zeros((0, config.num_labels), np.float32)
