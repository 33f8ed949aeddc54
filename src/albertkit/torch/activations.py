"""The activation functions that `AlbertConfig.hidden_act` may name, in PyTorch. All work on any shape, elementwise."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]

_tanh_gelu = functools.partial(functional.gelu, approximate="tanh")


def _clipped_gelu(x: Tensor) -> Tensor:
    return functional.gelu(x).clamp(-10, 10)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _squared_relu(x: Tensor) -> Tensor:
    return functional.relu(x).square()


def _linear(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Activation] = {
    "gelu": functional.gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": functional.relu,
    "relu6": functional.relu6,
    "relu2": _squared_relu,
    "leaky_relu": functional.leaky_relu,
    "silu": functional.silu,
    "swish": functional.silu,
    "mish": functional.mish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "linear": _linear,
}
"""By the names of Transformers; the released models use "gelu_new", the approximation of GELU by tanh."""


def activation(name: str | Activation) -> Activation:
    """The function that `hidden_act` names, or the function itself. KeyError for a name that ACTIVATIONS lacks."""
    return ACTIVATIONS[name] if isinstance(name, str) else name
