"""What all Flax models with a head share: the encoder inside, the run through it, and the answer.

Letters: B batch, L sequence length, V vocabulary. A class of the module `models` adds its layers and its loss, and
takes its labels from one of the four classes below that have a `__call__`.
"""

from typing import ClassVar, cast

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import Array

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.flax.answer_heads import answer_mask
from albertkit.flax.base_model import FlaxAlbertModel
from albertkit.flax.heads import AlbertMLMHead
from albertkit.flax.layers import as_array, split
from albertkit.flax.pretrained import FlaxAlbertPreTrainedModel
from albertkit.flax.typing import ArrayInput, DType, Params
from albertkit.outputs import BaseModelOutputWithPooling, ModelOutput

Encoded = BaseModelOutputWithPooling
Inputs = tuple[ArrayInput | None, ...]
Switches = tuple[bool | None, ...]
AnswerLabels = tuple[ArrayInput | None, ArrayInput | None, ArrayInput | None, Array | int | None]
"""start_positions, end_positions and is_impossible, and the length."""
Answer = ModelOutput | tuple[object, ...]


def flatten_choices(inputs: Inputs) -> tuple[Inputs, tuple[int, ...]]:
    """The six inputs of the encoder (B, choices, ...) as (B * choices, ...), and (B, choices).

    The head mask stays as it is.
    """
    input_ids, *_, head_mask, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    shape = np.shape(as_array(inputs_embeds if input_ids is None else input_ids))[:2]
    flat = (x if x is None or x is head_mask else as_array(x).reshape(-1, *np.shape(x)[2:]) for x in inputs)
    return tuple(flat), shape


def flatten_sentences(inputs: Inputs) -> tuple[Inputs, tuple[int, ...]]:
    """Inputs of rows of sentences as in `flatten_choices`; those of single texts as they are, and no shape.

    InputError for a mask that has not an entry a token.
    """
    input_ids, *_, inputs_embeds = inputs
    rules.require_inputs(input_ids, inputs_embeds)
    rank = np.ndim(as_array(inputs_embeds)) - 1 if input_ids is None else np.ndim(as_array(input_ids))
    flat, shape = flatten_choices(inputs) if rank == 3 else (inputs, ())
    if flat[1] is not None:
        rules.require_token_mask(np.shape(as_array(flat[1])))
    return flat, shape


class FlaxAlbertModelWithHead(FlaxAlbertPreTrainedModel):
    """An encoder, `albert`, with a head on it.

    A head says three things. Which output of the encoder it reads: the pooled state (B, H), or the last hidden states
    (B, L, H) where `add_pooling_layer` is False. Its layers: `_add_head(config)` sets them as attributes. Its loss:
    `_apply_head(encoded, deterministic, key, labels)` gives the output with the loss, or None in its place where there
    are no labels; the two before the labels are for its dropout.
    """

    add_pooling_layer: ClassVar[bool] = True
    albert: FlaxAlbertModel

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: DType = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        super().__init__(config, input_shape, seed, dtype, _do_init)
        inner = (input_shape, seed, self.dtype, _do_init)
        self.albert = FlaxAlbertModel(config, *inner, add_pooling_layer=self.add_pooling_layer)
        self._add_head(config)
        self.post_init()

    def _add_head(self, config: AlbertConfig) -> None:
        raise NotImplementedError

    def _encode(self, inputs: Inputs, switches: Switches, train: bool | None, key: Array | None) -> Encoded:
        """What the encoder gives for its six inputs, and for `output_attentions` and `output_hidden_states`."""
        ids, mask, types, positions, head_mask, inputs_embeds = inputs
        arguments = (ids, mask, types, positions, None, key, train, *switches)
        options = {"return_dict": True, "head_mask": head_mask, "inputs_embeds": inputs_embeds}
        return cast(Encoded, self.albert(*arguments, **options))

    def _answer(self, output: ModelOutput, encoded: Encoded, return_dict: bool | None) -> Answer:
        """The output of a head with what was asked for of the encoder, or a tuple of the same."""
        output.hidden_states, output.attentions = encoded.hidden_states, encoded.attentions
        is_named = self.config.use_return_dict if return_dict is None else return_dict
        return output if is_named else output.to_tuple()


def _deterministic(train: bool | None) -> bool | None:
    """Whether layers of dropout do nothing; None leaves it to the mode that each is in."""
    return None if train is None else not train


class FlaxAlbertModelWithLabels(FlaxAlbertModelWithHead):
    """A model with a head that learns from `labels`."""

    def _apply_head(
        self, encoded: Encoded, deterministic: bool | None, key: Array | None, labels: ArrayInput | None
    ) -> ModelOutput:
        raise NotImplementedError

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
        labels: ArrayInput | None = None,
    ) -> Answer:
        """The output that the class names, with a loss where `labels` are given; a tuple unless `return_dict`.

        What the other arguments are says the module `base_model`. InputError for labels that do not fit.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        own, keys = self._with(params), split(self._dropout_key(dropout_rng, train), 2)
        encoded = own._encode(inputs, (output_attentions, output_hidden_states), train, keys[0])
        output = own._apply_head(encoded, _deterministic(train), keys[1], labels)
        return self._answer(output, encoded, return_dict)


class FlaxAlbertModelWithPreTrainingLabels(FlaxAlbertModelWithHead):
    """A model with a head that learns from masked tokens and from the order of sentences."""

    def _apply_head(
        self,
        encoded: Encoded,
        deterministic: bool | None,
        key: Array | None,
        labels: ArrayInput | None,
        sentence_order_label: ArrayInput | None,
    ) -> ModelOutput:
        raise NotImplementedError

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
        labels: ArrayInput | None = None,
        sentence_order_label: ArrayInput | None = None,
    ) -> Answer:
        """See FlaxAlbertModelWithLabels; `labels` (B, L) and `sentence_order_label` (B,) may each be left out."""
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        own, keys = self._with(params), split(self._dropout_key(dropout_rng, train), 2)
        encoded = own._encode(inputs, (output_attentions, output_hidden_states), train, keys[0])
        output = own._apply_head(encoded, _deterministic(train), keys[1], labels, sentence_order_label)
        return self._answer(output, encoded, return_dict)


class FlaxAlbertModelWithSpanLabels(FlaxAlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends."""

    def _apply_head(
        self,
        encoded: Encoded,
        deterministic: bool | None,
        key: Array | None,
        start_positions: ArrayInput | None,
        end_positions: ArrayInput | None,
        length: Array | int | None,
    ) -> ModelOutput:
        raise NotImplementedError

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
        start_positions: ArrayInput | None = None,
        end_positions: ArrayInput | None = None,
        length: Array | int | None = None,
    ) -> Answer:
        """See FlaxAlbertModelWithLabels; `start_positions` and `end_positions` (B,) make a loss where both are given.

        `length` () integer is that of the sequence where L is longer, for the loss alone.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        own, keys = self._with(params), split(self._dropout_key(dropout_rng, train), 2)
        encoded = own._encode(inputs, (output_attentions, output_hidden_states), train, keys[0])
        output = own._apply_head(encoded, _deterministic(train), keys[1], start_positions, end_positions, length)
        return self._answer(output, encoded, return_dict)


class FlaxAlbertModelWithAnswerLabels(FlaxAlbertModelWithHead):
    """A model with a head that learns where a span of tokens starts and ends, and whether there is one."""

    def _apply_head(
        self, encoded: Encoded, deterministic: bool | None, key: Array | None, p_mask: Array, labels: AnswerLabels
    ) -> ModelOutput:
        raise NotImplementedError

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
        start_positions: ArrayInput | None = None,
        end_positions: ArrayInput | None = None,
        is_impossible: ArrayInput | None = None,
        p_mask: ArrayInput | None = None,
        length: Array | int | None = None,
    ) -> Answer:
        """See FlaxAlbertModelWithSpanLabels; `is_impossible` (B,) is 1 where there is no answer.

        By default there is none where one starts at 0. `p_mask` (B, L) is 1 where none can start or end, by default as
        `answer_heads.answer_mask` says.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        own, keys = self._with(params), split(self._dropout_key(dropout_rng, train), 2)
        encoded = own._encode(inputs, (output_attentions, output_hidden_states), train, keys[0])
        closed = answer_mask(p_mask, token_type_ids, attention_mask, encoded.last_hidden_state)
        labels = (start_positions, end_positions, is_impossible, length)
        output = own._apply_head(encoded, _deterministic(train), keys[1], closed, labels)
        return self._answer(output, encoded, return_dict)


class FlaxAlbertModelWithMLMHead(FlaxAlbertModelWithHead):
    """A model whose masked-language-model head, `predictions`, shares the word embeddings with the encoder.

    A tied head has no weight of its own.
    """

    predictions: AlbertMLMHead

    _tied_weights_keys: ClassVar[list[str] | None] = ["predictions.decoder.bias", "predictions.decoder.weight"]

    def get_output_embeddings(self) -> nnx.Linear | nnx.Embed:
        """The layer E -> V of the head: the word embeddings, unless the config unties them."""
        return getattr(self.predictions, "decoder", None) or self.get_input_embeddings()

    def set_output_embeddings(self, value: nnx.Linear | nnx.Embed) -> None:
        """Replace the layer of `get_output_embeddings`, which stays without a bias of its own.

        A dense layer is the head's own from then on; a table of words is that of a tied head and of its encoder.
        InputError for a table in the place of the head's own layer, and for a layer with a bias or of another V.
        """
        if isinstance(value, nnx.Embed):
            if hasattr(self.predictions, "decoder"):
                raise InputError(
                    "A head with a layer of its own takes a dense layer. Received: a table of words. Give "
                    "nnx.Linear(E, V, use_bias=False, rngs=...), or call set_input_embeddings for the words."
                )
            self.set_input_embeddings(value)
        elif value.use_bias:
            raise InputError("The bias of the head is `predictions.bias`. Give a layer with use_bias=False.")
        elif value.out_features != (size := self.predictions.bias.shape[0]):
            raise InputError(
                f"Output embeddings take over the bias of the head, which is for {size} tokens. Received: a layer for "
                f"{value.out_features}. Call resize_token_embeddings first."
            )
        else:
            self.predictions.decoder = value

    def mlm_logits(self, hidden_states: Array) -> Array:
        """(..., H) -> (..., V), the scores of the masked language model."""
        return self.predictions(hidden_states, self.get_input_embeddings())
