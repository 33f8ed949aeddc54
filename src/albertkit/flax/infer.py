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


def compile(config: AlbertConfig, head: str, tensors: Tensors, source: str = "the checkpoint") -> Forward:
    """The forward of `FlaxAlbert{head}` with the given weights: a batch of (B, L) arrays -> its outputs by name.

    A batch with `places` (P, 2), rows and columns, gives the `logits` (P, V) of a masked-language-model head there and
    nowhere else. Runs on the first accelerator where there is one. WeightMismatch where the head's weights are not
    among the tensors.
    """
    model = getattr(models, f"FlaxAlbert{head}")(config, _do_init=False)
    weights.load(model, model.checkpoint_prefix, config, tensors, source).require_complete()
    return functools.partial(forward, config, *nnx.split(model))


def forward(
    config: AlbertConfig, definition: Any, state: Any, batch: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The outputs of a model that nnx.split has taken apart, without dropout."""
    inputs = prepared(config, batch)
    if "places" not in inputs:
        outputs = _forward(definition, state, inputs)
    else:  # as many as a power of two, so that few shapes are compiled
        count = len(places := inputs.pop("places"))
        added = 2 ** max(count - 1, 1).bit_length() - count
        logits = _scores(definition, state, inputs, np.pad(places, ((0, added), (0, 0))))
        outputs = {"logits": logits[:count]}
    found = {name: weights.to_numpy(value) for name, value in outputs.items()}
    return arrays.shortened(found, batch["input_ids"].shape[-1])


def prepared(config: AlbertConfig, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A batch of rounded length, whose ids are valid."""
    require_valid(config, batch)
    longer = arrays.lengthened(batch, config.max_position_embeddings, config.pad_token_id or 0)
    if "start_positions" in batch:
        longer["length"] = np.array(batch["input_ids"].shape[-1], np.int32)
    return longer


def require_valid(config: AlbertConfig, batch: Mapping[str, np.ndarray]) -> None:
    """TokenIdError for ids outside the vocabulary, InputError for a sequence that is too long.

    Compiled code cannot see either.
    """
    ids = batch["input_ids"]
    length = int(batch["position_ids"].max(initial=-1)) + 1 if "position_ids" in batch else ids.shape[-1]
    rules.require_length(length, config.max_position_embeddings)
    if ids.size:
        rules.require_ids("input_ids", int(ids.min()), int(ids.max()), config.vocab_size)


@functools.partial(jax.jit, static_argnums=0)
def _forward(definition: Any, state: Any, batch: dict[str, Any]) -> Any:
    outputs = nnx.merge(definition, state)(**batch, train=False, return_dict=True)
    return jax.tree.map(lambda value: value.astype(jnp.float32), outputs)


@functools.partial(jax.jit, static_argnums=0)
def _scores(definition: Any, state: Any, batch: dict[str, Any], places: jax.Array) -> jax.Array:
    """Logits (P, V) of a masked-language-model head at rows and columns (P, 2)."""
    model = nnx.merge(definition, state)
    states = model.albert(**batch, train=False, return_dict=True).last_hidden_state
    chosen = states[places[:, 0], places[:, 1]]
    return model.predictions(chosen, model.get_input_embeddings()).astype(jnp.float32)
