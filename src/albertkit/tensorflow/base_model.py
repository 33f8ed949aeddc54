"""TFAlbertModel: the encoder in Keras as a model by itself, which every head has inside.

Letters: B batch, L sequence length, H hidden size, N heads. All models take these arguments, as keywords, in this
order, or as one list or mapping in the place of the first:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) float in their place
    attention_mask (B, L), (B, L, L) or (B, 1 or N, L, L): 1 may be attended to, 0 may not; default all 1
    token_type_ids (B, L) integer: 0 for the first text, 1 for the second; default all 0
    position_ids (B, L) or (L,) integer; default 0..L-1
    head_mask (N,) or (layers, N), or anything that broadcasts to (layers, B, N, L, L): factors on the probabilities
    output_attentions, output_hidden_states, return_dict: default to the config's
    training: whether dropout acts
"""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.outputs import BaseModelOutputWithPooling
from albertkit.tensorflow.encoder import AlbertTransformer
from albertkit.tensorflow.layers import AlbertEmbeddings, Linear, fold
from albertkit.tensorflow.pretrained import TFAlbertPreTrainedModel
from albertkit.tensorflow.typing import Tensor

registered = keras.saving.register_keras_serializable(package="albertkit")


@registered
class TFAlbertModel(TFAlbertPreTrainedModel):
    """ALBERT without a head (arXiv 1909.11942, section 3.1), with the tanh pooler over [CLS] unless told otherwise.

    The pooled state is tanh of a dense layer H -> H over the last hidden state of the first token, as in BERT.
    """

    def __init__(self, config: AlbertConfig, add_pooling_layer: bool = True, name: str | None = None) -> None:
        super().__init__(config, name)
        self.embeddings = AlbertEmbeddings(config)
        self.encoder = AlbertTransformer(config)
        self.pooler = Linear(config.hidden_size, config.hidden_size, "pooler") if add_pooling_layer else None
        self.seed_generator = keras.random.SeedGenerator()
        self.post_init()

    def call(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        training: bool = False,
    ) -> BaseModelOutputWithPooling | tuple[object, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments.

        A tuple of the same where `return_dict` is False. InputError and TokenIdError for inputs that do not fit.
        """
        config, seed = self.config, self._dropout_seed(training)
        embedded = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, seed=fold(seed, 0))
        encoded = self.encoder(
            embedded,
            None if attention_mask is None else attention_bias(attention_mask, embedded),
            None if head_mask is None else broadcast_head_mask(head_mask, config, embedded),
            output_attentions=config.output_attentions if output_attentions is None else output_attentions,
            output_hidden_states=config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            seed=fold(seed, 1),
        )
        output = BaseModelOutputWithPooling(
            last_hidden_state=encoded.last_hidden_state,
            pooler_output=None if self.pooler is None else ops.tanh(self.pooler(encoded.last_hidden_state[:, 0])),
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        named = config.use_return_dict if return_dict is None else return_dict
        if named:
            return output
        # Without a pooler the tuple keeps an empty second place, as in Transformers.
        return output.last_hidden_state, output.pooler_output, *output.to_tuple()[1 + (self.pooler is not None) :]

    def get_config(self) -> dict[str, Any]:
        """See TFAlbertPreTrainedModel; with the pooler or its absence."""
        return {**super().get_config(), "add_pooling_layer": self.pooler is not None}


def attention_bias(attention_mask: Tensor, embedded: Tensor) -> Tensor:
    """A mask of 1 and 0 as a float32 bias to add to attention scores, of shape (B, 1, 1, L) or (B, 1 or N, L, L).

    The bias of a masked place is the lowest number of the precision, which keeps a row with nothing to attend to
    finite. InputError for another shape, unless a graph leaves it open.
    """
    if attention_mask.shape.is_fully_defined() and None not in embedded.shape[:2]:
        rules.require_mask(tuple(attention_mask.shape), *embedded.shape[:2])
    if len(attention_mask.shape) == 2:  # by expand_dims: LiteRT cannot hold the same by an index
        attention_mask = tf.expand_dims(attention_mask, 1)
    if len(attention_mask.shape) == 3:
        attention_mask = tf.expand_dims(attention_mask, 1)
    return (1 - tf.cast(attention_mask, tf.float32)) * tf.cast(embedded.dtype.min, tf.float32)


def broadcast_head_mask(head_mask: Tensor, config: AlbertConfig, embedded: Tensor) -> Tensor:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L) in the precision of `embedded`.

    InputError for another shape, unless a graph leaves it open.
    """
    shape = tuple(head_mask.shape)
    if head_mask.shape.is_fully_defined():
        rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    head_mask = tf.cast(head_mask, embedded.dtype)
    if len(shape) == 1:
        head_mask = tf.repeat(head_mask[None], config.num_hidden_layers, axis=0)
    return head_mask[:, None, :, None, None] if len(shape) < 5 else head_mask
