"""What all Keras models with a head share: the encoder inside, the run through it, and the answer.

Letters: B batch, L sequence length, V vocabulary. A class of the module `models` adds its layers and its loss, and
takes its labels from one of the four classes below that have a `call`.
"""

from typing import ClassVar

import tensorflow as tf
from keras import ops

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.outputs import BaseModelOutputWithPooling, ModelOutput
from albertkit.tensorflow import private_api
from albertkit.tensorflow.answer_heads import answer_mask
from albertkit.tensorflow.base_model import TFAlbertModel
from albertkit.tensorflow.heads import AlbertMLMHead
from albertkit.tensorflow.layers import Embedding, Linear
from albertkit.tensorflow.pretrained import TFAlbertPreTrainedModel
from albertkit.tensorflow.typing import Tensor

Encoded = BaseModelOutputWithPooling
Inputs = tuple[Tensor | None, ...]
Switches = tuple[bool | None, ...]
AnswerLabels = tuple[Tensor | None, ...]
"""start_positions, end_positions and is_impossible."""
Answer = ModelOutput | tuple[object, ...]


def flatten_choices(inputs: Inputs) -> tuple[Inputs, tuple[Tensor, Tensor]]:
    """The six inputs of the encoder (B, choices, ...) as (B * choices, ...), and (B, choices).

    The head mask stays as it is.
    """
    input_ids, *_, head_mask, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    batch, choices, *_ = ops.shape(inputs_embeds if input_ids is None else input_ids)
    flat = (x if x is None or x is head_mask else tf.reshape(x, (-1, *ops.shape(x)[2:])) for x in inputs)
    return tuple(flat), (batch, choices)


def flatten_sentences(inputs: Inputs) -> tuple[Inputs, tuple[Tensor, ...]]:
    """Inputs of rows of sentences as in `flatten_choices`; those of single texts as they are, and no shape.

    InputError for a mask that has not an entry a token.
    """
    input_ids, *_, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    rank = len(inputs_embeds.shape) - 1 if input_ids is None else len(input_ids.shape)
    flat, shape = flatten_choices(inputs) if rank == 3 else (inputs, ())
    if flat[1] is not None:
        rules.require_token_mask(tuple(flat[1].shape))
    return flat, shape


class TFAlbertModelWithHead(TFAlbertPreTrainedModel):
    """An encoder, `albert`, with a head on it.

    A head says three things. Which output of the encoder it reads: the pooled state (B, H), or the last hidden states
    (B, L, H) where `add_pooling_layer` is False. Its layers: `_add_head(config)` sets them as attributes. Its loss:
    `_apply_head(encoded, training, labels)` gives the output with the loss, or None in its place where there are no
    labels.
    """

    add_pooling_layer: ClassVar[bool] = True
    albert: TFAlbertModel

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, add_pooling_layer=self.add_pooling_layer, name="albert")
        self._add_head(config)
        self.post_init()

    def _add_head(self, config: AlbertConfig) -> None:
        raise NotImplementedError

    def _encode(self, inputs: Inputs, switches: Switches, training: bool) -> Encoded:
        """What the encoder gives for its six inputs, and for `output_attentions` and `output_hidden_states`."""
        return self.albert(*inputs, *switches, True, training)

    def _answer(self, output: ModelOutput, encoded: Encoded, return_dict: bool | None) -> Answer:
        """The output of a head with what was asked for of the encoder, or a tuple of the same."""
        output.hidden_states, output.attentions = encoded.hidden_states, encoded.attentions
        is_named = self.config.use_return_dict if return_dict is None else return_dict
        return output if is_named else output.to_tuple()


class TFAlbertModelWithLabels(TFAlbertModelWithHead):
    """A model with a head that learns from `labels`."""

    _label_names = ("labels",)

    def _apply_head(self, encoded: Encoded, training: bool, labels: Tensor | None) -> ModelOutput:
        raise NotImplementedError

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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> Answer:
        """The output that the class names, with a loss where `labels` are given; a tuple unless `return_dict`.

        What the other arguments are says the module `base_model`. InputError for labels that do not fit.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states), training)
        return self._answer(self._apply_head(encoded, training, labels), encoded, return_dict)


class TFAlbertModelWithPreTrainingLabels(TFAlbertModelWithHead):
    """A model with a head that learns from masked tokens and from the order of sentences."""

    _label_names = ("labels", "sentence_order_label")

    def _apply_head(
        self, encoded: Encoded, training: bool, labels: Tensor | None, sentence_order_label: Tensor | None
    ) -> ModelOutput:
        raise NotImplementedError

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
        labels: Tensor | None = None,
        sentence_order_label: Tensor | None = None,
        training: bool = False,
    ) -> Answer:
        """See TFAlbertModelWithLabels; `labels` (B, L) and `sentence_order_label` (B,) may each be left out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states), training)
        return self._answer(self._apply_head(encoded, training, labels, sentence_order_label), encoded, return_dict)


class TFAlbertModelWithSpanLabels(TFAlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends."""

    _label_names = ("start_positions", "end_positions")
    _min_labels = 2

    def _apply_head(
        self, encoded: Encoded, training: bool, start_positions: Tensor | None, end_positions: Tensor | None
    ) -> ModelOutput:
        raise NotImplementedError

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
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        training: bool = False,
    ) -> Answer:
        """See TFAlbertModelWithLabels; `start_positions` and `end_positions` (B,) make a loss where both are given."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states), training)
        return self._answer(self._apply_head(encoded, training, start_positions, end_positions), encoded, return_dict)


class TFAlbertModelWithAnswerLabels(TFAlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends, and whether there is one."""

    _label_names = ("start_positions", "end_positions", "is_impossible")
    _min_labels = 2

    def _apply_head(self, encoded: Encoded, training: bool, p_mask: Tensor, labels: AnswerLabels) -> ModelOutput:
        raise NotImplementedError

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
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        is_impossible: Tensor | None = None,
        p_mask: Tensor | None = None,
        training: bool = False,
    ) -> Answer:
        """See TFAlbertModelWithSpanLabels; `is_impossible` (B,) is 1 where there is no answer.

        By default there is none where one starts at 0. `p_mask` (B, L) is 1 where none can start or end, by default as
        `answer_heads.answer_mask` says.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states), training)
        closed = answer_mask(p_mask, token_type_ids, attention_mask, encoded.last_hidden_state)
        labels = (start_positions, end_positions, is_impossible)
        return self._answer(self._apply_head(encoded, training, closed, labels), encoded, return_dict)


class TFAlbertModelWithMLMHead(TFAlbertModelWithHead):
    """A model whose masked-language-model head, `predictions`, shares the word embeddings with the encoder.

    A tied head has no weight of its own.
    """

    predictions: AlbertMLMHead

    def get_output_embeddings(self) -> Embedding | Linear:
        """The layer with the weight E -> V of the head: the word embeddings, unless the config unties them."""
        return self.predictions.decoder or self.get_input_embeddings()

    def set_output_embeddings(self, value: Linear) -> None:
        """Replace the layer of `get_output_embeddings`, which stays without a bias of its own.

        InputError for a tied head, and for a layer with a bias.
        """
        if self.predictions.decoder is None:
            raise InputError(
                "The output embeddings of a tied head are its word embeddings. Call set_input_embeddings, or build the "
                "model with `tie_word_embeddings` False."
            )
        if value.use_bias:
            raise InputError("The bias of the head is `predictions.bias`. Give a layer with use_bias=False.")
        if not value.built:
            value.build((None, self.config.embedding_size))
        private_api.replace_part(self.predictions, "decoder", value)

    def mlm_logits(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., V), the scores of the masked language model."""
        return self.predictions(hidden_states, tf.convert_to_tensor(self.get_input_embeddings().embeddings))
