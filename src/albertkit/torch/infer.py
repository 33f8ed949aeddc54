"""The forward pass in PyTorch as a function of NumPy arrays."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.torch import models, weights


def compile(
    config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint", device: str | None = None
) -> Forward:
    """The forward of `Albert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    `device`, a name of PyTorch, by default on the first GPU where there is one. WeightMismatch where the head's weights
    are not among the tensors, InputError where there is no such device.
    """
    place = require_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if place.type == "cpu":  # accelerators would wait for the host, which finds out where the padding is
        config = config.changed(attn_implementation="packed")
    with torch.device("meta"):
        model = getattr(models, f"Albert{head}")(config)
    with place:
        report = weights.load(model, model.checkpoint_prefix, config, tensors, source)
    model.tie_weights()
    report.require_complete()
    return attach(model)


def attach(model: Any, device: str | None = None) -> Forward:
    """The forward of a model as it is at each call, on its own device; moved to `device` first, where one is named."""
    if device is not None:
        model.to(require_device(device))

    @torch.inference_mode()
    def forward(batch: PaddedBatch) -> Outputs:
        with _without_dropout(model):
            outputs = _outputs(model, batch, next(model.parameters()).device)
        return {name: value.float().cpu().numpy() for name, value in outputs.items()}

    return forward


def require_device(name: str) -> torch.device:
    """The device of a name. InputError where PyTorch has none."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:  # AssertionError: PyTorch was built without CUDA
        raise InputError(
            f"`device` must be one that PyTorch can use here. Received: {name!r}: {str(error).splitlines()[0]} "
            'Leave it out, or pass "cpu".'
        ) from None
    return device


@contextmanager
def _without_dropout(model: Any) -> Iterator[None]:
    """A model that is being trained answers in between, and goes on as it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _outputs(model: Any, batch: PaddedBatch, device: torch.device) -> Mapping[str, torch.Tensor]:
    arguments = {name: torch.from_numpy(array).to(device) for name, array in batch.arguments().items()}
    if not isinstance(batch, MaskedBatch):
        return model(**arguments, return_dict=True, output_attentions=False, output_hidden_states=False)
    rows, columns = torch.from_numpy(batch.positions).to(device).unbind(-1)
    return {"logits": model.predictions(model.albert(**arguments, return_dict=True).last_hidden_state[rows, columns])}
