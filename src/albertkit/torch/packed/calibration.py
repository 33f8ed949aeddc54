"""What the inputs of an encoder's products are like on given texts, from which the scales of int8 follow.

Letters: T tokens, K width of an input.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from albertkit.arrays import Tensors
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.quantization import FRACTIONS, MAPPING, SITES, InputStatistics, runs_of_layers
from albertkit.torch import infer
from albertkit.torch.packed.int8 import STEPS
from albertkit.torch.packed.packed_encoder import PackedEncoder
from albertkit.torch.packed.products import FloatProduct, Product

_SMALL = 1e-30


def observe(
    config: AlbertConfig, head: str, tensors: Tensors, batches: Sequence[PaddedBatch]
) -> dict[str, list[InputStatistics]]:
    """The inputs of the products of `Albert{head}` over some batches, by site, for each run of a layer.

    In float32; the batches are run twice, for what int8 does to an input depends on the largest of it. WeightMismatch
    where the head's weights are not among the tensors.
    """
    config = config.changed(attn_implementation="packed")
    model = infer.build(config, head, tensors, "the checkpoint", torch.device("cpu"))
    seen = {site: [_Input() for _ in range(runs_of_layers(config))] for site in SITES} | {MAPPING: [_Input()]}

    def make(site: str, weight: Tensor, bias: Tensor, has_activation: bool = False) -> Product:
        return _ObservedProduct(seen[site], weight, bias, config.hidden_act if has_activation else None)

    with torch.inference_mode():
        model.base_model.encoder = PackedEncoder(model.base_model.encoder, config, make)
    forward = infer.attach(model)
    for is_measured in (False, True):
        for one in (one for inputs in seen.values() for one in inputs):
            one.is_measured = is_measured
        for batch in batches:
            forward(batch)
    return {site: [one.statistics() for one in inputs] for site, inputs in seen.items()}


class _Input:
    """The input of one product in one run."""

    def __init__(self) -> None:
        self.is_measured = False
        self._channels = torch.zeros(())
        self._errors = torch.zeros(len(FRACTIONS) + 1, dtype=torch.float64)
        self._power = 0.0

    def see(self, x: Tensor) -> None:
        """Take in (T, K)."""
        if not self.is_measured:
            self._channels = torch.maximum(self._channels, x.abs().amax(0))
            return
        self._power += float(x.square().sum(dtype=torch.float64))
        largest = float(self._channels.max())
        reach = [torch.tensor(largest * fraction) for fraction in FRACTIONS] + [x.abs().amax(-1, keepdim=True)]
        self._errors += torch.stack([_squared_error(x, one.clamp(min=_SMALL) / STEPS) for one in reach])

    def statistics(self) -> InputStatistics:
        """What was seen, as arrays."""
        errors = (self._errors / max(self._power, _SMALL)).sqrt().numpy()
        return InputStatistics(self._channels.numpy(), errors[:-1], float(errors[-1]))


def _squared_error(x: Tensor, step: Tensor) -> Tensor:
    quantized = (x / step).round().clamp(-STEPS - 1, STEPS) * step
    return (x - quantized).square().sum(dtype=torch.float64)


class _ObservedProduct(FloatProduct):
    """A product in float32 whose input is seen in each run."""

    def __init__(self, seen: Sequence[_Input], weight: Tensor, bias: Tensor, hidden_act: str | None) -> None:
        super().__init__(weight, bias, torch.float32, hidden_act)
        self._seen = seen

    def prepare(self, x: Tensor, run: int) -> Tensor:
        """See Product."""
        self._seen[run].see(x)
        return x
