"""Training steps in PyTorch: canonical weights and NumPy batches in, numbers and canonical weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

import contextlib
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import ADAMW, OptimizerSettings, Outputs, Precision
from albertkit.batches import Batch, PaddedBatch, PretrainingBatch, shares
from albertkit.config import AlbertConfig
from albertkit.rules import IGNORED
from albertkit.torch import fused_cross_entropy, models, optimizers, weights
from albertkit.torch.answer_heads import masked
from albertkit.torch.losses import span_loss, summed_cross_entropy
from albertkit.torch.packed_sequences import PackedSequences

logger = logging.getLogger(__name__)

_SLOW_BF16 = (
    "This processor has no instructions for bfloat16: PyTorch computes bf16 many times more slowly than fp32 here. "
    "Train with training.precision=fp32."
)


class Objective(nn.Module):
    """A model with its losses: one module, so that what wraps a module for several processes sees all of it."""

    def __init__(self, model: models.AlbertPreTrainedModel) -> None:
        super().__init__()
        self.model: Any = model

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """In training the sum of each loss over the items of a batch, otherwise the outputs; see `eval_step`."""
        if not isinstance(batch, PretrainingBatch):
            given = {name: x for name, x in batch.arguments(self.training).items() if name != "class_targets"}
            outputs = self.model(**_on_device(given, self.model))
            outputs.loss = _loss(self.model, batch, outputs)
            return {"loss": _summed_loss(self.model, batch, outputs)} if self.training else dict(outputs)
        inputs, states, starts = _packed(self.model, batch.without_ignored() if self.training else batch)
        labels, head = inputs["mlm_labels"], self.model.predictions
        if self.training:
            decoder = head.decoder
            found = {
                "mlm": fused_cross_entropy.summed_loss(head.transform(states), decoder.weight, decoder.bias, labels)
            }
        else:
            found = _scored("mlm", head(states), labels)
        if "sop_labels" in inputs:
            pooled = self.model.albert.pooler_activation(self.model.albert.pooler(starts))
            scored = _scored("sop", self.model.sop_classifier(pooled), inputs["sop_labels"])
            found |= {"sop": scored["sop_losses"].sum()} if self.training else scored
        return found


@dataclass
class State:
    """A model in training and its optimizer. `objective` is the model's, wrapped where there are several processes."""

    model: models.AlbertPreTrainedModel
    objective: nn.Module
    optimizer: torch.optim.Optimizer
    settings: OptimizerSettings
    precision: Precision


def init_processes() -> None:
    """Meet the other processes that torchrun, or another in its manner, has started, and take the GPU of one's own.

    Without a LOCAL_RANK, as where each has a machine of its own, that is the first GPU.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")


def rank() -> int:
    """The number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """How many processes there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def broadcast(value: int) -> int:
    """A whole number, in every process as rank 0 has it; all must call this."""
    if world_size() == 1:
        return value
    shared = torch.tensor(value, device="cuda" if torch.cuda.is_available() else "cpu")
    distributed.broadcast(shared, 0)
    return int(shared)


def init_state(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    settings: OptimizerSettings = ADAMW,
    precision: Precision = "fp32",
    is_sharded: bool = False,
) -> State:
    """A model `Albert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32. Several processes each hold the
    whole of both, or a share of them where `is_sharded`. Then all weights are gathered once a step: they are those of
    one layer, which is used from the first moment to the last, so that gathering by layer would save nothing.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":  # accelerators would wait for the host, which finds out where the padding is
        config = config.changed(attn_implementation="packed")
    if precision == "bf16" and device == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2":
        logger.warning(_SLOW_BF16)
    with torch.device(device):
        model = getattr(models, f"Albert{head}")(config)
    weights.load(model, model.checkpoint_prefix, config, tensors, "the start of training")
    settings = settings.for_model(config)
    model.tie_weights()
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()  # loading takes over the memory of arrays, which are the caller's
    for name, parameter in model.named_parameters():
        never_runs = ".albert_layers." in name and settings.is_frozen(model.checkpoint_prefix + name)
        if never_runs or not settings.rate_of(model.checkpoint_prefix + name):
            parameter.requires_grad_(False)  # DistributedDataParallel would wait for the gradient of what never runs
    objective: nn.Module = Objective(model.train())
    if is_sharded and world_size() > 1:
        from torch.distributed.fsdp import fully_shard  # takes a second, for what few runs need

        fully_shard(objective, reshard_after_forward=False)  # changes the module itself
    parameters = {model.checkpoint_prefix + name: parameter for name, parameter in model.named_parameters()}
    optimizer = optimizers.create(settings, parameters)
    if not is_sharded and world_size() > 1:
        objective = DistributedDataParallel(objective)
    return State(model, objective, optimizer, settings, precision)


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, skip_above: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose items count alike: the losses before it and the norm of their sum's gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `skip_above`, weights and
    optimizer stay as they are. Of pre-training each process brings its own rows, otherwise all bring the same batches,
    of which each computes its share.
    """
    torch.manual_seed(seed + rank())
    state.objective.train()
    batches = _own(batches)
    totals = _totals(batches)
    losses = dict.fromkeys(totals, 0.0)
    for batch in batches:
        with _meeting(state, is_last=batch is batches[-1]):
            with _precision(state):
                sums = state.objective(batch)
            shares = {name: loss / (totals[name] or 1) for name, loss in sums.items()}
            # What wraps a module for several processes takes the mean of their gradients, where the sum is wanted.
            (torch.stack(list(shares.values())).sum() * world_size()).backward()
        for name, share in shares.items():
            losses[name] += float(share.detach())
    losses = _summed(losses)
    norm = nn.utils.clip_grad_norm_(state.model.parameters(), state.settings.clip)
    norm = float(_gathered(norm))
    record = {"loss": sum(losses.values()), **losses, "gradient_norm": norm}
    if np.isfinite(record["loss"]) and norm <= skip_above and np.isfinite(norm):
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate * group["rate_factor"]
        with _precision(state):  # for the products of Muon
            state.optimizer.step()
    state.optimizer.zero_grad()
    return record


@torch.no_grad()
def eval_step(state: State, batch: Batch) -> Outputs:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels.

    For a batch of pre-training, the loss of each of its items in place of the outputs, and whether it was predicted:
    mlm_losses and mlm_correct (M,), sop_losses and sop_correct (S,).
    """
    state.objective.eval()
    with _precision(state):
        outputs = state.objective(batch)
    if reshard := getattr(state.objective, "reshard", None):
        reshard()  # else the weights stay gathered, and are not those that the optimizer knows
    return {name: value.float().cpu().numpy() for name, value in outputs.items()}


def _precision(state: State) -> torch.autocast:
    return torch.autocast(state.model.device.type, torch.bfloat16, enabled=state.precision == "bf16")


def _loss(model: nn.Module, batch: PaddedBatch, outputs: Any) -> torch.Tensor | None:
    """The model's loss; where it is spread over the places of a row, without those that are padding."""
    if batch.start_positions is None or batch.attention_mask is None or "start_logits" not in outputs:
        return outputs.loss
    given = _on_device(batch.arguments(), model)
    is_padding = given["attention_mask"] == 0
    starts, ends = (masked(outputs[name], is_padding) for name in ("start_logits", "end_logits"))
    return span_loss(starts, ends, given["start_positions"], given["end_positions"])


def _summed_loss(model: nn.Module, batch: PaddedBatch, outputs: Any) -> torch.Tensor:
    """The sum of the loss over the items of a batch; by class targets where there are some."""
    if batch.class_targets is None:
        return outputs.loss * batch.items()["loss"]
    return summed_cross_entropy(outputs.logits, **_on_device({"targets": batch.class_targets}, model))


def _own(batches: Sequence[Batch]) -> Sequence[Batch]:
    """What this process computes of a step; see `albertkit.batches.shares`."""
    padded = [batch for batch in batches if isinstance(batch, PaddedBatch)]
    if world_size() == 1 or not padded:
        return batches
    dealt = shares(padded, world_size())
    return batches if dealt is None else dealt[rank()]


def _totals(batches: Sequence[Batch]) -> dict[str, float]:
    """Of how many items of all batches and processes each loss is the mean."""
    counts = [batch.items() for batch in batches]
    return _summed({name: sum(count[name] for count in counts) for name in counts[0]})


def _summed(numbers: dict[str, Any]) -> dict[str, float]:
    """Numbers by name, added up over the processes."""
    if world_size() == 1:
        return numbers
    device = "cuda" if torch.cuda.is_available() else "cpu"
    values = torch.tensor(list(numbers.values()), dtype=torch.float64, device=device)
    distributed.all_reduce(values)
    return dict(zip(numbers, values.tolist(), strict=True))


def _meeting(state: State, is_last: bool) -> contextlib.AbstractContextManager[Any]:
    """Gradients are exchanged after the last part of a step only."""
    if isinstance(state.objective, DistributedDataParallel) and not is_last:
        return state.objective.no_sync()
    return contextlib.nullcontext()


def _packed(model: Any, batch: PretrainingBatch) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """The arrays of an unpadded batch, and the last hidden states of masked pieces (M, H) and of [CLS] (S, H).

    No place without a token is computed, and in the last layer no other token than these.
    """
    flat, groups = batch.unpad()
    arrays = {name: array.astype(np.int64) for name, array in flat.arrays().items() if name != "sequence"}
    inputs = _on_device(arrays, model)
    albert = model.albert
    embedded = albert.embeddings(inputs["input_ids"], inputs["token_type_ids"], inputs["position_ids"])
    asked = [inputs["mlm_positions"], inputs["cls_positions"]]
    states = albert.encoder(embedded, PackedSequences(groups, torch.cat(asked))).last_hidden_state[0]
    masked, starts = states.split([len(places) for places in asked])
    return inputs, masked, starts


def _scored(name: str, logits: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """(M, C) and (M,) -> the loss of each item, 0 where its label is ignored, and whether it was predicted."""
    losses = functional.cross_entropy(logits.float(), labels, reduction="none", ignore_index=IGNORED)
    return {f"{name}_losses": losses, f"{name}_correct": logits.argmax(-1) == labels}


def get_weights(state: State) -> Tensors:
    """The weights by canonical name, copied, tied ones once."""
    tied = weight_table.tied(state.model.config)
    own = weights.canonical(state.model, state.model.checkpoint_prefix)
    return {name: _whole(tensor) for name, tensor in own.items() if name not in tied}


@torch.no_grad()
def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = weights.canonical(state.model, state.model.checkpoint_prefix)
    for name, array in tensors.items():
        own[name].copy_(_like(own[name], array))


def get_optimizer(state: State) -> Tensors:
    """The state of the optimizer, copied, as {parameter/what: values}."""
    return {
        f"{name}/{what}": _whole(value)
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
            parameter = parameters[each]
            value = weights.to_torch(array.copy()).to(parameter.device, torch.float32)
            state.optimizer.state[parameter][what] = value if what == "step" else _like(parameter, array)


def _whole(tensor: torch.Tensor) -> np.ndarray:
    """The values of a parameter, copied, gathered where they are spread over processes."""
    return weights.to_numpy(_gathered(tensor)).copy()


def _gathered(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor whole: those that are spread over processes, DTensors, can do that."""
    gather = getattr(tensor, "full_tensor", None)
    return gather() if gather else tensor


def _like(parameter: torch.Tensor, array: np.ndarray) -> torch.Tensor:
    """Values as a tensor of their own, where and as the parameter's are kept."""
    values = weights.to_torch(array.copy()).to(parameter.device)
    if not hasattr(parameter, "full_tensor"):
        return values
    from torch.distributed.tensor import DTensor, distribute_tensor  # see init_state

    spread = cast("DTensor", parameter)
    return distribute_tensor(values, spread.device_mesh, spread.placements)


def _on_device(batch: Mapping[str, np.ndarray], model: nn.Module) -> dict[str, torch.Tensor]:
    # A module of PyTorch is not known to have a device; those of this package have one.
    return {name: torch.from_numpy(array).to(model.device) for name, array in batch.items()}  # type: ignore[arg-type]
