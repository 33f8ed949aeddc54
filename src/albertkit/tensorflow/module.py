"""TFAlbertModule: a Keras model with a config. Its parts, the size of its vocabulary, its switches; it knows no files.

Letters: E embedding size, V vocabulary.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import keras
import numpy as np
import tensorflow as tf

from albertkit import rules
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.outputs import ALL
from albertkit.tensorflow import call_inputs, private_api, weights
from albertkit.tensorflow.encoder import AlbertTransformer
from albertkit.tensorflow.heads import AlbertMLMHead
from albertkit.tensorflow.layers import AlbertEmbeddings, Block, Embedding, Linear, Shape
from albertkit.tensorflow.typing import Tensor

private_api.register_outputs(ALL)


class TFAlbertModule(keras.Model):
    """A bare encoder, or a model with one inside as `albert`; see TFAlbertPreTrainedModel.

    It takes its inputs as keywords, in the order of its signature, or as one list or mapping; see `call_inputs`.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _input_rank: ClassVar[int] = 2
    """The number of axes of the ids that `call` takes."""
    _vocabulary_is_shared: bool = False
    """Whether this is the encoder of a model whose head scores the vocabulary."""

    embeddings: AlbertEmbeddings
    encoder: AlbertTransformer
    seed_generator: keras.random.SeedGenerator
    """The parts of a bare encoder: `base_model` has them."""

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        rules.require_config(type(self).__name__, config)
        super().__init__(name=name)
        self.config = config
        _check_attention(config._attn_implementation or "eager")

    def __setattr__(self, name: str, value: object) -> None:
        """Keras keeps the variables of a layer that another takes the place of; they would be saved and counted."""
        old = vars(self).get(name)
        if (
            isinstance(old, keras.layers.Layer)
            and old is not value
            and sum(part is old for part in vars(self).values()) == 1
        ):
            private_api.forget_part(self, old)
        super().__setattr__(name, value)

    def post_init(self) -> None:
        """Make the variables and initialise them. The last line of every model's constructor."""
        self.build(None)
        done = None if self.base_model is self else self.base_model
        weights.initialise(self, self.checkpoint_prefix, self.config, done)
        if done is not None and self.get_output_embeddings() is not None:
            done._vocabulary_is_shared = True
        private_api.allow_more_layers(self)

    def build(self, input_shape: Shape = None) -> None:
        """Build every layer inside; those that cannot know their input's width are built by a small batch."""
        layers = private_api.sublayers(self)
        for layer in layers:
            if isinstance(layer, (Block, Linear, Embedding)) and not layer.built:
                layer.build()  # a shape given here would be taken for that of the input, in `summary`
        self.built = True
        if not all(layer.built for layer in layers):
            self(self.dummy_inputs)

    def __call__(self, *args: Tensor, **kwargs: Tensor) -> Any:
        """What `call` answers to a batch; see the module `base_model` for the arguments."""
        return super().__call__(**self._inputs_by_name(args, kwargs))

    @classmethod
    def _input_names(cls) -> list[str]:
        """The names that `call` takes, and where it hands on others too, those of the class above."""
        return call_inputs.names(cls.__mro__[: cls.__mro__.index(TFAlbertModule)])

    def _inputs_by_name(self, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return call_inputs.by_name(type(self).__name__, self._input_names(), args, kwargs)

    def _dropout_seed(self, training: bool | None) -> Tensor | None:
        """The next seed for dropout, (2,) integer, or None in evaluation."""
        return self.base_model.seed_generator.next() if training else None

    def __dir__(self) -> list[str]:
        # Keras' files walk over all that is listed here, and an encoder that lists itself has no end.
        return [name for name in super().__dir__() if name != "base_model"]

    @property
    def num_labels(self) -> int:
        """C of the config. Setting it changes the config, as `config.num_labels` does, and not the layers."""
        return self.config.num_labels

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != self.config.num_labels:
            self.config.num_labels = count

    @property
    def vocab_size(self) -> int:
        """V of the config; `resize_token_embeddings` changes it."""
        return self.config.vocab_size

    @vocab_size.setter
    def vocab_size(self, size: int) -> None:
        self.config.vocab_size = size

    @property
    def base_model(self) -> "TFAlbertModule":
        """The encoder: the model itself, or the one inside a head, which may have any name where it is the only one."""
        if (named := getattr(self, self.base_model_prefix, None)) is not None:
            return cast("TFAlbertModule", named)
        parts = [] if self._is_encoder else vars(self).values()
        inside = [part for part in parts if isinstance(part, TFAlbertModule) and part._is_encoder]
        return inside[0] if len(inside) == 1 else self

    @property
    def _is_encoder(self) -> bool:
        """Whether this is a bare encoder, with the parts of one."""
        return {"embeddings", "encoder"} <= vars(self).keys()

    @property
    def checkpoint_prefix(self) -> str:
        """What stands before the names of this model's variables in a canonical name."""
        return "albert." if self._is_encoder else ""

    @property
    def dtype(self) -> str:
        """Precision of the variables."""
        return self.variable_dtype

    @property
    def device(self) -> str:
        """Where the variables are."""
        return self.base_model.embeddings.word_embeddings.embeddings.value.device

    @property
    def framework(self) -> str:
        """`tf`, as tools for Transformers ask."""
        return "tf"

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        """A small valid batch, input_ids (1, 2) int32, or (1, 2, 2) for multiple choice."""
        return {"input_ids": tf.ones((1, 2, 2)[-self._input_rank :], tf.int32)}

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """What a served model takes: int32 ids, mask and types, of any batch size and length."""
        shape = [None] * self._input_rank
        return {
            name: tf.TensorSpec(shape, tf.int32, name) for name in ("input_ids", "attention_mask", "token_type_ids")
        }

    @classmethod
    def can_generate(cls) -> bool:
        """False: an encoder does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Parameters, each shared one counted once; with `exclude_embeddings` without the three embedding tables."""
        tables = (
            layer.embeddings for layer in vars(self.base_model.embeddings).values() if hasattr(layer, "input_dim")
        )
        spared = {id(table) for table in tables} if exclude_embeddings else set()
        counted = self.trainable_weights if only_trainable else self.weights
        return sum(int(np.prod(variable.shape)) for variable in counted if id(variable) not in spared)

    def get_input_embeddings(self) -> Embedding:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: Embedding) -> None:
        """Replace the word embeddings (V, E), and with them V of the config and of the masked-language-model head.

        InputError for another V on the encoder inside a model with such a head.
        """
        size, head = value.input_dim, self.get_lm_head()
        rules.require_own_vocabulary(self._vocabulary_is_shared, self.config.vocab_size, size)
        if not value.built:
            value.build(None)
        private_api.replace_part(self.base_model.embeddings, "word_embeddings", value)
        if head is not None and head.bias.shape[0] != size:
            _resize_head(head, size, None)
        self.config.vocab_size = size

    def get_lm_head(self) -> AlbertMLMHead | None:
        """The masked-language-model head, or None."""
        return getattr(self, "predictions", None)

    def get_bias(self) -> dict[str, keras.Variable] | None:
        """The bias (V,) of the masked-language-model head by its name, or None."""
        head = self.get_lm_head()
        return None if head is None else {"bias": head.bias}

    def get_output_embeddings(self) -> Embedding | Linear | None:
        """The layer with the weight E -> V of the masked-language-model head, or None where there is no such head."""
        return None

    def set_output_embeddings(self, value: Linear) -> None:
        """Replace the layer of `get_output_embeddings`. InputError where there is no such head."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> Embedding:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as newly initialised
        weights where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up. A compiled
        model must be compiled again. InputError for what is no size.
        """
        embeddings, head = self.get_input_embeddings(), self.get_lm_head()
        size = rules.vocabulary_size(embeddings.input_dim, new_num_tokens, pad_to_multiple_of)
        if size == embeddings.input_dim:
            return embeddings
        rules.require_own_vocabulary(self._vocabulary_is_shared, embeddings.input_dim, size)
        spread = None if mean_resizing else self.config.initializer_range
        table = weights.resized(weights.to_numpy(embeddings.embeddings), size, spread)
        private_api.replace_part(embeddings, "embeddings", table)
        embeddings.input_dim = size
        if head is not None:
            _resize_head(head, size, spread)
        self.config.vocab_size = size
        self.train_function = self.test_function = self.predict_function = None  # traced with the old variables
        return embeddings

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether activations are computed again in the backward pass instead of kept."""
        return self.base_model.encoder.gradient_checkpointing

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Keep only each layer's input during training and compute the rest again: less memory, about a third slower.

        `gradient_checkpointing_kwargs` are those of PyTorch and mean nothing here. Graphs that exist stay as they are.
        """
        self.base_model.encoder.gradient_checkpointing = True

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self.base_model.encoder.gradient_checkpointing = False

    def set_attn_implementation(self, attn_implementation: str) -> None:
        """Compute attention step by step, "eager": XLA fuses the steps where it compiles them.

        ConfigError for another way than that or "sdpa", which is the same here.
        """
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation


def _resize_head(head: AlbertMLMHead, size: int, spread: float | None) -> None:
    if head.decoder is not None:
        kernel = weights.resized(weights.to_numpy(head.decoder.kernel).T, size, spread).T
        private_api.replace_part(head.decoder, "kernel", np.ascontiguousarray(kernel))
        head.decoder.units = size
    bias = weights.to_numpy(head.bias)[:size]
    private_api.replace_part(head, "bias", np.pad(bias, (0, size - len(bias))))


def _check_attention(implementation: str) -> None:
    if implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f'`attn_implementation` must be "eager", or "sdpa", which is the same here. Received: {implementation!r}.'
        )
