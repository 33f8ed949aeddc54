"""The activation functions that `AlbertConfig.hidden_act` may name, in Keras. All work on any shape, elementwise."""

import math
from collections.abc import Callable

import tensorflow as tf
from keras import ops

from albertkit.tensorflow.private_api import is_under_xla
from albertkit.tensorflow.typing import Tensor

Activation = Callable[[Tensor], Tensor]


def _with_derivative(function: Activation, derivative: Activation) -> Activation:
    """`function` with a gradient that keeps x alone, where TensorFlow's own keeps several tensors of x's size a layer.

    Under XLA, which chooses itself what to keep, TensorFlow's was measured to be 4 % faster a step.
    """

    @tf.custom_gradient
    def own(x: Tensor) -> tuple[Tensor, Activation]:
        return function(x), lambda upstream: upstream * derivative(x)

    return lambda x: function(x) if is_under_xla() else own(x)


def _erf_derivative(x: Tensor) -> Tensor:
    density = tf.exp(-0.5 * tf.square(x)) * (2 * math.pi) ** -0.5
    return 0.5 * (1 + tf.math.erf(x * 2**-0.5)) + x * density


def _tanh_term(x: Tensor) -> Tensor:
    return tf.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x))


def _tanh_derivative(x: Tensor) -> Tensor:
    term = _tanh_term(x)
    slope = (1 - term * term) * ((2 / math.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x))
    return 0.5 * (1 + term + x * slope)


_erf_gelu = _with_derivative(lambda x: 0.5 * x * (1 + tf.math.erf(x * 2**-0.5)), _erf_derivative)
_tanh_gelu = _with_derivative(lambda x: 0.5 * x * (1 + _tanh_term(x)), _tanh_derivative)


def _clipped_gelu(x: Tensor) -> Tensor:
    return ops.clip(_erf_gelu(x), -10, 10)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * ops.sigmoid(1.702 * x)


def _squared_relu(x: Tensor) -> Tensor:
    return ops.square(ops.relu(x))


def _leaky_relu(x: Tensor) -> Tensor:
    return ops.leaky_relu(x, 0.01)


def _mish(x: Tensor) -> Tensor:
    return x * ops.tanh(ops.softplus(x))


def _linear(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Activation] = {
    "gelu": _erf_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "relu2": _squared_relu,
    "leaky_relu": _leaky_relu,
    "silu": ops.silu,
    "swish": ops.silu,
    "mish": _mish,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "linear": _linear,
}
"""By the names of Transformers; the released models use "gelu_new", the approximation of GELU by tanh."""


def activation(name: str | Activation) -> Activation:
    """The function that `hidden_act` names, or the function itself. KeyError for a name that ACTIVATIONS lacks."""
    return ACTIVATIONS[name] if isinstance(name, str) else name
