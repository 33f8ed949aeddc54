"""The ALBERT models in PyTorch: one class a head, and the encoder by itself, AlbertModel.

Letters: B batch, L sequence length, H hidden size, V vocabulary, C classes. A head says three things: which output of
the encoder it reads, its layer, and its loss. What arguments all models take says `base_model`; what they share,
`model_with_head`. They answer with a class of `albertkit.outputs`, or with a tuple where `return_dict` is False.
"""

from torch import Tensor, nn

from albertkit.config import AlbertConfig
from albertkit.outputs import (
    AlbertForPreTrainingOutput,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringBeamSearchModelOutput,
    QuestionAnsweringModelOutput,
    SentenceEmbeddingOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from albertkit.torch.answer_heads import AlbertAnswerClass, AlbertEndLogits, AlbertStartLogits, beam_search
from albertkit.torch.base_model import AlbertModel
from albertkit.torch.early_exit import mean_by_depth
from albertkit.torch.heads import AlbertMLMHead, AlbertSOPHead, pooled
from albertkit.torch.losses import (
    answer_loss,
    classification_loss,
    cross_entropy,
    similarity_loss,
    span_loss,
    total,
)
from albertkit.torch.model_with_head import (
    AlbertModelWithAnswerLabels,
    AlbertModelWithLabels,
    AlbertModelWithMLMHead,
    AlbertModelWithPreTrainingLabels,
    AlbertModelWithSpanLabels,
    AnswerLabels,
    Encoded,
    Inputs,
    Switches,
    flatten_choices,
    flatten_sentences,
)
from albertkit.torch.plain_layers import linear
from albertkit.torch.pretrained import AlbertPreTrainedModel

__all__ = [
    "AlbertForMaskedLM",
    "AlbertForMultipleChoice",
    "AlbertForPreTraining",
    "AlbertForQuestionAnswering",
    "AlbertForQuestionAnsweringBeamSearch",
    "AlbertForSentenceEmbedding",
    "AlbertForSequenceClassification",
    "AlbertForTokenClassification",
    "AlbertModel",
    "AlbertPreTrainedModel",
]


class AlbertForPreTraining(AlbertModelWithMLMHead, AlbertModelWithPreTrainingLabels):
    """Masked language model and sentence order (arXiv 1909.11942, section 3.1), each from its own output.

    -> prediction_logits (B, L, V), sop_logits (B, 2), and the sum of the losses whose labels are given. `labels`
    (B, L): the token at each masked place, -100 elsewhere. `sentence_order_label` (B,): 0 in order, 1 swapped.
    """

    def _add_head(self, config: AlbertConfig) -> None:
        self.predictions = AlbertMLMHead(config)
        self.sop_classifier = AlbertSOPHead(config)

    def _apply_head(
        self, encoded: Encoded, labels: Tensor | None, sentence_order_label: Tensor | None
    ) -> AlbertForPreTrainingOutput:
        prediction_logits = self.predictions(encoded.last_hidden_state)
        sop_logits = self.sop_classifier(encoded.pooler_output)
        mlm_loss = cross_entropy(prediction_logits, labels)
        sop_loss = cross_entropy(sop_logits, sentence_order_label, "sentence_order_label")
        return AlbertForPreTrainingOutput(total(mlm_loss, sop_loss), prediction_logits, sop_logits)


class AlbertForMaskedLM(AlbertModelWithMLMHead, AlbertModelWithLabels):
    """Scores over the vocabulary at every place, from the last hidden states.

    -> logits (B, L, V), and the cross entropy of `labels` (B, L): the token, or -100 to leave a place out.
    """

    add_pooling_layer = False

    def _add_head(self, config: AlbertConfig) -> None:
        self.predictions = AlbertMLMHead(config)

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> MaskedLMOutput:
        logits = self.predictions(encoded.last_hidden_state)
        return MaskedLMOutput(cross_entropy(logits, labels), logits)


class AlbertForSequenceClassification(AlbertModelWithLabels):
    """One class, several classes or a number for a text or a pair of texts, from the pooled state.

    -> logits (B, C), and the loss of `labels`: (B,) classes, (B, C) zeros and ones for several classes at once, or (B,)
    or (B, C) numbers for regression. `config.problem_type` says which; where it is None, one class means regression,
    integer labels mean one class a text, and others several.

    With `config.early_exit` the loss in training is that of the same layers read after every layer of the encoder, the
    mean weighted by depth (arXiv 2006.04152, section 3.3), so that answers may stop at any of them.
    """

    only_pooled = True
    reads_every_layer = True

    def _add_head(self, config: AlbertConfig) -> None:
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, config.num_labels)

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> SequenceClassifierOutput:
        problem_type, logits = self.config.problem_type, self.classifier(self.dropout(encoded.pooler_output))
        if logits.dim() == 2:
            return SequenceClassifierOutput(classification_loss(logits, labels, problem_type), logits)
        losses = [classification_loss(layer, labels, problem_type) for layer in logits]
        return SequenceClassifierOutput(mean_by_depth(losses), logits[-1])


class AlbertForMultipleChoice(AlbertModelWithLabels):
    """One score a choice, from the pooled state of each (question, choice) sequence.

    (B, choices, L) ids, masks and types, or (B, choices, L, E) embeddings -> logits (B, choices), and the cross entropy
    of `labels` (B,): the index of the right choice.
    """

    only_pooled = True

    def _add_head(self, config: AlbertConfig) -> None:
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, 1)

    def _encode(self, inputs: Inputs, switches: Switches) -> Encoded:
        """Choices go through the encoder as (B * choices, ...); their pooled states come back as (B, choices, H)."""
        flat, shape = flatten_choices(inputs)
        encoded = super()._encode(flat, switches)
        encoded.pooler_output = encoded.pooler_output.unflatten(0, shape)
        return encoded

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> MultipleChoiceModelOutput:
        logits = self.classifier(self.dropout(encoded.pooler_output)).squeeze(-1)
        return MultipleChoiceModelOutput(cross_entropy(logits, labels), logits)


class AlbertForTokenClassification(AlbertModelWithLabels):
    """A class for every token, from the last hidden states.

    -> logits (B, L, C), and the cross entropy of `labels` (B, L): the class, or -100 to leave a token out.
    """

    add_pooling_layer = False

    def _add_head(self, config: AlbertConfig) -> None:
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, config.num_labels)

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> TokenClassifierOutput:
        logits = self.classifier(self.dropout(encoded.last_hidden_state))
        return TokenClassifierOutput(cross_entropy(logits, labels), logits)


class AlbertForQuestionAnswering(AlbertModelWithSpanLabels):
    """Scores for where an answer starts and ends, from the last hidden states.

    -> start_logits and end_logits (B, L), and the mean of their two losses where both positions are given.
    `start_positions` and `end_positions` are (B,) token indices. A position outside the sequence is left out of the
    loss; a negative one counts as 0.
    """

    add_pooling_layer = False

    def _add_head(self, config: AlbertConfig) -> None:
        self.qa_outputs = linear(config.hidden_size, 2)

    def _apply_head(
        self, encoded: Encoded, start_positions: Tensor | None, end_positions: Tensor | None
    ) -> QuestionAnsweringModelOutput:
        start_logits, end_logits = self.qa_outputs(encoded.last_hidden_state).unbind(-1)
        loss = span_loss(start_logits, end_logits, start_positions, end_positions)
        return QuestionAnsweringModelOutput(loss, start_logits, end_logits)


class AlbertForQuestionAnsweringBeamSearch(AlbertModelWithAnswerLabels):
    """The best starts of an answer, the best ends for each, and the log odds of there being none: cls_logits (B,).

    The head for SQuAD 2.0 of the original release. -> `config.start_n_top` starts and `config.end_n_top` ends for each,
    with log probabilities, and `losses.answer_loss` where both positions are given.
    """

    add_pooling_layer = False

    def _add_head(self, config: AlbertConfig) -> None:
        self.start_logits = AlbertStartLogits(config)
        self.end_logits = AlbertEndLogits(config)
        self.answer_class = AlbertAnswerClass(config)

    def _apply_head(
        self, encoded: Encoded, p_mask: Tensor, labels: AnswerLabels
    ) -> QuestionAnsweringBeamSearchModelOutput:
        states = encoded.last_hidden_state
        start_logits = self.start_logits(states, p_mask)
        cls_logits = self.answer_class(states, start_logits)
        loss = answer_loss(start_logits, lambda starts: self.end_logits(states, starts, p_mask), cls_logits, *labels)
        if loss is not None and self.training:
            return QuestionAnsweringBeamSearchModelOutput(loss, cls_logits=cls_logits)
        beams = beam_search(self.end_logits, states, start_logits, p_mask, self.config)
        return QuestionAnsweringBeamSearchModelOutput(loss, *beams, cls_logits)


class AlbertForSentenceEmbedding(AlbertModelWithLabels):
    """An embedding of a text: its hidden states, pooled as `config.sentence_pooling` says. It has no layer of its own.

    (B, L) ids, masks and types -> sentence_embedding (B, H), not normalised; (B, S, L), or (B, S, L, E) embeddings, of
    rows of S sentences -> (B, S, H). `labels` (B,) of such rows: integers, the contrastive loss of SimCSE in which rows
    of one label are no negatives of each other; other numbers, what the cosines of two sentences are to be.
    """

    add_pooling_layer = False

    def _add_head(self, config: AlbertConfig) -> None:
        """Nothing: what is pooled has no weights."""

    def _encode(self, inputs: Inputs, switches: Switches) -> Encoded:
        """Rows of sentences go through the encoder as (B * S, ...); what is pooled comes back as (B, S, H)."""
        flat, shape = flatten_sentences(inputs)
        encoded = super()._encode(flat, switches)
        config, mask = self.config, flat[1]
        sentences = pooled(encoded.last_hidden_state, mask, config.sentence_pooling, config.sentence_special_tokens)
        encoded.pooler_output = sentences.unflatten(0, shape) if shape else sentences
        return encoded

    def _apply_head(self, encoded: Encoded, labels: Tensor | None) -> SentenceEmbeddingOutput:
        embeddings = encoded.pooler_output
        loss = similarity_loss(embeddings, labels, self.config.sentence_temperature)
        return SentenceEmbeddingOutput(loss, embeddings)
