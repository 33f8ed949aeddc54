"""FlaxAlbertFunctional: a Flax module whose parameters can be had as a tree, be set, and be given in a call."""

from typing import ClassVar, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit.flax import weights
from albertkit.flax.module import FlaxAlbertModule
from albertkit.flax.typing import DType, Params, Path, PyTree


class FlaxAlbertFunctional(FlaxAlbertModule):
    """A module for functions that take parameters, as JAX's transformations do."""

    _init_arguments: ClassVar[tuple[str, ...]] = ()
    """The attributes that are also arguments of the constructor."""

    @property
    def params(self) -> dict[str, PyTree]:
        """The parameters as nested dicts by attribute path, in which a list's items are "0", "1", ...

        Setting them puts the values in place. ValueError for a model that was built with `_do_init=False`.
        """
        self._require_values()
        return weights.nested({path: parameter.get_value() for path, parameter in weights.named_parameters(self)})

    @params.setter
    def params(self, params: Params) -> None:
        self._require_values()
        self._put(params)

    @property
    def params_shape_tree(self) -> dict[str, PyTree]:
        """Shapes and dtypes in the place of the parameters."""
        own = weights.named_parameters(self)
        return weights.nested({path: jax.ShapeDtypeStruct(param.shape, param.dtype) for path, param in own})

    @property
    def required_params(self) -> set[Path]:
        """The path of every parameter."""
        return {path for path, _ in weights.named_parameters(self)}

    @property
    def key(self) -> Array:
        """The random key of the seed."""
        return jax.random.PRNGKey(self.seed)

    def init_weights(
        self, rng: Array, input_shape: tuple[int, ...] | None = None, params: Params | None = None
    ) -> dict[str, PyTree]:
        """Newly initialised parameters, drawn from a random key; those that are in `params` are taken from there."""
        options = {name: getattr(self, name) for name in self._init_arguments}
        seed = int(jax.random.randint(rng, (), 0, 2**31 - 1))
        initial = type(self)(self.config, seed=seed, dtype=self.dtype, **options)
        return weights.nested(dict(weights.flat(initial.params)) | dict(weights.flat(params or {})))

    def to_bf16(self, params: Params, mask: PyTree = None) -> PyTree:
        """A copy of parameters in bfloat16; with a `mask`, a tree of booleans, those that it marks."""
        return _cast(params, jnp.bfloat16, mask)

    def to_fp16(self, params: Params, mask: PyTree = None) -> PyTree:
        """A copy of parameters in float16; see `to_bf16`."""
        return _cast(params, jnp.float16, mask)

    def to_fp32(self, params: Params, mask: PyTree = None) -> PyTree:
        """A copy of parameters in float32; see `to_bf16`."""
        return _cast(params, jnp.float32, mask)

    def _put(self, params: Params) -> None:
        """Give the parameters the values of a tree. ValueError where one is missing or has another shape."""
        given = dict(weights.flat(params))
        if missing := sorted("/".join(path) for path in self.required_params - set(given)):
            raise ValueError(
                f"`params` must hold every parameter of {type(self).__name__}. Some parameters are missing: "
                f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}. See model.required_params."
            )
        for path, parameter in weights.named_parameters(self):
            if given[path].shape != parameter.shape:
                raise ValueError(
                    f"`params` must have the shapes of model.params_shape_tree. Received: {'/'.join(path)} of shape "
                    f"{given[path].shape} in the place of {parameter.shape}."
                )
            parameter.set_value(given[path])

    def _with(self, params: Params | None) -> Self:
        """The model itself, or a twin of it that has other parameters."""
        if params is None:
            self._require_values()
            return self
        twin = nnx.merge(*nnx.split(self), copy=True)  # whose parameters belong to this level of tracing
        twin._put(params)
        return twin


def _cast(params: Params, dtype: DType, mask: PyTree) -> PyTree:
    def cast_one(value: Array, marked: bool = True) -> Array:
        return value.astype(dtype) if marked and jnp.issubdtype(value.dtype, jnp.floating) else value

    return jax.tree.map(cast_one, params) if mask is None else jax.tree.map(cast_one, params, mask)
