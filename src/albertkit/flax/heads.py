"""The two heads of pre-training in Flax NNX, which are more than one layer.

Letters: B batch, E embedding size, H hidden size, V vocabulary.
"""

from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit.config import AlbertConfig
from albertkit.flax.activations import activation
from albertkit.flax.layers import linear, norm
from albertkit.flax.typing import DType


class AlbertMLMHead(nnx.Module):
    """The masked language model: H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.bias: nnx.Param[Array] = nnx.Param(cast(Array, jax.ShapeDtypeStruct((config.vocab_size,), jnp.float32)))
        self.LayerNorm = norm(config.embedding_size, config)
        self.dense = linear(config.hidden_size, config.embedding_size, dtype)
        self.activation = activation(config.hidden_act)
        if not config.tie_word_embeddings:
            self.decoder = linear(config.embedding_size, config.vocab_size, dtype, use_bias=False)
        self.dtype = dtype

    def __call__(self, hidden_states: Array, word_embeddings: nnx.Embed) -> Array:
        """(..., H) -> (..., V). The word embeddings are the decoder where the head has none of its own."""
        states, bias = self.transform(hidden_states), self.bias.astype(self.dtype)
        if not hasattr(self, "decoder"):
            return word_embeddings.attend(states) + bias
        # Its bias, where it was given one, acts in the place of the head's.
        return self.decoder(states) + (bias if self.decoder.bias is None else 0)

    def transform(self, hidden_states: Array) -> Array:
        """(..., H) -> (..., E), which is compared with the word embeddings."""
        return self.LayerNorm(self.activation(self.dense(hidden_states))).astype(self.dtype)


class AlbertSOPHead(nnx.Module):
    """Sentence-order prediction: pooled state -> 2 scores, 0 in order and 1 swapped (arXiv 1909.11942, section 3.1).

    There is no dropout, as in the original release.
    """

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.classifier = linear(config.hidden_size, 2, dtype)

    def __call__(self, pooled_output: Array) -> Array:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)
