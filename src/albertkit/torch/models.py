"""The ALBERT models in PyTorch: the encoder, and one class a head.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, V vocabulary, C classes. A head says
three things: which output of the encoder it reads, its layer, and its loss. Every model takes the config and answers
with a class of `albertkit.outputs`, or with a tuple where `return_dict` is False.

All forwards share these arguments:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) in their place
    attention_mask (B, L), (B, L, L) or (B, 1 or N, L, L): 1 may be attended to, 0 may not; default all 1
    token_type_ids (B, L) integer: 0 for the first text, 1 for the second; default all 0
    position_ids (B, L) or (L,) integer; default 0..L-1
    head_mask (N,) or (layers, N), or anything that broadcasts to (layers, B, N, L, L): factors on the probabilities
    output_attentions, output_hidden_states, return_dict: default to the config's
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.outputs import (
    AlbertForPreTrainingOutput,
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from albertkit.torch.layers import AlbertEmbeddings, AlbertTransformer, Linear, activation
from albertkit.torch.pretrained import AlbertPreTrainedModel


class AlbertModel(AlbertPreTrainedModel):
    """The encoder, with the tanh pooler over [CLS] unless `add_pooling_layer` is False."""

    def __init__(self, config: AlbertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = AlbertEmbeddings(config)
        self.encoder = AlbertTransformer(config)
        self.pooler = Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.post_init()

    def forward(
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
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments."""
        config = self.config
        embedded = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds)
        encoded = self.encoder(
            embedded,
            None if attention_mask is None else attention_bias(attention_mask, embedded),
            None if head_mask is None else broadcast_head_mask(head_mask, config, embedded),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
        )
        output = BaseModelOutputWithPooling(
            last_hidden_state=encoded.last_hidden_state,
            pooler_output=None if self.pooler is None else torch.tanh(self.pooler(encoded.last_hidden_state[:, 0])),
            hidden_states=encoded.hidden_states,
            attentions=encoded.attentions,
        )
        named = config.use_return_dict if return_dict is None else return_dict
        if named:
            return output
        # Without a pooler the tuple keeps an empty second place, as in Transformers.
        return output.last_hidden_state, output.pooler_output, *output.to_tuple()[1 + (self.pooler is not None) :]


def attention_bias(attention_mask: Tensor, embedded: Tensor) -> Tensor:
    """A mask of 1 and 0 as a bias to add to attention scores, of shape (B, 1, 1, L) or (B, 1 or N, L, L).

    The bias of a masked place is the lowest number of the precision, which keeps a row with nothing to attend to
    finite.
    """
    shape = tuple(attention_mask.shape)
    rules.require_mask(shape, *embedded.shape[:2])
    if len(shape) == 2:
        attention_mask = attention_mask[:, None, None, :]
    elif len(shape) == 3:
        attention_mask = attention_mask[:, None, :, :]
    return (1 - attention_mask.to(embedded.dtype)) * torch.finfo(embedded.dtype).min


def broadcast_head_mask(head_mask: Tensor, config: AlbertConfig, embedded: Tensor) -> Tensor:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L)."""
    shape = tuple(head_mask.shape)
    rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    if len(shape) == 1:
        head_mask = head_mask.expand(config.num_hidden_layers, -1)
    if len(shape) < 5:
        head_mask = head_mask[:, None, :, None, None]
    return head_mask.to(embedded.dtype)


class AlbertMLMHead(nn.Module):
    """Hidden state H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.dense = Linear(config.hidden_size, config.embedding_size)
        self.decoder: nn.Linear = Linear(config.embedding_size, config.vocab_size)
        self.activation = activation(config.hidden_act)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., V)."""
        return self.decoder(self._narrowed(hidden_states))

    def _narrowed(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., E), which the word embeddings are compared with."""
        return self.LayerNorm(self.activation(self.dense(hidden_states)))


class AlbertSOPHead(nn.Module):
    """Sentence order: pooled state -> 2 scores, 0 in order and 1 swapped. No dropout, as in the original."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.classifier = Linear(config.hidden_size, 2)

    def forward(self, pooled_output: Tensor) -> Tensor:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)


class _WithMLMHead(AlbertPreTrainedModel):
    """A model whose `predictions` share the word embeddings."""

    predictions: AlbertMLMHead

    _tied_weights_keys: ClassVar[list[str] | None] = ["predictions.decoder.bias", "predictions.decoder.weight"]

    def get_output_embeddings(self) -> nn.Linear:
        """The layer E -> V of the head."""
        return self.predictions.decoder

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the layer of `get_output_embeddings`; its bias becomes the head's, which stays where it has none."""
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
        self.predictions.decoder.bias = self.predictions.bias
        if self.config.tie_word_embeddings:
            self.predictions.decoder.weight = self.get_input_embeddings().weight


class AlbertForPreTraining(_WithMLMHead):
    """Masked language model and sentence order (arXiv 1909.11942, section 3.1)."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config)
        self.predictions = AlbertMLMHead(config)
        self.sop_classifier = AlbertSOPHead(config)
        self.post_init()

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
    ) -> AlbertForPreTrainingOutput | tuple[Any, ...]:
        """-> prediction_logits (B, L, V), sop_logits (B, 2), and the loss.

        `labels` (B, L): the token at each masked place, -100 elsewhere. `sentence_order_label` (B,): 0 in order, 1
        swapped. The loss is the sum over those of the two that are given.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        prediction_logits = self.predictions(outputs.last_hidden_state)
        sop_logits = self.sop_classifier(outputs.pooler_output)
        losses = []
        if labels is not None:
            losses.append(_cross_entropy(prediction_logits, labels))
        if sentence_order_label is not None:
            losses.append(_cross_entropy(sop_logits, sentence_order_label, "sentence_order_label"))
        output = AlbertForPreTrainingOutput(
            loss=sum(losses[1:], losses[0]) if losses else None,
            prediction_logits=prediction_logits,
            sop_logits=sop_logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class AlbertForMaskedLM(_WithMLMHead):
    """Scores over the vocabulary at every place."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.predictions = AlbertMLMHead(config)
        self.post_init()

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
    ) -> MaskedLMOutput | tuple[Any, ...]:
        """-> logits (B, L, V), and the loss where `labels` (B, L) are given: the token, or -100 to leave one out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits = self.predictions(outputs.last_hidden_state)
        output = MaskedLMOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class AlbertForSequenceClassification(AlbertPreTrainedModel):
    """One class, several classes or a number for a text or a pair of texts, from the pooled state."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config)
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        self.post_init()

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
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """-> logits (B, C), and the loss where `labels` are given.

        `labels` are (B,) classes, (B, C) zeros and ones for several classes at once, or (B,) or (B, C) numbers for
        regression. `config.problem_type` says which; where it is None, one class means regression, integer labels mean
        one class a text, and others several.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits = self.classifier(self.dropout(outputs.pooler_output))
        output = SequenceClassifierOutput(
            loss=None if labels is None else _problem_loss(logits, labels, self.config.problem_type),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class AlbertForMultipleChoice(AlbertPreTrainedModel):
    """One score a choice, from the pooled state of each (question, choice) sequence."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config)
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = Linear(config.hidden_size, 1)
        self.post_init()

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
    ) -> MultipleChoiceModelOutput | tuple[Any, ...]:
        """(B, choices, L) ids, masks and types, or (B, choices, L, E) embeddings -> logits (B, choices).

        `labels` (B,): the index of the right choice.
        """
        rules.require_inputs(input_ids, inputs_embeds)
        given: Any = inputs_embeds if input_ids is None else input_ids
        inputs = [
            array if array is None or array is head_mask or array.dim() < 2 else array.flatten(0, 1)
            for array in (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        ]
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits = self.classifier(self.dropout(outputs.pooler_output)).view(given.shape[:2])
        output = MultipleChoiceModelOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class AlbertForTokenClassification(AlbertPreTrainedModel):
    """A class for every token."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = Linear(config.hidden_size, config.num_labels)
        self.post_init()

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
    ) -> TokenClassifierOutput | tuple[Any, ...]:
        """-> logits (B, L, C), and the loss where `labels` (B, L) are given: the class, or -100 to leave one out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits = self.classifier(self.dropout(outputs.last_hidden_state))
        output = TokenClassifierOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class AlbertForQuestionAnswering(AlbertPreTrainedModel):
    """Scores for where an answer starts and ends."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.qa_outputs = Linear(config.hidden_size, 2)
        self.post_init()

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
    ) -> QuestionAnsweringModelOutput | tuple[Any, ...]:
        """-> start_logits and end_logits (B, L), and the mean of their two losses where both positions are given.

        `start_positions` and `end_positions` are (B,) token indices. A position outside the sequence is left out of the
        loss; a negative one counts as 0.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        start_logits, end_logits = self.qa_outputs(outputs.last_hidden_state).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            start_loss = _position_loss(start_logits, start_positions, "start_positions")
            loss = (start_loss + _position_loss(end_logits, end_positions, "end_positions")) / 2
        output = QuestionAnsweringModelOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


def _cross_entropy(logits: Tensor, labels: Tensor, name: str = "labels") -> Tensor:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100."""
    rules.require_labels_array(name, tuple(labels.shape), tuple(logits.shape[:-1]))
    _check_labels(name, labels, logits.shape[-1])
    return functional.cross_entropy(logits.flatten(0, -2), labels.flatten().long(), ignore_index=rules.IGNORED)


def _check_labels(name: str, labels: Tensor, classes: int) -> None:
    """InputError for a class outside 0..C-1. Skipped on accelerators, where looking would wait for the device."""
    if labels.device.type != "cpu" or torch.compiler.is_compiling() or torch._C._get_tracing_state():
        return
    counted = labels[labels != rules.IGNORED]
    if counted.numel():
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _position_loss(logits: Tensor, positions: Tensor, name: str) -> Tensor:
    """Cross entropy of (B, L) logits at (B,) or (B, 1) positions; those at L or beyond do not count."""
    length = logits.shape[-1]
    rules.require_labels_array(name, tuple(positions.shape), tuple(logits.shape[:-1]))
    return functional.cross_entropy(logits, positions.flatten().long().clamp(0, length), ignore_index=length)


def _problem_loss(logits: Tensor, labels: Tensor, problem_type: str | None) -> Tensor:
    """The loss of the kind of problem that `config.problem_type` names or the labels show."""
    is_integer = not labels.is_floating_point() and labels.dtype != torch.bool
    kind = rules.problem_type(problem_type, logits.shape[-1], is_integer)
    if kind == "single_label_classification":
        return _cross_entropy(logits, labels)
    rules.require_labels_array("labels", tuple(labels.shape), tuple(logits.shape))
    logits, labels = logits.flatten(), labels.flatten().to(logits.dtype)
    if kind == "regression":
        return functional.mse_loss(logits, labels)
    return functional.binary_cross_entropy_with_logits(logits, labels)
