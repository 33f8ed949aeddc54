"""The activation functions that `AlbertConfig.hidden_act` may name, in NumPy. All work on any shape, elementwise."""

import math
from collections.abc import Callable

import numpy as np

Activation = Callable[[np.ndarray], np.ndarray]

_erf = np.frompyfunc(math.erf, 1, 1)
_ROOT = math.sqrt(2 / math.pi)


def _erf_gelu(x: np.ndarray) -> np.ndarray:
    return x * (0.5 + 0.5 * np.asarray(_erf(x / math.sqrt(2)), x.dtype))


def _tanh_gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(_ROOT * (x + 0.044715 * x * x * x)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _silu(x: np.ndarray) -> np.ndarray:
    return x * _sigmoid(x)


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


ACTIVATIONS: dict[str, Activation] = {
    "gelu": _erf_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": lambda x: _erf_gelu(x).clip(-10, 10),
    "quick_gelu": lambda x: x * _sigmoid(1.702 * x),
    "relu": _relu,
    "relu6": lambda x: x.clip(0, 6),
    "relu2": lambda x: np.square(_relu(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "silu": _silu,
    "swish": _silu,
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "linear": lambda x: x,
}
"""By the names of Transformers; the released models use "gelu_new", the approximation of GELU by tanh."""
