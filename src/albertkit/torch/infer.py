"""The forward pass in PyTorch as a function of NumPy arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.torch import models, weights

Forward = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def compile(config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint") -> Forward:
    """The forward of `Albert{head}` with the given weights: a batch of (B, L) arrays -> its outputs by name.

    A batch with `places` (P, 2), rows and columns, gives the `logits` (P, V) of a masked-language-model head there and
    nowhere else. Runs on the first GPU where there is one. WeightMismatch where the head's weights are not among the
    tensors.
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
    def forward(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = _outputs(model, {name: torch.from_numpy(array).to(device) for name, array in batch.items()})
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return forward


def _outputs(model: Any, batch: dict[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """The model's outputs; see `compile` for `places`."""
    if "places" not in batch:
        return model(**batch)
    rows, columns = batch.pop("places").unbind(-1)
    return {"logits": model.predictions(model.albert(**batch).last_hidden_state[rows, columns])}
