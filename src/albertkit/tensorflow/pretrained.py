"""TFAlbertPreTrainedModel: a Keras model that is read from and written to folders, Keras' own files and SavedModels."""

import dataclasses
import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self, Unpack, cast

import keras
import numpy as np

from albertkit import hub_upload, loading
from albertkit.arrays import Tensors
from albertkit.checkpoint import files
from albertkit.checkpoint.layer_keys import layer_keys, other_kinds
from albertkit.checkpoint.report import LoadReport
from albertkit.checkpoint.saved_config import settle
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.hub import FetchOptions
from albertkit.hub_upload import UploadOptions
from albertkit.tensorflow import private_api, weights
from albertkit.tensorflow.activations import ACTIVATIONS
from albertkit.tensorflow.keras_training import TFAlbertTrainable
from albertkit.tensorflow.layers import is_plain
from albertkit.tensorflow.typing import DType, Tensor
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)


class TFAlbertPreTrainedModel(private_api.ServedByDefault, TFAlbertTrainable):
    """What all models are: a module with a config that is newly initialised, or read from a folder or the hub.

    It takes its inputs as keywords, in the order of its signature, or as one list or mapping; see `base_model`.
    `compile` without a loss trains on the model's own, with labels inside x or given as y.
    """

    load_report: LoadReport | None = None
    """What happened when the weights were loaded; None for a model that was newly initialised."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: object,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        state_dict: Mapping[str, Tensor] | None = None,
        dtype: DType = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        device_map: object = None,
        torch_dtype: DType = None,
        **kwargs: object,
    ) -> Json:
        """Read a model from a folder or from the hub.

        `config` replaces the folder's config.json, `state_dict` the folder's weights. `dtype` is a dtype policy such as
        "mixed_bfloat16" or a dtype: Keras' global one by default, "auto" for the file's precision. `device_map` is the
        device to put the model on: "cuda", 0, {"": 0}, or "auto" for the best that is there. Keywords that name a
        field of the config override it (`num_labels=3`), those of `hub.fetch` (`revision`, `cache_dir`,
        `local_files_only`, ...) say where to look, those of the constructor reach it, and those of
        `loading.IGNORED` (`from_pt`, ...) change nothing. `torch_dtype` is another name of `dtype`. With
        `output_loading_info` the answer is (model, info).

        What was loaded and what was newly initialised stands in `model.load_report`; the latter is announced as a
        warning. Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        arguments, fetching = loading.constructor_options(cls, kwargs), loading.options(kwargs, reads_weights=True)
        device = weights.device_of(device_map)
        options = {"variant": variant, "use_safetensors": use_safetensors}
        checkpoint = cls._checkpoint(pretrained_model_name_or_path, config, state_dict, fetching, options)
        config = checkpoint.config.overridden(cls.__name__, kwargs)
        dtype = dtype or torch_dtype
        if dtype == "auto":
            dtype = config.dtype or next(iter(checkpoint.unchecked_tensors.values())).dtype.name
        with weights.computing_in(dtype), weights.skip_init(), weights.placing_on(device):
            model = cls(config, *model_args, **arguments)
            model.build(None)  # what a subclass added
        given = (model, model.checkpoint_prefix, config, checkpoint.unchecked_tensors, str(checkpoint.source))
        report = weights.load(*given, ignore_mismatched_sizes=ignore_mismatched_sizes)
        checkpoint.require_checked()  # only now: that went on while the model was made
        model.load_report = dataclasses.replace(report, notes=checkpoint.notes)
        for line in filter(None, (report.announcement(), report.unused(config.architectures))):
            logger.warning(line)
        return (model, report.loading_info()) if output_loading_info else model

    @classmethod
    def _checkpoint(
        cls,
        name: str | os.PathLike[str] | None,
        config: AlbertConfig | str | os.PathLike[str] | None,
        state_dict: Mapping[str, Tensor] | None,
        fetching: FetchOptions,
        options: Record,
    ) -> files.Checkpoint:
        """What `from_pretrained` is to load: the checkpoint of that name, or a `state_dict` with the config of one."""
        if name is None and (config is None or state_dict is None):
            raise InputError("from_pretrained(None) needs both `config` and `state_dict`.")
        if isinstance(config, (str, os.PathLike)):
            config = cast(AlbertConfig, cls.config_class.from_pretrained(config, **fetching))
        if state_dict is None:
            return files.load(name or "", config=config, **options, **fetching)
        config = config or cast(AlbertConfig, cls.config_class.from_pretrained(name or "", **fetching))
        return files.of_state_dict(_arrays(state_dict), config)

    @classmethod
    def _from_config(cls, config: AlbertConfig, dtype: DType = None) -> Self:
        """A newly initialised model of a copy of `config`."""
        with weights.computing_in(dtype):
            return cls(config.changed())

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        saved_model: bool = False,
        version: int = 1,
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        max_shard_size: int | str = "5GB",
        variant: str | None = None,
        safe_serialization: bool = True,
    ) -> None:
        """Write `config.json` and `model.safetensors` as one step: a crash leaves the old model or the new one.

        `saved_model` also exports the model for serving, to `saved_model/{version}`; see `export`. `state_dict`
        replaces the model's own weights, `max_shard_size` limits one file ("5GB" or bytes), `variant` names the file
        `model.{variant}.safetensors`. A model that was changed after it was built is saved as it computes, with a
        config that says so; see `checkpoint.saved_config`. WeightMismatch where it would not come back, InputError
        where `safe_serialization` is False.
        """
        if not safe_serialization:
            raise InputError("albertkit writes safetensors only. For HDF5 call model.save_weights(path).")
        if not is_main_process:
            return
        self.build(None)  # what a subclass added
        private_api.allow_more_layers(self)
        tensors = weights.extract(self, self.checkpoint_prefix) if state_dict is None else _arrays(state_dict)
        name = type(self).__name__.removeprefix("TF")
        kinds = other_kinds(self, tensors, is_plain)
        config, tensors = settle(name, self.config, tensors, layer_keys(self, "epsilon", ACTIVATIONS), kinds)
        files.save(save_directory, config, tensors, name, max_shard_size=max_shard_size, variant=variant)
        if saved_model:
            self.export(Path(save_directory) / "saved_model" / str(version))

    def push_to_hub(self, repo_id: str, **uploading: Unpack[UploadOptions]) -> object:
        """Upload what `save_pretrained` writes to a repository of the Hugging Face hub, made where there is none.

        `uploading` are the options of `hub_upload.upload`. Returns what the hub says of the commit.
        """
        return hub_upload.push_saved(self.save_pretrained, repo_id, "Upload model", uploading)

    def export(self, filepath: str | os.PathLike[str], format: str = "tf_saved_model", **options: Json) -> None:
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
        return self.serving_output(self(dict(inputs), **named))

    def serving_output(self, output: Mapping[str, Tensor] | Tensor) -> dict[str, Tensor]:
        """An answer of the model by name, each tensor alone; see `serving`."""
        answer = {}
        for name, value in output.items() if isinstance(output, Mapping) else [("output", output)]:
            answer |= {f"{name}_{n}": v for n, v in enumerate(value)} if isinstance(value, tuple) else {name: value}
        return answer

    def get_config(self) -> Record:
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
    def from_config(cls, config: AlbertConfig | Record, custom_objects: object = None) -> Self:
        """A newly initialised model of a config, or of what `get_config` or `AlbertConfig.to_dict` gave."""
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


def _arrays(state_dict: Mapping[str, Tensor]) -> Tensors:
    """The values of a state_dict of PyTorch by canonical name."""
    return files.canonical_tensors({name: np.asarray(tensor) for name, tensor in state_dict.items()})
