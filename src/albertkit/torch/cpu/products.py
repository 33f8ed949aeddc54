"""Dense layers on a CPU over tokens laid end to end, in float32, bfloat16 and int8.

Each takes its input in two steps, so that one quantised input serves several products: `prepare` makes of a float
input what a call takes. Letters: T tokens, K width of the input, N width of the output.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional

from albertkit.quantization import Largest, Quantization
from albertkit.torch import private_api
from albertkit.torch.activations import Activation, activation

ZERO = 128
"""What stands for 0 in a quantised input, an unsigned byte."""
STEPS = 127
"""A quantised input has so many steps up to its largest magnitude."""
WEIGHT_STEPS = 127
"""So many has a quantised weight, where the CPU has instructions for products of bytes."""

_FUSED = {"gelu": "none", "gelu_new": "tanh", "gelu_pytorch_tanh": "tanh", "gelu_fast": "tanh"}
"""Activations that oneDNN computes inside a product, by `hidden_act`, and how it calls them."""


_SLOPE = 2 * (2 / math.pi) ** 0.5


@dataclass(frozen=True)
class Quantized:
    """An input of an int8 product: (T, K) bytes, and what one step is worth, for all or (T, 1) for each token."""

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
        self.activation = _activation(hidden_act, dtype)

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


class Int8Product:
    """A product of bytes, added up in int32: the weight has a scale for each output, the input one or one a token.

    By oneDNN, whose results for a token do not depend on the others (measured with PyTorch 2.13).
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor,
        dtype: torch.dtype,
        known: Sequence[Largest],
        hidden_act: str | None = None,
        smoothing: Tensor | None = None,
    ) -> None:
        """`weight` (N, K), `bias` (N,), what is known of the input in each run, and what inputs are divided by (K,)."""
        self._known = known
        self._unquantized = weight, bias, dtype, hidden_act
        weight = weight.float() if smoothing is None else weight.float() * smoothing
        largest = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny)
        self.scale = largest / weight_steps()
        self.bias, self.dtype = bias.float(), dtype
        self.inverse_smoothing = None if smoothing is None else 1 / smoothing
        rounded = (weight / self.scale[:, None]).round().to(torch.int8)
        self.packed = private_api.pack_int8(rounded)
        self.activation = _activation(hidden_act, torch.float32)
        self.fused = _FUSED.get(hidden_act or "")

    @functools.cached_property
    def unquantized(self) -> FloatProduct:
        """The same in the precision of the hidden states, for inputs that are not quantised."""
        return FloatProduct(*self._unquantized)

    def prepare(self, x: Tensor, run: int) -> Prepared:
        """See Product. What is beyond the largest magnitude that is known counts as that."""
        largest = self._known[run]
        if largest == "float":
            return x
        x = x.float() if self.inverse_smoothing is None else x * self.inverse_smoothing
        if isinstance(largest, str):
            scale = x.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / STEPS
            return Quantized(_bytes(x / scale), scale)
        return Quantized(_bytes(x * (STEPS / largest)), largest / STEPS)

    def __call__(self, x: Prepared) -> Tensor:
        """See Product."""
        if isinstance(x, Tensor):
            return self.unquantized(x)
        if self.activation is None or (self.fused and isinstance(x.scale, float)):
            return self._product(x, self.dtype)
        return self.activation(self._product(x, torch.float32)).to(self.dtype)

    def add(self, x: Prepared, residual: Tensor) -> Tensor:
        """See Product."""
        if isinstance(x, Tensor) or isinstance(x.scale, Tensor) or residual.dtype != torch.float32:
            return self(x).add_(residual)
        return private_api.int8_linear_and_sum(x.values, x.scale, ZERO, self.packed, self.scale, self.bias, residual)

    def feed(self, x: Prepared, following: Product, run: int) -> Prepared:
        """See Product: the bytes of the next input come straight out of this product where both have one scale."""
        step = following.one_step(run) if isinstance(following, Int8Product) else None
        if step is None or not self.fused or not isinstance(x, Quantized) or isinstance(x.scale, Tensor):
            return following.prepare(self(x), run)
        return Quantized(self._product(x, torch.uint8, (step, ZERO)), step)

    def one_step(self, run: int) -> float | None:
        """What a step of the input is worth, where that is one number in a run."""
        largest = self._known[run]
        return largest / STEPS if isinstance(largest, float) and self.inverse_smoothing is None else None

    def _product(self, x: Quantized, dtype: torch.dtype, out: tuple[float, int] = (1.0, 0)) -> Tensor:
        if isinstance(x.scale, float):
            weights = self.packed, self.scale, self.bias
            return private_api.int8_linear(x.values, x.scale, ZERO, *weights, dtype, self.fused, out)
        plain = private_api.int8_linear(x.values, 1.0, ZERO, self.packed, self.scale, None, torch.float32)
        return torch.addcmul(self.bias, plain, cast("Tensor", x.scale)).to(dtype)


def _activation(hidden_act: str | None, dtype: torch.dtype) -> Activation | None:
    """What an activation is computed by behind a product, in the precision that comes out of it."""
    if hidden_act is None:
        return None
    is_tanh_gelu = _FUSED.get(hidden_act) == "tanh" and dtype == torch.float32
    return tanh_gelu if is_tanh_gelu else activation(hidden_act)


def tanh_gelu(x: Tensor) -> Tensor:
    """GELU by tanh, of float32, in half the time of PyTorch's own on a CPU: (1 + tanh(z)) / 2 is the sigmoid of 2z."""
    inner = torch.addcmul(torch.tensor(_SLOPE), x, x, value=_SLOPE * 0.044715)
    return inner.mul_(x).sigmoid_().mul_(x)


def _bytes(steps: Tensor) -> Tensor:
    return steps.round_().clamp_(-ZERO, 255 - ZERO).add_(ZERO).to(torch.uint8)


@functools.cache
def weight_steps() -> int:
    """How many steps a quantised weight may have: half of WEIGHT_STEPS where this CPU clips sums of larger products.

    Without instructions for dot products of bytes (VNNI) two products are added in 16 bits: 255 * 127 * 2 does not fit.
    """
    packed = private_api.pack_int8(torch.full((16, 64), WEIGHT_STEPS, dtype=torch.int8))
    values = torch.full((4, 64), 255, dtype=torch.uint8)
    found = private_api.int8_linear(values, 1.0, 0, packed, torch.ones(16), None, torch.float32)
    return WEIGHT_STEPS if float(found[0, 0]) == 255 * WEIGHT_STEPS * 64 else WEIGHT_STEPS // 2


def float_products(dtype: torch.dtype, hidden_act: str) -> MakeProduct:
    """Makes products in float32 or bfloat16."""

    def make(site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        return FloatProduct(weight, bias, dtype, hidden_act if has_activation else None)

    return make


def int8_products(dtype: torch.dtype, hidden_act: str, quantization: Quantization) -> MakeProduct:
    """Makes products in int8 of which something is known; `dtype` is that of the hidden states between them."""

    def make(site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        smoothing = quantization.smoothing.get(site)
        divisor = None if smoothing is None else torch.from_numpy(smoothing)
        known = quantization.of(site)
        return Int8Product(weight, bias, dtype, known, hidden_act if has_activation else None, divisor)

    return make
