"""Training steps in JAX: neutral weights and NumPy batches in, numbers and neutral weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from albertkit.checkpoint import names
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.flax import infer, models, optimizers, weights

Batch = Mapping[str, np.ndarray]


@dataclass
class State:
    """A model in training, its optimizer, and what the optimizer remembers."""

    model: models.FlaxAlbertPreTrainedModel
    optimizer: optimizers.AdamW
    memory: Any
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
    """A model `FlaxAlbert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32.
    """
    dtype = {"fp32": jnp.float32, "bf16": jnp.bfloat16}[precision]
    model = getattr(models, f"FlaxAlbert{head}")(config, dtype=dtype, _do_init=False)
    weights.load(model, model._prefix, config, tensors, "the start of training")
    chosen = optimizers.create(
        optimizer, weight_decay=weight_decay, betas=betas, epsilon=epsilon, bias_correction=bias_correction
    )
    memory = chosen.transformation.init(nnx.state(model, nnx.Param))
    return State(model, chosen, memory, max_gradient_norm, precision)


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, highest_norm: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose examples count alike: the loss before it and the norm of its gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `highest_norm`, weights and
    optimizer stay as they are.
    """
    examples = sum(len(batch["input_ids"]) for batch in batches)
    definition, parameters, rest = nnx.split(state.model, nnx.Param, ...)
    total = None
    for number, batch in enumerate(batches):
        share = np.float32(len(batch["input_ids"]) / examples)
        ready = infer.prepared(state.model.config, batch)
        found = _gradient(definition, parameters, rest, ready, share, np.array([seed, number], np.uint32))
        total = found if total is None else _add(total, found)
    numbers = np.array([learning_rate, state.max_gradient_norm or np.inf, highest_norm], np.float32)
    parameters, state.memory, loss, norm = _update(parameters, state.memory, total, numbers, state.optimizer)
    nnx.update(state.model, parameters)
    return {"loss": float(loss), "gradient_norm": float(norm)}


def eval_step(state: State, batch: Batch) -> dict[str, np.ndarray]:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels."""
    return infer.forward(state.model.config, *nnx.split(state.model), batch)


def get_weights(state: State) -> Tensors:
    """The weights by neutral name, copied, tied ones once."""
    return {name: np.array(place.read(), order="C") for name, place in _parameters(state.model).items()}


def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = _parameters(state.model)
    for name, array in tensors.items():
        own[name].write(array)


def get_optimizer(state: State) -> Tensors:
    """What the optimizer remembers of each parameter, copied, as {parameter/what: values}, and its number of steps."""
    return {"all/step": np.array(state.memory[0].count)} | {
        f"{name}/{what}": np.array(place.read(), order="C")
        for what, moments in _moments(state).items()
        for name, place in _parameters(moments).items()
    }


def set_optimizer(state: State, tensors: Tensors) -> None:
    """Put the values of `get_optimizer` in place, or those of PyTorch, which counts steps of each parameter."""
    moments = _moments(state)
    own = {what: _parameters(model) for what, model in moments.items()}
    adam = state.memory[0]
    for key, array in tensors.items():
        name, _, what = key.rpartition("/")
        if what == "step":
            adam = adam._replace(count=jnp.array(array, jnp.int32))
        else:
            own[what][name].write(array)
    first, second = (nnx.state(model, nnx.Param) for model in moments.values())
    state.memory = (adam._replace(mu=first, nu=second), *state.memory[1:])


@functools.partial(jax.jit, static_argnums=0)
def _gradient(definition: Any, parameters: Any, rest: Any, batch: dict[str, Any], share: Any, seed: Any) -> Any:
    """-> the loss of a batch, times its share of the step's examples, and the gradient of that."""

    def loss(parameters: Any) -> jax.Array:
        model = nnx.merge(definition, parameters, rest)
        key = jax.random.fold_in(jax.random.key(seed[0]), seed[1])
        return model(**batch, dropout_rng=key, train=True, return_dict=True).loss * share

    return jax.value_and_grad(loss)(parameters)


@functools.partial(jax.jit, donate_argnums=0)
def _add(total: Any, found: Any) -> Any:
    return jax.tree.map(jnp.add, total, found)


@functools.partial(jax.jit, static_argnums=4, donate_argnums=(0, 1))
def _update(parameters: Any, memory: Any, found: Any, numbers: Any, optimizer: optimizers.AdamW) -> Any:
    rate, limit, highest = numbers
    loss, gradients = found
    norm = jnp.sqrt(sum(jnp.square(gradient).sum() for gradient in jax.tree.leaves(gradients)))
    scale = jnp.minimum(1.0, limit / (norm + 1e-6))
    clipped = jax.tree.map(lambda gradient: gradient * scale, gradients)
    changed, later = optimizer.step(parameters, memory, clipped, rate)
    is_taken = jnp.isfinite(loss) & jnp.isfinite(norm) & (norm <= highest)

    def chosen(new: Any, old: Any) -> Any:
        return jax.tree.map(lambda one, other: jnp.where(is_taken, one, other), new, old)

    return chosen(changed, parameters), chosen(later, memory), loss, norm


def _parameters(model: models.FlaxAlbertPreTrainedModel) -> dict[str, weights.Place]:
    tied = names.tied(model.config)
    return {name: place for name, place in weights.neutral(model, model._prefix).items() if name not in tied}


def _moments(state: State) -> dict[str, models.FlaxAlbertPreTrainedModel]:
    """The two moments of every parameter, each in the place of the parameter in a twin of the model."""
    definition, _, rest = nnx.split(state.model, nnx.Param, ...)
    adam = state.memory[0]
    return {"exp_avg": nnx.merge(definition, adam.mu, rest), "exp_avg_sq": nnx.merge(definition, adam.nu, rest)}
