"""The encoder of ALBERT in Flax NNX: few layer groups, run many times with the same weights.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit.config import AlbertConfig
from albertkit.flax.layers import AlbertLayerGroup, linear
from albertkit.flax.typing import DType, PyTree
from albertkit.outputs import BaseModelOutput

Turn = tuple[Array, tuple[PyTree, tuple[Array, ...]]]
"""What a turn of the scan over layers gives: the hidden states to go on with, and what of the layer is asked for."""


class AlbertTransformer(nnx.Module):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups.

    The weights of a group are shared across the layers that run it (arXiv 1909.11942, section 3.1, cross-layer
    parameter sharing); `config.group_of_layer` says which group each layer runs. The runs of one group are one scan, so
    the time to compile does not grow with the number of layers.
    """

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.embedding_hidden_mapping_in = linear(config.embedding_size, config.hidden_size, dtype)
        self.albert_layer_groups = nnx.List([AlbertLayerGroup(config, dtype) for _ in range(config.num_hidden_groups)])
        self.group_of_layer = tuple(config.group_of_layer)
        self.gradient_checkpointing = config.gradient_checkpointing
        self.gradient_checkpointing_kwargs: tuple[tuple[str, Any], ...] = ()

    def __call__(
        self,
        embeddings: Array,
        attention_bias: Array | None = None,
        head_mask: Array | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        implementation: str = "sdpa",
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> BaseModelOutput:
        """(B, L, E) -> last_hidden_state (B, L, H), and where asked for those of all layers and the attentions.

        `attention_bias` broadcasts to (B, N, L, L). `head_mask` has an entry a layer, broadcasting to the same.
        """
        switches = (output_attentions, output_hidden_states, implementation, deterministic)
        first, last, states, attentions = _run(self, embeddings, attention_bias, head_mask, key, *switches)
        return BaseModelOutput(
            last_hidden_state=last,
            hidden_states=(first, *states) if output_hidden_states else None,
            attentions=attentions if output_attentions else None,
        )


# Compiled also where the caller does not compile: a scan of its own would be compiled anew in every call.
@functools.partial(jax.jit, static_argnums=(5, 6, 7, 8))
def _run(
    encoder: AlbertTransformer,
    embeddings: Array,
    attention_bias: Array | None,
    head_mask: Array | None,
    key: Array | None,
    output_attentions: bool,
    output_hidden_states: bool,
    implementation: str,
    deterministic: bool | None,
) -> tuple[Array, Array, tuple[Array, ...], tuple[Array, ...]]:
    """-> the mapped embeddings and the last hidden states (B, L, H), and what else was asked for, a layer at a time."""
    first = hidden_states = encoder.embedding_hidden_mapping_in(embeddings)
    start, states, attentions = 0, (), ()
    for group, layers in itertools.groupby(encoder.group_of_layer):
        count = len(list(layers))
        run = encoder.albert_layer_groups[group]

        def layer(hidden_states: Array, each: tuple[Array, Array | None], run: AlbertLayerGroup = run) -> Turn:
            number, masks = each
            drop = None if key is None else jax.random.fold_in(key, number)
            arguments = (attention_bias, masks, output_attentions, implementation, deterministic, drop)
            hidden_states, probabilities = run(hidden_states, *arguments)
            return hidden_states, (hidden_states if output_hidden_states else None, probabilities)

        masks = None if head_mask is None else head_mask[start : start + count]
        hidden_states, (after, probabilities) = jax.lax.scan(
            _with_remat(layer, encoder, count, is_dropping=key is not None),
            hidden_states,
            (jnp.arange(start, start + count), masks),
            length=count,
        )
        if output_hidden_states:
            states += tuple(after)
        # Layer by layer, and within one the inner layers.
        attentions += tuple(inner[number] for number in range(count) for inner in probabilities)
        start += count
    return first, hidden_states, states, attentions


def _with_remat(
    layer: Callable[..., Turn], encoder: AlbertTransformer, count: int, is_dropping: bool
) -> Callable[..., Turn]:
    """A turn of a scan of `count` turns that computes again in the backward pass what it need not keep."""
    # Inside a loop nothing can be merged with the forward pass, so it need not be prevented.
    again = functools.partial(jax.checkpoint, prevent_cse=count == 1)
    if encoder.gradient_checkpointing:
        return again(layer, **dict(encoder.gradient_checkpointing_kwargs))
    if is_dropping:
        return layer
    # What a scan keeps it also copies: to compute all but the products with weights again is faster, and takes less
    # than a third of the memory.
    return again(layer, policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable)
