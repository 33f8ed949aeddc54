"""The layers of ALBERT in Keras, up to one group of layers. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias. Dropout acts where a
`seed` is given, a pair of integers, and is a function of it: layers keep no state but their weights.
"""

import keras
import tensorflow as tf
from keras import ops

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.tensorflow import private_api, remat
from albertkit.tensorflow.activations import activation
from albertkit.tensorflow.typing import Tensor

Shape = tuple[int | None, ...] | None


def fold(seed: Tensor | None, number: Tensor | int) -> Tensor | None:
    """A seed (2,) integer for part `number` of what the seed (2,) is for; None stays None."""
    if seed is None:
        return None
    return tf.stack([seed[0], seed[1] * 1_000_003 + tf.cast(number, seed.dtype) + 1])


def dropout(x: Tensor, rate: float, seed: Tensor | None) -> Tensor:
    """`x` with a share `rate` of its entries set to 0 and the others scaled up; `x` itself where `seed` is None."""
    return x if seed is None or not rate else tf.nn.experimental.stateless_dropout(x, rate, seed)


def _affine(rows: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    product = tf.matmul(rows, kernel)
    return product if bias is None else tf.nn.bias_add(product, bias)


class Linear(keras.layers.Dense):
    """A dense layer that knows the width of its input, so that its variables can exist before it is called."""

    def __init__(self, input_width: int, units: int, name: str, use_bias: bool = True) -> None:
        super().__init__(units, use_bias=use_bias, kernel_initializer="zeros", name=name)
        self.input_width = input_width

    def build(self, input_shape: Shape = None) -> None:
        """Make the kernel (inputs, outputs) and the bias."""
        super().build((None, self.input_width))

    def call(self, inputs: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), as the product of two matrices: over a batch of them it would be slower."""
        rows = tf.reshape(inputs, (-1, self.input_width))
        weights = (self.kernel, self.bias) if self.use_bias else (self.kernel,)
        rows = remat.saveable(_affine, rows, *map(tf.convert_to_tensor, weights))
        return tf.reshape(rows, (*ops.shape(inputs)[:-1], self.units))


class LayerNorm(keras.layers.LayerNormalization):
    """Layer norm over the last axis, computed in float32 at least, that knows its width."""

    def __init__(self, width: int, epsilon: float, name: str) -> None:
        super().__init__(epsilon=epsilon, name=name)
        self.width = width

    def build(self, input_shape: Shape = None) -> None:
        """Make gamma and beta."""
        super().build((None, self.width))


class Embedding(keras.layers.Embedding):
    """An embedding table without values of its own."""

    def __init__(self, rows: int, width: int, name: str) -> None:
        super().__init__(rows, width, embeddings_initializer="zeros", name=name)


def is_plain(layer: keras.layers.Layer) -> bool:
    """Whether a layer computes as one of the three above, or as that of Keras which it is made of."""
    kinds = (Linear, LayerNorm, Embedding, keras.layers.Dense, keras.layers.LayerNormalization, keras.layers.Embedding)
    has_activation = getattr(layer, "activation", None) not in (None, keras.activations.linear)
    return type(layer) in kinds and not has_activation


class Block(keras.layers.Layer):
    """A layer made of layers, whose variables exist when it has been built."""

    def build(self, input_shape: Shape = None) -> None:
        """Build every layer inside."""
        for layer in private_api.sublayers(self):
            layer.build(None)


def can_inspect(values: Tensor) -> bool:
    """Whether values can be looked at: not in a graph, nor on accelerators, where looking would have to wait."""
    return hasattr(values, "numpy") and "CPU" in values.device


def _check_ids(name: str, ids: Tensor, size: int) -> None:
    """TokenIdError for an id outside 0..size-1, wherever the values can be seen."""
    if not can_inspect(ids):
        return
    values = ids.numpy()
    if values.size:
        rules.require_ids(name, int(values.min()), int(values.max()), size)


class AlbertEmbeddings(Block):
    """Word + token type + position embedding, norm and dropout.

    All are of width E, which is smaller than H: the factorised embedding of arXiv 1909.11942, section 3.1. The encoder
    maps E to H.
    """

    def __init__(self, config: AlbertConfig, name: str = "embeddings") -> None:
        super().__init__(name=name)
        width = config.embedding_size
        self.word_embeddings = Embedding(config.vocab_size, width, "word_embeddings")
        self.position_embeddings = Embedding(config.max_position_embeddings, width, "position_embeddings")
        self.token_type_embeddings = Embedding(config.type_vocab_size, width, "token_type_embeddings")
        self.LayerNorm = LayerNorm(width, config.layer_norm_eps, "LayerNorm")
        self.dropout = config.hidden_dropout_prob

    def call(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        seed: Tensor | None = None,
    ) -> Tensor:
        """(B, L) integer ids, or (B, L, E) `inputs_embeds` in their place -> (B, L, E).

        Token types default to 0 and positions to 0..L-1. TokenIdError for an id outside its table and InputError for a
        sequence longer than the position table, wherever the values can be seen.
        """
        words = self._words(input_ids, inputs_embeds)
        length, longest = ops.shape(words)[1], self.position_embeddings.input_dim
        if position_ids is None:
            if isinstance(length, int):
                rules.require_length(length, longest)
            positions = ops.convert_to_tensor(self.position_embeddings.embeddings)[:length]
        else:
            _check_ids("position_ids", position_ids, longest)
            positions = self.position_embeddings(position_ids)
        if token_type_ids is None:
            token_types = ops.convert_to_tensor(self.token_type_embeddings.embeddings)[0]
        else:
            _check_ids("token_type_ids", token_type_ids, self.token_type_embeddings.input_dim)
            token_types = self.token_type_embeddings(token_type_ids)
        return dropout(self.LayerNorm(words + token_types + positions), self.dropout, seed)

    def _words(self, input_ids: Tensor | None, inputs_embeds: Tensor | None) -> Tensor:
        """The word embeddings (B, L, E) of the ids, or those given in their place. InputError unless one is given."""
        rules.require_inputs(input_ids, inputs_embeds)
        if inputs_embeds is not None:
            return tf.cast(inputs_embeds, self.compute_dtype)
        rules.require_ids_array("input_ids", tuple(input_ids.shape), tf.as_dtype(input_ids.dtype).is_integer)
        _check_ids("input_ids", input_ids, self.word_embeddings.input_dim)
        return self.word_embeddings(input_ids)


class AlbertAttention(Block):
    """Multi-head self-attention, its output projection, and the norm of the sum with its input."""

    def __init__(self, config: AlbertConfig, name: str = "attention") -> None:
        super().__init__(name=name)
        width = config.hidden_size
        self.num_attention_heads = config.num_attention_heads
        self.query = Linear(width, width, "query")
        self.key = Linear(width, width, "key")
        self.value = Linear(width, width, "value")
        self.dense = Linear(width, width, "dense")
        self.LayerNorm = LayerNorm(width, config.layer_norm_eps, "LayerNorm")
        self.attention_dropout = config.attention_probs_dropout_prob
        self.output_dropout = config.hidden_dropout_prob

    def call(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        seed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the probabilities (B, N, L, L) where asked for.

        `attention_bias` is added to the scores and broadcasts to (B, N, L, L); `head_mask` multiplies the
        probabilities, which are returned masked.
        """
        query, key, value = (self._heads(project(hidden_states)) for project in (self.query, self.key, self.value))
        probabilities = self._probabilities(query, key, attention_bias, head_mask, seed)
        context = tf.transpose(remat.saveable(tf.matmul, probabilities, value), (0, 2, 1, 3))
        context = self.dense(tf.reshape(context, ops.shape(hidden_states)))
        attended = self.LayerNorm(hidden_states + dropout(context, self.output_dropout, fold(seed, 1)))
        return attended, probabilities if output_attentions else None

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, H) -> (B, N, L, D)."""
        batch, length, width = ops.shape(x)
        heads = self.num_attention_heads
        return tf.transpose(tf.reshape(x, (batch, length, heads, width // heads)), (0, 2, 1, 3))

    def _probabilities(
        self, query: Tensor, key: Tensor, bias: Tensor | None, head_mask: Tensor | None, seed: Tensor | None
    ) -> Tensor:
        """(B, N, L, D) queries and keys -> (B, N, L, L), after dropout and the head mask."""
        scores = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True)
        # From here to the probabilities in float32: in half precision the bias could reach minus infinity.
        scores = tf.cast(scores, tf.float32)
        if bias is not None:
            scores = scores + tf.cast(bias, tf.float32)
        probabilities = tf.cast(tf.nn.softmax(scores), self.compute_dtype)
        probabilities = dropout(probabilities, self.attention_dropout, fold(seed, 0))
        return probabilities if head_mask is None else probabilities * head_mask


class AlbertLayer(Block):
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two.

    `config.chunk_size_feed_forward` places at a time go through the feed-forward block where it is not 0: less memory.
    """

    def __init__(self, config: AlbertConfig, name: str) -> None:
        super().__init__(name=name)
        self.full_layer_layer_norm = LayerNorm(config.hidden_size, config.layer_norm_eps, "full_layer_layer_norm")
        self.attention = AlbertAttention(config)
        self.ffn = Linear(config.hidden_size, config.intermediate_size, "ffn")
        self.ffn_output = Linear(config.intermediate_size, config.hidden_size, "ffn_output")
        self.activation = activation(config.hidden_act)
        self.dropout = config.hidden_dropout_prob
        self.chunk_size = config.chunk_size_feed_forward

    def call(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        seed: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(B, L, H) -> (B, L, H), and the attention probabilities (B, N, L, L) where asked for."""
        attended, probabilities = self.attention(
            hidden_states, attention_bias, head_mask, output_attentions=output_attentions, seed=fold(seed, 0)
        )
        length = attended.shape[1]
        if self.chunk_size and length is not None:  # a length that a graph leaves open cannot be cut
            cuts = range(0, length, self.chunk_size)
            fed = tf.concat([self._feed_forward(attended[:, cut : cut + self.chunk_size]) for cut in cuts], axis=1)
        else:
            fed = self._feed_forward(attended)
        return self.full_layer_layer_norm(attended + dropout(fed, self.dropout, fold(seed, 1))), probabilities

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.ffn_output(self.activation(self.ffn(x)))


class AlbertLayerGroup(Block):
    """`inner_group_num` layers, run one after the other; the released models have one group of one layer."""

    def __init__(self, config: AlbertConfig, name: str) -> None:
        super().__init__(name=name)
        self.albert_layers = [AlbertLayer(config, f"albert_layers_{j}") for j in range(config.inner_group_num)]

    def call(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        seed: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, L, H) -> (B, L, H), and the attention probabilities of each inner layer where asked for."""
        attentions = []
        for number, layer in enumerate(self.albert_layers):
            hidden_states, probabilities = layer(
                hidden_states, attention_bias, head_mask, output_attentions=output_attentions, seed=fold(seed, number)
            )
            attentions += [probabilities] if output_attentions else []
        return hidden_states, tuple(attentions)
