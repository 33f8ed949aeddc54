"""What all PyTorch models with a head share: the encoder inside, the run through it, and the answer.

Letters: B batch, L sequence length. A class of the module `models` adds its layers and its loss, and takes its labels
from one of the four classes below that have a `forward`.
"""

from typing import ClassVar

from torch import Tensor, nn

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.outputs import BaseModelOutputWithPooling, ModelOutput
from albertkit.torch.answer_heads import answer_mask
from albertkit.torch.base_model import AlbertModel
from albertkit.torch.heads import AlbertMLMHead
from albertkit.torch.pretrained import AlbertPreTrainedModel

Encoded = BaseModelOutputWithPooling
Inputs = tuple[Tensor | None, ...]
Switches = tuple[bool | None, ...]
AnswerLabels = tuple[Tensor | None, ...]
"""start_positions, end_positions and is_impossible."""
Answer = ModelOutput | tuple[object, ...]


def flatten_choices(inputs: Inputs) -> tuple[Inputs, tuple[int, int]]:
    """The six inputs of the encoder (B, choices, ...) as (B * choices, ...), and (B, choices).

    The head mask stays as it is, and positions (L,) that all choices share.
    """
    input_ids, *_, head_mask, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    batch, choices = next(array.shape[:2] for array in (input_ids, inputs_embeds) if array is not None)
    flat = (x if x is None or x is head_mask or x.dim() < 2 else x.flatten(0, 1) for x in inputs)
    return tuple(flat), (batch, choices)


def flatten_sentences(inputs: Inputs) -> tuple[Inputs, tuple[int, ...]]:
    """Inputs of rows of sentences as in `flatten_choices`; those of single texts as they are, and no shape.

    InputError for a mask that has not an entry a token.
    """
    input_ids, *_, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    rank = next(x.dim() - extra for x, extra in ((input_ids, 0), (inputs_embeds, 1)) if x is not None)
    flat, shape = flatten_choices(inputs) if rank == 3 else (inputs, ())
    if flat[1] is not None:
        rules.require_token_mask(tuple(flat[1].shape))
    return flat, shape


class AlbertModelWithHead(AlbertPreTrainedModel):
    """An encoder, `albert`, with a head on it.

    A head says three things. Which output of the encoder it reads: the pooled state (B, H), or the last hidden states
    (B, L, H) where `add_pooling_layer` is False. Its layers: `_add_head(config)` sets them as attributes. Its loss:
    `_apply_head(encoded, labels)` gives the output with the loss, or None in its place where there are no labels.
    """

    add_pooling_layer: ClassVar[bool] = True
    only_pooled: ClassVar[bool] = False
    """Whether the head reads the pooled state and nothing else."""
    reads_every_layer: ClassVar[bool] = False
    """Whether it learns from the pooled states after every layer (layers, B, H), where `config.early_exit` says so."""
    albert: AlbertModel

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config, add_pooling_layer=self.add_pooling_layer)
        self.albert.only_pooled = self.only_pooled
        self._add_head(config)
        self.post_init()

    def _add_head(self, config: AlbertConfig) -> None:
        raise NotImplementedError

    def _encode(self, inputs: Inputs, switches: Switches) -> Encoded:
        """What the encoder gives for its six inputs, and for `output_attentions` and `output_hidden_states`."""
        if self.reads_every_layer and self.training and self.config.early_exit:
            chosen = (self.config.output_attentions, self.config.output_hidden_states)
            attentions, hidden_states = (
                usual if given is None else given for given, usual in zip(switches, chosen, strict=True)
            )
            return self.albert._run(inputs, attentions, hidden_states, every_layer=True)
        return self.albert(*inputs, *switches, return_dict=True)

    def _answer(self, output: ModelOutput, encoded: Encoded, return_dict: bool | None) -> Answer:
        """The output of a head with what was asked for of the encoder, or a tuple of the same."""
        output.hidden_states, output.attentions = encoded.hidden_states, encoded.attentions
        is_named = self.config.use_return_dict if return_dict is None else return_dict
        return output if is_named else output.to_tuple()


class AlbertModelWithLabels(AlbertModelWithHead):
    """A model with a head that learns from `labels`."""

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> ModelOutput:
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Answer:
        """The output that the class names, with a loss where `labels` are given; a tuple unless `return_dict`.

        What the other arguments are says the module `base_model`. InputError for labels that do not fit.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states))
        return self._answer(self._apply_head(encoded, labels), encoded, return_dict)


class AlbertModelWithPreTrainingLabels(AlbertModelWithHead):
    """A model with a head that learns from masked tokens and from the order of sentences."""

    def _apply_head(self, encoded: Encoded, labels: Tensor | None, sentence_order_label: Tensor | None) -> ModelOutput:
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        sentence_order_label: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Answer:
        """See AlbertModelWithLabels; `labels` (B, L) and `sentence_order_label` (B,) may each be left out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states))
        return self._answer(self._apply_head(encoded, labels, sentence_order_label), encoded, return_dict)


class AlbertModelWithSpanLabels(AlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends."""

    def _apply_head(
        self, encoded: Encoded, start_positions: Tensor | None, end_positions: Tensor | None
    ) -> ModelOutput:
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Answer:
        """See AlbertModelWithLabels; `start_positions` and `end_positions` (B,) make a loss where both are given."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states))
        return self._answer(self._apply_head(encoded, start_positions, end_positions), encoded, return_dict)


class AlbertModelWithAnswerLabels(AlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends, and whether there is one."""

    def _apply_head(self, encoded: Encoded, p_mask: Tensor, labels: AnswerLabels) -> ModelOutput:
        raise NotImplementedError

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        is_impossible: Tensor | None = None,
        p_mask: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> Answer:
        """See AlbertModelWithSpanLabels; `is_impossible` (B,) is 1 where there is no answer.

        By default there is none where one starts at 0. `p_mask` (B, L) is 1 where none can start or end, by default as
        `answer_heads.answer_mask` says.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self._encode(inputs, (output_attentions, output_hidden_states))
        closed = answer_mask(p_mask, token_type_ids, attention_mask, encoded.last_hidden_state)
        labels = (start_positions, end_positions, is_impossible)
        return self._answer(self._apply_head(encoded, closed, labels), encoded, return_dict)


class AlbertModelWithMLMHead(AlbertModelWithHead):
    """A model whose masked-language-model head, `predictions`, shares the word embeddings with the encoder."""

    predictions: AlbertMLMHead

    _tied_weights_keys: ClassVar[list[str] | None] = ["predictions.decoder.bias", "predictions.decoder.weight"]
    _keys_to_ignore_on_save: ClassVar[list[str] | None] = _tied_weights_keys

    def get_output_embeddings(self) -> nn.Linear:
        """The layer E -> V of the head."""
        return self.predictions.decoder

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the layer of `get_output_embeddings`; its bias becomes the head's, which stays where it has none.

        InputError for a layer without a bias that is for another vocabulary than the head's bias.
        """
        head = self.predictions
        if value.bias is None and value.out_features != len(head.bias):
            raise InputError(
                f"Output embeddings without a bias take over that of the head, which is for {len(head.bias)} tokens. "
                f"Received: a layer for {value.out_features}. Give it a bias, or call resize_token_embeddings first."
            )
        head.decoder = value
        head.bias = head.decoder.bias = head.bias if value.bias is None else value.bias

    def tie_weights(self) -> None:
        """The decoder's bias is the head's bias, and its weight the word embeddings unless the config unties them."""
        super().tie_weights()
        self.predictions.decoder.bias = self.predictions.bias
        if self.config.tie_word_embeddings:
            self.predictions.decoder.weight = self.get_input_embeddings().weight
