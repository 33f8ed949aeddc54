"""FlaxAlbertPreTrainedModel: a Flax model that is read from and written to folders that every framework reads."""

import dataclasses
import logging
import os
from typing import Self, Unpack, cast

import jax
import jax.numpy as jnp
from flax import nnx

from albertkit import hub_upload, loading
from albertkit.checkpoint import files
from albertkit.checkpoint.layer_keys import layer_keys, other_kinds
from albertkit.checkpoint.saved_config import settle
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.flax import weights
from albertkit.flax.activations import ACTIVATIONS
from albertkit.flax.params import FlaxAlbertFunctional
from albertkit.flax.typing import DType, Params, PyTree
from albertkit.hub_upload import UploadOptions
from albertkit.typing import Json

logger = logging.getLogger(__name__)


class FlaxAlbertPreTrainedModel(FlaxAlbertFunctional):
    """What all models are: a module with a config that is newly initialised, or read from a folder or the hub.

    A plain NNX module, which starts in evaluation mode. `dtype` is the precision of the computation alone; parameters
    are float32, or of the precision of the file that they came from. With `_do_init` False the model has no parameters
    of its own, and each call takes them as `params`.
    """

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        dtype: DType = jnp.float32,
        *model_args: Json,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        device_map: object = None,
        torch_dtype: DType | None = None,
        _do_init: bool = True,
        **kwargs: object,
    ) -> Json:
        """Read a model from a folder or from the hub, whichever framework wrote it.

        `config` replaces the folder's config.json. `dtype`, or `torch_dtype`, is the precision of the computation;
        parameters keep that of the file. `device_map` is the device to put the model on: "cuda", 0, {"": 0}, or "auto"
        for the best that is there. Keywords that name a field of the config override it (`num_labels=3`), those
        of `hub.fetch` (`revision`, `cache_dir`, ...) say where to look, those of `loading.IGNORED` (`from_pt`, ...)
        change nothing, and those of the constructor reach it, of which `seed` decides what is drawn. With
        `_do_init=False` the answer is (model, params), and with `output_loading_info` it ends in a dictionary of what
        was missing, unexpected and mismatched.

        What was loaded and what was newly initialised stands in `model.load_report`; the latter is announced as a
        warning. Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        arguments, fetching = loading.constructor_options(cls, kwargs), loading.options(kwargs, reads_weights=True)
        device = weights.device_of(device_map)
        if isinstance(config, (str, os.PathLike)):
            config = cast(AlbertConfig, cls.config_class.from_pretrained(config, **fetching))
        options = {"config": config, "variant": variant, "use_safetensors": use_safetensors}
        checkpoint = files.load(pretrained_model_name_or_path, **options, **fetching)
        config = checkpoint.config.overridden(cls.__name__, kwargs, attn_implementation=attn_implementation)
        dtype = dtype if torch_dtype in (None, "auto") else torch_dtype
        model = cls(config, *model_args, dtype=dtype, _do_init=False, **arguments)
        given = (model, model.checkpoint_prefix, config, checkpoint.unchecked_tensors, str(checkpoint.source))
        options = {"dtype": "auto", "ignore_mismatched_sizes": ignore_mismatched_sizes, "seed": model.seed}
        report = weights.load(*given, **options)
        weights.place(model, device)
        checkpoint.require_checked()  # only now: that went on while the model was made
        model._untracked.load_report = dataclasses.replace(report, notes=checkpoint.notes)
        for line in filter(None, (report.announcement(), report.unused(config.architectures))):
            logger.warning(line)
        answer = (model,) if _do_init else model._without_params()
        answer += (report.loading_info(),) if output_loading_info else ()
        return answer if len(answer) > 1 else model

    def _without_params(self) -> tuple[Self, dict[str, PyTree]]:
        """Itself without its parameters, and these."""
        params = self.params
        for _, parameter in weights.named_parameters(self):
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
        group may call this, and only the main one writes. A model that was changed after it was built is saved as it
        computes, with a config that says so; see `checkpoint.saved_config`. WeightMismatch where it would not come
        back, InputError where `safe_serialization` is False.
        """
        if not safe_serialization:
            raise InputError("albertkit writes safetensors only. For msgpack call flax.serialization.to_bytes(params).")
        if not is_main_process:
            return
        tensors = weights.extract(self._with(params), self.checkpoint_prefix)
        name = type(self).__name__.removeprefix("Flax")
        kinds = other_kinds(self, tensors, lambda layer: type(layer) in (nnx.Linear, nnx.Embed, nnx.LayerNorm))
        config, tensors = settle(name, self.config, tensors, layer_keys(self, "epsilon", ACTIVATIONS), kinds)
        files.save(save_directory, config, tensors, name, max_shard_size=max_shard_size, variant=variant)

    def push_to_hub(self, repo_id: str, **uploading: Unpack[UploadOptions]) -> object:
        """Upload what `save_pretrained` writes to a repository of the Hugging Face hub, made where there is none.

        `uploading` are the options of `hub_upload.upload`. Returns what the hub says of the commit.
        """
        return hub_upload.push_saved(self.save_pretrained, repo_id, "Upload model", uploading)
