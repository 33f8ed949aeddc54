"""FlaxAlbertModule: a module with a config. Its parts, the size of its vocabulary, its switches; it knows no files.

Letters: E embedding size, V vocabulary.
"""

from typing import Any, ClassVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError
from jax import Array

from albertkit import rules
from albertkit.checkpoint.report import LoadReport
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.flax import weights
from albertkit.flax.encoder import AlbertTransformer
from albertkit.flax.heads import AlbertMLMHead
from albertkit.flax.layers import AlbertEmbeddings
from albertkit.flax.static_config import ConfiguredModule, UntrackedAttributes
from albertkit.flax.typing import DType
from albertkit.outputs import ALL

for _output in ALL:
    jax.tree_util.register_pytree_with_keys(
        _output,
        lambda output: ([(jax.tree_util.GetAttrKey(k), v) for k, v in output.items()], (type(output), tuple(output))),
        lambda context, values: context[0](**dict(zip(context[1], values, strict=True))),
        lambda output: (list(output.values()), (type(output), tuple(output))),
    )


class FlaxAlbertModule(ConfiguredModule):
    """A bare encoder, or a model with one inside as `albert`; see FlaxAlbertPreTrainedModel.

    With `_do_init` False it has shapes in the place of parameters. `input_shape` is kept and changes nothing.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _tied_weights_keys: ClassVar[list[str] | None] = None
    _vocabulary_is_shared: bool = False
    """Whether this is the encoder of a model whose head scores the vocabulary."""

    embeddings: AlbertEmbeddings
    encoder: AlbertTransformer
    """The parts of a bare encoder: `base_model` has both."""
    predictions: AlbertMLMHead
    """The head of a masked language model."""
    rngs: nnx.Rngs | None
    """The model's own stream of random keys, for dropout; an encoder inside a head has none."""

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: DType = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        rules.require_config(type(self).__name__, config)
        self.config = config
        self._untracked = UntrackedAttributes(tuple(input_shape), seed, _do_init)
        self._dtype = _as_dtype(dtype)
        if config._attn_implementation is None:
            config._attn_implementation = "sdpa"
        _check_attention(config._attn_implementation)

    def post_init(self) -> None:
        """Initialise the weights from the seed. The last line of every model's constructor."""
        inner = None if self.base_model is self else self.base_model
        if self._untracked.is_initialised:
            weights.initialise(self, self.checkpoint_prefix, self.config, inner, self.seed)
        self.rngs = nnx.Rngs(dropout=self.seed)
        if inner is not None:
            inner._vocabulary_is_shared = self.get_output_embeddings() is not None
            inner.rngs = nnx.data(None)  # one stream of randomness a model, and one config
            vars(self).pop("_static_config", None)
        self.eval()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape that the model was built for; every other will do as well."""
        return self._untracked.input_shape

    @property
    def seed(self) -> int:
        """What newly initialised weights and the stream of random keys were drawn from."""
        return self._untracked.seed

    @property
    def load_report(self) -> LoadReport | None:
        """What happened when the weights were loaded; None for a model that was newly initialised."""
        return self._untracked.load_report

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
    def base_model(self) -> "FlaxAlbertModule":
        """The encoder: the model itself, or the one inside a head, which may have any name where it is the only one."""
        if (named := getattr(self, self.base_model_prefix, None)) is not None:
            return cast("FlaxAlbertModule", named)
        parts = [] if self._is_encoder else vars(self).values()
        inside = [part for part in parts if isinstance(part, FlaxAlbertModule) and part._is_encoder]
        return inside[0] if len(inside) == 1 else self

    @property
    def _is_encoder(self) -> bool:
        """Whether this is a bare encoder, with the parts of one."""
        return {"embeddings", "encoder"} <= vars(self).keys()

    @property
    def _config_owner(self) -> ConfiguredModule:
        return self.base_model

    @property
    def checkpoint_prefix(self) -> str:
        """What stands before the names of this model's parameters in a canonical name."""
        return "albert." if self._is_encoder else ""

    @property
    def dtype(self) -> np.dtype:
        """Precision of the computation."""
        return self._dtype

    @property
    def device(self) -> Any:
        """Where the parameters are: a jax.Device, or a sharding over several. ValueError where there are none."""
        self._require_values()
        return next(weights.named_parameters(self))[1].get_value().device

    @property
    def framework(self) -> str:
        """`flax`, as tools for Transformers ask."""
        return "flax"

    @property
    def dummy_inputs(self) -> dict[str, Array]:
        """A small valid batch, input_ids (3, 5) int32."""
        return {"input_ids": jnp.array([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}

    @classmethod
    def can_generate(cls) -> bool:
        """False: an encoder does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Parameters, each shared one counted once; with `exclude_embeddings` without the three embedding tables.

        `only_trainable` changes nothing: in NNX the optimizer says what is trained.
        """
        return sum(
            int(np.prod(parameter.shape))
            for path, parameter in weights.named_parameters(self)
            if not (exclude_embeddings and path[-1] == "embedding")
        )

    def _dropout_key(self, dropout_rng: Array | None, train: bool | None) -> Array | None:
        """The random key of a call, or None where no dropout acts: the one given, or one of the model's stream."""
        layers = (module for _, module in nnx.iter_modules(self) if isinstance(module, nnx.Dropout))
        is_off = train is False or all(layer.rate == 0 or (layer.deterministic and not train) for layer in layers)
        if is_off or dropout_rng is not None:
            return None if is_off else dropout_rng
        if self.rngs is None:
            raise InputError("The encoder inside a head has no random keys of its own. Pass `dropout_rng`.")
        try:
            return self.rngs.dropout()
        except TraceContextError as error:
            raise InputError(
                "Inside jit, grad or vmap a model that is not their argument cannot draw random keys. Pass "
                "`dropout_rng`, or use nnx.jit with the model as an argument."
            ) from error

    def _require_values(self) -> None:
        """ValueError for a model that was built with `_do_init=False`."""
        if isinstance(next(weights.named_parameters(self))[1].get_value(), jax.ShapeDtypeStruct):
            raise ValueError(
                f"A {type(self).__name__} built with `_do_init=False` keeps no parameters. Keep them yourself, as "
                "init_weights(rng, input_shape) or from_pretrained gives them, and call model(..., params=params)."
            )

    def get_input_embeddings(self) -> nnx.Embed:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nnx.Embed) -> None:
        """Replace the word embeddings (V, E), and with them V of the config and of the masked-language-model head.

        InputError for another V on the encoder inside a model with such a head.
        """
        size, decoder = value.num_embeddings, self.get_output_embeddings()
        rules.require_own_vocabulary(self._vocabulary_is_shared, self.config.vocab_size, size)
        self.base_model.embeddings.word_embeddings = value
        if decoder is not None and self.predictions.bias.shape[0] != size:
            self._resize_head(decoder, size, None)
        self.config.vocab_size = size

    def get_output_embeddings(self) -> nnx.Linear | nnx.Embed | None:
        """The layer E -> V of the masked-language-model head, or None where there is no such head.

        It is the word embeddings where the two are tied.
        """
        return None

    def set_output_embeddings(self, value: nnx.Linear | nnx.Embed) -> None:
        """Replace the layer of `get_output_embeddings`. InputError where there is no such head."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nnx.Embed:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as newly initialised
        weights where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up. InputError
        for what is no size, ValueError for a model that was built with `_do_init=False`.
        """
        self._require_values()
        old, decoder = self.get_input_embeddings(), self.get_output_embeddings()
        size = rules.vocabulary_size(old.num_embeddings, new_num_tokens, pad_to_multiple_of)
        if size == old.num_embeddings:
            return old
        rules.require_own_vocabulary(self._vocabulary_is_shared, old.num_embeddings, size)
        spread = None if mean_resizing else self.config.initializer_range
        old.embedding.set_value(weights.resized(old.embedding.get_value(), size, spread, self.seed))
        old.num_embeddings = size
        if decoder is not None:
            self._resize_head(decoder, size, spread)
        self.config.vocab_size = size
        return old

    def _resize_head(self, decoder: nnx.Linear | nnx.Embed, size: int, spread: float | None) -> None:
        if isinstance(decoder, nnx.Linear):
            decoder.kernel.set_value(weights.resized(decoder.kernel.get_value().T, size, spread, self.seed).T)
            decoder.out_features = size
        head: AlbertMLMHead = self.predictions
        old = head.bias.get_value()[:size]
        head.bias.set_value(jnp.concatenate([old, jnp.zeros(size - len(old), old.dtype)]))

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether activations are computed again in the backward pass instead of kept."""
        return self.base_model.encoder.gradient_checkpointing

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Keep only each layer's input during training and compute the rest again: less memory, about a third slower.

        `gradient_checkpointing_kwargs` go to jax.checkpoint, e.g. {"policy": jax.checkpoint_policies.dots_saveable}.
        """
        encoder = self.base_model.encoder
        encoder.gradient_checkpointing = True
        encoder.gradient_checkpointing_kwargs = tuple((gradient_checkpointing_kwargs or {}).items())

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self.base_model.encoder.gradient_checkpointing = False

    def enable_gradient_checkpointing(self) -> None:
        """The name of `gradient_checkpointing_enable` in Transformers."""
        self.gradient_checkpointing_enable()

    def set_attn_implementation(self, attn_implementation: str) -> None:
        """Compute attention by jax.nn.dot_product_attention, "sdpa", or step by step, "eager".

        ConfigError for another way.
        """
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation


def _check_attention(implementation: str) -> None:
    if implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f'`attn_implementation` must be "sdpa" or "eager". Received: {implementation!r}. "sdpa" is '
            "jax.nn.dot_product_attention."
        )


def _as_dtype(dtype: DType) -> np.dtype:
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        raise InputError(f"`dtype` must be a floating point type such as jnp.bfloat16. Received: {dtype!r}.")
    return found
