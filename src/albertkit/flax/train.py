"""Training steps in JAX: canonical weights and NumPy batches in, numbers and canonical weights out.

Knows no data, no schedule and no files: the loop gives it each step's batches, learning rate and seed. Each device of
each process computes the gradient of its own rows, and gradients are added up once a step: those of shared layers are
whole only when the backward pass is over, so that nothing could be sent earlier.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.experimental import multihost_utils
from jax.sharding import PartitionSpec

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.backends import ADAMW, OptimizerSettings, Outputs, Precision
from albertkit.batches import Batch, PaddedBatch, pretraining_sizes, require_valid
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.flax import devices, infer, models, optimizers, weights
from albertkit.flax.losses import summed_cross_entropy
from albertkit.flax.typing import PyTree
from albertkit.rules import IGNORED


@dataclass
class State:
    """A model in training, its optimizer and that one's state, and where all of it lies."""

    model: models.FlaxAlbertPreTrainedModel
    optimizer: optimizers.AdamW
    optimizer_state: PyTree
    precision: Precision
    layout: devices.Layout


def init_processes() -> None:
    """Meet the other processes where the environment says that there are some. Before anything else is done with JAX.

    It says so by JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, or by what Slurm's srun, Open MPI's
    mpirun or, with jax[k8s], an indexed Job of Kubernetes sets. ConfigError where something is missing.
    """
    asked = os.environ.get
    address = asked("JAX_COORDINATOR_ADDRESS")
    count, rank = (int(asked(name, "")) if asked(name) else None for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID"))
    if jax.distributed.is_initialized() or not (address or devices.are_launched()):
        return
    if None in (count, rank) and not devices.are_launched():
        raise ConfigError(
            "Each process must know where the first one is, how many there are, and which it is. Received: "
            f"JAX_COORDINATOR_ADDRESS={address}, JAX_NUM_PROCESSES={count}, JAX_PROCESS_ID={rank}. Set all three, or "
            "start the processes with srun or mpirun."
        )
    jax.distributed.initialize(address, count, rank)


def rank() -> int:
    """The number of this process, from 0."""
    return jax.process_index()


def world_size() -> int:
    """How many processes there are."""
    return jax.process_count()


def broadcast(value: int) -> int:
    """A whole number, in every process as rank 0 has it; all must call this."""
    return int(multihost_utils.broadcast_one_to_all(np.int32(value)))


def init_state(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    settings: OptimizerSettings = ADAMW,
    precision: Precision = "fp32",
    is_sharded: bool = False,
) -> State:
    """A model `FlaxAlbert{head}` with the given weights, and its optimizer: see `optimizers.create`.

    `precision` "bf16" computes in bfloat16 and keeps weights and optimizer in float32. Several devices each hold the
    whole of both, or a share of them where `is_sharded`. Then all weights are gathered once a step: they are those of
    one layer, which is used from the first moment to the last, so that gathering by layer would save nothing.
    """
    dtype = {"fp32": jnp.float32, "bf16": jnp.bfloat16}[precision]
    model = getattr(models, f"FlaxAlbert{head}")(config, dtype=dtype, _do_init=False)
    model.rngs = nnx.data(None)  # every step has a seed of its own
    weights.load(model, model.checkpoint_prefix, config, tensors, "the start of training")
    settings = settings.for_model(config)
    optimizer = optimizers.create(settings, nnx.state(model))
    layout = devices.Layout.of_all_devices(is_sharded)
    optimizer_state = layout.put(optimizer.transformation.init(nnx.state(model)))
    nnx.update(model, layout.put(nnx.state(model)))
    return State(model, optimizer, optimizer_state, precision, layout)


def train_step(
    state: State, batches: Sequence[Batch], learning_rate: float, seed: int, skip_above: float = float("inf")
) -> dict[str, float]:
    """One step over `batches`, whose items count alike: the losses before it and the norm of their sum's gradient.

    `seed` decides dropout. Where the loss or the norm is not finite, or the norm is above `skip_above`, weights and
    optimizer stay as they are. Of pre-training each process brings its own rows, otherwise all bring the same batches,
    of which each device computes its share.
    """
    layout = state.layout
    parts, factors = layout.spread(state.model.config, batches)
    definition, parameters = nnx.split(state.model)
    whole = layout.whole(parameters)
    total = None
    for number, part in enumerate(parts):
        seeds = np.array([seed, number], np.uint32)
        found = _gradient(layout, definition, state.optimizer.settings, whole, part, factors, seeds)
        total = found if total is None else _add(total, found)
    numbers = np.array([learning_rate, state.optimizer.settings.clip, skip_above], np.float32)
    changed = _update(layout, state.optimizer, parameters, state.optimizer_state, total, numbers)
    parameters, state.optimizer_state, losses, norm = changed
    nnx.update(state.model, parameters)
    record = {name: float(loss) for name, loss in losses.items()}
    return {"loss": sum(record.values()), **record, "gradient_norm": float(norm)}


def eval_step(state: State, batch: Batch) -> Outputs:
    """The model's outputs for a batch without dropout, the loss among them where the batch has labels.

    For a batch of pre-training, the loss of each of its items in place of the outputs, and whether it was predicted:
    mlm_losses and mlm_correct (M,), sop_losses and sop_correct (S,). Each process computes its batch by itself, on its
    first device; where weights are spread over processes, all must call this alike.
    """
    config = state.model.config
    definition, parameters = nnx.split(state.model)
    own = jax.tree.map(lambda value: value.addressable_data(0), state.layout.whole(parameters))
    if isinstance(batch, PaddedBatch):
        return infer.forward(config, definition, own, batch)
    require_valid(config, batch)
    rows, length = batch.sequence.shape
    masked, sequences = len(batch.mlm_positions), len(batch.cls_positions)
    longer = batch.pad(rows, *pretraining_sizes(rows, length, masked, sequences), config.pad_token_id or 0)
    found = _predicted(definition, own, longer.arrays())
    return {name: np.asarray(value)[: masked if name.startswith("mlm") else sequences] for name, value in found.items()}


def get_weights(state: State) -> Tensors:
    """The weights by canonical name, copied, tied ones once."""
    return {name: np.array(place.read(), order="C") for name, place in _parameters(_whole(state)).items()}


def set_weights(state: State, tensors: Tensors) -> None:
    """Put the values of `get_weights` in place."""
    own = _parameters(state.model)
    for name, array in tensors.items():
        own[name].write(array)
    nnx.update(state.model, state.layout.put(nnx.state(state.model)))


def get_optimizer(state: State) -> Tensors:
    """The state of the optimizer, copied, as {parameter/what: values}, and its number of steps."""
    return {"all/step": np.array(state.optimizer_state[0].count)} | {
        f"{name}/{what}": np.array(place.read(), order="C")
        for what, moments in _moments(state).items()
        for name, place in _parameters(moments).items()
    }


def set_optimizer(state: State, tensors: Tensors) -> None:
    """Put the values of `get_optimizer` in place, or those of PyTorch, which counts steps of each parameter."""
    moments = _moments(state)
    own = {what: _parameters(model) for what, model in moments.items()}
    adam = state.optimizer_state[0]
    for key, array in tensors.items():
        name, _, what = key.rpartition("/")
        if what == "step":
            adam = adam._replace(count=jnp.array(array, jnp.int32))
        else:
            own[what][name].write(array)
    first, second = (nnx.state(model) for model in moments.values())
    state.optimizer_state = state.layout.put((adam._replace(mu=first, nu=second), *state.optimizer_state[1:]))


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _gradient(
    layout: devices.Layout,
    definition: PyTree,
    settings: OptimizerSettings,
    parameters: PyTree,
    batch: PyTree,
    factors: PyTree,
    seed: PyTree,
) -> PyTree:
    """-> the losses of each device's batch, times their factors, and the gradient of their sum: all (D, ...).

    That of parameters that `settings` do not train is 0, and nothing is computed for it.
    """

    def own(parameters: PyTree, batch: dict[str, jax.Array], factors: PyTree, seed: jax.Array) -> PyTree:
        batch = {name: array[0] for name, array in batch.items()}
        number = seed[1] * layout.mesh.size + jax.lax.axis_index("data").astype(jnp.uint32)
        key = jax.random.fold_in(jax.random.key(seed[0]), number)

        def loss(parameters: PyTree) -> tuple[jax.Array, dict[str, jax.Array]]:
            sums = _losses(nnx.merge(definition, _trained(settings, parameters)), dict(batch), key)
            losses = {name: value * factors[name] for name, value in sums.items()}
            return functools.reduce(jnp.add, losses.values()), losses

        (_, losses), gradients = jax.value_and_grad(loss, has_aux=True)(parameters)
        return jax.tree.map(lambda value: value[None], (losses, gradients))

    everywhere, divided = PartitionSpec(), PartitionSpec("data")
    specs = (everywhere, divided, everywhere, everywhere)
    each = jax.shard_map(own, mesh=layout.mesh, in_specs=specs, out_specs=divided, check_vma=False)
    return each(parameters, batch, factors, seed)


def _trained(settings: OptimizerSettings, parameters: PyTree) -> PyTree:
    """The same parameters, through which no gradient goes to those that are not trained."""

    def stopped(path: PyTree, value: PyTree) -> PyTree:
        return value if settings.rate_of(optimizers.name_of(path)) else jax.lax.stop_gradient(value)

    return jax.tree_util.tree_map_with_path(stopped, parameters) if settings.rates else parameters


def _losses(model: PyTree, batch: dict[str, PyTree], key: jax.Array) -> dict[str, jax.Array]:
    """The sum of each loss over the items of a batch; see `albertkit.batches`."""
    if "sequence" not in batch:
        share = batch.pop("share")
        if "class_targets" in batch:
            targets = batch.pop("class_targets")
            logits = model(**batch, dropout_rng=key, train=True, return_dict=True).logits
            return {"loss": summed_cross_entropy(logits, targets) * share}
        return {"loss": model(**batch, dropout_rng=key, train=True, return_dict=True).loss * share}
    items = _pretraining(model, batch, key)
    return {name: _each_loss(logits, labels).sum() for name, (logits, labels) in items.items()}


@functools.partial(jax.jit, static_argnums=0)
def _predicted(definition: PyTree, parameters: PyTree, batch: dict[str, PyTree]) -> dict[str, jax.Array]:
    found = {}
    for name, (logits, labels) in _pretraining(nnx.merge(definition, parameters), batch, None).items():
        found[f"{name}_losses"] = _each_loss(logits, labels)
        found[f"{name}_correct"] = (logits.argmax(-1) == labels).astype(jnp.float32)
    return found


def _each_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Cross entropy (items,) in float32, 0 where an item is left out."""
    is_counted = labels != IGNORED
    losses = optax.softmax_cross_entropy_with_integer_labels(
        logits.astype(jnp.float32), jnp.where(is_counted, labels, 0)
    )
    return jnp.where(is_counted, losses, 0)


def _pretraining(model: PyTree, batch: Mapping[str, PyTree], key: jax.Array | None) -> dict[str, tuple[PyTree, PyTree]]:
    """Logits (M, V) of the masked pieces and (S, 2) of the order of sequences, each with its labels.

    Attention stays inside each sequence, and there is no product with the vocabulary where nothing is masked. Without a
    key no dropout acts.
    """
    sequence = batch["sequence"]
    mask = (sequence[:, :, None] == sequence[:, None, :]) & (sequence > 0)[:, None, :]
    inputs = (batch["input_ids"], mask, batch["token_type_ids"], batch["position_ids"])
    states = model.albert(*inputs, dropout_rng=key, train=key is not None, return_dict=True).last_hidden_state
    states = states.reshape(-1, states.shape[-1])
    logits = model.predictions(states[batch["mlm_positions"]], model.get_input_embeddings())
    found = {"mlm": (logits, batch["mlm_labels"])}
    if "sop_labels" in batch:
        pooled = jnp.tanh(model.albert.pooler(states[batch["cls_positions"]]))
        found["sop"] = model.sop_classifier(pooled), batch["sop_labels"]
    return found


@functools.partial(jax.jit, donate_argnums=0)
def _add(total: PyTree, found: PyTree) -> PyTree:
    return jax.tree.map(jnp.add, total, found)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=(2, 3))
def _update(
    layout: devices.Layout,
    optimizer: optimizers.AdamW,
    parameters: PyTree,
    state: PyTree,
    found: PyTree,
    numbers: PyTree,
) -> PyTree:
    rate, limit, highest = numbers
    losses, gradients = jax.tree.map(lambda values: values.sum(axis=0), found)
    gradients = jax.tree.map(
        lambda gradient: jax.lax.with_sharding_constraint(gradient, layout.of(gradient)), gradients
    )
    loss = functools.reduce(jnp.add, losses.values())
    norm = jnp.sqrt(sum(jnp.square(gradient).sum() for gradient in jax.tree.leaves(gradients)))
    scale = jnp.minimum(1.0, limit / (norm + 1e-6))
    clipped = jax.tree.map(lambda gradient: gradient * scale, gradients)
    changed, later = optimizer.step(parameters, state, clipped, rate)
    is_taken = jnp.isfinite(loss) & jnp.isfinite(norm) & (norm <= highest)

    def chosen(new: PyTree, old: PyTree) -> PyTree:
        value = jnp.where(is_taken, new, old)
        return jax.lax.with_sharding_constraint(value, layout.of(value))

    kept = jax.tree.map(chosen, (changed, later), (parameters, state))
    return *kept, *jax.lax.with_sharding_constraint((losses, norm), layout.everywhere)


def _parameters(model: models.FlaxAlbertPreTrainedModel) -> dict[str, weights.ParameterView]:
    tied = weight_table.tied(model.config)
    own = weights.canonical(model, model.checkpoint_prefix)
    return {name: view for name, view in own.items() if name not in tied}


def _whole(state: State, values: PyTree = None) -> PyTree:
    """A twin of the model whose parameters, or the values given in their place, are whole on every device."""
    definition, parameters = nnx.split(state.model)
    return nnx.merge(definition, state.layout.whole(parameters if values is None else values))


def _moments(state: State) -> dict[str, models.FlaxAlbertPreTrainedModel]:
    """The two moments of every parameter, each in the place of the parameter in a twin of the model."""
    adam = state.optimizer_state[0]
    return {"exp_avg": _whole(state, adam.mu), "exp_avg_sq": _whole(state, adam.nu)}
