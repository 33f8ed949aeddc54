"""Canonical tensors <-> the variables of a Keras model.

The canonical names are those of `albertkit.weight_table`, and the attribute paths of the layers are the same, with
other last parts. The rule by kind: a dense `weight` is the transposed `kernel`,
an embedding `weight` the `embeddings`, a norm's `weight` and `bias` its `gamma` and `beta`, a bias is a bias. What else
a subclass holds has its attribute path too, as in PyTorch. Only a bare TFAlbertModel leaves the prefix `albert.` off;
functions take what stands before a model's own names as `prefix`, which is its `checkpoint_prefix`.
"""

import contextlib
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from albertkit import loading, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import init, report
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tensorflow import private_api
from albertkit.tensorflow.typing import DType, Tensor

Tracked = keras.layers.Layer | keras.Variable

_RULES = {
    "kernel": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

_initialises: ContextVar[bool] = ContextVar("initialises", default=True)


class ParameterView(NamedTuple):
    """A variable seen as the canonical tensor that it holds, as it is or transposed."""

    variable: Tensor
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the canonical tensor."""
        shape = tuple(self.variable.shape)
        return shape[::-1] if self.is_transposed else shape

    def read(self) -> np.ndarray:
        """The values of the canonical tensor, in the variable's precision."""
        values = to_numpy(self.variable)
        return values.T if self.is_transposed else values

    def write(self, array: np.ndarray) -> None:
        """Give the variable the values of the canonical tensor, in its own precision."""
        self.variable.assign((array.T if self.is_transposed else array).astype(self.variable.dtype))


@contextlib.contextmanager
def skip_init() -> Iterator[None]:
    """Models built inside are not initialised, for they are about to be loaded. Other threads do not see it."""
    token = _initialises.set(False)
    try:
        yield
    finally:
        _initialises.reset(token)


@contextlib.contextmanager
def computing_in(policy: DType) -> Iterator[None]:
    """Layers built inside have this dtype policy, such as "mixed_bfloat16", or dtype; None changes nothing."""
    before = keras.config.dtype_policy()
    if policy is not None and not isinstance(policy, (str, keras.DTypePolicy)):
        policy = keras.backend.standardize_dtype(policy)  # of any framework
    keras.config.set_dtype_policy(policy or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """A copy of the values of a tensor or a variable."""
    return np.array((tensor.value if isinstance(tensor, keras.Variable) else tensor).numpy())


def canonical(model: keras.Model, prefix: str) -> dict[str, ParameterView]:
    """The model's variables by canonical name, in the table's order, tied ones under each of their names."""
    found = {prefix + name: view for name, view in _views(model).items()}
    config: AlbertConfig = getattr(model, "config", AlbertConfig())
    if "predictions.bias" in found:
        # Under both names unless the head has a decoder of its own, whatever the config says by now.
        found = {name: found[other] for name, other in weight_table.TIED.items() if other in found} | found
    # Only the heads' order is asked of the table, and each head's parts stand in the order of the table.
    order = {name: number for number, name in enumerate(_every_name(config))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _every_name(config: AlbertConfig) -> dict[str, None]:
    return dict.fromkeys(name for model in weight_table.PARTS for name in weight_table.expected(config, model))


def _views(model: keras.Model) -> dict[str, ParameterView]:
    """Every variable of a model by its attribute path, but for the states of seeds and metrics."""
    found: dict[str, ParameterView] = {}
    rest = {id(variable): variable for variable in model.weights}
    for path, variable in _walk(model):
        if isinstance(variable, keras.Variable):
            own = path.rpartition(".")[2]
            kind = own.removeprefix("_")  # Keras has `_kernel` where others have `kernel`
            name = path.removesuffix(own) + _RULES.get(kind, own)
            if name not in found:
                found[name] = ParameterView(variable, kind == "kernel" and len(variable.shape) == 2)
                rest.pop(id(variable), None)
    # By number what no attribute leads to, and what by the rules would have the name of another.
    return found | {f"weights.{number}": ParameterView(variable) for number, variable in enumerate(rest.values())}


def _walk(value: object, path: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Tracked]]:
    """A layer, and the layers and variables below it, each once, by attribute path; what holds others comes first."""
    seen = set() if seen is None else seen
    if isinstance(value, (keras.layers.Layer, keras.Variable)):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield path, value
    for name, part in _parts(value):
        yield from _walk(part, f"{path}.{name}" if path else str(name), seen)


def _parts(value: object) -> Iterable[tuple[object, object]]:
    """What a layer or a container holds, by name or number."""
    if isinstance(value, private_api.GRAPH_OF_LAYERS):
        return enumerate(value.layers)
    if isinstance(value, keras.layers.Layer):
        return private_api.attributes(value)
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()


def frozen(model: keras.Model) -> list[str]:
    """The attribute paths of the layers and variables that do not train; that of the model is empty."""
    return [path for path, part in _walk(model) if not part.trainable]


def freeze(model: keras.Model, paths: Collection[str]) -> None:
    """Let every layer and variable train but those of `frozen`."""
    for path, part in _walk(model):  # what holds others comes first, for it hands its own state down
        part.trainable = path not in paths


def extract(model: keras.Model, prefix: str) -> Tensors:
    """The model's values by canonical name, copied."""
    return {name: view.read() for name, view in canonical(model, prefix).items()}


def load(
    model: keras.Model,
    prefix: str,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    ignore_mismatched_sizes: bool = False,
) -> report.LoadReport:
    """Give the model the values in `tensors`, initialise a head that is missing there, and say what happened.

    WeightMismatch where the tensors are not those of such a model; `source` is what they are called there.
    """
    own = canonical(model, prefix)
    wanted = {name: view.shape for name, view in own.items()}
    tied = weight_table.tied(config)
    chosen, what = report.fit(type(model).__name__, wanted, tied, tensors, source, ignore_mismatched_sizes)
    missing = [name for name in what.newly_initialized if name not in tied]
    chosen |= init.initialize_missing(missing, wanted, config, _seed())
    for name, array in chosen.items():
        if name not in tied or tied[name] not in chosen:
            own[name].write(array)
    return what


def initialise(model: keras.Model, prefix: str, config: AlbertConfig, done: keras.Model | None) -> None:
    """Draw initial values for the variables that the table knows, but for those of the inner model `done`.

    Normal with `config.initializer_range`, as in the original release; see `checkpoint.init`. The seed follows from
    keras.utils.set_random_seed.
    """
    if not _initialises.get():
        return
    drawn = set() if done is None else {id(variable) for variable in done.variables}
    tied = weight_table.tied(config)
    own = {
        name: view
        for name, view in canonical(model, prefix).items()
        if id(view.variable) not in drawn and name not in tied and weight_table.is_known(name)
    }
    values = init.initialize({name: view.shape for name, view in own.items()}, config, _seed())
    for name, view in own.items():
        view.write(values[name])


def resized(weight: np.ndarray, size: int, spread: float | None) -> np.ndarray:
    """(V, E) with `size` rows; see `checkpoint.init.resized`."""
    return init.resized(weight, size, spread, _seed())


def device_of(device_map: object) -> str | None:
    """The device that a `device_map` names, or None for TensorFlow's choice. InputError where it is not there."""
    named = loading.single_device(device_map)
    if named in (None, "auto"):  # TensorFlow takes the first GPU, if there is one
        return None
    name = f"gpu:{named}" if isinstance(named, int) else named.lower().replace("cuda", "gpu")
    kind, _, number = name.partition(":")
    found = len(tf.config.list_logical_devices(kind.upper()))
    if not (number or "0").isdigit() or int(number or 0) >= found:
        raise InputError(loading.no_such_device(device_map, f"TensorFlow finds {found} devices of the kind {kind!r}"))
    return f"{kind}:{int(number or 0)}"


def placing_on(device: str | None) -> AbstractContextManager[object]:
    """What is built inside has its variables on a device of `device_of`."""
    return contextlib.nullcontext() if device is None else keras.device(device)


def _seed() -> int:
    """A seed for NumPy that follows from keras.utils.set_random_seed."""
    return random.randrange(2**31)
