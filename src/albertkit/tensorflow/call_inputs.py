"""The inputs of a Keras model by name, whichever way they were given: keywords, positions, one list or one mapping."""

import inspect
import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from albertkit.errors import InputError
from albertkit.tensorflow.typing import Tensor

logger = logging.getLogger(__name__)

_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def names(classes: Iterable[type]) -> list[str]:
    """The names that `call` takes in the first of the classes, and where it hands on others too, in those after it."""
    found: dict[str, None] = {}
    for kind in classes:
        if "call" in vars(kind):
            _, *parameters = inspect.signature(vars(kind)["call"]).parameters.values()
            named = [each.name for each in parameters if each.kind not in _ANY]
            found |= dict.fromkeys(named)
            if len(named) == len(parameters):
                break
    return list(found)


def by_name(
    model: str, known: Sequence[str], args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """All inputs by the `known` names of the signature; arrays and lists of numbers become tensors.

    What of a mapping is not known is left out and announced as a warning, with the `model`'s class. InputError for too
    many inputs, and for one that is given twice.
    """
    first = args[0] if args else kwargs.get("input_ids")
    if isinstance(first, Mapping):
        ignored = [name for name in first if name not in known]
        if ignored:
            logger.warning("%s has no input called %s: left out.", model, ", ".join(ignored))
        args = (None, *args[1:])
        kwargs = {**kwargs, "input_ids": None} | {name: first[name] for name in known if name in first}
    elif isinstance(first, (list, tuple)) and any(hasattr(item, "shape") for item in first):
        args = (*first, *args[1:]) if args else tuple(first)
        kwargs = {name: value for name, value in kwargs.items() if name != "input_ids"}
    if len(args) > len(known):
        raise InputError(f"{model} takes at most {len(known)} inputs. Received: {len(args)}.")
    given = dict(zip(known, args, strict=False))
    twice = [name for name in given if name in kwargs and given[name] is not None]
    if twice:
        raise InputError(f"Each input is given once. Received twice: {', '.join(twice)}.")
    return {name: _as_tensor(value) for name, value in {**given, **kwargs}.items()}


def _as_tensor(value: Tensor) -> Tensor:
    """Arrays and lists of numbers as tensors of their own precision; anything else as it is."""
    return tf.convert_to_tensor(value) if isinstance(value, (np.ndarray, np.generic, list, tuple)) else value
