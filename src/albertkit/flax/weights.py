"""Canonical tensors <-> the parameters of a Flax model.

The canonical names are those of `albertkit.weight_table`, and the attribute paths of the modules are the same, with
other last parts. The rule by kind: a dense `weight` is the transposed
`kernel`, an embedding `weight` the `embedding`, a norm's `weight` and `bias` its `scale` and `bias`, a bias is a bias.
Only a bare FlaxAlbertModel leaves the prefix `albert.` off; functions take what stands before a model's own names as
`prefix`, which is its `checkpoint_prefix`.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from albertkit import loading, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import init, report
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.flax.typing import ArrayInput, Device, DType, Params, Path, PyTree

_STORED = (nnx.Param, nnx.BatchStat)
"""What a file holds: the second is of layers that a subclass may add."""
_RULES = {"kernel": "weight", "embedding": "weight", "scale": "weight", "bias": "bias"}


class ParameterView(NamedTuple):
    """A parameter seen as the canonical tensor that it holds, as it is or transposed."""

    parameter: nnx.Variable[PyTree]
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the canonical tensor."""
        shape = tuple(self.parameter.shape)
        return shape[::-1] if self.is_transposed else shape

    def read(self) -> np.ndarray:
        """The values of the canonical tensor, in the parameter's precision."""
        values = to_numpy(self.parameter.get_value())
        return values.T if self.is_transposed else values

    def write(self, array: np.ndarray, dtype: DType | None = None) -> None:
        """Give the parameter the values of the canonical tensor, copied, in the precision `dtype` or its own."""
        self.parameter.set_value(jnp.array(array.T if self.is_transposed else array, dtype or self.parameter.dtype))


def to_numpy(array: ArrayInput) -> np.ndarray:
    """The values of an array; shares memory where it is on the CPU."""
    return np.asarray(array)


def named_parameters(
    module: nnx.Module, path: Path = (), kinds: tuple[type, ...] = (nnx.Param,)
) -> Iterator[tuple[Path, nnx.Variable[PyTree]]]:
    """Every parameter below a module with its attribute path, in which a list's items are "0", "1", ..."""
    items = enumerate(module) if isinstance(module, nnx.List) else list(vars(module).items())
    for name, value in items:
        if isinstance(value, kinds):
            yield (*path, str(name)), value
        elif isinstance(value, nnx.Module):
            yield from named_parameters(value, (*path, str(name)), kinds)


def flat(params: Params, path: Path = ()) -> Iterator[tuple[Path, Array]]:
    """The leaves of nested mappings with their paths."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, (*path, name))
        else:
            yield (*path, name), value


def nested(leaves: Mapping[Path, PyTree]) -> dict[str, PyTree]:
    """The opposite of `flat`."""
    tree: dict[str, PyTree] = {}
    for (*path, last), value in leaves.items():
        branch = tree
        for name in path:
            branch = branch.setdefault(name, {})
        branch[last] = value
    return tree


def canonical(model: nnx.Module, prefix: str) -> dict[str, ParameterView]:
    """The model's parameters by canonical name, in the table's order, tied ones under each of their names."""
    found = {
        prefix + ".".join((*path, _RULES.get(last, last))): ParameterView(parameter, last == "kernel")
        for (*path, last), parameter in named_parameters(model, kinds=_STORED)
    }
    config: AlbertConfig = getattr(model, "config", AlbertConfig())
    if "predictions.bias" in found:
        # Under both names unless the head has a decoder of its own, whatever the config says by now.
        found = {name: found[other] for name, other in weight_table.TIED.items() if other in found} | found
    order = {name: number for number, name in enumerate(_every_name(config))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _every_name(config: AlbertConfig) -> dict[str, None]:
    """The names of all heads; those of one model stand in the table's order."""
    return dict.fromkeys(
        itertools.chain.from_iterable(weight_table.expected(config, model) for model in weight_table.PARTS)
    )


def extract(model: nnx.Module, prefix: str) -> Tensors:
    """The model's values by canonical name; they share memory with a model on the CPU."""
    return {name: view.read() for name, view in canonical(model, prefix).items()}


def load(
    model: nnx.Module,
    prefix: str,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    dtype: DType | None = None,
    ignore_mismatched_sizes: bool = False,
    seed: int = 0,
) -> report.LoadReport:
    """Give the model the values in `tensors`, initialise a head that is missing there, and say what happened.

    `dtype` is the precision that the parameters take: None for their own, "auto" for that of each tensor. `seed`
    decides what is drawn. WeightMismatch where the tensors are not those of such a model; `source` is what they are
    called there.
    """
    own = canonical(model, prefix)
    wanted = {name: view.shape for name, view in own.items()}
    tied = weight_table.tied(config)
    chosen, what = report.fit(type(model).__name__, wanted, tied, tensors, source, ignore_mismatched_sizes)
    missing = [name for name in what.newly_initialized if name not in tied]
    chosen |= init.initialize_missing(missing, wanted, config, seed)
    for name, array in chosen.items():
        if name not in tied or tied[name] not in chosen:
            own[name].write(array, jax.dtypes.canonicalize_dtype(array.dtype) if dtype == "auto" else dtype)
    _draw_the_rest(model, seed)
    return what


def initialise(model: nnx.Module, prefix: str, config: AlbertConfig, done: nnx.Module | None, seed: int = 0) -> None:
    """Draw initial values for the parameters that the table knows, but for those of the inner model `done`.

    Normal with `config.initializer_range`, as in the original release; see `checkpoint.init`.
    """
    drawn = set() if done is None else {id(parameter) for _, parameter in named_parameters(done)}
    tied = weight_table.tied(config)
    own = {
        name: view
        for name, view in canonical(model, prefix).items()
        if id(view.parameter) not in drawn and name not in tied and weight_table.is_known(name)
    }
    values = init.initialize({name: view.shape for name, view in own.items()}, config, seed)
    for name, view in own.items():
        view.write(values[name])
    _draw_the_rest(model, seed)


def resized(weight: Array, size: int, spread: float | None, seed: int = 0) -> Array:
    """(V, E) with `size` rows; see `checkpoint.init.resized`."""
    return jnp.asarray(init.resized(to_numpy(weight), size, spread, seed))


def device_of(device_map: object) -> Device | None:
    """The device that a `device_map` names, or None for JAX's choice. InputError where it is not there."""
    named = loading.single_device(device_map)
    if named in (None, "auto"):  # JAX takes the first accelerator, if there is one
        return None
    kind, _, number = f"gpu:{named}".partition(":") if isinstance(named, int) else named.partition(":")
    try:
        return jax.devices(kind)[int(number or 0)]
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(loading.no_such_device(device_map, error)) from error


def place(model: nnx.Module, device: Device | None) -> None:
    """Put the parameters of a model on a device of `device_of`, where its calls compute then."""
    if device is not None:
        for _, parameter in named_parameters(model, kinds=_STORED):
            parameter.set_value(jax.device_put(parameter.get_value(), device))


def _draw_the_rest(model: nnx.Module, seed: int) -> None:
    """Give values to layers that a subclass added without values and that the table does not know."""
    dense, ones, zeros = jax.nn.initializers.lecun_normal(), jax.nn.initializers.ones, jax.nn.initializers.zeros
    for path, parameter in named_parameters(model):
        if isinstance(parameter.get_value(), jax.ShapeDtypeStruct):
            draw = dense if len(parameter.shape) > 1 else ones if path[-1] == "scale" else zeros
            parameter.set_value(draw(jax.random.key(seed), parameter.shape, parameter.dtype))
