"""FlaxAlbertPreTrainedModel: what all Flax models share. The config, parameters, the vocabulary's size, folders."""

import inspect
import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError
from jax import Array

from albertkit import hub, rules
from albertkit.checkpoint import files
from albertkit.checkpoint.report import LoadReport
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.flax import weights
from albertkit.flax.static_config import Aside, ConfiguredModule
from albertkit.outputs import ALL, ModelOutput

if TYPE_CHECKING:
    from albertkit.flax.models import FlaxAlbertModel

logger = logging.getLogger(__name__)

Params = Mapping[str, Any]
"""Parameters as nested dicts, by attribute path."""

for _output in ALL:
    jax.tree_util.register_pytree_with_keys(
        _output,
        lambda output: ([(jax.tree_util.GetAttrKey(k), v) for k, v in output.items()], (type(output), tuple(output))),
        lambda context, values: context[0](**dict(zip(context[1], values, strict=True))),
        lambda output: (list(output.values()), (type(output), tuple(output))),
    )


class FlaxAlbertPreTrainedModel(ConfiguredModule):
    """A model with a config, which knows how to start fresh, to change its vocabulary, and to be read and written.

    A plain NNX module, which starts in evaluation mode. `dtype` is the precision of the computation alone; parameters
    are float32, or of the precision of the file that they came from. With `_do_init` False the model has no parameters
    of its own, and each call takes them as `params`.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _tied_weights_keys: ClassVar[list[str] | None] = None

    def __init__(
        self,
        config: AlbertConfig,
        input_shape: tuple[int, ...] = (1, 1),
        seed: int = 0,
        dtype: Any = jnp.float32,
        _do_init: bool = True,
    ) -> None:
        rules.require_config(type(self).__name__, config)
        self.config = config
        self._aside = Aside(input_shape=tuple(input_shape), seed=seed, load_report=None, draws=_do_init)
        self._dtype = _as_dtype(dtype)
        if config._attn_implementation is None:
            config._attn_implementation = "sdpa"
        _check_attention(config._attn_implementation)

    def post_init(self) -> None:
        """Draw fresh weights from the seed. The last line of every model's constructor."""
        inner = None if self.base_model is self else self.base_model
        if self._aside.values["draws"]:
            weights.initialise(self, self._prefix, self.config, inner, self.seed)
        self.rngs = nnx.Rngs(dropout=self.seed)
        if inner is not None:
            cast(Any, inner).rngs = nnx.data(None)  # one stream of randomness a model, and one config
            vars(self).pop("_constant", None)
        self.eval()

    # ------------------------------------------------------------------------------------------------------- about it

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape that the model was built for; every other will do as well."""
        return self._aside.values["input_shape"]

    @property
    def seed(self) -> int:
        """What fresh weights and the stream of random keys were drawn from."""
        return self._aside.values["seed"]

    @property
    def load_report(self) -> LoadReport | None:
        """What happened when the weights were loaded; None for a model that was built fresh."""
        return self._aside.values["load_report"]

    @property
    def base_model(self) -> "FlaxAlbertModel":
        """The encoder: the model itself, or the one inside a head."""
        return cast("FlaxAlbertModel", getattr(self, self.base_model_prefix, self))

    @property
    def _keeper(self) -> "FlaxAlbertModel":
        return self.base_model

    @property
    def _prefix(self) -> str:
        """What stands before the names of this model's parameters in a neutral name."""
        return "albert." if self.base_model is self else ""

    @property
    def dtype(self) -> Any:
        """Precision of the computation."""
        return self._dtype

    @property
    def device(self) -> Any:
        """Where the parameters are: a device, or a sharding over several."""
        self._require_values()
        return next(weights.places(self))[1].get_value().device

    @property
    def framework(self) -> str:
        """`flax`, as tools for Transformers ask."""
        return "flax"

    @property
    def dummy_inputs(self) -> dict[str, Array]:
        """A small valid batch, (3, 5)."""
        return {"input_ids": jnp.array([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}

    def can_generate(self) -> bool:
        """False: an encoder does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Parameters, each shared one counted once; with `exclude_embeddings` without the three embedding tables.

        `only_trainable` changes nothing: in NNX the optimizer says what is trained.
        """
        return sum(
            int(np.prod(parameter.shape))
            for path, parameter in weights.places(self)
            if not (exclude_embeddings and path[-1] == "embedding")
        )

    # ------------------------------------------------------------------------------------------- parameters as a tree

    @property
    def params(self) -> dict[str, Any]:
        """The parameters as nested dicts by attribute path, in which a list's items are "0", "1", ...

        Setting them puts the values in place. ValueError for a model that was built with `_do_init=False`.
        """
        self._require_values()
        return weights.nested({path: parameter.get_value() for path, parameter in weights.places(self)})

    @params.setter
    def params(self, params: Params) -> None:
        self._require_values()
        self._put(params)

    @property
    def params_shape_tree(self) -> dict[str, Any]:
        """Shapes and dtypes in the place of the parameters."""
        own = weights.places(self)
        return weights.nested({path: jax.ShapeDtypeStruct(param.shape, param.dtype) for path, param in own})

    @property
    def required_params(self) -> set[tuple[str, ...]]:
        """The path of every parameter."""
        return {path for path, _ in weights.places(self)}

    @property
    def key(self) -> Array:
        """The random key of the seed."""
        return jax.random.PRNGKey(self.seed)

    def init_weights(
        self, rng: Array, input_shape: tuple[int, ...] | None = None, params: Params | None = None
    ) -> dict[str, Any]:
        """Fresh parameters drawn from a random key; those that are in `params` are taken from there."""
        options = {name: getattr(self, name) for name in self._building}
        seed = int(jax.random.randint(rng, (), 0, 2**31 - 1))
        fresh = type(self)(self.config, seed=seed, dtype=self.dtype, **options)
        return weights.nested(dict(weights.flat(fresh.params)) | dict(weights.flat(params or {})))

    _building: ClassVar[tuple[str, ...]] = ()
    """The attributes that are also arguments of the constructor."""

    def to_bf16(self, params: Params, mask: Any = None) -> Any:
        """A copy of parameters in bfloat16; with a `mask`, a tree of booleans, those that it marks."""
        return _cast(params, jnp.bfloat16, mask)

    def to_fp16(self, params: Params, mask: Any = None) -> Any:
        """A copy of parameters in float16; see `to_bf16`."""
        return _cast(params, jnp.float16, mask)

    def to_fp32(self, params: Params, mask: Any = None) -> Any:
        """A copy of parameters in float32; see `to_bf16`."""
        return _cast(params, jnp.float32, mask)

    def _require_values(self) -> None:
        if isinstance(next(weights.places(self))[1].get_value(), jax.ShapeDtypeStruct):
            raise ValueError(
                f"A {type(self).__name__} built with `_do_init=False` keeps no parameters. Keep them yourself, as "
                "init_weights(rng, input_shape) or from_pretrained gives them, and call model(..., params=params)."
            )

    def _put(self, params: Params) -> None:
        """Give the parameters the values of a tree. ValueError where one is missing or has another shape."""
        given = dict(weights.flat(params))
        if missing := sorted("/".join(path) for path in self.required_params - set(given)):
            raise ValueError(
                f"`params` must hold every parameter of {type(self).__name__}. Some parameters are missing: "
                f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}. See model.required_params."
            )
        for path, parameter in weights.places(self):
            if given[path].shape != parameter.shape:
                raise ValueError(
                    f"`params` must have the shapes of model.params_shape_tree. Received: {'/'.join(path)} of shape "
                    f"{given[path].shape} in the place of {parameter.shape}."
                )
            parameter.set_value(given[path])

    def _with(self, params: Params | None) -> Any:
        """The model itself, or a twin of it that has other parameters."""
        if params is None:
            self._require_values()
            return self
        twin = nnx.merge(*nnx.split(self), copy=True)  # whose parameters belong to this level of tracing
        twin._put(params)
        return twin

    def _key(self, dropout_rng: Array | None, train: bool | None) -> Array | None:
        """The random key of a call, or None where no dropout acts: the one given, or one from the model's stream."""
        resting = train is False or all(layer.rate == 0 or (layer.deterministic and not train) for layer in self._drops)
        if resting or dropout_rng is not None:
            return None if resting else dropout_rng
        if self.rngs is None:
            raise InputError("The encoder inside a head has no random keys of its own. Pass `dropout_rng`.")
        try:
            return self.rngs.dropout()
        except TraceContextError as error:
            raise InputError(
                "Inside jit, grad or vmap a model that is not their argument cannot draw random keys. Pass "
                "`dropout_rng`, or use nnx.jit with the model as an argument."
            ) from error

    @property
    def _drops(self) -> list[nnx.Dropout]:
        return [module for _, module in nnx.iter_modules(self) if isinstance(module, nnx.Dropout)]

    # ---------------------------------------------------------------------------------------- embeddings and their size

    def get_input_embeddings(self) -> nnx.Embed:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nnx.Embed) -> None:
        """Replace the word embeddings."""
        self.base_model.embeddings.word_embeddings = value

    def get_output_embeddings(self) -> nnx.Linear | nnx.Embed | None:
        """The layer E -> V of the masked-language-model head, or None where there is no such head.

        It is the word embeddings where the two are tied.
        """
        return None

    def set_output_embeddings(self, value: Any) -> None:
        """Replace the layer of `get_output_embeddings`."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nnx.Embed:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as fresh weights
        where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up.
        """
        self._require_values()
        old, decoder = self.get_input_embeddings(), self.get_output_embeddings()
        size = rules.vocabulary_size(old.num_embeddings, new_num_tokens, pad_to_multiple_of)
        if size == old.num_embeddings:
            return old
        spread = None if mean_resizing else self.config.initializer_range
        old.embedding.set_value(weights.resized(old.embedding.get_value(), size, spread, self.seed))
        old.num_embeddings = size
        if isinstance(decoder, nnx.Linear):
            decoder.kernel.set_value(weights.resized(decoder.kernel.get_value().T, size, spread, self.seed).T)
            decoder.out_features = size
        if decoder is not None:
            bias = cast(Any, self).predictions.bias
            kept = bias.get_value()[:size]
            bias.set_value(jnp.concatenate([kept, jnp.zeros(size - len(kept), kept.dtype)]))
        self.config.vocab_size = size
        return old

    # --------------------------------------------------------------------------------------------------------- switches

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
        """Compute attention by jax.nn.dot_product_attention, "sdpa", or step by step, "eager"."""
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation

    # --------------------------------------------------------------------------------------- files

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        dtype: Any = jnp.float32,
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        torch_dtype: Any = None,
        _do_init: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Read a model from a folder or from the hub, whichever framework wrote it.

        `config` replaces the folder's config.json. `dtype`, or `torch_dtype`, is the precision of the computation;
        parameters keep that of the file. Keywords that name a field of the config override it (`num_labels=3`), those
        of `hub.fetch` (`revision`, `cache_dir`, `local_files_only`, ...) say where to look, those of `hub.VOID`
        (`from_pt`, ...) change nothing, and those of the constructor reach it, of which `seed` decides fresh weights.
        With `_do_init=False` the answer is (model, params), and with `output_loading_info` it ends in a dictionary of
        what was missing, unexpected and mismatched.

        What was loaded and what started fresh stands in `model.load_report`; fresh weights are announced as a warning.
        Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        fetching = hub.options(kwargs)
        accepted = inspect.signature(cls.__init__).parameters
        arguments = {key: kwargs.pop(key) for key in list(kwargs) if key in accepted}
        if isinstance(config, (str, os.PathLike)):
            config = cast(AlbertConfig, cls.config_class.from_pretrained(config, **fetching))
        options = {"config": config, "variant": variant, "use_safetensors": use_safetensors}
        checkpoint = files.load(pretrained_model_name_or_path, **options, **fetching)
        config = checkpoint.config.changed(**kwargs, attn_implementation=attn_implementation)
        dtype = dtype if torch_dtype in (None, "auto") else torch_dtype
        model = cls(config, *model_args, dtype=dtype, _do_init=False, **arguments)
        what = weights.load(
            model,
            model._prefix,
            config,
            checkpoint.tensors,
            str(checkpoint.source),
            dtype="auto",
            ignore_mismatched_sizes=ignore_mismatched_sizes,
            seed=model.seed,
        )
        if announcement := what.announcement():
            logger.warning(announcement)
        model._aside.values["load_report"] = what
        answer = (model,) if _do_init else model._without_values()
        if output_loading_info:
            info = {"missing_keys": sorted(what.missing), "unexpected_keys": sorted(what.unexpected)}
            answer += (info | {"mismatched_keys": sorted(what.mismatched), "error_msgs": []},)
        return answer if len(answer) > 1 else model

    def _without_values(self) -> tuple[Any, dict[str, Any]]:
        """Itself without its parameters, and these."""
        params = self.params
        for _, parameter in weights.places(self):
            parameter.set_value(jax.ShapeDtypeStruct(parameter.shape, parameter.dtype))
        return self, params

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        params: Params | None = None,
        is_main_process: bool = True,
        max_shard_size: int | str = "5GB",
        variant: str | None = None,
        safe_serialization: bool = True,
    ) -> None:
        """Write `config.json` and `model.safetensors` as one step: a crash leaves the old model or the new one.

        The folder is one that every framework reads. `params` replaces the model's own parameters, `max_shard_size`
        limits one file ("5GB" or bytes), `variant` names the file `model.{variant}.safetensors`. Every process of a
        group may call this, and only the main one writes.
        """
        if not safe_serialization:
            raise InputError("albertkit writes safetensors only. For msgpack call flax.serialization.to_bytes(params).")
        if not is_main_process:
            return
        tensors = weights.extract(self._with(params), self._prefix)
        name = type(self).__name__.removeprefix("Flax")
        files.save(save_directory, self.config, tensors, name, max_shard_size=max_shard_size, variant=variant)

    def _answer(self, output: ModelOutput, return_dict: bool | None) -> Any:
        named = self.config.use_return_dict if return_dict is None else return_dict
        return output if named else output.to_tuple()


def _check_attention(implementation: str) -> None:
    """ConfigError for a way of computing attention that is not there."""
    if implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f'`attn_implementation` must be "sdpa" or "eager". Received: {implementation!r}. "sdpa" is '
            "jax.nn.dot_product_attention."
        )


def _as_dtype(dtype: Any) -> Any:
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        raise InputError(f"`dtype` must be a floating point type such as jnp.bfloat16. Received: {dtype!r}.")
    return found


def _cast(params: Params, dtype: Any, mask: Any) -> Any:
    def cast_one(value: Any, marked: bool = True) -> Any:
        return value.astype(dtype) if marked and jnp.issubdtype(value.dtype, jnp.floating) else value

    return jax.tree.map(cast_one, params) if mask is None else jax.tree.map(cast_one, params, mask)
