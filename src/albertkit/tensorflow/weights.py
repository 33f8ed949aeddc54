"""Neutral tensors <-> the variables of a Keras model.

The attribute paths of the layers are the neutral names. The rule by kind: a dense `weight` is the transposed `kernel`,
an embedding `weight` the `embeddings`, a norm's `weight` and `bias` its `gamma` and `beta`, a bias is a bias. What else
a subclass holds has its attribute path too, as in PyTorch. Only a bare TFAlbertModel leaves the prefix `albert.` off;
functions take what stands before a model's own names as `prefix`.
"""

import contextlib
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

import keras
import numpy as np
from keras.src.models.functional import Functional

from albertkit import weight_table
from albertkit.checkpoint import init, report
from albertkit.config import AlbertConfig

_RULES = {
    "kernel": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_draws: ContextVar[bool] = ContextVar("draws", default=True)


class Place(NamedTuple):
    """Where a neutral tensor lives: a variable, which holds it as it is or transposed."""

    variable: Any
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the neutral tensor."""
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.is_transposed else shape

    def read(self) -> np.ndarray:
        """The values of the neutral tensor."""
        values = to_numpy(self.variable)
        return values.T if self.is_transposed else values

    def write(self, array: np.ndarray) -> None:
        """Give the variable the values of the neutral tensor."""
        self.variable.assign((array.T if self.is_transposed else array).astype(self.variable.dtype))


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Models built inside draw no fresh values, for they are about to be loaded."""
    token = _draws.set(False)
    try:
        yield
    finally:
        _draws.reset(token)


@contextlib.contextmanager
def computing_in(policy: Any) -> Iterator[None]:
    """Layers built inside have this dtype policy, such as "mixed_bfloat16", or dtype; None changes nothing."""
    before = keras.config.dtype_policy()
    if policy is not None and not isinstance(policy, (str, keras.DTypePolicy)):
        policy = keras.backend.standardize_dtype(policy)  # of any framework
    keras.config.set_dtype_policy(policy or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def to_numpy(tensor: Any) -> np.ndarray:
    """A copy of the values of a tensor or a variable."""
    return np.array((tensor.value if isinstance(tensor, keras.Variable) else tensor).numpy())


def neutral(model: keras.Model, prefix: str) -> dict[str, Place]:
    """The places of the model's tensors by neutral name, in the table's order, tied ones under each of their names."""
    found = {prefix + name: place for name, place in _places(model).items()}
    config: AlbertConfig = getattr(model, "config", AlbertConfig())
    if "predictions.bias" in found:
        found |= {name: found[other] for name, other in weight_table.tied(config).items() if other in found}
    # Only the heads' order is asked of the table, and each head's parts stand in the order of the table.
    order = {name: place for place, name in enumerate(_every_name(config))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _every_name(config: AlbertConfig) -> dict[str, None]:
    return dict.fromkeys(name for model in weight_table.PARTS for name in weight_table.expected(config, model))


def _places(model: keras.Model) -> dict[str, Place]:
    """Every variable of a model by its attribute path, but for the states of seeds and metrics."""
    found: dict[str, Place] = {}
    rest = {id(variable): variable for variable in model.weights}
    for path, variable in _walk(model):
        if isinstance(variable, keras.Variable):
            own = path.rpartition(".")[2]
            kind = own.removeprefix("_")  # Keras has `_kernel` where others have `kernel`
            name = path.removesuffix(own) + _RULES.get(kind, own)
            if name not in found:
                found[name] = Place(variable, kind == "kernel" and len(variable.shape) == 2)
                rest.pop(id(variable), None)
    # By number what no attribute leads to, and what by the rules would have the name of another.
    return found | {f"weights.{number}": Place(variable) for number, variable in enumerate(rest.values())}


def _walk(value: Any, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """A layer, and the layers and variables below it, each once, by attribute path; what holds others comes first."""
    seen = set() if seen is None else seen
    if isinstance(value, (keras.layers.Layer, keras.Variable)):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield path, value
    for name, part in _parts(value):
        yield from _walk(part, f"{path}.{name}" if path else str(name), seen)


def _parts(value: Any) -> Iterable[tuple[Any, Any]]:
    """What a layer or a container holds, by name or number."""
    if isinstance(value, (keras.Sequential, Functional)):
        return enumerate(value.layers)
    if isinstance(value, keras.layers.Layer):
        held = vars(value).items()
        return [(name, part) for name, part in held if name not in _LISTS and not name.startswith("_self_")]
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()


_LISTS = ("_layers", "_trainable_variables", "_non_trainable_variables")
"""Attributes where Keras notes once more what a layer holds; those of TensorFlow begin with `_self_`."""


def frozen(model: keras.Model) -> list[str]:
    """The attribute paths of the layers and variables that do not train; that of the model is empty."""
    return [path for path, part in _walk(model) if not part.trainable]


def freeze(model: keras.Model, paths: Collection[str]) -> None:
    """Let every layer and variable train but those of `frozen`."""
    for path, part in _walk(model):  # what holds others comes first, for it hands its own state down
        part.trainable = path not in paths


def extract(model: keras.Model, prefix: str) -> report.Tensors:
    """The model's values by neutral name."""
    return {name: place.read() for name, place in neutral(model, prefix).items()}


def load(
    model: keras.Model,
    prefix: str,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    ignore_mismatched_sizes: bool = False,
) -> report.LoadReport:
    """Give the model the values in `tensors`, fresh ones where a head is missing, and say what happened."""
    own = neutral(model, prefix)
    wanted = {name: place.shape for name, place in own.items()}
    tied = weight_table.tied(config)
    chosen, what = report.fit(type(model).__name__, wanted, tied, tensors, source, ignore_mismatched_sizes)
    known = {name: wanted[name] for name in what.fresh if name not in tied and weight_table.is_known(name)}
    chosen |= init.fresh(known, config, _seed())
    for name, array in chosen.items():
        if name not in tied or tied[name] not in chosen:
            own[name].write(array)
    return what


def initialise(model: keras.Model, prefix: str, config: AlbertConfig, done: keras.Model | None) -> None:
    """Draw fresh values for the variables that the table knows, but for those of the inner model `done`."""
    if not _draws.get():
        return
    drawn = set() if done is None else {id(variable) for variable in done.variables}
    tied = weight_table.tied(config)
    own = {
        name: place
        for name, place in neutral(model, prefix).items()
        if id(place.variable) not in drawn and name not in tied and weight_table.is_known(name)
    }
    values = init.fresh({name: place.shape for name, place in own.items()}, config, _seed())
    for name, place in own.items():
        place.write(values[name])


def resized(weight: np.ndarray, size: int, spread: float | None) -> np.ndarray:
    """(V, E) with `size` rows; see `checkpoint.init.resized`."""
    return init.resized(weight, size, spread, _seed())


def exchange(layer: keras.layers.Layer, attribute: str, value: Any) -> None:
    """Put a variable of another shape, or another layer, in the place of one that a built layer has.

    `value` is a layer, or an array for a new variable.
    """
    old = getattr(layer, attribute)
    layer._tracker.unlock()
    layer._tracker.untrack(old)
    if isinstance(value, np.ndarray):
        name = old.path.rpartition("/")[2]
        with layer._open_name_scope():
            variable = layer.add_weight(shape=value.shape, initializer="zeros", name=name)
        variable.trainable = old.trainable  # not from the start, for what is made frozen can never be thawed
        variable.assign(value)
        value = variable
    setattr(layer, attribute, value)
    layer._tracker.lock()


def _seed() -> int:
    """A seed for NumPy that follows from keras.utils.set_random_seed."""
    return random.randrange(2**31)
