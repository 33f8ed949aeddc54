"""The layers of ALBERT in Keras. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias. Dropout acts where a
`seed` is given, a pair of integers, and is a function of it: layers keep no state but their weights.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops
from keras.src.backend.common.variables import AutocastScope
from tensorflow.python.ops import control_flow_util

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput
from albertkit.tensorflow import remat

Tensor = Any
"""A tensor of TensorFlow, or what Keras takes for one."""


def _keeping_its_input(function: Callable[[Tensor], Tensor], slope: Callable[[Tensor], Tensor]) -> Any:
    """`function`, with `slope` as its gradient: that keeps x alone, TensorFlow's several tensors of x's size a layer.

    Under XLA, which chooses itself what to keep, TensorFlow's was measured to be 4 % faster a step.
    """

    @tf.custom_gradient
    def own(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        return function(x), lambda upstream: upstream * slope(x)

    return lambda x: function(x) if _is_under_xla() else own(x)


def _erf_slope(x: Tensor) -> Tensor:
    density = tf.exp(-0.5 * tf.square(x)) * (2 * math.pi) ** -0.5
    return 0.5 * (1 + tf.math.erf(x * 2**-0.5)) + x * density


def _bent(x: Tensor) -> Tensor:
    return tf.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x))


def _tanh_slope(x: Tensor) -> Tensor:
    bent = _bent(x)
    slope = (1 - bent * bent) * ((2 / math.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x))
    return 0.5 * (1 + bent + x * slope)


_erf_gelu = _keeping_its_input(lambda x: 0.5 * x * (1 + tf.math.erf(x * 2**-0.5)), _erf_slope)
_tanh_gelu = _keeping_its_input(lambda x: 0.5 * x * (1 + _bent(x)), _tanh_slope)


def _clipped_gelu(x: Tensor) -> Tensor:
    return ops.clip(_erf_gelu(x), -10, 10)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * ops.sigmoid(1.702 * x)


def _squared_relu(x: Tensor) -> Tensor:
    return ops.square(ops.relu(x))


def _leaky_relu(x: Tensor) -> Tensor:
    return ops.leaky_relu(x, 0.01)


def _mish(x: Tensor) -> Tensor:
    return x * ops.tanh(ops.softplus(x))


def _linear(x: Tensor) -> Tensor:
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": _erf_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "relu2": _squared_relu,
    "leaky_relu": _leaky_relu,
    "silu": ops.silu,
    "swish": ops.silu,
    "mish": _mish,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "linear": _linear,
}


def activation(name: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The function that `hidden_act` names, or the function itself."""
    return ACTIVATIONS[name] if isinstance(name, str) else name


def fold(seed: Tensor | None, number: Tensor | int) -> Tensor | None:
    """A seed for part `number` of what `seed` is for; None stays None."""
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

    def build(self, input_shape: Any = None) -> None:
        """Make the kernel (inputs, outputs) and the bias."""
        super().build((None, self.input_width))

    def call(self, inputs: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs), as the product of two matrices: over a batch of them it would be slower."""
        rows = tf.reshape(inputs, (-1, self.input_width))
        weights = (self.kernel, self.bias) if self.use_bias else (self.kernel,)
        rows = remat.kept(_affine, rows, *map(tf.convert_to_tensor, weights))
        return tf.reshape(rows, (*ops.shape(inputs)[:-1], self.units))


class LayerNorm(keras.layers.LayerNormalization):
    """Layer norm over the last axis, computed in float32 at least, that knows its width."""

    def __init__(self, width: int, epsilon: float, name: str) -> None:
        super().__init__(epsilon=epsilon, name=name)
        self.width = width

    def build(self, input_shape: Any = None) -> None:
        """Make gamma and beta."""
        super().build((None, self.width))


class Embedding(keras.layers.Embedding):
    """An embedding table without values of its own."""

    def __init__(self, rows: int, width: int, name: str) -> None:
        super().__init__(rows, width, embeddings_initializer="zeros", name=name)


class Block(keras.layers.Layer):
    """A layer made of layers, whose variables exist when it has been built."""

    def build(self, input_shape: Any = None) -> None:
        """Build every layer inside."""
        for layer in self._flatten_layers(include_self=False, recursive=False):
            layer.build(None)


class AlbertEmbeddings(Block):
    """Word + token type + position embedding, norm and dropout, all of width E (arXiv 1909.11942, section 3.1)."""

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
        rules.require_inputs(input_ids, inputs_embeds)
        if inputs_embeds is None:
            given: Any = input_ids
            rules.require_ids_array("input_ids", tuple(given.shape), tf.as_dtype(given.dtype).is_integer)
            _check_ids("input_ids", given, self.word_embeddings.input_dim)
            inputs_embeds = self.word_embeddings(input_ids)
        else:
            inputs_embeds = tf.cast(inputs_embeds, self.compute_dtype)
        length, longest = ops.shape(inputs_embeds)[1], self.position_embeddings.input_dim
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
        return dropout(self.LayerNorm(inputs_embeds + token_types + positions), self.dropout, seed)


def _check_ids(name: str, ids: Tensor, size: int) -> None:
    """TokenIdError for an id outside 0..size-1. Skipped on accelerators, where looking would wait for the device."""
    if not hasattr(ids, "numpy") or "CPU" not in ids.device:
        return
    values = ids.numpy()
    if values.size:
        rules.require_ids(name, int(values.min()), int(values.max()), size)


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
        scores = tf.matmul(query * query.shape[-1] ** -0.5, key, transpose_b=True)
        # From here to the probabilities in float32: in half precision the bias could reach minus infinity.
        scores = tf.cast(scores, tf.float32)
        if attention_bias is not None:
            scores = scores + tf.cast(attention_bias, tf.float32)
        probabilities = tf.cast(tf.nn.softmax(scores), self.compute_dtype)
        probabilities = dropout(probabilities, self.attention_dropout, fold(seed, 0))
        if head_mask is not None:
            probabilities = probabilities * head_mask
        context = tf.transpose(remat.kept(tf.matmul, probabilities, value), (0, 2, 1, 3))
        context = self.dense(tf.reshape(context, ops.shape(hidden_states)))
        attended = self.LayerNorm(hidden_states + dropout(context, self.output_dropout, fold(seed, 1)))
        return attended, probabilities if output_attentions else None

    def _heads(self, x: Tensor) -> Tensor:
        """(B, L, H) -> (B, N, L, D)."""
        batch, length, width = ops.shape(x)
        heads = self.num_attention_heads
        return tf.transpose(tf.reshape(x, (batch, length, heads, width // heads)), (0, 2, 1, 3))


class AlbertLayer(Block):
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two."""

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
        """(B, L, H) -> (B, L, H), and the attention probabilities where asked for."""
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
    """`inner_group_num` layers, run one after the other."""

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


class AlbertTransformer(Block):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups with shared weights."""

    def __init__(self, config: AlbertConfig, name: str = "encoder") -> None:
        super().__init__(name=name)
        self.embedding_hidden_mapping_in = Linear(
            config.embedding_size, config.hidden_size, "embedding_hidden_mapping_in"
        )
        self.albert_layer_groups = [
            AlbertLayerGroup(config, f"albert_layer_groups_{g}") for g in range(config.num_hidden_groups)
        ]
        self.group_of_layer = tuple(config.group_of_layer)
        self.gradient_checkpointing = config.gradient_checkpointing
        self.drops = bool(config.hidden_dropout_prob or config.attention_probs_dropout_prob)
        self.loops: bool | None = None

    def call(
        self,
        embeddings: Tensor,
        attention_bias: Tensor | None = None,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        seed: Tensor | None = None,
    ) -> BaseModelOutput:
        """(B, L, E) -> last_hidden_state (B, L, H). `head_mask` has an entry a layer, broadcasting to (B, N, L, L)."""
        hidden_states = self.embedding_hidden_mapping_in(embeddings)
        each_is_wanted = output_attentions or output_hidden_states or self.gradient_checkpointing
        if not each_is_wanted and self._is_looped(seed):
            return BaseModelOutput(self._looped(hidden_states, attention_bias, head_mask, seed))
        all_hidden_states, attentions = (hidden_states,), ()
        for layer, group in enumerate(self.group_of_layer):
            mask = None if head_mask is None else head_mask[layer]
            options = {"output_attentions": output_attentions, "seed": fold(seed, layer)}
            run = self._recomputed if self.gradient_checkpointing and seed is not None else AlbertLayerGroup.__call__
            hidden_states, probabilities = run(
                self.albert_layer_groups[group], hidden_states, attention_bias, mask, **options
            )
            attentions += probabilities
            all_hidden_states += (hidden_states,) if output_hidden_states else ()
        return BaseModelOutput(
            last_hidden_state=hidden_states,
            hidden_states=all_hidden_states if output_hidden_states else None,
            attentions=attentions if output_attentions else None,
        )

    def _recomputed(
        self,
        group: AlbertLayerGroup,
        hidden_states: Tensor,
        attention_bias: Tensor | None,
        head_mask: Tensor | None,
        **options: Any,
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """What `group` answers; its activations are not kept but computed again in the backward pass."""
        given = {"attention_bias": attention_bias, "head_mask": head_mask}
        given = {name: value for name, value in given.items() if value is not None}

        def run(hidden_states: Tensor, *values: Tensor) -> list[Tensor]:
            state, attentions = group(hidden_states, **dict(zip(given, values, strict=True)), **options)
            return [state, *attentions]

        state, *attentions = tf.recompute_grad(run)(hidden_states, *given.values())
        return state, tuple(attentions)

    def _looped(
        self, hidden_states: Tensor, attention_bias: Tensor | None, head_mask: Tensor | None, seed: Tensor | None
    ) -> Tensor:
        """Each run of layers with the same weights as one loop, traced and compiled once however deep the model is."""
        given = {"attention_bias": attention_bias, "head_mask": head_mask}
        given = {name: value for name, value in given.items() if value is not None}
        start = 0
        for number, run in itertools.groupby(self.group_of_layer):
            turns = range(start, start + len(list(run)))
            group = self.albert_layer_groups[number]
            # Read here, outside: a weight read inside would count as a result of every turn. In full precision, in
            # which the gradients of all turns are then added up.
            with AutocastScope(None):
                weights = [tf.convert_to_tensor(weight.value) for weight in group.weights]

            def step(layer: Tensor, state: Tensor, *values: Tensor, group: AlbertLayerGroup = group) -> Tensor:
                weights = group.weights
                options = dict(zip(given, values[len(weights) :], strict=True))
                if "head_mask" in options:
                    options["head_mask"] = options["head_mask"][layer]
                with keras.StatelessScope(list(zip(weights, values[: len(weights)], strict=True))):
                    return group(state, **options, seed=fold(seed, layer))[0]

            loop = remat.lean if seed is not None and _is_under_xla() else remat.plain
            hidden_states = loop(step, turns, hidden_states, [*weights, *given.values()])
            start = turns.stop
        return hidden_states

    def _is_looped(self, seed: Tensor | None) -> bool:
        """Whether a graph holds loops: `loops`, or where it is None, wherever a loop was measured to be as fast.

        That is everywhere but where dropout acts under XLA: a lean loop draws the masks again to go back.
        """
        if self.loops is not None or tf.executing_eagerly():
            return bool(self.loops)
        return seed is None or not self.drops or not _is_under_xla()


def _is_under_xla() -> bool:
    graph = tf.compat.v1.get_default_graph
    return not tf.executing_eagerly() and control_flow_util.GraphOrParentsInXlaContext(graph())
