"""Neutral tensors <-> the parameters of a Flax model.

The attribute paths of the modules are the neutral names. The rule by kind: a dense `weight` is the transposed
`kernel`, an embedding `weight` the `embedding`, a norm's `weight` and `bias` its `scale` and `bias`, a bias is a bias.
Only a bare FlaxAlbertModel leaves the prefix `albert.` off; functions take what stands before a model's own names as
`prefix`.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from albertkit import weight_table
from albertkit.checkpoint import init, report
from albertkit.config import AlbertConfig

_STORED = (nnx.Param, nnx.BatchStat)
"""What a file holds: the second is of layers that a subclass may add."""
_RULES = {"kernel": "weight", "embedding": "weight", "scale": "weight", "bias": "bias"}


class Place(NamedTuple):
    """Where a neutral tensor lives: a parameter, which holds it as it is or transposed."""

    parameter: nnx.Param
    is_transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the neutral tensor."""
        shape = tuple(self.parameter.shape)
        return shape[::-1] if self.is_transposed else shape

    def read(self) -> np.ndarray:
        """The values of the neutral tensor."""
        return self.neutral(self.parameter.get_value())

    def neutral(self, value: Any) -> np.ndarray:
        """A value that belongs to the parameter, such as its gradient, in the layout of the neutral tensor."""
        return to_numpy(value).T if self.is_transposed else to_numpy(value)

    def own(self, array: np.ndarray, dtype: Any = None) -> jax.Array:
        """The values of a neutral tensor, or of what belongs to it, in the layout of the parameter; a copy."""
        return jnp.array(array.T if self.is_transposed else array, dtype or self.parameter.dtype)

    def write(self, array: np.ndarray, dtype: Any = None) -> None:
        """Give the parameter the values of the neutral tensor, in the precision `dtype` or its own."""
        self.parameter.set_value(self.own(array, dtype))


def to_numpy(array: Any) -> np.ndarray:
    """The values of an array; shares memory where it is on the CPU."""
    return np.asarray(array)


def places(
    module: nnx.Module, path: tuple[str, ...] = (), kinds: tuple[type, ...] = (nnx.Param,)
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every parameter below a module with its attribute path, in which a list's items are "0", "1", ..."""
    items = enumerate(module) if isinstance(module, nnx.List) else list(vars(module).items())
    for name, value in items:
        if isinstance(value, kinds):
            yield (*path, str(name)), value
        elif isinstance(value, nnx.Module):
            yield from places(value, (*path, str(name)), kinds)


def flat(params: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves of nested mappings with their paths."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, (*path, name))
        else:
            yield (*path, name), value


def nested(leaves: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """The opposite of `flat`."""
    tree: dict[str, Any] = {}
    for (*path, last), value in leaves.items():
        place = tree
        for name in path:
            place = place.setdefault(name, {})
        place[last] = value
    return tree


def neutral(model: nnx.Module, prefix: str) -> dict[str, Place]:
    """The places of the model's tensors by neutral name, in the table's order, tied ones under each of their names."""
    found = {
        prefix + ".".join((*path, _RULES.get(last, last))): Place(parameter, last == "kernel")
        for (*path, last), parameter in places(model, kinds=_STORED)
    }
    config: AlbertConfig = getattr(model, "config", AlbertConfig())
    if "predictions.bias" in found:
        found |= {name: found[other] for name, other in weight_table.tied(config).items() if other in found}
    order = {name: number for number, name in enumerate(_every_name(config))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _every_name(config: AlbertConfig) -> dict[str, None]:
    """The names of all heads; those of one model stand in the table's order."""
    return dict.fromkeys(
        itertools.chain.from_iterable(weight_table.expected(config, model) for model in weight_table.PARTS)
    )


def extract(model: nnx.Module, prefix: str) -> report.Tensors:
    """The model's values by neutral name."""
    return {name: place.read() for name, place in neutral(model, prefix).items()}


def load(
    model: nnx.Module,
    prefix: str,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    source: str,
    *,
    dtype: Any = None,
    ignore_mismatched_sizes: bool = False,
    seed: int = 0,
) -> report.LoadReport:
    """Give the model the values in `tensors`, fresh ones from `seed` where a head is missing, and say what happened.

    `dtype` is the precision that the parameters take: None for their own, "auto" for that of each tensor.
    """
    own = neutral(model, prefix)
    wanted = {name: place.shape for name, place in own.items()}
    tied = weight_table.tied(config)
    chosen, what = report.fit(type(model).__name__, wanted, tied, tensors, source, ignore_mismatched_sizes)
    known = {name: wanted[name] for name in what.fresh if name not in tied and weight_table.is_known(name)}
    chosen |= init.fresh(known, config, seed)
    for name, array in chosen.items():
        if name not in tied or tied[name] not in chosen:
            own[name].write(array, jax.dtypes.canonicalize_dtype(array.dtype) if dtype == "auto" else dtype)
    _draw_the_rest(model, seed)
    return what


def initialise(model: nnx.Module, prefix: str, config: AlbertConfig, done: nnx.Module | None, seed: int = 0) -> None:
    """Draw fresh values for the parameters that the table knows, but for those of the inner model `done`."""
    drawn = set() if done is None else {id(parameter) for _, parameter in places(done)}
    tied = weight_table.tied(config)
    own = {
        name: place
        for name, place in neutral(model, prefix).items()
        if id(place.parameter) not in drawn and name not in tied and weight_table.is_known(name)
    }
    values = init.fresh({name: place.shape for name, place in own.items()}, config, seed)
    for name, place in own.items():
        place.write(values[name])
    _draw_the_rest(model, seed)


def resized(weight: Any, size: int, spread: float | None, seed: int = 0) -> jax.Array:
    """(V, E) with `size` rows; see `checkpoint.init.resized`."""
    return jnp.asarray(init.resized(to_numpy(weight), size, spread, seed))


def _draw_the_rest(model: nnx.Module, seed: int) -> None:
    """Give values to layers that a subclass added without values and that the table does not know."""
    dense, ones, zeros = jax.nn.initializers.lecun_normal(), jax.nn.initializers.ones, jax.nn.initializers.zeros
    for path, parameter in places(model):
        if isinstance(parameter.get_value(), jax.ShapeDtypeStruct):
            draw = dense if len(parameter.shape) > 1 else ones if path[-1] == "scale" else zeros
            parameter.set_value(draw(jax.random.key(seed), parameter.shape, parameter.dtype))
