"""Training steps in TensorFlow: neutral weights and NumPy batches in, numbers and neutral weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from albertkit.checkpoint import names
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.tensorflow import models, optimizers, weights
from albertkit.tensorflow.infer import require_valid, with_free_shapes

Batch = Mapping[str, np.ndarray]
Graph = Callable[..., Any]


@dataclass
class State:
    """A model in training and its optimizer, with the graphs that compute a step."""

    model: models.TFAlbertPreTrainedModel
    optimizer: optimizers.AdamW
    max_gradient_norm: float
    precision: str
    whole_step: Graph
    gradients: Graph
    update: Graph
    evaluate: Graph


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
    """A model `TFAlbert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32.
    """
    with weights.computing_in({"fp32": "float32", "bf16": "mixed_bfloat16"}[precision]), weights.without_values():
        model = getattr(models, f"TFAlbert{head}")(config)
    weights.load(model, model._prefix, config, tensors, "the start of training")
    parameters = {name: place.variable.value for name, place in _parameters(model).items()}
    chosen = optimizers.create(
        optimizer,
        parameters,
        weight_decay=weight_decay,
        betas=betas,
        epsilon=epsilon,
        bias_correction=bias_correction,
    )
    limit = max_gradient_norm or float("inf")

    def gradients(batch: dict[str, tf.Tensor], share: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        model.base_model.seed_generator.state.assign(seed)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(parameters.values()))
            loss = model(batch, return_dict=True, training=True).loss * share
        found = tape.gradient(loss, list(parameters.values()), unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return loss, [tf.convert_to_tensor(gradient) for gradient in found]

    def update(loss: tf.Tensor, found: Sequence[tf.Tensor], numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        learning_rate, highest_norm = tf.unstack(numbers, 2)
        norm = tf.linalg.global_norm(found)
        scale = tf.minimum(1.0, limit / (norm + 1e-6))
        tf.cond(
            tf.math.is_finite(loss) & tf.math.is_finite(norm) & (norm <= highest_norm),
            lambda: chosen.step([gradient * scale for gradient in found], learning_rate),
            lambda: None,
        )
        return loss, norm

    return State(
        model,
        chosen,
        max_gradient_norm,
        precision,
        with_free_shapes(lambda batch, share, seed, numbers: update(*gradients(batch, share, seed), numbers)),
        with_free_shapes(gradients),
        with_free_shapes(update),
        with_free_shapes(lambda batch: dict(model(batch, return_dict=True))),
    )


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, highest_norm: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose examples count alike: the loss before it and the norm of its gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `highest_norm`, weights and
    optimizer stay as they are.
    """
    examples = sum(len(batch["input_ids"]) for batch in batches)
    numbers = np.array([learning_rate, highest_norm], np.float32)
    parts = []
    for number, batch in enumerate(batches):
        require_valid(state.model.config, batch)
        share = np.float32(len(batch["input_ids"]) / examples)
        parts.append((dict(batch), share, np.array([seed, number << 16], np.int64)))
    if len(parts) == 1:
        loss, norm = state.whole_step(*parts[0], numbers)
    else:
        total, sums = state.gradients(*parts[0])
        for part in parts[1:]:
            loss, found = state.gradients(*part)
            total, sums = total + loss, [one + other for one, other in zip(sums, found, strict=True)]
        loss, norm = state.update(total, sums, numbers)
    return {"loss": float(loss), "gradient_norm": float(norm)}


def eval_step(state: State, batch: Batch) -> dict[str, np.ndarray]:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels."""
    require_valid(state.model.config, batch)
    outputs = state.evaluate(dict(batch))
    return {name: weights.to_numpy(value).astype(np.float32, copy=False) for name, value in outputs.items()}


def get_weights(state: State) -> Tensors:
    """The weights by neutral name, copied, tied ones once."""
    return {name: np.ascontiguousarray(place.read()) for name, place in _parameters(state.model).items()}


def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = _parameters(state.model)
    for name, array in tensors.items():
        own[name].write(array)


def get_optimizer(state: State) -> Tensors:
    """What the optimizer remembers of each parameter, copied, as {parameter/what: values}, and its number of steps."""
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


def _parameters(model: models.TFAlbertPreTrainedModel) -> dict[str, weights.Place]:
    tied = names.tied(model.config)
    return {name: place for name, place in weights.neutral(model, model._prefix).items() if name not in tied}


def _moments(state: State) -> dict[str, weights.Place]:
    """The two moments of every parameter as {parameter/what}, each laid out as the parameter."""
    return {
        f"{name}/{what}": weights.Place(moment, place.is_transposed)
        for name, place in _parameters(state.model).items()
        for what, moment in zip(("exp_avg", "exp_avg_sq"), state.optimizer.moments[name], strict=True)
    }
