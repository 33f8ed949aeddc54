"""TFAlbertPreTrainedModel: what all Keras models share. Fresh weights, the vocabulary's size, folders, fit, serving."""

import functools
import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import keras
import numpy as np
import optree
import tensorflow as tf

from albertkit import hub, rules
from albertkit.checkpoint import files
from albertkit.checkpoint.report import LoadReport, Tensors
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError, did_you_mean
from albertkit.outputs import ALL, ModelOutput
from albertkit.tensorflow import weights
from albertkit.tensorflow.layers import Block, Embedding, Linear, Tensor

if TYPE_CHECKING:
    from albertkit.tensorflow.models import AlbertMLMHead, TFAlbertModel

logger = logging.getLogger(__name__)

for _output in ALL:
    optree.register_pytree_node(
        _output,
        lambda output: (list(output.values()), list(output), list(output)),
        lambda names, values, kind=_output: kind(**dict(zip(names, values, strict=True))),
        namespace="keras",
    )


def _taking_encodings(method: Any) -> Any:
    """A method of keras.Model that also takes what a tokenizer answers with."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        held_out = given.get("validation_data")
        batches = [(given.get("x"), given.get("y"), given.get("sample_weight"))]
        batches += [keras.utils.unpack_x_y_sample_weight(held_out)] if isinstance(held_out, (list, tuple)) else []
        if any(y is None and sample_weight is not None for _, y, sample_weight in batches):
            raise InputError("Keras weights labels that are given as y. Received: sample_weight without y.")
        for name in ("x", "y", "validation_data"):
            if name in given:
                given[name] = _as_dict(given[name])
        if isinstance(held_out, (list, tuple)):
            given["validation_data"] = tuple(map(_as_dict, held_out))
        return method(*bound.args, **bound.kwargs)

    return wrapped


def _as_dict(value: Any) -> Any:
    """Any mapping as a dict, the only one that Keras knows."""
    return dict(value) if isinstance(value, Mapping) else value


_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class TFAlbertPreTrainedModel(keras.Model):
    """A model with a config, which knows how to start fresh, to change its vocabulary, and to be read and written.

    It takes its inputs as keywords, in the order of its signature, or as one list or mapping; see the module `models`.
    `compile` without a loss trains on the model's own, with labels inside x or given as y.
    """

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    load_report: LoadReport | None = None
    """What happened when the weights were loaded; None for a model that was built fresh."""
    _labels: ClassVar[tuple[str, ...]] = ()
    """The labels of the model's own loss, in the order of the logits that they belong to."""
    _fewest_labels: ClassVar[int] = 1
    """How many of them that loss needs."""
    _input_rank: ClassVar[int] = 2

    def __init__(self, config: AlbertConfig, name: str | None = None) -> None:
        rules.require_config(type(self).__name__, config)
        super().__init__(name=name)
        self.config = config
        _check_attention(config._attn_implementation or "eager")

    def post_init(self) -> None:
        """Make the variables and draw fresh values. The last line of every model's constructor."""
        self.build(None)
        done = None if self.base_model is self else self.base_model
        weights.initialise(self, self._prefix, self.config, done)
        self._tracker.unlock()  # a subclass may go on to add layers

    def build(self, input_shape: Any = None) -> None:
        """Build every layer inside; those that cannot know their input's width are built by a small batch."""
        layers = self._flatten_layers(include_self=False, recursive=False)
        for layer in layers:
            if isinstance(layer, (Block, Linear, Embedding)) and not layer.built:
                layer.build()  # a shape given here would be taken for that of the input, in `summary`
        self.built = True
        if not all(layer.built for layer in layers):
            self(self.dummy_inputs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer a batch; see the module `models`."""
        return super().__call__(**self._by_name(args, kwargs))

    @classmethod
    def _inputs(cls) -> list[str]:
        """The names that `call` takes, and where it hands on others too, those of the class above."""
        found: dict[str, None] = {}
        for kind in cls.__mro__[: cls.__mro__.index(TFAlbertPreTrainedModel)]:
            if "call" in vars(kind):
                _, *parameters = inspect.signature(vars(kind)["call"]).parameters.values()
                named = [each.name for each in parameters if each.kind not in _ANY]
                found |= dict.fromkeys(named)
                if len(named) == len(parameters):
                    break
        return list(found)

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """All inputs by the names of the signature, whichever way they were given."""
        known = self._inputs()
        first = args[0] if args else kwargs.get("input_ids")
        if isinstance(first, Mapping):
            ignored = [name for name in first if name not in known]
            if ignored:
                logger.warning("%s has no input called %s: left out.", type(self).__name__, ", ".join(ignored))
            args = (None, *args[1:])
            kwargs = {**kwargs, "input_ids": None} | {name: first[name] for name in known if name in first}
        elif isinstance(first, (list, tuple)) and any(hasattr(item, "shape") for item in first):
            args = (*first, *args[1:]) if args else tuple(first)
            kwargs = {name: value for name, value in kwargs.items() if name != "input_ids"}
        if len(args) > len(known):
            raise InputError(f"{type(self).__name__} takes at most {len(known)} inputs. Received: {len(args)}.")
        given = dict(zip(known, args, strict=False))
        twice = [name for name in given if name in kwargs and given[name] is not None]
        if twice:
            raise InputError(f"Each input is given once. Received twice: {', '.join(twice)}.")
        return {name: _as_tensor(value) for name, value in {**given, **kwargs}.items()}

    def __dir__(self) -> list[str]:
        # Keras' files walk over all that is listed here, and an encoder that lists itself has no end.
        return [name for name in super().__dir__() if name != "base_model"]

    # ------------------------------------------------------------------------------------------------------- about it

    @property
    def base_model(self) -> "TFAlbertModel":
        """The encoder: the model itself, or the one inside a head."""
        return cast("TFAlbertModel", getattr(self, self.base_model_prefix, self))

    @property
    def _prefix(self) -> str:
        """What stands before the names of this model's variables in a neutral name."""
        return "albert." if self.base_model is self else ""

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
        """A small valid batch, (1, 2), or (1, 2, 2) for multiple choice."""
        return {"input_ids": tf.ones((1, 2, 2)[-self._input_rank :], tf.int32)}

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """What a served model takes: int32 ids, mask and types, of any batch size and length."""
        shape = [None] * self._input_rank
        return {
            name: tf.TensorSpec(shape, tf.int32, name) for name in ("input_ids", "attention_mask", "token_type_ids")
        }

    def can_generate(self) -> bool:
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

    # ---------------------------------------------------------------------------------------- embeddings and their size

    def get_input_embeddings(self) -> Embedding:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: Embedding) -> None:
        """Replace the word embeddings."""
        if not value.built:
            value.build(None)
        weights.exchange(self.base_model.embeddings, "word_embeddings", value)

    def get_lm_head(self) -> "AlbertMLMHead | None":
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
        """Replace the layer of `get_output_embeddings`."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> Embedding:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as fresh weights
        where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up. A compiled model must
        be compiled again.
        """
        embeddings, head = self.get_input_embeddings(), self.get_lm_head()
        size = rules.vocabulary_size(embeddings.input_dim, new_num_tokens, pad_to_multiple_of)
        if size == embeddings.input_dim:
            return embeddings
        spread = None if mean_resizing else self.config.initializer_range
        table = weights.resized(weights.to_numpy(embeddings.embeddings), size, spread)
        weights.exchange(embeddings, "_embeddings", table)
        embeddings.input_dim = size
        if head is not None:
            if head.decoder is not None:
                kernel = weights.resized(weights.to_numpy(head.decoder.kernel).T, size, spread).T
                weights.exchange(head.decoder, "_kernel", np.ascontiguousarray(kernel))
                head.decoder.units = size
            bias = weights.to_numpy(head.bias)[:size]
            weights.exchange(head, "bias", np.pad(bias, (0, size - len(bias))))
        self.config.vocab_size = size
        self.train_function = self.test_function = self.predict_function = None  # traced with the old variables
        return embeddings

    # --------------------------------------------------------------------------------------------------------- switches

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
        """Compute attention step by step, "eager": XLA fuses the steps where it compiles them."""
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation

    # -------------------------------------------------------------------------------------------------------- training

    fit = _taking_encodings(keras.Model.fit)
    evaluate = _taking_encodings(keras.Model.evaluate)
    predict = _taking_encodings(keras.Model.predict)
    train_on_batch = _taking_encodings(keras.Model.train_on_batch)
    test_on_batch = _taking_encodings(keras.Model.test_on_batch)
    predict_on_batch = _taking_encodings(keras.Model.predict_on_batch)

    def train_step(self, data: Any) -> dict[str, Tensor]:
        """One step of `fit`."""
        return super().train_step(self._with_labels(data))

    def test_step(self, data: Any) -> dict[str, Tensor]:
        """One step of `evaluate`."""
        return super().test_step(self._with_labels(data))

    def predict_step(self, data: Any) -> Any:
        """One step of `predict`, without a loss."""
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        return super().predict_step(self._apart(x)[0])

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Tensor:
        """The loss given to `compile`, of the logits alone; without one, the model's own."""
        if self._compile_loss is not None:
            return super().compute_loss(x, y, self._logits(y_pred), sample_weight, training)
        if not isinstance(y_pred, (ModelOutput, tuple, list)):
            raise InputError(
                f"Without a loss in compile(), a model must answer with its own. Received: {type(self).__name__}, "
                f"which answers with one {type(y_pred).__name__}. Give it a loss there."
            )
        loss = y_pred["loss"] if isinstance(y_pred, ModelOutput) else y_pred[0]
        return tf.add_n([loss, *(self._aggregate_additional_loss(extra) for extra in self.losses)])

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Tensor]:
        """The metrics given to `compile`, of the logits alone."""
        return super().compute_metrics(x, y, self._logits(y_pred, self._compile_loss is None), sample_weight)

    def _apart(self, x: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Inputs by name, without labels; and the labels that were among them."""
        given = {name: value for name, value in self._by_name((x,), {}).items() if value is not None}
        labels = {name: given.pop(name) for name in self._labels if name in given}
        return given, labels

    def _with_labels(self, data: Any) -> tuple[Any, Any, Any]:
        """A batch with its labels where its loss needs them: among the inputs for the model's own, else as targets."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        x, labels = self._apart(x)
        if isinstance(y, Mapping):
            self._require_known(y)
            labels |= y
        elif y is not None and self._labels:
            labels |= zip(self._labels, y if isinstance(y, (list, tuple)) else [y], strict=False)
        if self._compile_loss is None:
            if len(labels) < self._fewest_labels:
                wanted = " and ".join(f"`{name}`" for name in self._labels) or "none, for it has no head"
                raise InputError(
                    f"The own loss of {type(self).__name__} needs labels. Received: {', '.join(labels) or 'none'}. "
                    f"Give them as y or inside x ({wanted}), or give a loss to compile()."
                )
            if sample_weight is not None:
                raise InputError(
                    "The own loss of a model is a mean over its labels. Received: sample_weight. Give a loss to "
                    "compile(), such as keras.losses.SparseCategoricalCrossentropy(from_logits=True)."
                )
            x |= labels
        if labels:
            y = labels if len(self._labels) > 1 else next(iter(labels.values()))
        return x, y, sample_weight

    def _require_known(self, labels: Mapping[str, Any]) -> None:
        """InputError for labels under names that the model does not take them by."""
        # A model that someone else wrote may take any of its inputs for a label.
        known = self._labels or tuple(self._inputs())
        wrong = [name for name in labels if name not in known]
        if wrong and (self._labels or self._compile_loss is None):
            raise InputError(
                f"Labels that {type(self).__name__} is given by name must be among: {', '.join(known)}. Received: "
                f"{', '.join(wrong)}.{did_you_mean(wrong[0], known)}"
            )

    def _logits(self, y_pred: Any, has_loss: bool = False) -> Any:
        """What losses and metrics compare with the labels: the logits, by label where there are several labels."""
        if isinstance(y_pred, ModelOutput):
            y_pred = [value for name, value in y_pred.items() if name != "loss"]
        elif not isinstance(y_pred, (tuple, list)):
            return y_pred  # of a model that someone else wrote
        elif has_loss:
            y_pred = y_pred[1:]
        return y_pred[0] if len(self._labels) < 2 else dict(zip(self._labels, y_pred, strict=False))

    # ----------------------------------------------------------------------------------------------------------- files

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        state_dict: Mapping[str, Any] | None = None,
        dtype: Any = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        torch_dtype: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Read a model from a folder or from the hub.

        `config` replaces the folder's config.json, `state_dict` the folder's weights. `dtype` is a dtype policy such as
        "mixed_bfloat16" or a dtype: Keras' global one by default, "auto" for the file's precision. Keywords that name a
        field of the config override it (`num_labels=3`), those of `hub.fetch` (`revision`, `cache_dir`,
        `local_files_only`, ...) say where to look, those of the constructor reach it, and those of `hub.VOID`
        (`from_pt`, ...) change nothing. `torch_dtype` is another name of `dtype`. With `output_loading_info` the answer
        is (model, info).

        What was loaded and what started fresh stands in `model.load_report`; fresh weights are announced as a warning.
        Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        name, dtype = pretrained_model_name_or_path, dtype or torch_dtype
        fetching = hub.options(kwargs)
        accepted = inspect.signature(cls.__init__).parameters
        arguments = {key: kwargs.pop(key) for key in list(kwargs) if key in accepted}
        if name is None and (config is None or state_dict is None):
            raise InputError("from_pretrained(None) needs both `config` and `state_dict`.")
        if isinstance(config, (str, os.PathLike)):
            config = cast(AlbertConfig, cls.config_class.from_pretrained(config, **fetching))
        if state_dict is None:
            options = {"config": config, "variant": variant, "use_safetensors": use_safetensors}
            checkpoint = files.load(name or "", **options, **fetching)
            config, tensors, source = checkpoint.config, checkpoint.tensors, str(checkpoint.source)
        else:
            tensors, source = _arrays(state_dict), "the given state_dict"
            config = config or cast(AlbertConfig, cls.config_class.from_pretrained(name or "", **fetching))
        config = config.changed(**kwargs)
        if dtype == "auto":
            dtype = config.dtype or next(iter(tensors.values())).dtype.name
        with weights.computing_in(dtype), weights.without_values():
            model = cls(config, *model_args, **arguments)
            model.build(None)  # what a subclass added
        what = weights.load(
            model, model._prefix, config, tensors, source, ignore_mismatched_sizes=ignore_mismatched_sizes
        )
        if announcement := what.announcement():
            logger.warning(announcement)
        model.load_report = what
        if not output_loading_info:
            return model
        info = {"missing_keys": sorted(what.missing), "unexpected_keys": sorted(what.unexpected)}
        return model, info | {"mismatched_keys": sorted(what.mismatched), "error_msgs": []}

    @classmethod
    def _from_config(cls, config: AlbertConfig, dtype: Any = None) -> Self:
        """A fresh model of a copy of `config`."""
        with weights.computing_in(dtype):
            return cls(config.changed())

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        saved_model: bool = False,
        version: int = 1,
        is_main_process: bool = True,
        state_dict: Mapping[str, Any] | None = None,
        max_shard_size: int | str = "5GB",
        variant: str | None = None,
        safe_serialization: bool = True,
    ) -> None:
        """Write `config.json` and `model.safetensors` as one step: a crash leaves the old model or the new one.

        `saved_model` also exports the model for serving, to `saved_model/{version}`; see `export`. `state_dict`
        replaces the model's own weights, `max_shard_size` limits one file ("5GB" or bytes), `variant` names the file
        `model.{variant}.safetensors`.
        """
        if not safe_serialization:
            raise InputError("albertkit writes safetensors only. For HDF5 call model.save_weights(path).")
        if not is_main_process:
            return
        self.build(None)  # what a subclass added
        tensors = weights.extract(self, self._prefix) if state_dict is None else _arrays(state_dict)
        name = type(self).__name__.removeprefix("TF")
        files.save(save_directory, self.config, tensors, name, max_shard_size=max_shard_size, variant=variant)
        if saved_model:
            self.export(Path(save_directory) / "saved_model" / str(version))

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: Any) -> None:
        """Write a SavedModel that serves `input_signature`, or another format that keras.Model.export knows."""
        if format != "tf_saved_model":
            options.setdefault("input_signature", [self.input_signature])
            super().export(filepath, format=format, **options)
            return
        archive = keras.export.ExportArchive()
        archive.track(self)
        signature = options.get("input_signature") or [self.input_signature]
        archive.add_endpoint("serve", self.serving, input_signature=signature)
        archive.write_out(os.fspath(filepath), verbose=bool(options.get("verbose")))

    def serving(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The outputs by name, as a SavedModel gives them; of several tensors under one name, each with its number.

        What a model that someone else wrote answers without names is called `output`.
        """
        named = {"return_dict": True} if "return_dict" in inspect.signature(self.call).parameters else {}
        answer, found = {}, self(dict(inputs), **named)
        for name, value in found.items() if isinstance(found, Mapping) else [("output", found)]:
            answer |= {f"{name}_{n}": v for n, v in enumerate(value)} if isinstance(value, tuple) else {name: value}
        return answer

    @property
    def _default_save_signature(self) -> Any:
        """What tf.saved_model.save serves where it is given nothing else."""
        return tf.function(self.serving, input_signature=[self.input_signature])

    def get_config(self) -> dict[str, Any]:
        """What `keras.saving` keeps of a model: its name, its config, its precision, and what of it is frozen.

        ConfigError where `hidden_act` is a function, which no file can hold.
        """
        if callable(self.config.hidden_act):
            self.config.to_json_string()  # refuses it, and says what to do
        return {
            "name": self.name,
            "config": self.config.to_dict(),
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "frozen_parts": weights.frozen(self),
        }

    @classmethod
    def from_config(cls, config: AlbertConfig | dict[str, Any], custom_objects: Any = None) -> Self:
        """A fresh model of a config, or of what `get_config` or `AlbertConfig.to_dict` gave."""
        if isinstance(config, AlbertConfig):
            return cls(config)
        if "config" not in config:
            return cls(AlbertConfig.from_dict(config))
        arguments = {**config}
        own, policy, frozen = arguments.pop("config"), arguments.pop("dtype"), arguments.pop("frozen_parts", None)
        if "name" not in inspect.signature(cls.__init__).parameters:  # a class that someone else wrote
            arguments.pop("name", None)
        with weights.computing_in(keras.dtype_policies.get(policy)):
            model = cls(AlbertConfig.from_dict(own), **arguments)
            model.build(None)  # what a subclass added
        if frozen is not None:  # older files do not say
            weights.freeze(model, frozen)
        return model

    def get_build_config(self) -> None:
        """None: a model is built by its constructor."""

    def _dropout_seed(self, training: Any) -> Tensor | None:
        """The next seed for dropout, or None in evaluation."""
        return self.base_model.seed_generator.next() if training else None

    def _answer(self, output: ModelOutput, return_dict: bool | None) -> Any:
        named = self.config.use_return_dict if return_dict is None else return_dict
        return output if named else output.to_tuple()


def _as_tensor(value: Any) -> Any:
    """Arrays and lists of numbers as tensors of their own precision; anything else as it is."""
    return tf.convert_to_tensor(value) if isinstance(value, (np.ndarray, np.generic, list, tuple)) else value


def _arrays(state_dict: Mapping[str, Any]) -> Tensors:
    return files.neutral({name: np.asarray(tensor) for name, tensor in state_dict.items()})


def _check_attention(implementation: str) -> None:
    """ConfigError for a way of computing attention that is not there."""
    if implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f'`attn_implementation` must be "eager", or "sdpa", which is the same here. Received: {implementation!r}.'
        )
