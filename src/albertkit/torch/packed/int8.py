"""Dense layers on a CPU in int8: bytes are multiplied and added up in int32, by oneDNN or by FBGEMM.

Both give a token the same numbers whatever stands beside it (measured with PyTorch 2.13). Letters: T tokens, K width of
the input, N width of the output.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from albertkit.quantization import Largest, Quantization
from albertkit.torch import private_api
from albertkit.torch.packed.products import (
    FUSED,
    FloatProduct,
    MakeProduct,
    Prepared,
    Product,
    Quantized,
    activation_of,
)

ZERO = 128
"""What stands for 0 in a quantised input, an unsigned byte."""
STEPS = 127
"""A quantised input has so many steps up to its largest magnitude."""
WEIGHT_STEPS = 127
"""So many has a quantised weight, where the CPU has instructions for products of bytes."""

_TINY = torch.finfo(torch.float32).tiny


class Int8Product(ABC):
    """A product of bytes: the weight has a scale for each output, the input one, or one for each token."""

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
        self.scale = weight.abs().amax(1).clamp(min=_TINY) / weight_steps()
        self.bias, self.dtype = bias.float(), dtype
        self.inverse_smoothing = None if smoothing is None else 1 / smoothing
        self.activation, self.fused = activation_of(hidden_act, torch.float32), FUSED.get(hidden_act or "")
        self._pack((weight / self.scale[:, None]).round().to(torch.int8))

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
            scale = x.abs().amax(-1, keepdim=True).clamp(min=_TINY) / STEPS
            return Quantized(self._quantized(x / scale, 1.0), scale)
        return Quantized(self._quantized(x, largest / STEPS), largest / STEPS)

    def __call__(self, x: Prepared) -> Tensor:
        """See Product."""
        if isinstance(x, Tensor):
            return self.unquantized(x)
        out = self._product(x)
        return (out if self.activation is None else self.activation(out)).to(self.dtype)

    def add(self, x: Prepared, residual: Tensor) -> Tensor:
        """See Product."""
        return self(x).add_(residual)

    def feed(self, x: Prepared, following: Product, run: int) -> Prepared:
        """See Product."""
        return following.prepare(self(x), run)

    def _product(self, x: Quantized) -> Tensor:
        """(T, K) -> (T, N) float32, without the activation."""
        if isinstance(x.scale, Tensor):
            return torch.addcmul(self.bias, self._multiplied_alone(x.values), x.scale)
        return self._multiplied(x.values, x.scale)

    @abstractmethod
    def _pack(self, rounded: Tensor) -> None:
        """Keep the steps of the weight (N, K) int8 in the order in which they are multiplied."""

    @abstractmethod
    def _quantized(self, x: Tensor, step: float) -> Tensor:
        """(T, K) float32 -> what is multiplied with the weight, where a byte is worth `step`."""

    @abstractmethod
    def _multiplied(self, values: Tensor, step: float) -> Tensor:
        """(T, K) -> (T, N) float32, with the bias."""

    @abstractmethod
    def _multiplied_alone(self, values: Tensor) -> Tensor:
        """(T, K), of which a step is worth 1 -> (T, N) float32, without the bias."""


class OneDNNProduct(Int8Product):
    """By oneDNN, which computes the activation, the residual and the bytes of the next input inside the product."""

    def _pack(self, rounded: Tensor) -> None:
        self.packed = private_api.pack_for_onednn(rounded)

    def __call__(self, x: Prepared) -> Tensor:
        """See Product."""
        if not self.fused or isinstance(x, Tensor) or isinstance(x.scale, Tensor):
            return super().__call__(x)
        return self._onednn(x.values, x.scale, self.dtype, self.fused)

    def add(self, x: Prepared, residual: Tensor) -> Tensor:
        """See Product."""
        if isinstance(x, Tensor) or isinstance(x.scale, Tensor) or residual.dtype != torch.float32:
            return super().add(x, residual)
        weights = self.packed, self.scale, self.bias
        return private_api.onednn_linear_and_sum(x.values, x.scale, ZERO, *weights, residual)

    def feed(self, x: Prepared, following: Product, run: int) -> Prepared:
        """See Product: the bytes of the next input come straight out of this product where both have one scale."""
        step = following.one_step(run) if isinstance(following, OneDNNProduct) else None
        if step is None or not self.fused or not isinstance(x, Quantized) or isinstance(x.scale, Tensor):
            return super().feed(x, following, run)
        return Quantized(self._onednn(x.values, x.scale, torch.uint8, self.fused, (step, ZERO)), step)

    def one_step(self, run: int) -> float | None:
        """What a step of the input is worth, where that is one number in a run."""
        largest = self._known[run]
        return largest / STEPS if isinstance(largest, float) and self.inverse_smoothing is None else None

    def _quantized(self, x: Tensor, step: float) -> Tensor:
        steps = x if step == 1 else x * (1 / step)
        return steps.round().clamp_(-ZERO, 255 - ZERO).add_(ZERO).to(torch.uint8)

    def _multiplied(self, values: Tensor, step: float) -> Tensor:
        return self._onednn(values, step, torch.float32)

    def _multiplied_alone(self, values: Tensor) -> Tensor:
        return private_api.onednn_linear(values, 1.0, ZERO, self.packed, self.scale, None, torch.float32)

    def _onednn(
        self,
        values: Tensor,
        step: float,
        dtype: torch.dtype,
        gelu: str | None = None,
        out: tuple[float, int] = (1.0, 0),
    ) -> Tensor:
        weights = self.packed, self.scale, self.bias
        return private_api.onednn_linear(values, step, ZERO, *weights, dtype, gelu, out)


class FBGEMMProduct(Int8Product):
    """By FBGEMM, which turns its input into bytes itself, and is twice as fast for few tokens without VNNI."""

    def _pack(self, rounded: Tensor) -> None:
        # Without the bias it is wanted for tokens with scales of their own.
        self.added = self.bias if "token" in self._known else None
        inside = self.bias if self.added is None else None
        self.packed = private_api.pack_for_fbgemm(rounded, self.scale, inside)

    def _quantized(self, x: Tensor, step: float) -> Tensor:
        return x

    def _multiplied(self, values: Tensor, step: float) -> Tensor:
        out = private_api.fbgemm_linear(values, step, ZERO, self.packed)
        return out if self.added is None else out.add_(self.added)

    def _multiplied_alone(self, values: Tensor) -> Tensor:
        return private_api.fbgemm_linear(values, 1.0, ZERO, self.packed)


@functools.cache
def weight_steps() -> int:
    """How many steps a quantised weight may have: half of WEIGHT_STEPS where this CPU clips sums of larger products.

    Without instructions for dot products of bytes (VNNI) two products are added in 16 bits: 255 * 127 * 2 does not fit.
    """
    packed = private_api.pack_for_onednn(torch.full((16, 64), WEIGHT_STEPS, dtype=torch.int8))
    values = torch.full((4, 64), 255, dtype=torch.uint8)
    found = private_api.onednn_linear(values, 1.0, 0, packed, torch.ones(16), None, torch.float32)
    return WEIGHT_STEPS if float(found[0, 0]) == 255 * WEIGHT_STEPS * 64 else WEIGHT_STEPS // 2


@functools.cache
def fastest_product() -> type[Int8Product]:
    """The class of products that is the fastest here: FBGEMM's without VNNI, where PyTorch has them."""
    return FBGEMMProduct if weight_steps() < WEIGHT_STEPS and private_api.has_fbgemm() else OneDNNProduct


def int8_products(dtype: torch.dtype, hidden_act: str, quantization: Quantization) -> MakeProduct:
    """Makes products in int8 of which something is known; `dtype` is that of the hidden states between them."""
    kind = fastest_product()

    def make(site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        smoothing = quantization.smoothing.get(site)
        divisor = None if smoothing is None else torch.from_numpy(smoothing)
        known = quantization.of(site)
        return kind(weight, bias, dtype, known, hidden_act if has_activation else None, divisor)

    return make
