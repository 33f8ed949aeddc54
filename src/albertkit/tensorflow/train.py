"""Training steps in TensorFlow: canonical weights and NumPy batches in, numbers and canonical weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import ADAMW, OptimizerSettings, Outputs, Precision
from albertkit.batches import Batch, PaddedBatch, require_valid
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.outputs import ModelOutput
from albertkit.rules import IGNORED
from albertkit.tensorflow import models, optimizers, weights
from albertkit.tensorflow.answer_heads import masked
from albertkit.tensorflow.infer import with_free_shapes
from albertkit.tensorflow.losses import span_loss, summed_cross_entropy
from albertkit.tensorflow.typing import Model, Tensor

Graph = Callable[..., Tensor]


@dataclass
class State:
    """A model in training and its optimizer, with the graphs that compute a step."""

    model: models.TFAlbertPreTrainedModel
    optimizer: optimizers.AdamW
    precision: Precision
    whole_step: Graph
    gradients: Graph
    update: Graph
    evaluate: Graph


def init_processes() -> None:
    """ConfigError where a launcher has started several processes: training in TensorFlow is one."""
    count = os.environ.get("WORLD_SIZE", "1")
    if count != "1":
        raise ConfigError(
            f"Training in TensorFlow runs in one process. Received: WORLD_SIZE {count}, as torchrun sets it. Start it "
            "without torchrun; several processes are for the frameworks torch and flax."
        )


def rank() -> int:
    """The number of this process: 0, for there is one."""
    return 0


def world_size() -> int:
    """How many processes there are: 1."""
    return 1


def broadcast(value: int) -> int:
    """A whole number, in every process as rank 0 has it: in one process, the number itself."""
    return value


def init_state(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    settings: OptimizerSettings = ADAMW,
    precision: Precision = "fp32",
    is_sharded: bool = False,
) -> State:
    """A model `TFAlbert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32. `is_sharded` changes nothing:
    there is one process to hold them.
    """
    with weights.computing_in({"fp32": "float32", "bf16": "mixed_bfloat16"}[precision]), weights.skip_init():
        model = getattr(models, f"TFAlbert{head}")(config)
    weights.load(model, model.checkpoint_prefix, config, tensors, "the start of training")
    settings = settings.for_model(config)
    parameters = {name: place.variable.value for name, place in _parameters(model).items()}
    return _with_graphs(model, optimizers.create(settings, parameters), precision)


def _with_graphs(
    model: models.TFAlbertPreTrainedModel,
    optimizer: optimizers.AdamW,
    precision: Precision,
) -> State:
    """The state of a model and its optimizer, with the graphs of a step, which are traced when they are first run."""
    trained = list(optimizer.trained.values())

    def gradients(
        batch: dict[str, tf.Tensor], factors: dict[str, tf.Tensor], seed: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor]]:
        model.base_model.seed_generator.state.assign(seed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(trained)
            losses = {name: loss * factors[name] for name, loss in _losses(model, batch).items()}
            loss = tf.add_n(list(losses.values()))
        found = tape.gradient(loss, trained, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return losses, [tf.convert_to_tensor(gradient) for gradient in found]

    def update(
        losses: dict[str, tf.Tensor], found: Sequence[tf.Tensor], numbers: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        learning_rate, skip_above = tf.unstack(numbers, 2)
        loss, norm = tf.add_n(list(losses.values())), tf.linalg.global_norm(found)
        scale = tf.minimum(1.0, optimizer.settings.clip / (norm + 1e-6))
        tf.cond(
            tf.math.is_finite(loss) & tf.math.is_finite(norm) & (norm <= skip_above),
            lambda: optimizer.step([gradient * scale for gradient in found], learning_rate),
            lambda: None,
        )
        return losses, norm

    return State(
        model,
        optimizer,
        precision,
        with_free_shapes(lambda batch, factors, seed, numbers: update(*gradients(batch, factors, seed), numbers)),
        with_free_shapes(gradients),
        with_free_shapes(update),
        with_free_shapes(lambda batch: _outputs(model, batch)),
    )


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, skip_above: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose items count alike: the losses before it and the norm of their sum's gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `skip_above`, weights and
    optimizer stay as they are.
    """
    numbers = np.array([learning_rate, skip_above], np.float32)
    counts = [batch.items() for batch in batches]
    totals = {name: sum(count[name] for count in counts) or 1 for name in counts[0]}
    parts = []
    for number, (batch, count) in enumerate(zip(batches, counts, strict=True)):
        require_valid(state.model.config, batch)
        given = _arrays(batch, for_training=True)
        # The models' own loss is a mean, those of pre-training and by class targets are sums.
        is_mean = "sequence" not in given and "class_targets" not in given
        factors = {name: np.float32((count[name] if is_mean else 1) / totals[name]) for name in totals}
        parts.append((given, factors, np.array([seed, number << 16], np.int64)))
    if len(parts) == 1:
        losses, norm = state.whole_step(*parts[0], numbers)
    else:
        losses, sums = state.gradients(*parts[0])
        for part in parts[1:]:
            more, found = state.gradients(*part)
            losses = {name: loss + more[name] for name, loss in losses.items()}
            sums = [one + other for one, other in zip(sums, found, strict=True)]
        losses, norm = state.update(losses, sums, numbers)
    record = {name: float(losses[name]) for name in totals}
    return {"loss": sum(record.values()), **record, "gradient_norm": float(norm)}


def eval_step(state: State, batch: Batch) -> Outputs:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels.

    For a batch of pre-training, the loss of each of its items in place of the outputs, and whether it was predicted:
    mlm_losses and mlm_correct (M,), sop_losses and sop_correct (S,).
    """
    require_valid(state.model.config, batch)
    outputs = state.evaluate(_arrays(batch))
    return {name: weights.to_numpy(value).astype(np.float32, copy=False) for name, value in outputs.items()}


def _arrays(batch: Batch, for_training: bool = False) -> dict[str, np.ndarray]:
    """What a graph is given: a graph is traced for each set of names, and tells pre-training by its own."""
    return batch.arguments(for_training) if isinstance(batch, PaddedBatch) else batch.arrays()


def _losses(model: Model, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """The mean loss of a batch of examples, by class targets and of pre-training the sum of each over its items."""
    if "class_targets" in batch:
        given = {name: array for name, array in batch.items() if name != "class_targets"}
        logits = model(given, return_dict=True, training=True).logits
        return {"loss": summed_cross_entropy(logits, batch["class_targets"])}
    if "sequence" not in batch:
        return {"loss": _loss(batch, model(batch, return_dict=True, training=True))}
    items = _pretraining(model, batch, training=True)
    return {name: tf.reduce_sum(_each_loss(logits, labels)) for name, (logits, labels) in items.items()}


def _loss(batch: dict[str, tf.Tensor], outputs: ModelOutput) -> Tensor:
    """The model's loss; where it is spread over the places of a row, without those that are padding."""
    if "start_positions" not in batch or "attention_mask" not in batch or "start_logits" not in outputs:
        return outputs.loss
    starts, ends = (masked(outputs[name], batch["attention_mask"] == 0) for name in ("start_logits", "end_logits"))
    return span_loss(starts, ends, batch["start_positions"], batch["end_positions"])


def _outputs(model: Model, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """See `eval_step`."""
    if "sequence" not in batch:
        outputs = model(batch, return_dict=True)
        outputs.loss = _loss(batch, outputs)
        return dict(outputs)
    found = {}
    for name, (logits, labels) in _pretraining(model, batch, training=False).items():
        found[f"{name}_losses"] = _each_loss(logits, labels)
        found[f"{name}_correct"] = tf.argmax(logits, -1, labels.dtype) == labels
    return found


def _each_loss(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross entropy (items,) in float32, 0 where an item is left out."""
    is_counted = labels != IGNORED
    known = tf.where(is_counted, labels, 0)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(known, tf.cast(logits, tf.float32))
    return tf.where(is_counted, losses, 0.0)


def _pretraining(model: Model, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """Logits (M, V) of the masked pieces and (S, 2) of the order of sequences, each with its labels.

    Attention stays inside each sequence, and there is no product with the vocabulary where nothing is masked.
    """
    sequence = batch["sequence"]
    mask = (sequence[:, :, None] == sequence[:, None, :]) & (sequence > 0)[:, None, :]
    inputs = (batch["input_ids"], mask, batch["token_type_ids"], batch["position_ids"])
    states = model.albert(*inputs, return_dict=True, training=training).last_hidden_state
    states = tf.reshape(states, (-1, model.config.hidden_size))
    found = {"mlm": (model.mlm_logits(tf.gather(states, batch["mlm_positions"])), batch["mlm_labels"])}
    if "sop_labels" in batch:
        pooled = tf.tanh(model.albert.pooler(tf.gather(states, batch["cls_positions"])))
        found["sop"] = model.sop_classifier(pooled), batch["sop_labels"]
    return found


def get_weights(state: State) -> Tensors:
    """The weights by canonical name, copied, tied ones once."""
    return {name: np.ascontiguousarray(place.read()) for name, place in _parameters(state.model).items()}


def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = _parameters(state.model)
    for name, array in tensors.items():
        own[name].write(array)


def get_optimizer(state: State) -> Tensors:
    """The state of the optimizer, copied, as {parameter/what: values}, and its number of steps."""
    return {"all/step": weights.to_numpy(state.optimizer.steps)} | {
        name: np.ascontiguousarray(place.read()) for name, place in _moments(state).items()
    }


def set_optimizer(state: State, tensors: Tensors) -> None:
    """Put the values of `get_optimizer` in place, or those of PyTorch, which counts steps of each parameter."""
    own = _moments(state)
    for key, array in tensors.items():
        if key.endswith("/step"):
            state.optimizer.steps.assign(array.astype(np.int64))
        else:
            place = own[key]
            place.variable.assign(array.T if place.is_transposed else array)


def _parameters(model: models.TFAlbertPreTrainedModel) -> dict[str, weights.ParameterView]:
    tied = weight_table.tied(model.config)
    own = weights.canonical(model, model.checkpoint_prefix)
    return {name: view for name, view in own.items() if name not in tied}


def _moments(state: State) -> dict[str, weights.ParameterView]:
    """The two moments of every parameter as {parameter/what}, each laid out as the parameter."""
    return {
        f"{name}/{what}": weights.ParameterView(moment, place.is_transposed)
        for name, place in _parameters(state.model).items()
        for what, moment in zip(("exp_avg", "exp_avg_sq"), state.optimizer.moments[name], strict=True)
    }
