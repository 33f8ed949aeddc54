"""The forward pass in PyTorch as a function of NumPy arrays."""

from collections.abc import Callable, Mapping

import numpy as np
import torch

from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.torch import models, weights

Forward = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def compile(config: AlbertConfig, head: str, tensors: Tensors) -> Forward:
    """The forward of `Albert{head}` with the given weights: a batch of (B, L) arrays -> its outputs by name.

    Runs on the first GPU where there is one. WeightMismatch where the head's weights are not among the tensors.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device("meta"):
        model = getattr(models, f"Albert{head}")(config)
    with torch.device(device):
        report = weights.load(model, model._prefix, config, tensors, "the checkpoint")
    model.tie_weights()
    report.require_complete()
    model.eval()

    @torch.inference_mode()
    def forward(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        outputs = model(**{name: torch.from_numpy(array).to(device) for name, array in batch.items()})
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return forward
