"""The ALBERT models in Flax NNX: the encoder, and one class a head.

Letters: B batch, L sequence length, E embedding size, H hidden size, N heads, V vocabulary, C classes. A head says
three things: which output of the encoder it reads, its layer, and its loss. Every model takes the config and answers
with a class of `albertkit.outputs`, or with a tuple where `return_dict` is False.

All calls share these arguments:

    input_ids (B, L) integer, or inputs_embeds (B, L, E) in their place
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

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.flax.layers import (
    AlbertEmbeddings,
    AlbertTransformer,
    activation,
    as_array,
    dropout,
    is_seen,
    linear,
    norm,
    split,
)
from albertkit.flax.pretrained import FlaxAlbertPreTrainedModel, Params
from albertkit.outputs import (
    AlbertForPreTrainingOutput,
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)


class FlaxAlbertModel(FlaxAlbertPreTrainedModel):
    """The encoder, with the tanh pooler over [CLS] unless `add_pooling_layer` is False."""

    _building: ClassVar[tuple[str, ...]] = ("add_pooling_layer",)

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
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
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """-> last_hidden_state (B, L, H), pooler_output (B, H); see the module for the arguments."""
        config, own = self.config, self._with(params)
        resting = None if train is None else not train
        keys = split(self._key(dropout_rng, train), 2)
        embedded = own.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, resting, keys[0])
        encoded = own.encoder(
            embedded,
            None if attention_mask is None else attention_bias(attention_mask, embedded),
            None if head_mask is None else broadcast_head_mask(head_mask, config, embedded),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            config._attn_implementation or "sdpa",
            resting,
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


def attention_bias(attention_mask: Any, embedded: Array) -> Array:
    """A mask of 1 and 0 as a bias to add to attention scores, of shape (B, 1, 1, L) or (B, 1 or N, L, L).

    The bias of a masked place is the lowest number of float32, in which scores are computed, and keeps a row with
    nothing to attend to finite.
    """
    attention_mask = jnp.asarray(attention_mask)
    shape = attention_mask.shape
    rules.require_mask(shape, *embedded.shape[:2])
    if len(shape) == 2:
        attention_mask = attention_mask[:, None, None, :]
    elif len(shape) == 3:
        attention_mask = attention_mask[:, None, :, :]
    return (1 - attention_mask.astype(jnp.float32)) * jnp.finfo(jnp.float32).min


def broadcast_head_mask(head_mask: Any, config: AlbertConfig, embedded: Array) -> Array:
    """(N,), (layers, N) or (layers, ...) -> (layers, 1 or B, N, 1 or L, 1 or L)."""
    head_mask = jnp.asarray(head_mask, embedded.dtype)
    shape = head_mask.shape
    rules.require_head_mask(shape, config.num_hidden_layers, config.num_attention_heads)
    if len(shape) == 1:
        head_mask = jnp.broadcast_to(head_mask, (config.num_hidden_layers, *shape))
    return head_mask[:, None, :, None, None] if len(shape) < 5 else head_mask


class AlbertMLMHead(nnx.Module):
    """Hidden state H -> E, activation, norm, then scores over V with the word embeddings as weight."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.bias = nnx.Param(jax.ShapeDtypeStruct((config.vocab_size,), jnp.float32))
        self.LayerNorm = norm(config.embedding_size, config)
        self.dense = linear(config.hidden_size, config.embedding_size, dtype)
        self.activation = activation(config.hidden_act)
        if not config.tie_word_embeddings:
            self.decoder = linear(config.embedding_size, config.vocab_size, dtype, use_bias=False)
        self.dtype = dtype

    def __call__(self, hidden_states: Array, word_embeddings: nnx.Embed) -> Array:
        """(..., H) -> (..., V). The word embeddings are the decoder where the head has none of its own."""
        states = self.LayerNorm(self.activation(self.dense(hidden_states))).astype(self.dtype)
        decode = self.decoder if hasattr(self, "decoder") else word_embeddings.attend
        return decode(states) + self.bias.astype(self.dtype)


class AlbertSOPHead(nnx.Module):
    """Sentence order: pooled state -> 2 scores, 0 in order and 1 swapped. No dropout, as in the original."""

    def __init__(self, config: AlbertConfig, dtype: Any = jnp.float32) -> None:
        self.classifier = linear(config.hidden_size, 2, dtype)

    def __call__(self, pooled_output: Array) -> Array:
        """(B, H) -> (B, 2)."""
        return self.classifier(pooled_output)


class _WithMLMHead(FlaxAlbertPreTrainedModel):
    """A model whose `predictions` share the word embeddings."""

    albert: FlaxAlbertModel
    predictions: AlbertMLMHead

    _tied_weights_keys: ClassVar[list[str] | None] = ["predictions.decoder.bias", "predictions.decoder.weight"]

    def get_output_embeddings(self) -> nnx.Linear | nnx.Embed:
        """The layer E -> V of the head: the word embeddings, unless the config unties them."""
        return getattr(self.predictions, "decoder", None) or self.get_input_embeddings()

    def set_output_embeddings(self, value: Any) -> None:
        """Replace the layer of `get_output_embeddings`, which stays without a bias of its own."""
        if not hasattr(self.predictions, "decoder"):
            self.set_input_embeddings(value)
        elif value.use_bias:
            raise InputError("The bias of the head is `predictions.bias`. Give a layer with use_bias=False.")
        else:
            self.predictions.decoder = value


class FlaxAlbertForPreTraining(_WithMLMHead):
    """Masked language model and sentence order (arXiv 1909.11942, section 3.1)."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner)
        self.predictions = AlbertMLMHead(config, self.dtype)
        self.sop_classifier = AlbertSOPHead(config, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
        sentence_order_label: Any = None,
    ) -> AlbertForPreTrainingOutput | tuple[Any, ...]:
        """-> prediction_logits (B, L, V), sop_logits (B, 2), and the loss.

        `labels` (B, L): the token at each masked place, -100 elsewhere. `sentence_order_label` (B,): 0 in order, 1
        swapped. The loss is the sum over those of the two that are given.
        """
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, None, keys[0], train)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, output_attentions, output_hidden_states, **options)
        prediction_logits = own.predictions(outputs.last_hidden_state, own.get_input_embeddings())
        sop_logits = own.sop_classifier(outputs.pooler_output)
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


class FlaxAlbertForMaskedLM(_WithMLMHead):
    """Scores over the vocabulary at every place."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner, add_pooling_layer=False)
        self.predictions = AlbertMLMHead(config, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
    ) -> MaskedLMOutput | tuple[Any, ...]:
        """-> logits (B, L, V), and the loss where `labels` (B, L) are given: the token, or -100 to leave one out."""
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, None, keys[0], train)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, output_attentions, output_hidden_states, **options)
        logits = own.predictions(outputs.last_hidden_state, own.get_input_embeddings())
        output = MaskedLMOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class FlaxAlbertForSequenceClassification(FlaxAlbertPreTrainedModel):
    """One class, several classes or a number for a text or a pair of texts, from the pooled state."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner)
        self.dropout = dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, config.num_labels, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """-> logits (B, C), and the loss where `labels` are given.

        `labels` are (B,) classes, (B, C) zeros and ones for several classes at once, or (B,) or (B, C) numbers for
        regression. `config.problem_type` says which; where it is None, one class means regression, integer labels mean
        one class a text, and others several.
        """
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, None, keys[0], train)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, output_attentions, output_hidden_states, **options)
        logits = own.classifier(_dropped(own.dropout, outputs.pooler_output, train, keys[1]))
        output = SequenceClassifierOutput(
            loss=None if labels is None else _problem_loss(logits, labels, self.config.problem_type),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class FlaxAlbertForMultipleChoice(FlaxAlbertPreTrainedModel):
    """One score a choice, from the pooled state of each (question, choice) sequence."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner)
        self.dropout = dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, 1, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
    ) -> MultipleChoiceModelOutput | tuple[Any, ...]:
        """(B, choices, L) ids, masks and types, or (B, choices, L, E) embeddings -> logits (B, choices).

        `labels` (B,): the index of the right choice.
        """
        rules.require_inputs(input_ids, inputs_embeds)
        shape = np.shape(inputs_embeds if input_ids is None else input_ids)
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        *inputs, inputs_embeds = (
            None if array is None else as_array(array).reshape(-1, *np.shape(array)[2:])
            for array in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        )
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, None, keys[0], train, output_attentions, output_hidden_states, **options)
        logits = own.classifier(_dropped(own.dropout, outputs.pooler_output, train, keys[1])).reshape(shape[:2])
        output = MultipleChoiceModelOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class FlaxAlbertForTokenClassification(FlaxAlbertPreTrainedModel):
    """A class for every token."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner, add_pooling_layer=False)
        self.dropout = dropout(config.head_dropout)
        self.classifier = linear(config.hidden_size, config.num_labels, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        labels: Any = None,
    ) -> TokenClassifierOutput | tuple[Any, ...]:
        """-> logits (B, L, C), and the loss where `labels` (B, L) are given: the class, or -100 to leave one out."""
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, None, keys[0], train)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, output_attentions, output_hidden_states, **options)
        logits = own.classifier(_dropped(own.dropout, outputs.last_hidden_state, train, keys[1]))
        output = TokenClassifierOutput(
            loss=None if labels is None else _cross_entropy(logits, labels),
            logits=logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


class FlaxAlbertForQuestionAnswering(FlaxAlbertPreTrainedModel):
    """Scores for where an answer starts and ends."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner, add_pooling_layer=False)
        self.qa_outputs = linear(config.hidden_size, 2, self.dtype)
        self.post_init()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        params: Params | None = None,
        dropout_rng: Array | None = None,
        train: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        *,
        head_mask: Any = None,
        inputs_embeds: Any = None,
        start_positions: Any = None,
        end_positions: Any = None,
        length: Any = None,
    ) -> QuestionAnsweringModelOutput | tuple[Any, ...]:
        """-> start_logits and end_logits (B, L), and the mean of their two losses where both positions are given.

        `start_positions` and `end_positions` are (B,) token indices. A position outside the sequence is left out of the
        loss; a negative one counts as 0. `length` is that of the sequence where L is longer, for the loss alone.
        """
        own, keys = self._with(params), split(self._key(dropout_rng, train), 2)
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, None, keys[0], train)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        outputs = own.albert(*inputs, output_attentions, output_hidden_states, **options)
        logits = own.qa_outputs(outputs.last_hidden_state)
        start_logits, end_logits = logits[..., 0], logits[..., 1]
        loss = None
        if start_positions is not None and end_positions is not None:
            start_loss = _position_loss(start_logits, start_positions, "start_positions", length)
            loss = (start_loss + _position_loss(end_logits, end_positions, "end_positions", length)) / 2
        output = QuestionAnsweringModelOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
        return self._answer(output, return_dict)


def _dropped(layer: nnx.Dropout, x: Array, train: bool | None, key: Array | None) -> Array:
    return layer(x, deterministic=None if train is None else not train, rngs=key)


def _cross_entropy(logits: Array, labels: Any, name: str = "labels") -> Array:
    """Mean cross entropy of (..., C) logits over the integer labels (...) that are not -100."""
    fitting = _fitting(name, labels, logits.shape[:-1])
    _check_labels(name, labels, logits.shape[-1])
    return _mean_loss(logits, fitting, rules.IGNORED)


def _check_labels(name: str, labels: Any, classes: int) -> None:
    """InputError for a class outside 0..C-1 where the values can be seen."""
    if not is_seen(labels):
        return
    values = np.asarray(labels)
    counted = values[values != rules.IGNORED]
    if counted.size:
        rules.require_labels(name, int(counted.min()), int(counted.max()), classes)


def _mean_loss(logits: Array, labels: Array, ignored: Any) -> Array:
    labels = labels.astype(jnp.int32)
    counted = labels != ignored
    logits = logits.astype(jnp.float32)
    # A class below 0, which would count from the end, lies beyond it instead: that gives NaN.
    labels = jnp.where(labels < 0, logits.shape[-1], labels)
    chosen = jnp.take_along_axis(logits, jnp.where(counted, labels, 0)[..., None], axis=-1)[..., 0]
    losses = jax.nn.logsumexp(logits, axis=-1) - chosen
    return jnp.where(counted, losses, 0).sum() / counted.sum()


def _fitting(name: str, labels: Any, shape: tuple[int, ...]) -> Array:
    """Labels in the shape of what they are compared with. InputError for others."""
    labels = jnp.asarray(labels)
    rules.require_labels_array(name, labels.shape, shape)
    return labels.reshape(shape)


def _position_loss(logits: Array, positions: Any, name: str, length: Any) -> Array:
    """Cross entropy of (B, L) logits at (B,) or (B, 1) positions; what lies at `length` or beyond does not count."""
    if length is None:
        length = logits.shape[-1]
    else:
        logits = jnp.where(jnp.arange(logits.shape[-1]) < length, logits, jnp.finfo(logits.dtype).min)
    return _mean_loss(logits, _fitting(name, positions, logits.shape[:-1]).clip(0, length), length)


def _problem_loss(logits: Array, labels: Any, problem_type: str | None) -> Array:
    """The loss of the kind of problem that `config.problem_type` names or the labels show."""
    labels, logits = jnp.asarray(labels), logits.astype(jnp.float32)
    kind = rules.problem_type(problem_type, logits.shape[-1], bool(jnp.issubdtype(labels.dtype, jnp.integer)))
    if kind == "single_label_classification":
        return _cross_entropy(logits, labels)
    labels = _fitting("labels", labels, logits.shape).astype(logits.dtype)
    if kind == "regression":
        return jnp.square(logits - labels).mean()
    return optax.sigmoid_binary_cross_entropy(logits, labels).mean()
