"""The forward pass in JAX as a function of NumPy arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from albertkit.arrays import Tensors
from albertkit.backends import Forward, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch, require_valid, trim
from albertkit.config import AlbertConfig
from albertkit.flax import models, weights
from albertkit.flax.typing import PyTree


def compile(config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint") -> Forward:
    """The forward of `FlaxAlbert{head}` with the given weights.

    A `MaskedBatch` gives the `logits` (P, V) of a masked-language-model head at its positions and nowhere else. Runs on
    the first accelerator where there is one. WeightMismatch where the head's weights are not among the tensors.
    """
    model = getattr(models, f"FlaxAlbert{head}")(config, _do_init=False)
    weights.load(model, model.checkpoint_prefix, config, tensors, source).require_complete()
    return functools.partial(forward, config, *nnx.split(model))


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


def prepared(config: AlbertConfig, batch: PaddedBatch) -> dict[str, np.ndarray]:
    """The arguments of a batch of rounded length, whose ids are valid."""
    require_valid(config, batch)
    arguments = batch.pad(config.max_position_embeddings, config.pad_token_id or 0).arguments()
    if batch.start_positions is not None:  # an answer may not begin at a place that was added
        arguments["length"] = np.array(batch.input_ids.shape[-1], np.int32)
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
