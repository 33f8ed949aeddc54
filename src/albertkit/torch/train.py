"""Training steps in PyTorch: neutral weights and NumPy batches in, numbers and neutral weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from albertkit.checkpoint import names
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.torch import models, optimizers, weights

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


def train_step(state: State, batches: Sequence[Batch], learning_rate: float, seed: int) -> dict[str, float]:
    """One step over `batches`, whose examples count alike: the loss before it and the norm of its gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, weights and optimizer stay as they are.
    """
    torch.manual_seed(seed)
    state.model.train()
    examples = sum(len(batch["input_ids"]) for batch in batches)
    total = 0.0
    for batch in batches:
        with torch.autocast(state.model.device.type, torch.bfloat16, enabled=state.precision == "bf16"):
            loss = state.model(**_on_device(batch, state.model)).loss * (len(batch["input_ids"]) / examples)
        loss.backward()
        total += float(loss.detach())
    limit = state.max_gradient_norm or float("inf")
    norm = float(nn.utils.clip_grad_norm_(state.model.parameters(), limit))
    if np.isfinite(total) and np.isfinite(norm):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate
        state.optimizer.step()
    state.optimizer.zero_grad()
    return {"loss": total, "gradient_norm": norm}


@torch.inference_mode()
def eval_step(state: State, batch: Batch) -> dict[str, np.ndarray]:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels."""
    state.model.eval()
    with torch.autocast(state.model.device.type, torch.bfloat16, enabled=state.precision == "bf16"):
        outputs = state.model(**_on_device(batch, state.model))
    return {name: value.float().cpu().numpy() for name, value in outputs.items()}


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
