"""What is more than one layer in the heads of Flax NNX: the two of pre-training, and the pooling of sentences.

Letters: B batch, L sequence length, E embedding size, H hidden size, V vocabulary.
"""

from typing import cast

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit.config import AlbertConfig
from albertkit.flax.activations import activation
from albertkit.flax.layers import linear, norm
from albertkit.flax.typing import ArrayInput, DType


def pooled(hidden_states: Array, mask: ArrayInput | None, mode: str, special_tokens: bool) -> Array:
    """(B, L, H) -> (B, H) float32: mean or maximum over the tokens of each text, or the state of the first, [CLS].

    `mask` (B, L) is 1 for a token and 0 for padding, on either side. Without `special_tokens` the first and the last
    token of a text, [CLS] and [SEP], are left out of mean and maximum; of a text of nothing else both are 0.
    """
    hidden_states = hidden_states.astype(jnp.float32)
    is_token = jnp.ones(hidden_states.shape[:2], bool) if mask is None else jnp.asarray(mask) > 0
    place = is_token.cumsum(1) * is_token  # 1 for the first token, 0 for padding
    counted = place == 1 if mode == "cls" else place > 0
    if mode != "cls" and not special_tokens:
        counted = (place > 1) & (place < place.max(1, keepdims=True))
    if mode == "max":
        largest = jnp.where(counted[..., None], hidden_states, jnp.finfo(jnp.float32).min).max(1)
        return jnp.where(counted.any(1, keepdims=True), largest, 0)
    return (hidden_states * counted[..., None]).sum(1) / jnp.maximum(counted.sum(1, keepdims=True), 1)


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
