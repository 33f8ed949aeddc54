"""The layers of ALBERT in Flax NNX. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias. They are built
without values, which `weights` gives them, and compute in `dtype` whatever the precision of their parameters; norms and
attention probabilities are computed in float32. Dropout acts where `deterministic` is False, or None and the module is
in training mode, and takes its randomness from the `key` of the call.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutput

_erf_gelu = functools.partial(jax.nn.gelu, approximate=False)
_tanh_gelu = functools.partial(jax.nn.gelu, approximate=True)


def _clipped_gelu(x: Array) -> Array:
    return _erf_gelu(x).clip(-10, 10)


def _quick_gelu(x: Array) -> Array:
    return x * jax.nn.sigmoid(1.702 * x)


def _squared_relu(x: Array) -> Array:
    return jnp.square(jax.nn.relu(x))


def _linear(x: Array) -> Array:
    return x


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": _erf_gelu,
    "gelu_new": _tanh_gelu,
    "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_fast": _tanh_gelu,
    "gelu_10": _clipped_gelu,
    "quick_gelu": _quick_gelu,
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "relu2": _squared_relu,
    "leaky_relu": jax.nn.leaky_relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "mish": jax.nn.mish,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "linear": _linear,
}


def activation(name: str | Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The function that `hidden_act` names, or the function itself."""
    return ACTIVATIONS[name] if isinstance(name, str) else name


def _without_value(key: Any, shape: tuple[int, ...], dtype: Any, *_: Any) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def linear(inputs: int, outputs: int, dtype: Any, use_bias: bool = True) -> nnx.Linear:
    """A dense layer without values."""
    options = {"use_bias": use_bias, "dtype": dtype, "rngs": nnx.Rngs(0)}
    return nnx.Linear(inputs, outputs, kernel_init=_without_value, bias_init=_without_value, **options)


def embed(rows: int, width: int, dtype: Any) -> nnx.Embed:
    """An embedding table without values."""
    return nnx.Embed(rows, width, embedding_init=_without_value, dtype=dtype, rngs=nnx.Rngs(0))


def norm(width: int, config: AlbertConfig) -> nnx.LayerNorm:
    """A norm without values, which answers in float32."""
    options = {"epsilon": config.layer_norm_eps, "use_fast_variance": False, "dtype": jnp.float32, "rngs": nnx.Rngs(0)}
    return nnx.LayerNorm(width, bias_init=_without_value, scale_init=_without_value, **options)


def dropout(rate: float) -> nnx.Dropout:
    """Dropout that starts in evaluation mode and takes its key when it is called."""
    return nnx.Dropout(rate, deterministic=True)


def split(key: Array | None, parts: int) -> tuple[Any, ...]:
    """Keys for the parts of a layer, or None for each where no dropout is to act."""
    return (None,) * parts if key is None else tuple(jax.random.split(key, parts))


class AlbertEmbeddings(nnx.Module):
    """Word + token type + position embedding, norm and dropout, all of width E (arXiv 1909.11942, section 3.1)."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.word_embeddings = embed(config.vocab_size, config.embedding_size, dtype)
        self.position_embeddings = embed(config.max_position_embeddings, config.embedding_size, dtype)
        self.token_type_embeddings = embed(config.type_vocab_size, config.embedding_size, dtype)
        self.LayerNorm = norm(config.embedding_size, config)
        self.dropout = dropout(config.hidden_dropout_prob)
        self.dtype = dtype

    def __call__(
        self,
        input_ids: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> Array:
        """(B, L) integer ids, or (B, L, E) `inputs_embeds` in their place -> (B, L, E).

        Token types default to 0 and positions to 0..L-1. InputError for a sequence longer than the position table, and
        TokenIdError for an id outside its table wherever the values can be seen, which is not so inside jit.
        """
        rules.require_inputs(input_ids, inputs_embeds)
        if inputs_embeds is None:
            input_ids = as_array(input_ids)
            rules.require_ids_array("input_ids", input_ids.shape, jnp.issubdtype(input_ids.dtype, jnp.integer))
            embedded = self.word_embeddings(_checked("input_ids", input_ids, self.word_embeddings.num_embeddings))
        else:
            embedded = jnp.asarray(inputs_embeds, self.dtype)
        length, longest = embedded.shape[1], self.position_embeddings.num_embeddings
        if position_ids is None:
            rules.require_length(length, longest)
            positions = self.position_embeddings.embedding[:length].astype(self.dtype)
        else:
            positions = self.position_embeddings(_checked("position_ids", position_ids, longest))
        if token_type_ids is None:
            token_types = self.token_type_embeddings.embedding[0].astype(self.dtype)
        else:
            known = self.token_type_embeddings.num_embeddings
            token_types = self.token_type_embeddings(_checked("token_type_ids", token_type_ids, known))
        normed = self.LayerNorm(embedded + token_types + positions).astype(self.dtype)
        return self.dropout(normed, deterministic=deterministic, rngs=key)


def as_array(values: Any) -> Any:
    """Lists as an array; arrays as they are, so that looking at those of NumPy needs no device."""
    return values if hasattr(values, "shape") else np.asarray(values)


def is_seen(values: Any) -> bool:
    """Whether values can be looked at: not inside jit, nor on accelerators, where looking would wait for the device."""
    if isinstance(values, jax.core.Tracer):
        return False
    return not isinstance(values, Array) or all(device.platform == "cpu" for device in values.devices())


def _checked(name: str, ids: Any, size: int) -> Array:
    """The ids, or TokenIdError for one outside 0..size-1 where they can be seen. Elsewhere such an id gives NaN."""
    ids = as_array(ids)
    if ids.size and is_seen(ids):
        rules.require_ids(name, int(ids.min()), int(ids.max()), size)
    return jnp.where(ids < 0, size, ids)  # one below 0 would count from the end of the table


class AlbertAttention(nnx.Module):
    """Multi-head self-attention, its output projection, and the norm of the sum with its input."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.num_attention_heads = config.num_attention_heads
        self.query = linear(config.hidden_size, config.hidden_size, dtype)
        self.key = linear(config.hidden_size, config.hidden_size, dtype)
        self.value = linear(config.hidden_size, config.hidden_size, dtype)
        self.dense = linear(config.hidden_size, config.hidden_size, dtype)
        self.LayerNorm = norm(config.hidden_size, config)
        self.attention_dropout = dropout(config.attention_probs_dropout_prob)
        self.output_dropout = dropout(config.hidden_dropout_prob)
        self.dtype = dtype

    def __call__(
        self,
        hidden_states: Array,
        attention_bias: Array | None = None,
        head_mask: Array | None = None,
        output_attentions: bool = False,
        implementation: str = "sdpa",
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> tuple[Array, Array | None]:
        """(B, L, H) -> (B, L, H), and the probabilities (B, N, L, L) where asked for.

        `attention_bias` is added to the scores and broadcasts to (B, N, L, L); `head_mask` multiplies the
        probabilities, which are returned masked. `implementation` "sdpa" leaves the rest to JAX.
        """
        query, keys, value = (self._heads(project(hidden_states)) for project in (self.query, self.key, self.value))
        drop, output_drop = split(key, 2)
        probabilities = None
        is_shown = output_attentions or head_mask is not None or key is not None
        # JAX's own way asks of float16 what CPUs cannot compute.
        if is_shown or implementation == "eager" or self.dtype == jnp.float16:
            scores = jnp.einsum("blnd,bmnd->bnlm", query, keys, preferred_element_type=jnp.float32)
            scores = scores * query.shape[-1] ** -0.5
            if attention_bias is not None:
                scores = scores + attention_bias
            probabilities = jax.nn.softmax(scores).astype(self.dtype)
            probabilities = self.attention_dropout(probabilities, deterministic=deterministic, rngs=drop)
            if head_mask is not None:
                probabilities = probabilities * head_mask.astype(self.dtype)
            context = jnp.einsum("bnlm,bmnd->blnd", probabilities, value)
        else:
            context = jax.nn.dot_product_attention(query, keys, value, attention_bias)
        context = self.dense(context.reshape(hidden_states.shape))
        context = self.output_dropout(context, deterministic=deterministic, rngs=output_drop)
        attended = self.LayerNorm(hidden_states + context).astype(self.dtype)
        return attended, probabilities if output_attentions else None

    def _heads(self, x: Array) -> Array:
        """(B, L, H) -> (B, L, N, D)."""
        heads = self.num_attention_heads
        return x.reshape(*x.shape[:-1], heads, x.shape[-1] // heads)


class AlbertLayer(nnx.Module):
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.full_layer_layer_norm = norm(config.hidden_size, config)
        self.attention = AlbertAttention(config, dtype)
        self.ffn = linear(config.hidden_size, config.intermediate_size, dtype)
        self.ffn_output = linear(config.intermediate_size, config.hidden_size, dtype)
        self.activation = activation(config.hidden_act)
        self.dropout = dropout(config.hidden_dropout_prob)
        self.chunk_size = config.chunk_size_feed_forward
        self.dtype = dtype

    def __call__(
        self,
        hidden_states: Array,
        attention_bias: Array | None = None,
        head_mask: Array | None = None,
        output_attentions: bool = False,
        implementation: str = "sdpa",
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> tuple[Array, Array | None]:
        """(B, L, H) -> (B, L, H), and the attention probabilities where asked for."""
        attention_key, drop = split(key, 2)
        attended, probabilities = self.attention(
            hidden_states, attention_bias, head_mask, output_attentions, implementation, deterministic, attention_key
        )
        if self.chunk_size:
            starts = range(0, attended.shape[1], self.chunk_size)
            chunks = [self._feed_forward(attended[:, start : start + self.chunk_size]) for start in starts]
            fed = jnp.concatenate(chunks, axis=1)
        else:
            fed = self._feed_forward(attended)
        fed = self.dropout(fed, deterministic=deterministic, rngs=drop)
        return self.full_layer_layer_norm(attended + fed).astype(self.dtype), probabilities

    def _feed_forward(self, x: Array) -> Array:
        return self.ffn_output(self.activation(self.ffn(x)))


class AlbertLayerGroup(nnx.Module):
    """`inner_group_num` layers, run one after the other."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.albert_layers = nnx.List([AlbertLayer(config, dtype) for _ in range(config.inner_group_num)])

    def __call__(
        self,
        hidden_states: Array,
        attention_bias: Array | None = None,
        head_mask: Array | None = None,
        output_attentions: bool = False,
        implementation: str = "sdpa",
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> tuple[Array, tuple[Array, ...]]:
        """(B, L, H) -> (B, L, H), and the attention probabilities of each inner layer where asked for."""
        attentions = []
        for layer, drop in zip(self.albert_layers, split(key, len(self.albert_layers)), strict=True):
            hidden_states, probabilities = layer(
                hidden_states, attention_bias, head_mask, output_attentions, implementation, deterministic, drop
            )
            attentions += [probabilities] if output_attentions else []
        return hidden_states, tuple(attentions)


class AlbertTransformer(nnx.Module):
    """The embedding mapped from E to H, then `num_hidden_layers` runs of the layer groups with shared weights.

    The runs of one group are one scan, so the time to compile does not grow with the number of layers.
    """

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
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
        """(B, L, E) -> last_hidden_state (B, L, H). `head_mask` has an entry a layer, broadcasting to (B, N, L, L)."""
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

        def layer(hidden_states: Array, each: Any, run: AlbertLayerGroup = run) -> tuple[Array, Any]:
            number, masks = each
            drop = None if key is None else jax.random.fold_in(key, number)
            arguments = (attention_bias, masks, output_attentions, implementation, deterministic, drop)
            hidden_states, probabilities = run(hidden_states, *arguments)
            return hidden_states, (hidden_states if output_hidden_states else None, probabilities)

        # Inside a loop nothing can be merged with the forward pass, so it need not be prevented.
        again = functools.partial(jax.checkpoint, prevent_cse=count == 1)
        if encoder.gradient_checkpointing:
            layer = again(layer, **dict(encoder.gradient_checkpointing_kwargs))
        elif key is None:
            # What a scan keeps it also copies: to compute all but the products with weights again is faster, and takes
            # less than a third of the memory.
            layer = again(layer, policy=jax.checkpoint_policies.dots_with_no_batch_dims_saveable)
        masks = None if head_mask is None else head_mask[start : start + count]
        hidden_states, (after, probabilities) = jax.lax.scan(
            layer, hidden_states, (jnp.arange(start, start + count), masks), length=count
        )
        if output_hidden_states:
            states += tuple(after)
        # Layer by layer, and within one the inner layers.
        attentions += tuple(inner[number] for number in range(count) for inner in probabilities)
        start += count
    return first, hidden_states, states, attentions
