"""The forward pass in JAX as a function of NumPy arrays."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from albertkit import arrays, rules
from albertkit.checkpoint.report import Tensors
from albertkit.config import AlbertConfig
from albertkit.flax import models, weights

Forward = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def compile(config: AlbertConfig, head: str, tensors: Tensors) -> Forward:
    """The forward of `FlaxAlbert{head}` with the given weights: a batch of (B, L) arrays -> its outputs by name.

    Runs on the first accelerator where there is one. WeightMismatch where the head's weights are not among the tensors.
    """
    model = getattr(models, f"FlaxAlbert{head}")(config, _do_init=False)
    weights.load(model, model._prefix, config, tensors, "the checkpoint").require_complete()
    return functools.partial(forward, config, *nnx.split(model))


def forward(
    config: AlbertConfig, definition: Any, state: Any, batch: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The outputs of a model that nnx.split has taken apart, without dropout."""
    outputs = _forward(definition, state, prepared(config, batch))
    found = {name: weights.to_numpy(value) for name, value in outputs.items()}
    return arrays.shortened(found, batch["input_ids"].shape[-1])


def prepared(config: AlbertConfig, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A batch of rounded length. TokenIdError and InputError for what compiled code cannot see: bad ids, long input."""
    ids, longest = batch["input_ids"], config.max_position_embeddings
    rules.require_length(ids.shape[-1], longest)
    if ids.size:
        rules.require_ids("input_ids", int(ids.min()), int(ids.max()), config.vocab_size)
    longer = arrays.lengthened(batch, longest, config.pad_token_id or 0)
    if "start_positions" in batch:
        longer["length"] = np.array(ids.shape[-1], np.int32)
    return longer


@functools.partial(jax.jit, static_argnums=0)
def _forward(definition: Any, state: Any, batch: dict[str, Any]) -> Any:
    outputs = nnx.merge(definition, state)(**batch, train=False, return_dict=True)
    return jax.tree.map(lambda value: value.astype(jnp.float32), outputs)
