"""Dense layers on a CPU over tokens laid end to end: what each can do, and those in float32 and bfloat16.

Each takes its input in two steps, so that one quantised input serves several products: `prepare` makes of a float
input what a call takes. Letters: T tokens, K width of the input, N width of the output.
"""

import math
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional

from albertkit.torch.activations import Activation, activation

FUSED = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
"""Activations that oneDNN computes inside a product, by `hidden_act`, and how it calls them."""


_SLOPE = 2 * (2 / math.pi) ** 0.5


@dataclass(frozen=True)
class Quantized:
    """An input of an int8 product, (T, K), and what one step of its bytes is worth, for all or (T, 1) for each token.

    Its values are bytes, or numbers that become bytes inside the product.
    """

    values: Tensor
    scale: float | Tensor


Prepared = Tensor | Quantized


class Product(Protocol):
    """x @ weight.T + bias, and the activation behind it where there is one."""

    def prepare(self, x: Tensor, run: int) -> Prepared:
        """(T, K) -> what a call takes, in the run of that number of all runs of layers."""
        ...

    def __call__(self, x: Prepared) -> Tensor:
        """-> (T, N) in the precision of the hidden states."""
        ...

    def add(self, x: Prepared, residual: Tensor) -> Tensor:
        """-> residual (T, N) + what a call gives, which may stand in the place of `residual`."""
        ...

    def feed(self, x: Prepared, following: "Product", run: int) -> Prepared:
        """What a call gives, as the product that follows in a run takes it."""
        ...


class MakeProduct(Protocol):
    """Makes the products of an encoder."""

    def __call__(self, site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        """The product of a weight (N, K) and a bias (N,); `site` is MAPPING or one of SITES in `quantization`."""
        ...


class FloatProduct:
    """A product in float32 or bfloat16."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype, hidden_act: str | None = None) -> None:
        self.weight, self.bias = weight.to(dtype), bias.to(dtype)
        self.activation = activation_of(hidden_act, dtype)

    def prepare(self, x: Tensor, run: int) -> Tensor:
        """See Product."""
        return x.to(self.weight.dtype)

    def __call__(self, x: Prepared) -> Tensor:
        """See Product."""
        out = functional.linear(cast("Tensor", x), self.weight, self.bias)
        return out if self.activation is None else self.activation(out)

    def add(self, x: Prepared, residual: Tensor) -> Tensor:
        """See Product."""
        return self(x).add_(residual)

    def feed(self, x: Prepared, following: Product, run: int) -> Prepared:
        """See Product."""
        return following.prepare(self(x), run)


def activation_of(hidden_act: str | None, dtype: torch.dtype) -> Activation | None:
    """What an activation is computed by behind a product, in the precision that comes out of it."""
    if hidden_act is None:
        return None
    is_tanh_gelu = FUSED.get(hidden_act) == "tanh" and dtype == torch.float32
    return tanh_gelu if is_tanh_gelu else activation(hidden_act)


def tanh_gelu(x: Tensor) -> Tensor:
    """GELU by tanh, of float32, in half the time of PyTorch's own on a CPU: (1 + tanh(z)) / 2 is the sigmoid of 2z."""
    inner = torch.addcmul(torch.tensor(_SLOPE), x, x, value=_SLOPE * 0.044715)
    return inner.mul_(x).sigmoid_().mul_(x)


def float_products(dtype: torch.dtype, hidden_act: str) -> MakeProduct:
    """Makes products in float32 or bfloat16."""

    def make(site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        return FloatProduct(weight, bias, dtype, hidden_act if has_activation else None)

    return make
