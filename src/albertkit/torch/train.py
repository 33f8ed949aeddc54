"""Training steps in PyTorch: neutral weights and NumPy batches in, numbers and neutral weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from albertkit import arrays
from albertkit.checkpoint import names
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.rules import IGNORED
from albertkit.torch import models, optimizers, weights
from albertkit.torch.layers import Packing

Batch = Mapping[str, np.ndarray]


@dataclass
class State:
    """A model in training and its optimizer."""

    model: models.AlbertPreTrainedModel
    optimizer: torch.optim.Optimizer
    max_gradient_norm: float
    precision: str


def init_state(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    *,
    optimizer: str = "adamw",
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-6,
    bias_correction: bool | None = None,
    max_gradient_norm: float = 1.0,
    precision: str = "fp32",
) -> State:
    """A model `Albert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = getattr(models, f"Albert{head}")(config)
    weights.load(model, model._prefix, config, tensors, "the start of training")
    model.tie_weights()
    chosen = optimizers.create(
        optimizer,
        {model._prefix + name: parameter for name, parameter in model.named_parameters()},
        weight_decay=weight_decay,
        betas=betas,
        epsilon=epsilon,
        bias_correction=bias_correction,
    )
    return State(model.train(), chosen, max_gradient_norm, precision)


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, highest_norm: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose items count alike: the losses before it and the norm of their sum's gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `highest_norm`, weights and
    optimizer stay as they are.
    """
    torch.manual_seed(seed)
    state.model.train()
    totals: dict[str, int] = {}
    for batch in batches:
        for name, count in arrays.counts(batch).items():
            totals[name] = totals.get(name, 0) + count
    losses = dict.fromkeys(totals, 0.0)
    for batch in batches:
        with _precision(state):
            parts = _losses(state.model, batch)
        shares = {name: loss / max(totals[name], 1) for name, loss in parts.items()}
        torch.stack(list(shares.values())).sum().backward()
        for name, share in shares.items():
            losses[name] += float(share.detach())
    limit = state.max_gradient_norm or float("inf")
    norm = float(nn.utils.clip_grad_norm_(state.model.parameters(), limit))
    record = {"loss": sum(losses.values()), **losses, "gradient_norm": norm}
    if np.isfinite(record["loss"]) and norm <= highest_norm and np.isfinite(norm):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate
        state.optimizer.step()
    state.optimizer.zero_grad()
    return record


@torch.inference_mode()
def eval_step(state: State, batch: Batch) -> dict[str, np.ndarray]:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels.

    For a batch of pre-training, the loss of each of its items in place of the outputs, and whether it was foretold:
    mlm_losses and mlm_hits (M,), sop_losses and sop_hits (S,).
    """
    state.model.eval()
    with _precision(state):
        outputs = (
            _foretold(state.model, batch) if "sequence" in batch else state.model(**_on_device(batch, state.model))
        )
    return {name: value.float().cpu().numpy() for name, value in outputs.items()}


def _precision(state: State) -> torch.autocast:
    return torch.autocast(state.model.device.type, torch.bfloat16, enabled=state.precision == "bf16")


def _losses(model: models.AlbertPreTrainedModel, batch: Batch) -> dict[str, torch.Tensor]:
    """The sum of each loss over the items of a batch; see `arrays.counts`."""
    if "sequence" not in batch:
        return {"loss": model(**_on_device(batch, model)).loss * len(batch["input_ids"])}
    return {
        name: functional.cross_entropy(logits.float(), labels, reduction="sum", ignore_index=IGNORED)
        for name, (logits, labels) in _pretraining(model, batch).items()
    }


def _foretold(model: models.AlbertPreTrainedModel, batch: Batch) -> dict[str, torch.Tensor]:
    found = {}
    for name, (logits, labels) in _pretraining(model, batch).items():
        found[f"{name}_losses"] = functional.cross_entropy(
            logits.float(), labels, reduction="none", ignore_index=IGNORED
        )
        found[f"{name}_hits"] = logits.argmax(-1) == labels
    return found


def _pretraining(model: Any, batch: Batch) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Logits (M, V) of the masked pieces and (S, 2) of the order of sequences, each with its labels.

    No place without a token is computed, and no product with the vocabulary where nothing is masked.
    """
    flat, groups = arrays.unpadded(batch)
    inputs = _on_device({name: array.astype(np.int64) for name, array in flat.items()}, model)
    albert = model.albert
    embedded = albert.embeddings(inputs["input_ids"], inputs["token_type_ids"], inputs["position_ids"])
    states = albert.encoder(embedded, Packing(groups)).last_hidden_state[0]
    found = {"mlm": (model.predictions(states[inputs["mlm_positions"]]), inputs["mlm_labels"])}
    if "sop_labels" in inputs:
        pooled = torch.tanh(albert.pooler(states[inputs["cls_positions"]]))
        found["sop"] = model.sop_classifier(pooled), inputs["sop_labels"]
    return found


def get_weights(state: State) -> Tensors:
    """The weights by neutral name, copied, tied ones once."""
    tied = names.tied(state.model.config)
    current = weights.extract(state.model, state.model._prefix)
    return {name: array.copy() for name, array in current.items() if name not in tied}


@torch.no_grad()
def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = weights.neutral(state.model, state.model._prefix)
    for name, array in tensors.items():
        own[name].copy_(weights.to_torch(array))


def get_optimizer(state: State) -> Tensors:
    """What the optimizer remembers of each parameter, copied, as {parameter/what: values}."""
    return {
        f"{name}/{what}": weights.to_numpy(value).copy()
        for name, parameter in state.model.named_parameters()
        for what, value in state.optimizer.state.get(parameter, {}).items()
    }


def set_optimizer(state: State, tensors: Tensors) -> None:
    """Put the values of `get_optimizer` in place, or those of another framework, which counts steps once for all."""
    parameters = dict(state.model.named_parameters())
    known = [name for name in parameters if f"{name}/exp_avg" in tensors]
    state.optimizer.state.clear()
    for key, array in tensors.items():
        name, _, what = key.rpartition("/")
        for each in known if name == "all" else [name]:
            value = weights.to_torch(array.copy()).to(parameters[each].device, torch.float32)
            state.optimizer.state[parameters[each]][what] = value


def _on_device(batch: Batch, model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}  # type: ignore[arg-type]
