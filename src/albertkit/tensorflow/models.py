"""The ALBERT models in Keras: the encoder, and one class a head.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, V vocabulary, C classes. A head says
three things: which output of the encoder it reads, its layer, and its loss. Every model takes the config and answers
with a class of `albertkit.outputs`, or with a tuple where `return_dict` is False.

All calls share these arguments, as keywords, in this order, or as one list or mapping in the place of the first:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) in their place
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
from albertkit.tensorflow import weights
from albertkit.tensorflow.layers import (
    AlbertEmbeddings,
    AlbertTransformer,
    Block,
    Embedding,
    LayerNorm,
    Linear,
    Tensor,
    activation,
    dropout,
    fold,
)
from albertkit.tensorflow.pretrained import TFAlbertPreTrainedModel

registered = keras.saving.register_keras_serializable(package="albertkit")


@registered
class TFAlbertModel(TFAlbertPreTrainedModel):
    """The encoder, with the tanh pooler over [CLS] unless `add_pooling_layer` is False."""

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
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments."""
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
    finite.
    """
    if attention_mask.shape.is_fully_defined() and None not in embedded.shape[:2]:
        rules.require_mask(tuple(attention_mask.shape), *embedded.shape[:2])
    if len(attention_mask.shape) == 2:
        attention_mask = attention_mask[:, None, None, :]
    elif len(attention_mask.shape) == 3:
        attention_mask = attention_mask[:, None, :, :]
    return (1 - tf.cast(attention_mask, tf.float32)) * tf.cast(embedded.dtype.min, tf.float32)


def broadcast_head_mask(head_mask: Tensor, config: AlbertConfig, embedded: Tensor) -> Tensor:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L)."""
    shape = tuple(head_mask.shape)
    if head_mask.shape.is_fully_defined():
        rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    head_mask = tf.cast(head_mask, embedded.dtype)
    if len(shape) == 1:
        head_mask = tf.repeat(head_mask[None], config.num_hidden_layers, axis=0)
    return head_mask[:, None, :, None, None] if len(shape) < 5 else head_mask


class AlbertMLMHead(Block):
    """Hidden state H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig, name: str = "predictions") -> None:
        super().__init__(name=name)
        width = config.embedding_size
        self.vocab_size = config.vocab_size
        self.LayerNorm = LayerNorm(width, config.layer_norm_eps, "LayerNorm")
        self.dense = Linear(config.hidden_size, width, "dense")
        tied = config.tie_word_embeddings
        self.decoder = None if tied else Linear(width, config.vocab_size, "decoder", use_bias=False)
        self.activation = activation(config.hidden_act)

    def build(self, input_shape: Any = None) -> None:
        """Make the bias, and every layer inside."""
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")
        super().build(input_shape)

    def call(self, hidden_states: Tensor, word_embeddings: Tensor) -> Tensor:
        """(..., H), and the table (V, E) that an untied head does not use -> (..., V)."""
        mapped = self.LayerNorm(self.activation(self.dense(hidden_states)))
        if self.decoder is not None:
            return self.decoder(mapped) + tf.convert_to_tensor(self.bias)
        rows = tf.reshape(mapped, (-1, mapped.shape[-1]))
        rows = tf.nn.bias_add(tf.matmul(rows, word_embeddings, transpose_b=True), tf.convert_to_tensor(self.bias))
        return tf.reshape(rows, (*ops.shape(hidden_states)[:-1], rows.shape[-1]))


class AlbertSOPHead(Block):
    """Sentence order: pooled state -> 2 scores, 0 in order and 1 swapped. No dropout, as in the original."""

    def __init__(self, config: AlbertConfig, name: str = "sop_classifier") -> None:
        super().__init__(name=name)
        self.classifier = Linear(config.hidden_size, 2, "classifier")

    def call(self, pooled_output: Tensor) -> Tensor:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)


class _WithMLMHead(TFAlbertPreTrainedModel):
    """A model whose `predictions` share the word embeddings: a tied head has no weight of its own."""

    predictions: AlbertMLMHead

    def get_output_embeddings(self) -> Embedding | Linear:
        """The layer with the weight E -> V of the head: the word embeddings, unless the config unties them."""
        return self.predictions.decoder or self.get_input_embeddings()

    def set_output_embeddings(self, value: Linear) -> None:
        """Replace the layer of `get_output_embeddings`, which stays without a bias of its own."""
        if self.predictions.decoder is None:
            raise InputError(
                "The output embeddings of a tied head are its word embeddings. Call set_input_embeddings, or build the "
                "model with `tie_word_embeddings` False."
            )
        if value.use_bias:
            raise InputError("The bias of the head is `predictions.bias`. Give a layer with use_bias=False.")
        if not value.built:
            value.build((None, self.config.embedding_size))
        weights.exchange(self.predictions, "decoder", value)

    def _scores(self, hidden_states: Tensor) -> Tensor:
        """(..., H) -> (..., V)."""
        return self.predictions(hidden_states, tf.convert_to_tensor(self.get_input_embeddings().embeddings))


@registered
class TFAlbertForPreTraining(_WithMLMHead):
    """Masked language model and sentence order (arXiv 1909.11942, section 3.1)."""

    _labels = ("labels", "sentence_order_label")

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, name="albert")
        self.predictions = AlbertMLMHead(config)
        self.sop_classifier = AlbertSOPHead(config)
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
        labels: Tensor | None = None,
        sentence_order_label: Tensor | None = None,
        training: bool = False,
    ) -> AlbertForPreTrainingOutput | tuple[Any, ...]:
        """-> prediction_logits (B, L, V), sop_logits (B, 2), and the loss.

        `labels` (B, L): the token at each masked place, -100 elsewhere. `sentence_order_label` (B,): 0 in order, 1
        swapped. The loss is the sum over those of the two that are given.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        prediction_logits = self._scores(outputs.last_hidden_state)
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


@registered
class TFAlbertForMaskedLM(_WithMLMHead):
    """Scores over the vocabulary at every place."""

    _labels = ("labels",)

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, add_pooling_layer=False, name="albert")
        self.predictions = AlbertMLMHead(config)
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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> MaskedLMOutput | tuple[Any, ...]:
        """-> logits (B, L, V), and the loss where `labels` (B, L) are given: the token, or -100 to leave one out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        logits = self._scores(outputs.last_hidden_state)
        output = MaskedLMOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


@registered
class TFAlbertForSequenceClassification(TFAlbertPreTrainedModel):
    """One class, several classes or a number for a text or a pair of texts, from the pooled state."""

    _labels = ("labels",)

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, name="albert")
        self.dropout = config.head_dropout
        self.classifier = Linear(config.hidden_size, config.num_labels, "classifier")
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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """-> logits (B, C), and the loss where `labels` are given.

        `labels` are (B,) classes, (B, C) zeros and ones for several classes at once, or (B,) or (B, C) numbers for
        regression. `config.problem_type` says which; where it is None, one class means regression, integer labels mean
        one class a text, and others several.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        logits = self.classifier(dropout(outputs.pooler_output, self.dropout, self._dropout_seed(training)))
        output = SequenceClassifierOutput(
            loss=None if labels is None else _problem_loss(logits, labels, self.config.problem_type),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


@registered
class TFAlbertForMultipleChoice(TFAlbertPreTrainedModel):
    """One score a choice, from the pooled state of each (question, choice) sequence."""

    _labels = ("labels",)
    _input_rank = 3

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, name="albert")
        self.dropout = config.head_dropout
        self.classifier = Linear(config.hidden_size, 1, "classifier")
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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> MultipleChoiceModelOutput | tuple[Any, ...]:
        """(B, choices, L) ids, masks and types, or (B, choices, L, E) embeddings -> logits (B, choices).

        `labels` (B,): the index of the right choice.
        """
        rules.require_inputs(input_ids, inputs_embeds)
        given: Any = inputs_embeds if input_ids is None else input_ids
        inputs = [
            array if array is None or array is head_mask else _flat(array)
            for array in (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        ]
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        logits = self.classifier(dropout(outputs.pooler_output, self.dropout, self._dropout_seed(training)))
        logits = tf.reshape(logits, ops.shape(given)[:2])
        output = MultipleChoiceModelOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


@registered
class TFAlbertForTokenClassification(TFAlbertPreTrainedModel):
    """A class for every token."""

    _labels = ("labels",)

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, add_pooling_layer=False, name="albert")
        self.dropout = config.head_dropout
        self.classifier = Linear(config.hidden_size, config.num_labels, "classifier")
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
        labels: Tensor | None = None,
        training: bool = False,
    ) -> TokenClassifierOutput | tuple[Any, ...]:
        """-> logits (B, L, C), and the loss where `labels` (B, L) are given: the class, or -100 to leave one out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        logits = self.classifier(dropout(outputs.last_hidden_state, self.dropout, self._dropout_seed(training)))
        output = TokenClassifierOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


@registered
class TFAlbertForQuestionAnswering(TFAlbertPreTrainedModel):
    """Scores for where an answer starts and ends."""

    _labels = ("start_positions", "end_positions")
    _fewest_labels = 2

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        super().__init__(config, name)
        self.albert = TFAlbertModel(config, add_pooling_layer=False, name="albert")
        self.qa_outputs = Linear(config.hidden_size, 2, "qa_outputs")
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
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        training: bool = False,
    ) -> QuestionAnsweringModelOutput | tuple[Any, ...]:
        """-> start_logits and end_logits (B, L), and the mean of their two losses where both positions are given.

        `start_positions` and `end_positions` are (B,) token indices. A position outside the sequence is left out of the
        loss; a negative one counts as 0.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        outputs = self.albert(*inputs, output_attentions, output_hidden_states, True, training)
        start_logits, end_logits = tf.unstack(self.qa_outputs(outputs.last_hidden_state), axis=-1)
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


def _flat(x: Tensor) -> Tensor:
    """(B, choices, ...) -> (B * choices, ...)."""
    return tf.reshape(x, (-1, *ops.shape(x)[2:]))


def _cross_entropy(logits: Tensor, labels: Tensor, name: str = "labels") -> Tensor:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100."""
    _check_shape(name, labels, logits.shape[:-1])
    _check_labels(name, labels, logits.shape[-1])
    return _mean_loss(logits, labels, rules.IGNORED)


def _mean_loss(logits: Tensor, labels: Tensor, ignored: Tensor | int) -> Tensor:
    logits = tf.cast(tf.reshape(logits, (-1, logits.shape[-1] or tf.shape(logits)[-1])), tf.float32)
    labels = tf.cast(tf.reshape(labels, (-1,)), tf.int64)
    counts = labels != tf.cast(ignored, tf.int64)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.where(counts, labels, 0), logits)
    return tf.reduce_sum(tf.where(counts, losses, 0)) / tf.reduce_sum(tf.cast(counts, tf.float32))


def _check_shape(name: str, labels: Tensor, wanted: tf.TensorShape) -> None:
    """InputError for labels of another shape, unless a graph leaves it open."""
    if labels.shape.is_fully_defined() and wanted.is_fully_defined():
        rules.require_labels_array(name, tuple(labels.shape), tuple(wanted))


def _check_labels(name: str, labels: Tensor, classes: int) -> None:
    """InputError for a class outside 0..C-1. Skipped in graphs, and on accelerators, where it would wait for them."""
    if not hasattr(labels, "numpy") or "CPU" not in labels.device:
        return
    values = labels.numpy()
    counted = values[values != rules.IGNORED]
    if counted.size:
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _position_loss(logits: Tensor, positions: Tensor, name: str) -> Tensor:
    """Cross entropy of (B, L) logits at (B,) or (B, 1) positions; those at L or beyond do not count."""
    _check_shape(name, positions, logits.shape[:-1])
    length = tf.shape(logits, tf.int64)[-1]
    return _mean_loss(logits, tf.clip_by_value(tf.cast(positions, tf.int64), 0, length), length)


def _problem_loss(logits: Tensor, labels: Tensor, problem_type: str | None) -> Tensor:
    """The loss of the kind of problem that `config.problem_type` names or the labels show."""
    kind = rules.problem_type(problem_type, logits.shape[-1], labels.dtype.is_integer)
    if kind == "single_label_classification":
        return _cross_entropy(logits, labels)
    _check_shape("labels", labels, logits.shape)
    logits, labels = (tf.reshape(tf.cast(values, tf.float32), (-1,)) for values in (logits, labels))
    if kind == "regression":
        return tf.reduce_mean(tf.square(logits - labels))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
