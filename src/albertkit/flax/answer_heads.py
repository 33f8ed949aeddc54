"""The search for an answer in Flax NNX: scores of starts, scores of ends given a start, and whether there is none.

Letters: B batch, L sequence length, H hidden size, K starts, M ends for each.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.flax.layers import as_array, dropout, linear, norm
from albertkit.flax.typing import ArrayInput, DType


class AlbertStartLogits(nnx.Module):
    """A score for an answer's start at each place."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.dense = linear(config.hidden_size, 1, dtype)

    def __call__(self, hidden_states: Array, p_mask: Array) -> Array:
        """(B, L, H), and (B, L) where no answer can start -> (B, L) float32."""
        return masked(self.dense(hidden_states).squeeze(-1), p_mask)


class AlbertEndLogits(nnx.Module):
    """A score for an answer's end at each place, given its start: from both states, dense, tanh, norm, dense."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.dense_0 = linear(2 * config.hidden_size, config.hidden_size, dtype)
        self.LayerNorm = norm(config.hidden_size, config)
        self.dense_1 = linear(config.hidden_size, 1, dtype)
        self.dtype = dtype

    def __call__(self, hidden_states: Array, starts: Array, p_mask: Array) -> Array:
        """(B, L, H), (B, K) places of starts, and (B, L) where no answer can end -> (B, K, L) float32.

        A start outside the sequence counts as its first or last place.
        """
        starts = starts.clip(0, hidden_states.shape[1] - 1)
        begun = jnp.take_along_axis(hidden_states, starts[..., None], axis=1)
        pairs = jnp.broadcast_arrays(hidden_states[:, None], begun[:, :, None])
        ends = self.LayerNorm(jnp.tanh(self.dense_0(jnp.concatenate(pairs, -1)))).astype(self.dtype)
        return masked(self.dense_1(ends).squeeze(-1), p_mask[:, None])


class AlbertAnswerClass(nnx.Module):
    """The log odds of there being no answer, from the state of [CLS] and the mean state of the likely starts."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.dense_0 = linear(2 * config.hidden_size, config.hidden_size, dtype)
        self.dropout = dropout(config.head_dropout)
        self.dense_1 = linear(config.hidden_size, 1, dtype, use_bias=False)

    def __call__(
        self, hidden_states: Array, start_logits: Array, deterministic: bool | None = None, key: Array | None = None
    ) -> Array:
        """(B, L, H), and the scores of starts (B, L) -> (B,)."""
        chances = jax.nn.softmax(start_logits).astype(hidden_states.dtype)
        begun = jnp.einsum("bl,blh->bh", chances, hidden_states)
        states = jnp.tanh(self.dense_0(jnp.concatenate([begun, hidden_states[:, 0]], -1)))
        return self.dense_1(self.dropout(states, deterministic=deterministic, rngs=key)).squeeze(-1)


def masked(logits: Array, p_mask: Array) -> Array:
    """Scores in float32, next to none where `p_mask` is true."""
    return jnp.where(p_mask, rules.NO_SCORE, logits.astype(jnp.float32))


def answer_mask(
    p_mask: ArrayInput | None,
    token_type_ids: ArrayInput | None,
    attention_mask: ArrayInput | None,
    hidden_states: Array,
) -> Array:
    """(B, L) true where no answer can start or end: where `p_mask` is not 0, and where `attention_mask` (B, L) is.

    Without `p_mask` an answer stands at [CLS] or in the second text, but for its last token, the [SEP], as token types
    tell. InputError for a `p_mask` of another shape.
    """
    shape = hidden_states.shape[:2]
    closed = jnp.zeros(shape, bool)
    if p_mask is not None:
        rules.require_labels_array("p_mask", as_array(p_mask).shape, shape)
        closed = jnp.asarray(p_mask).reshape(shape) != 0
    elif token_type_ids is not None:
        second = jnp.asarray(token_type_ids) == 1
        inner = second[:, :-1] & second[:, 1:]
        closed = ~jnp.concatenate([inner, jnp.zeros_like(second[:, :1])], 1)
        closed = closed.at[:, 0].set(False)
    if attention_mask is not None and as_array(attention_mask).ndim == 2:
        closed = closed | (jnp.asarray(attention_mask) == 0)
    return closed


def beam_search(
    end_logits: AlbertEndLogits, hidden_states: Array, start_logits: Array, p_mask: Array, config: AlbertConfig
) -> tuple[Array, Array, Array, Array]:
    """The best starts and the best ends for each, with their log probabilities.

    (B, L, H), scores of starts (B, L) and (B, L) where no answer can end -> starts and their places (B, K), ends and
    their places (B, K * M), K and M as `start_n_top` and `end_n_top` say, or L where that is less.
    """
    batch, length = start_logits.shape
    start_log_probs, starts = jax.lax.top_k(jax.nn.log_softmax(start_logits), min(config.start_n_top, length))
    log_probs = jax.nn.log_softmax(end_logits(hidden_states, starts, p_mask))
    end_log_probs, ends = jax.lax.top_k(log_probs, min(config.end_n_top, length))
    return start_log_probs, starts, end_log_probs.reshape(batch, -1), ends.reshape(batch, -1)
