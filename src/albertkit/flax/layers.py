"""The layers of ALBERT in Flax NNX, up to one group of layers. Attribute paths are checkpoint names.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, D head width, F feed-forward width.
Layers know nothing of tasks, files or padding: an attention mask arrives here as an additive bias. They are built
without values, which `weights` gives them, and compute in `dtype` whatever the precision of their parameters; norms and
attention probabilities are computed in float32. Dropout acts where `deterministic` is False, or None and the module is
in training mode, and takes its randomness from the `key` of the call.
"""

from typing import cast

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.flax.activations import activation
from albertkit.flax.typing import ArrayInput, DType


def _without_value(key: Array, shape: tuple[int, ...], dtype: DType, *_: object) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def linear(inputs: int, outputs: int, dtype: DType, use_bias: bool = True) -> nnx.Linear:
    """A dense layer (..., inputs) -> (..., outputs) without values, which computes in `dtype`."""
    options = {"use_bias": use_bias, "dtype": dtype, "rngs": nnx.Rngs(0)}
    return nnx.Linear(inputs, outputs, kernel_init=_without_value, bias_init=_without_value, **options)


def embed(rows: int, width: int, dtype: DType) -> nnx.Embed:
    """An embedding table (...) ids -> (..., width) without values, which answers in `dtype`."""
    return nnx.Embed(rows, width, embedding_init=_without_value, dtype=dtype, rngs=nnx.Rngs(0))


def norm(width: int, config: AlbertConfig) -> nnx.LayerNorm:
    """A norm over the last axis, of that width, without values; it answers in float32."""
    options = {"epsilon": config.layer_norm_eps, "use_fast_variance": False, "dtype": jnp.float32, "rngs": nnx.Rngs(0)}
    return nnx.LayerNorm(width, bias_init=_without_value, scale_init=_without_value, **options)


def dropout(rate: float) -> nnx.Dropout:
    """Dropout that starts in evaluation mode and takes its key when it is called."""
    return nnx.Dropout(rate, deterministic=True)


def split(key: Array | None, parts: int) -> tuple[Array | None, ...]:
    """Keys for the parts of a layer, or None for each where no dropout is to act."""
    return (None,) * parts if key is None else tuple(jax.random.split(key, parts))


def as_array(values: ArrayInput | None) -> Array | np.ndarray:
    """Lists as an array; arrays as they are, so that looking at those of NumPy needs no device."""
    return cast(Array | np.ndarray, values) if hasattr(values, "shape") else np.asarray(values)


def can_inspect(values: object) -> bool:
    """Whether values can be looked at: not inside jit, nor on accelerators, where looking would have to wait."""
    if isinstance(values, jax.core.Tracer):
        return False
    return not isinstance(values, Array) or all(device.platform == "cpu" for device in values.devices())


def _checked(name: str, ids: ArrayInput, size: int) -> Array:
    """The ids, or TokenIdError for one outside 0..size-1 where they can be seen. Elsewhere such an id gives NaN."""
    ids = as_array(ids)
    if ids.size and can_inspect(ids):
        rules.require_ids(name, int(ids.min()), int(ids.max()), size)
    return jnp.where(ids < 0, size, ids)  # one below 0 would count from the end of the table


class AlbertEmbeddings(nnx.Module):
    """Word + token type + position embedding, norm and dropout.

    All are of width E, which is smaller than H: the factorised embedding of arXiv 1909.11942, section 3.1. The encoder
    maps E to H.
    """

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
        self.word_embeddings = embed(config.vocab_size, config.embedding_size, dtype)
        self.position_embeddings = embed(config.max_position_embeddings, config.embedding_size, dtype)
        self.token_type_embeddings = embed(config.type_vocab_size, config.embedding_size, dtype)
        self.LayerNorm = norm(config.embedding_size, config)
        self.dropout = dropout(config.hidden_dropout_prob)
        self.dtype = dtype

    def __call__(
        self,
        input_ids: ArrayInput | None = None,
        token_type_ids: ArrayInput | None = None,
        position_ids: ArrayInput | None = None,
        inputs_embeds: ArrayInput | None = None,
        deterministic: bool | None = None,
        key: Array | None = None,
    ) -> Array:
        """(B, L) integer ids, or (B, L, E) `inputs_embeds` in their place -> (B, L, E).

        Token types default to 0 and positions to 0..L-1. InputError for a sequence longer than the position table, and
        TokenIdError for an id outside its table wherever the values can be seen, which is not so inside jit.
        """
        words = self._words(input_ids, inputs_embeds)
        length, longest = words.shape[1], self.position_embeddings.num_embeddings
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
        normed = self.LayerNorm(words + token_types + positions).astype(self.dtype)
        return self.dropout(normed, deterministic=deterministic, rngs=key)

    def _words(self, input_ids: ArrayInput | None, inputs_embeds: ArrayInput | None) -> Array:
        """The word embeddings (B, L, E) of the ids, or those given in their place. InputError unless one is given."""
        rules.require_inputs(input_ids, inputs_embeds)
        if inputs_embeds is not None:
            return jnp.asarray(inputs_embeds, self.dtype)
        ids = as_array(input_ids)
        rules.require_ids_array("input_ids", ids.shape, jnp.issubdtype(ids.dtype, jnp.integer))
        return self.word_embeddings(_checked("input_ids", ids, self.word_embeddings.num_embeddings))


class AlbertAttention(nnx.Module):
    """Multi-head self-attention, its output projection, and the norm of the sum with its input."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
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
    """Attention, then the feed-forward block of width F, with dropout and norm on the sum of the two.

    `config.chunk_size_feed_forward` places at a time go through the feed-forward block where it is not 0: less memory.
    """

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
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
        """(B, L, H) -> (B, L, H), and the attention probabilities (B, N, L, L) where asked for."""
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
    """`inner_group_num` layers, run one after the other; the released models have one group of one layer."""

    def __init__(self, config: AlbertConfig, dtype: DType = jnp.float32) -> None:
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
