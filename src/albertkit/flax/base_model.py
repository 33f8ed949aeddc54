"""FlaxAlbertModel: the encoder in Flax NNX as a model by itself, which every head has inside.

Letters: B batch, L sequence length, H hidden size, N heads. All models take these arguments:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) float in their place
    attention_mask (B, L), (B, L, L) or (B, 1 or N, L, L): 1 may be attended to, 0 may not; default all 1
    token_type_ids (B, L) integer: 0 for the first text, 1 for the second; default all 0
    position_ids (B, L) or (L,) integer; default 0..L-1
    params: a tree like `model.params` to use in the place of the model's own parameters
    dropout_rng: the random key of dropout; by default the next one of the model's own stream
    train: whether dropout acts; by default as model.train() or model.eval() set it, and not at first
    output_attentions, output_hidden_states, return_dict: default to the config's
    head_mask (N,) or (layers, N), or anything that broadcasts to (layers, B, N, L, L): factors on the probabilities

Models and their outputs are pytrees: jit, grad, vmap, jax.checkpoint and shardings work on them.
"""

from typing import ClassVar

import jax.numpy as jnp
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.flax.encoder import AlbertTransformer
from albertkit.flax.layers import AlbertEmbeddings, linear, split
from albertkit.flax.pretrained import FlaxAlbertPreTrainedModel
from albertkit.flax.typing import ArrayInput, DType, Params
from albertkit.outputs import BaseModelOutputWithPooling


class FlaxAlbertModel(FlaxAlbertPreTrainedModel):
    """ALBERT without a head (arXiv 1909.11942, section 3.1), with the tanh pooler over [CLS] unless told otherwise.

    The pooled state is tanh of a dense layer H -> H over the last hidden state of the first token, as in BERT.
    """

    _init_arguments: ClassVar[tuple[str, ...]] = ("add_pooling_layer",)

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: DType = jnp.float32,
        _do_init: bool = True,
        add_pooling_layer: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        self.embeddings = AlbertEmbeddings(config, self.dtype)
        self.encoder = AlbertTransformer(config, self.dtype)
        self.add_pooling_layer = add_pooling_layer
        self.pooler = (
            linear(config.hidden_size, config.hidden_size, self.dtype) if add_pooling_layer else nnx.data(None)
        )
        self.post_init()

    def __call__(
        self,
        input_ids: ArrayInput | None = None,
        attention_mask: ArrayInput | None = None,
        token_type_ids: ArrayInput | None = None,
        position_ids: ArrayInput | None = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: ArrayInput | None = None,
        inputs_embeds: ArrayInput | None = None,
    ) -> BaseModelOutputWithPooling | tuple[object, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments.

        A tuple of the same where `return_dict` is False. InputError and TokenIdError for inputs that do not fit.
        """
        config, own = self.config, self._with(params)
        deterministic = None if train is None else not train
        keys = split(self._dropout_key(dropout_rng, train), 2)
        embedded = own.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, deterministic, keys[0])
        encoded = own.encoder(
            embedded,
            None if attention_mask is None else attention_bias(attention_mask, embedded),
            None if head_mask is None else broadcast_head_mask(head_mask, config, embedded),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            config._attn_implementation or "sdpa",
            deterministic,
            keys[1],
        )
        output = BaseModelOutputWithPooling(
            last_hidden_state=encoded.last_hidden_state,
            pooler_output=None if own.pooler is None else jnp.tanh(own.pooler(encoded.last_hidden_state[:, 0])),
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        named = config.use_return_dict if return_dict is None else return_dict
        if named:
            return output
        # Without a pooler the tuple keeps an empty second place, as in Transformers.
        return output.last_hidden_state, output.pooler_output, *output.to_tuple()[1 + (self.pooler is not None) :]


FlaxAlbertModule = FlaxAlbertModel
"""The name of the Linen module behind this model in Transformers: here the model is the module."""


def attention_bias(attention_mask: ArrayInput, embedded: Array) -> Array:
    """A mask of 1 and 0 as a bias to add to attention scores, of shape (B, 1, 1, L) or (B, 1 or N, L, L).

    The bias of a masked place is the lowest number of float32, in which scores are computed, and keeps a row with
    nothing to attend to finite. InputError for another shape.
    """
    mask = jnp.asarray(attention_mask)
    shape = mask.shape
    rules.require_mask(shape, *embedded.shape[:2])
    if len(shape) == 2:
        mask = mask[:, None, None, :]
    elif len(shape) == 3:
        mask = mask[:, None, :, :]
    return (1 - mask.astype(jnp.float32)) * jnp.finfo(jnp.float32).min


def broadcast_head_mask(head_mask: ArrayInput, config: AlbertConfig, embedded: Array) -> Array:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L) in the precision of `embedded`.

    InputError for another shape.
    """
    mask = jnp.asarray(head_mask, embedded.dtype)
    shape = mask.shape
    rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    if len(shape) == 1:
        mask = jnp.broadcast_to(mask, (config.num_hidden_layers, *shape))
    return mask[:, None, :, None, None] if len(shape) < 5 else mask
