"""The search for an answer in Keras: scores of starts, scores of ends given a start, and whether there is none.

Letters: B batch, L sequence length, H hidden size, K starts, M ends for each.
"""

import tensorflow as tf
from keras import ops

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.tensorflow.layers import Block, LayerNorm, Linear, dropout
from albertkit.tensorflow.typing import Tensor


class AlbertStartLogits(Block):
    """A score for an answer's start at each place."""

    def __init__(self, config: AlbertConfig, name: str = "start_logits") -> None:
        super().__init__(name=name)
        self.dense = Linear(config.hidden_size, 1, "dense")

    def call(self, hidden_states: Tensor, p_mask: Tensor) -> Tensor:
        """(B, L, H), and (B, L) where no answer can start -> (B, L) float32."""
        return masked(self.dense(hidden_states)[..., 0], p_mask)


class AlbertEndLogits(Block):
    """A score for an answer's end at each place, given its start: from both states, dense, tanh, norm, dense."""

    def __init__(self, config: AlbertConfig, name: str = "end_logits") -> None:
        super().__init__(name=name)
        self.dense_0 = Linear(2 * config.hidden_size, config.hidden_size, "dense_0")
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps, "LayerNorm")
        self.dense_1 = Linear(config.hidden_size, 1, "dense_1")

    def call(self, hidden_states: Tensor, starts: Tensor, p_mask: Tensor) -> Tensor:
        """(B, L, H), (B, K) places of starts, and (B, L) where no answer can end -> (B, K, L) float32.

        A start outside the sequence counts as its first or last place.
        """
        batch, length, width = ops.shape(hidden_states)
        starts = tf.clip_by_value(starts, 0, tf.cast(length - 1, starts.dtype))
        begun = tf.gather(hidden_states, starts, batch_dims=1)
        shape = (batch, ops.shape(starts)[1], length, width)
        pairs = [tf.broadcast_to(part, shape) for part in (hidden_states[:, None], begun[:, :, None])]
        ends = self.LayerNorm(tf.tanh(self.dense_0(tf.concat(pairs, -1))))
        return masked(self.dense_1(ends)[..., 0], p_mask[:, None])


class AlbertAnswerClass(Block):
    """The log odds of there being no answer, from the state of [CLS] and the mean state of the likely starts."""

    def __init__(self, config: AlbertConfig, name: str = "answer_class") -> None:
        super().__init__(name=name)
        self.dense_0 = Linear(2 * config.hidden_size, config.hidden_size, "dense_0")
        self.dropout = config.head_dropout
        self.dense_1 = Linear(config.hidden_size, 1, "dense_1", use_bias=False)

    def call(self, hidden_states: Tensor, start_logits: Tensor, seed: Tensor | None = None) -> Tensor:
        """(B, L, H), and the scores of starts (B, L) -> (B,)."""
        chances = tf.cast(tf.nn.softmax(start_logits), hidden_states.dtype)
        begun = tf.einsum("bl,blh->bh", chances, hidden_states)
        states = tf.tanh(self.dense_0(tf.concat([begun, hidden_states[:, 0]], -1)))
        return self.dense_1(dropout(states, self.dropout, seed))[..., 0]


def masked(logits: Tensor, p_mask: Tensor) -> Tensor:
    """Scores in float32, next to none where `p_mask` is true."""
    return tf.where(p_mask, rules.NO_SCORE, tf.cast(logits, tf.float32))


def answer_mask(
    p_mask: Tensor | None, token_type_ids: Tensor | None, attention_mask: Tensor | None, hidden_states: Tensor
) -> Tensor:
    """(B, L) true where no answer can start or end: where `p_mask` is not 0, and where `attention_mask` (B, L) is.

    Without `p_mask` an answer stands at [CLS] or in the second text, but for its last token, the [SEP], as token types
    tell. InputError for a `p_mask` of another shape.
    """
    shape = ops.shape(hidden_states)[:2]
    closed = tf.zeros(shape, tf.bool)
    if p_mask is not None:
        if p_mask.shape.is_fully_defined() and hidden_states.shape.is_fully_defined():
            rules.require_labels_array("p_mask", tuple(p_mask.shape), tuple(hidden_states.shape[:2]))
        closed = tf.reshape(tf.cast(p_mask, tf.bool), shape)
    elif token_type_ids is not None:
        second = token_type_ids == 1
        nothing = tf.zeros_like(second[:, :1])
        closed = tf.logical_not(tf.concat([second[:, :-1] & second[:, 1:], nothing], 1))
        closed = tf.concat([nothing, closed[:, 1:]], 1)
    if attention_mask is not None and attention_mask.shape.rank == 2:
        closed = closed | tf.logical_not(tf.cast(attention_mask, tf.bool))
    return closed


def beam_search(
    end_logits: AlbertEndLogits, hidden_states: Tensor, start_logits: Tensor, p_mask: Tensor, config: AlbertConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The best starts and the best ends for each, with their log probabilities.

    (B, L, H), scores of starts (B, L) and (B, L) where no answer can end -> starts and their places (B, K), ends and
    their places (B, K * M), K and M as `start_n_top` and `end_n_top` say, or L where that is less.
    """
    batch, length = ops.shape(start_logits)
    start_log_probs, starts = tf.math.top_k(tf.nn.log_softmax(start_logits), tf.minimum(config.start_n_top, length))
    log_probs = tf.nn.log_softmax(end_logits(hidden_states, starts, p_mask))
    end_log_probs, ends = tf.math.top_k(log_probs, tf.minimum(config.end_n_top, length))
    return start_log_probs, starts, tf.reshape(end_log_probs, (batch, -1)), tf.reshape(ends, (batch, -1))
