"""The forward pass in JAX as a function of NumPy arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from albertkit.arrays import Tensors, round_rows
from albertkit.backends import Forward, InferPrecision, Outputs, require_fp32
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid, trim
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.flax import models, weights
from albertkit.flax.typing import Device, Model, PyTree
from albertkit.quantization import Quantization


def compile(
    config: AlbertConfig,
    head: str,
    tensors: Tensors,
    source: str = "the checkpoint",
    device: str | None = None,
    precision: InferPrecision | None = None,
    quantization: Quantization | None = None,
) -> Forward:
    """The forward of `FlaxAlbert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    `device`, such as "cpu" or "gpu:0", by default on the first accelerator where there is one, in fp32, whatever is
    known for int8. WeightMismatch where the head's weights are not among the tensors, InputError where there is no such
    device or precision.
    """
    require_fp32(precision, "JAX")
    place = None if device is None else require_device(device)
    model = getattr(models, f"FlaxAlbert{head}")(config, _do_init=False)
    weights.load(model, model.checkpoint_prefix, config, tensors, source).require_complete()
    definition, state = nnx.split(model)
    return functools.partial(answers, config, definition, state if place is None else jax.device_put(state, place))


def attach(model: Model, device: str | None = None) -> Forward:
    """The forward of a model as it is at each call; its values are moved to `device` first, where one is named."""
    if device is not None:
        nnx.update(model, jax.device_put(nnx.state(model), require_device(device)))
    return lambda batch: answers(model.config, *nnx.split(model), batch)


def require_device(name: str) -> Device:
    """The device of a name in JAX. InputError where there is none."""
    kind, _, number = name.partition(":")
    try:
        return jax.devices(kind)[int(number or 0)]
    except (RuntimeError, IndexError, ValueError):
        found = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise InputError(
            f"`device` must be one that JAX can use here: {found} or cpu. Received: {name!r}. Leave it out, or pass "
            '"cpu".'
        ) from None


def answers(config: AlbertConfig, definition: PyTree, state: PyTree, batch: PaddedBatch) -> Outputs:
    """The outputs of `forward` for a batch without labels, of few shapes, each of which is compiled once.

    The last row is repeated until their number is one of `arrays.round_rows`.
    """
    rows = len(batch.input_ids)
    outputs = forward(config, definition, state, batch.repeat_last_row(round_rows(rows)))
    return outputs if isinstance(batch, MaskedBatch) else {name: values[:rows] for name, values in outputs.items()}


def forward(config: AlbertConfig, definition: PyTree, state: PyTree, batch: PaddedBatch) -> Outputs:
    """The outputs of a model that nnx.split has taken apart, without dropout."""
    inputs = prepared(config, batch)
    if isinstance(batch, MaskedBatch):  # as many as a power of two, so that few shapes are compiled
        count = len(batch.positions)
        added = 2 ** max(count - 1, 1).bit_length() - count
        logits = _scores(definition, state, inputs, np.pad(batch.positions, ((0, added), (0, 0))))
        outputs = {"logits": logits[:count]}
    else:
        outputs = _forward(definition, state, inputs)
    found = {name: weights.to_numpy(value) for name, value in outputs.items()}
    return trim(found, batch.input_ids.shape[-1])


def prepared(config: AlbertConfig, batch: PaddedBatch, for_training: bool = False) -> dict[str, np.ndarray]:
    """The arguments of a batch of rounded length, whose ids are valid."""
    require_valid(config, batch)
    arguments = batch.pad(config.max_position_embeddings, config.pad_token_id or 0).arguments(for_training)
    if batch.start_positions is not None:  # an answer may not begin at a place that is padding
        mask, places = batch.attention_mask, batch.input_ids
        mask = mask if mask is not None and mask.ndim == 2 else np.ones_like(places)
        arguments["length"] = mask.sum(-1, keepdims=True, dtype=np.int32)
    return arguments


@functools.partial(jax.jit, static_argnums=0)
def _forward(definition: PyTree, state: PyTree, batch: dict[str, PyTree]) -> PyTree:
    outputs = nnx.merge(definition, state)(**batch, train=False, return_dict=True)
    return jax.tree.map(lambda value: value.astype(jnp.float32), outputs)


@functools.partial(jax.jit, static_argnums=0)
def _scores(definition: PyTree, state: PyTree, batch: dict[str, PyTree], positions: jax.Array) -> jax.Array:
    """Logits (P, V) of a masked-language-model head at rows and columns (P, 2)."""
    model = nnx.merge(definition, state)
    states = model.albert(**batch, train=False, return_dict=True).last_hidden_state
    chosen = states[positions[:, 0], positions[:, 1]]
    return model.predictions(chosen, model.get_input_embeddings()).astype(jnp.float32)
