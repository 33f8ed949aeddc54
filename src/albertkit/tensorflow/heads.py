"""What is more than one layer in the heads of Keras: the two of pre-training, and the pooling of sentences.

Letters: B batch, L sequence length, E embedding size, H hidden size, V vocabulary.
"""

import tensorflow as tf
from keras import ops

from albertkit.config import AlbertConfig
from albertkit.tensorflow.activations import activation
from albertkit.tensorflow.layers import Block, LayerNorm, Linear, Shape
from albertkit.tensorflow.typing import Tensor


def pooled(hidden_states: Tensor, mask: Tensor | None, mode: str, special_tokens: bool) -> Tensor:
    """(B, L, H) -> (B, H) float32: mean or maximum over the tokens of each text, or the state of the first, [CLS].

    `mask` (B, L) is 1 for a token and 0 for padding, on either side. Without `special_tokens` the first and the last
    token of a text, [CLS] and [SEP], are left out of mean and maximum; of a text of nothing else both are 0.
    """
    hidden_states = tf.cast(hidden_states, tf.float32)
    is_token = tf.ones(tf.shape(hidden_states)[:2], tf.int32) if mask is None else tf.cast(mask > 0, tf.int32)
    place = tf.cumsum(is_token, 1) * is_token  # 1 for the first token, 0 for padding
    counted = place == 1 if mode == "cls" else place > 0
    if mode != "cls" and not special_tokens:
        counted = (place > 1) & (place < tf.reduce_max(place, 1, keepdims=True))
    if mode == "max":
        largest = tf.reduce_max(tf.where(tf.expand_dims(counted, -1), hidden_states, tf.float32.min), 1)
        return tf.where(tf.reduce_any(counted, 1, keepdims=True), largest, 0.0)
    share = tf.cast(counted, tf.float32)
    total = tf.reduce_sum(hidden_states * tf.expand_dims(share, -1), 1)
    return total / tf.maximum(tf.reduce_sum(share, 1, keepdims=True), 1.0)


class AlbertMLMHead(Block):
    """The masked language model: H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig, name: str = "predictions") -> None:
        super().__init__(name=name)
        width = config.embedding_size
        self.vocab_size = config.vocab_size
        self.LayerNorm = LayerNorm(width, config.layer_norm_eps, "LayerNorm")
        self.dense = Linear(config.hidden_size, width, "dense")
        tied = config.tie_word_embeddings
        self.decoder = None if tied else Linear(width, config.vocab_size, "decoder", use_bias=False)
        self.activation = activation(config.hidden_act)

    def build(self, input_shape: Shape = None) -> None:
        """Make the bias, and every layer inside."""
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")
        super().build(input_shape)

    def call(self, hidden_states: Tensor, word_embeddings: Tensor) -> Tensor:
        """(..., H), and the table (V, E) that an untied head does not use -> (..., V)."""
        states = self.transform(hidden_states)
        if self.decoder is not None:  # whose bias, where it was given one, acts in the place of the head's
            return self.decoder(states) + (0 if self.decoder.use_bias else tf.convert_to_tensor(self.bias))
        rows = tf.reshape(states, (-1, states.shape[-1]))
        rows = tf.nn.bias_add(tf.matmul(rows, word_embeddings, transpose_b=True), tf.convert_to_tensor(self.bias))
        return tf.reshape(rows, (*ops.shape(hidden_states)[:-1], rows.shape[-1]))

    def transform(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., E), which is compared with the word embeddings."""
        return self.LayerNorm(self.activation(self.dense(hidden_states)))


class AlbertSOPHead(Block):
    """Sentence-order prediction: pooled state -> 2 scores, 0 in order and 1 swapped (arXiv 1909.11942, section 3.1).

    There is no dropout, as in the original release.
    """

    def __init__(self, config: AlbertConfig, name: str = "sop_classifier") -> None:
        super().__init__(name=name)
        self.classifier = Linear(config.hidden_size, 2, "classifier")

    def call(self, pooled_output: Tensor) -> Tensor:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)
