"""The forward pass in PyTorch as a function of NumPy arrays."""

from collections.abc import Mapping
from typing import Any

import torch

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.torch import models, weights


def compile(config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint") -> Forward:
    """The forward of `Albert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    the first GPU where there is one. WeightMismatch where the head's weights are not among the tensors.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device("meta"):
        model = getattr(models, f"Albert{head}")(config)
    with torch.device(device):
        report = weights.load(model, model.checkpoint_prefix, config, tensors, source)
    model.tie_weights()
    report.require_complete()
    model.eval()

    @torch.inference_mode()
    def forward(batch: PaddedBatch) -> Outputs:
        outputs = _outputs(model, batch, device)
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return forward


def _outputs(model: Any, batch: PaddedBatch, device: str) -> Mapping[str, torch.Tensor]:
    arguments = {name: torch.from_numpy(array).to(device) for name, array in batch.arguments().items()}
    if not isinstance(batch, MaskedBatch):
        return model(**arguments)
    rows, columns = torch.from_numpy(batch.positions).to(device).unbind(-1)
    return {"logits": model.predictions(model.albert(**arguments).last_hidden_state[rows, columns])}
