"""Weights of classes in the loss, for classes of which a data set has few examples.

Letters: N examples, C classes.
"""

from collections.abc import Sequence

import numpy as np

from albertkit.errors import InputError

BALANCED = "balanced"


def of_classes(stated: str, classes: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """(C,) float32, what each class counts in the mean loss; `classes` (N,) are those of the examples.

    `stated` is "balanced": a class of n examples weighs N / (C n), as in scikit-learn; or name=weight pairs with commas
    between them, in which those that are not named weigh 1. InputError for anything else.
    """
    weights = _balanced(classes, len(names)) if stated.strip() == BALANCED else _stated(stated, names)
    return weights.astype(np.float32)


def _balanced(classes: np.ndarray, count: int) -> np.ndarray:
    return len(classes) / (count * np.maximum(np.bincount(classes, minlength=count), 1))


def _stated(stated: str, names: Sequence[str]) -> np.ndarray:
    weights = np.ones(len(names))
    for pair in filter(str.strip, stated.split(",")):
        name, _, number = (part.strip() for part in pair.rpartition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = float("nan")
        if name not in names or not 0 < weight < float("inf"):
            raise InputError(
                f"`class_weights` must be {BALANCED}, or pairs such as {names[0]}=2.5 with commas between them, of a "
                f"class and a number above 0. Received: {pair.strip()!r}. The classes are {', '.join(names[:12])}."
            )
        weights[names.index(name)] = weight
    return weights
