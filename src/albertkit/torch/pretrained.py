"""AlbertPreTrainedModel: a PyTorch model that is read from and written to folders that every framework reads."""

import dataclasses
import logging
import os
from collections.abc import Mapping
from typing import Self, Unpack, cast

import torch
from torch import Tensor, nn

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
from albertkit.torch import weights
from albertkit.torch.activations import ACTIVATIONS
from albertkit.torch.module import AlbertModule
from albertkit.torch.plain_layers import PLAIN, without_values
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)


class AlbertPreTrainedModel(AlbertModule):
    """What all models are: a module with a config that is newly initialised, or read from a folder or the hub."""

    load_report: LoadReport | None = None
    """What happened when the weights were loaded; None for a model that was newly initialised."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: object,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        state_dict: Mapping[str, Tensor] | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        device_map: object = None,
        **kwargs: object,
    ) -> Json:
        """Read a model from a folder or from the hub. It comes back in evaluation mode.

        `config` replaces the folder's config.json, `state_dict` the folder's weights. `dtype` is the precision to keep
        the weights in: float32 by default, "auto" for the file's own. `device_map` is the device to put the model on:
        "cuda", 0, {"": 0}, or "auto" for the best that is there. Keywords that name a field of the config override
        it (`num_labels=3`), those of `hub.fetch` (`revision`, `cache_dir`, `local_files_only`, ...) say where to look,
        those of `loading.IGNORED` (`from_tf`, ...) change nothing, and those of the constructor reach it. With
        `output_loading_info` the answer is (model, info).

        What was loaded and what was newly initialised stands in `model.load_report`; the latter is announced as a
        warning. Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        arguments, fetching = loading.constructor_options(cls, kwargs), loading.options(kwargs, reads_weights=True)
        device = weights.device_of(device_map)
        options = {"variant": variant, "use_safetensors": use_safetensors}
        checkpoint = cls._checkpoint(pretrained_model_name_or_path, config, state_dict, fetching, options)
        config = checkpoint.config.overridden(cls.__name__, kwargs, attn_implementation=attn_implementation)
        with without_values():
            model = cls(config, *model_args, **arguments)
        tensors = checkpoint.unchecked_tensors
        given = (model, model.checkpoint_prefix, config, tensors, str(checkpoint.source))
        dtype = _chosen_dtype(dtype or torch_dtype, config, tensors)
        report = weights.load(*given, dtype=dtype, ignore_mismatched_sizes=ignore_mismatched_sizes)
        model._draw_own_layers(report.newly_initialized)
        model.tie_weights()
        model.eval()
        if device is not None:
            model.to(device)
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
        if torch.get_default_device().type == "meta":
            raise RuntimeError(
                "Weights are read onto a device that holds values. Received: a `from_pretrained` while torch's default "
                'device is "meta", which holds none. Load outside of that `with torch.device("meta")`.'
            )
        if name is None and (config is None or state_dict is None):
            raise InputError("from_pretrained(None) needs both `config` and `state_dict`.")
        if isinstance(config, (str, os.PathLike)):
            config = cast(AlbertConfig, cls.config_class.from_pretrained(config, **fetching))
        if state_dict is None:
            return files.load(name or "", config=config, **options, **fetching)
        config = config or cast(AlbertConfig, cls.config_class.from_pretrained(name or "", **fetching))
        return files.of_state_dict(_arrays(state_dict), config)

    @classmethod
    def _from_config(
        cls, config: AlbertConfig, dtype: torch.dtype | str | None = None, attn_implementation: str | None = None
    ) -> Self:
        """A newly initialised model of a copy of `config`."""
        model = cls(config.changed(attn_implementation=attn_implementation))
        return model if dtype is None else model.to(_as_dtype(dtype))

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        is_main_process: bool = True,
        state_dict: Mapping[str, Tensor] | None = None,
        max_shard_size: int | str = "5GB",
        variant: str | None = None,
        safe_serialization: bool = True,
        save_function: object = None,
    ) -> None:
        """Write `config.json` and `model.safetensors` as one step: a crash leaves the old model or the new one.

        `state_dict` replaces the model's own weights, `max_shard_size` limits one file ("5GB" or bytes), `variant`
        names the file `model.{variant}.safetensors`. Every process of a group may call this, and only the main one
        writes. `save_function`, which scripts for Accelerate pass, is not called: in Transformers it writes pickles
        alone, too. A model that was changed after it was built is saved as it computes, with a config that says so;
        see `checkpoint.saved_config`. WeightMismatch where it would not come back, InputError for tensors without
        plain values and where `safe_serialization` is False.
        """
        if not safe_serialization:
            raise InputError(
                "albertkit writes safetensors only. For a pickle call torch.save(model.state_dict(), path)."
            )
        if not is_main_process:
            return
        tensors = _arrays(self._values() if state_dict is None else state_dict)
        name = type(self).__name__
        kinds = other_kinds(self, tensors, lambda layer: type(layer) in PLAIN)
        activation = getattr(self.base_model, "pooler_activation", None)
        if getattr(self.base_model, "pooler", None) is not None and type(activation) is not nn.Tanh:
            kinds["pooler_activation"] = type(activation).__name__
        config, tensors = settle(name, self.config, tensors, layer_keys(self, "eps", ACTIVATIONS), kinds)
        files.save(save_directory, config, tensors, name, max_shard_size=max_shard_size, variant=variant)

    def push_to_hub(self, repo_id: str, **uploading: Unpack[UploadOptions]) -> object:
        """Upload what `save_pretrained` writes to a repository of the Hugging Face hub, made where there is none.

        `uploading` are the options of `hub_upload.upload`. Returns what the hub says of the commit.
        """
        return hub_upload.push_saved(self.save_pretrained, repo_id, "Upload model", uploading)

    def _values(self) -> dict[str, Tensor]:
        """The parameters and buffers by canonical name, with the bias of each head that acts."""
        values = weights.canonical(self, self.checkpoint_prefix)
        for path, model in self.named_modules(prefix=self.checkpoint_prefix.rstrip(".")):
            decoder = model.get_output_embeddings() if isinstance(model, AlbertModule) else None
            bias = f"{path}.predictions.bias".removeprefix(".")
            if decoder is not None and decoder.bias is None and bias in values:
                values[bias] = torch.zeros_like(values[bias])
        return values


def load_tf_weights_in_albert(
    model: AlbertPreTrainedModel, config: AlbertConfig, tf_checkpoint_path: str | os.PathLike[str]
) -> AlbertPreTrainedModel:
    """Give a model the weights of a checkpoint of the original code, under the name and arguments of Transformers.

    `AlbertModel.from_pretrained(path)` reads such a checkpoint too. CheckpointNotFound where there is none, and
    WeightMismatch where it does not fit the model.
    """
    checkpoint = files.load(tf_checkpoint_path, config=config)
    given = (model, model.checkpoint_prefix, config, checkpoint.tensors, str(checkpoint.source))
    model.load_report = weights.load(*given)
    model.tie_weights()
    if announcement := model.load_report.announcement():
        logger.warning(announcement)
    return model


def _arrays(state_dict: Mapping[str, Tensor]) -> Tensors:
    """The values of a state_dict by canonical name. InputError for what is no tensor of plain numbers."""
    arrays: Tensors = {}
    for name, tensor in state_dict.items():
        if not isinstance(tensor, Tensor) or tensor.is_quantized or tensor.is_meta:
            kind = "a tensor without values" if isinstance(tensor, Tensor) and tensor.is_meta else "quantised"
            raise InputError(
                f"A weight must be a tensor of plain numbers. {name} is {kind}. Give or save the model as it was "
                "before it was quantised or moved away."
            )
        arrays[name] = weights.to_numpy(tensor)
    return files.canonical_tensors(arrays)


def _as_dtype(dtype: torch.dtype | str) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    found = getattr(torch, dtype.removeprefix("torch."), None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InputError(f'`dtype` must be a floating point type such as "bfloat16", or "auto". Received: {dtype!r}.')
    return found


def _chosen_dtype(dtype: torch.dtype | str | None, config: AlbertConfig, tensors: Tensors) -> torch.dtype:
    if dtype == "auto":
        dtype = config.dtype or next(iter(tensors.values())).dtype.name
    return _as_dtype(dtype or torch.float32)
