"""The activation functions that `AlbertConfig.hidden_act` may name, in JAX. All work on any shape, elementwise."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

Activation = Callable[[Array], Array]

_erf_gelu = functools.partial(jax.nn.gelu, approximate=False)
_tanh_gelu = functools.partial(jax.nn.gelu, approximate=True)


def _clipped_gelu(x: Array) -> Array:
    return _erf_gelu(x).clip(-10, 10)


def _quick_gelu(x: Array) -> Array:
    return x * jax.nn.sigmoid(1.702 * x)


def _squared_relu(x: Array) -> Array:
    return jnp.square(jax.nn.relu(x))


def _linear(x: Array) -> Array:
    return x


ACTIVATIONS: dict[str, Activation] = {
    "gelu": _erf_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "relu2": _squared_relu,
    "leaky_relu": jax.nn.leaky_relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "mish": jax.nn.mish,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "linear": _linear,
}
"""By the names of Transformers; the released models use "gelu_new", the approximation of GELU by tanh."""


def activation(name: str | Activation) -> Activation:
    """The function that `hidden_act` names, or the function itself. KeyError for a name that ACTIVATIONS lacks."""
    return ACTIVATIONS[name] if isinstance(name, str) else name
