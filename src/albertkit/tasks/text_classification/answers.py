"""Logits of classes or numbers as answers, and what a call may say of their form.

Letters: N examples, C classes.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from albertkit.arrays import softmax
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, abbreviate
from albertkit.tasks import calibration
from albertkit.tasks.calibration import NONE, Calibration
from albertkit.tasks.features import require_finite
from albertkit.tasks.inputs import require_count
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, SINGLE, Schema
from albertkit.typing import Json, Record

_FUNCTIONS = {SINGLE: "softmax", MULTI: "sigmoid", REGRESSION: "none"}
"""What makes scores of logits, by the kind of problem."""

BEST = "best"
"""The `top_k` that gives the best class alone, and not in a list."""


class Asked(NamedTuple):
    """What a call says of the form of answers."""

    function: str | None = None
    """What makes scores of logits; None: what the model was trained with."""
    top_k: Json = BEST
    """How many classes, None for all, or BEST."""
    abstain_below: float | None = None
    """The confidence below which an answer abstains; None: that of the model."""


ORDINARY = Asked()
"""A call without options."""


def records(logits: np.ndarray, schema: Schema, asked: Asked = ORDINARY, found: Calibration = NONE) -> list[Record]:
    """(N, C) logits -> a record for each example; see `TextClassification.records`. `found` is the model's."""
    rows = scored(logits, asked.function or _FUNCTIONS[schema.problem_type], found)
    top_k = None if asked.top_k == BEST else asked.top_k
    if schema.problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in rows]
    ranked = np.argsort(-rows, axis=-1, kind="stable")
    kept = np.broadcast_to(np.arange(rows.shape[-1]), rows.shape) if top_k is None else ranked[:, :top_k]
    told, least = abstaining(logits, schema, asked, found), thresholds(schema, found)
    answered: list[Record] = []
    for row, best, shown, more in zip(rows.tolist(), ranked[:, 0].tolist(), kept.tolist(), told, strict=True):
        scores = {schema.names[index]: row[index] for index in shown}
        if schema.problem_type == MULTI:
            likely = [name for name, score, bound in zip(schema.names, row, least, strict=True) if score > bound]
            answered.append({"labels": likely, "scores": scores})
        else:
            answered.append({"label": schema.names[best], "score": row[best], **more, "scores": scores})
    return answered


def kinds(schema: Schema, asked: Asked = ORDINARY, found: Calibration = NONE) -> Record:
    """What the parts of the answers of `records` are; see `Task.answer_kinds`."""
    if schema.problem_type == REGRESSION:
        return {"value": float}
    scores = dict.fromkeys(schema.names, float)
    if schema.problem_type == MULTI:
        return {"labels": [str], "scores": scores}
    told = {"abstained": bool} if calibration.bound(asked.abstain_below, found) else {}
    return {"label": str, "score": float, **told, "scores": scores}


def ranked(logits: np.ndarray, config: AlbertConfig, asked: Asked, found: Calibration) -> list[Json]:
    """(N, C) logits -> the best classes of each example as Transformers answers; see `TextClassification.decode`."""
    schema = Schema.of(config)
    scores = scored(logits, asked.function or default_function(config), found)
    order = np.argsort(-scores, axis=-1, kind="stable")[:, : 1 if asked.top_k == BEST else asked.top_k]
    answered = [
        [{"label": schema.names[index], "score": float(row[index]), **more} for index in best]
        for row, best, more in zip(scores, order.tolist(), abstaining(logits, schema, asked, found), strict=True)
    ]
    return [answer[0] for answer in answered] if asked.top_k == BEST else answered


def abstaining(logits: np.ndarray, schema: Schema, asked: Asked, found: Calibration) -> Sequence[Record]:
    """{"abstained"} of each example, whatever function makes its scores; nothing where none may abstain.

    InputError where a call gives a bound for a model of something else than one class a row.
    """
    if asked.abstain_below is not None and schema.problem_type != SINGLE:
        raise InputError(
            f"`abstain_below` is for models of one class a row. Received: {asked.abstain_below} for a model of "
            f"{schema.problem_type}. Leave it out."
        )
    below = calibration.bound(asked.abstain_below, found)
    if not below or schema.problem_type != SINGLE:
        return [{}] * len(logits)
    return [calibration.abstained(one, below) for one in scored(logits, "softmax", found).max(-1)]


def thresholds(schema: Schema, found: Calibration) -> list[float]:
    """The probability above which each class is given, where a row may have several."""
    return [found.thresholds.get(name, 0.5) for name in schema.names]


def above_thresholds(logits: np.ndarray, schema: Schema, found: Calibration) -> np.ndarray:
    """(N, C) logits that are above 0 where a class is given by its threshold."""
    stated = np.array(thresholds(schema, found))
    return found.scaled(logits.astype(np.float64)) - np.log(stated / (1 - stated))


def scored(logits: np.ndarray, function: str, found: Calibration = NONE) -> np.ndarray:
    """(N, C) logits -> scores by softmax, sigmoid or none. InputError where they are not finite.

    Probabilities are the calibrated ones; without a function logits stay what the model gives.
    """
    require_finite(logits)
    logits = logits.astype(np.float64)
    if function != "none":
        logits = found.scaled(logits)
    if function == "sigmoid":
        return np.exp(-np.logaddexp(0, -logits))
    return softmax(logits) if function == "softmax" else logits


def default_function(config: AlbertConfig) -> str:
    """What makes scores of logits in Transformers, by what the config states."""
    if config.problem_type == REGRESSION:
        return "none"
    return "sigmoid" if config.problem_type == MULTI or config.num_labels == 1 else "softmax"


def asked(options: Record) -> Asked:
    """What the options of a call say. InputError for other values."""
    function, below = options.get("function_to_apply"), options.get("abstain_below")
    top_k = options.get("top_k", BEST)
    if top_k not in (BEST, None):
        require_count("top_k", top_k)
    calibration.bound(below, NONE)  # an error for what is no probability
    if function is None:
        return Asked(None, top_k, below)
    if not isinstance(function, str) or function.lower() not in (*_FUNCTIONS.values(), "default"):
        raise InputError(
            f'`function_to_apply` must be "softmax", "sigmoid", "none" or "default". Received: {abbreviate(function)}.'
        )
    return Asked(None if function.lower() == "default" else function.lower(), top_k, below)


def logits_of(outputs: Iterable[Outputs], config: AlbertConfig) -> np.ndarray:
    """(N, C) of all rows."""
    rows = [row["logits"] for row in outputs]
    return np.stack(rows) if rows else np.zeros((0, config.num_labels), np.float32)
