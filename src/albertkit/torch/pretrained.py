"""AlbertPreTrainedModel: what all PyTorch models share. The config, fresh weights, the vocabulary's size, folders."""

import inspect
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from albertkit import hub, rules
from albertkit.checkpoint import files
from albertkit.checkpoint.report import LoadReport, Tensors
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.outputs import ALL, ModelOutput
from albertkit.torch import weights

if TYPE_CHECKING:
    from albertkit.torch.models import AlbertModel

logger = logging.getLogger(__name__)

for _output in ALL:
    _pytree.register_pytree_node(
        _output,
        lambda output: (list(output.values()), (type(output), list(output))),
        lambda values, context: context[0](**dict(zip(context[1], values, strict=True))),
        serialized_type_name=f"albertkit.{_output.__name__}",
        to_dumpable_context=lambda context: [context[0].__name__, context[1]],
        from_dumpable_context=lambda context: (next(o for o in ALL if o.__name__ == context[0]), context[1]),
    )


class AlbertPreTrainedModel(nn.Module):
    """A model with a config, which knows how to start fresh, to change its vocabulary, and to be read and written."""

    config_class = AlbertConfig
    base_model_prefix = "albert"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _tied_weights_keys: ClassVar[list[str] | None] = None
    load_report: LoadReport | None = None
    """What happened when the weights were loaded; None for a model that was built fresh."""

    def __init__(self, config: AlbertConfig) -> None:
        rules.require_config(type(self).__name__, config)
        super().__init__()
        self.config = config
        if config._attn_implementation is None:
            config._attn_implementation = "sdpa"
        _check_attention(config._attn_implementation)

    def post_init(self) -> None:
        """Draw fresh weights and tie what is tied. The last line of every model's constructor."""
        done = None if self.base_model is self else self.base_model
        weights.initialise(self, self._prefix, self.config, done)
        self.tie_weights()

    # ------------------------------------------------------------------------------------------------------- about it

    @property
    def base_model(self) -> "AlbertModel":
        """The encoder: the model itself, or the one inside a head."""
        return cast("AlbertModel", getattr(self, self.base_model_prefix, self))

    @property
    def _prefix(self) -> str:
        """What stands before the names of this model's parameters in a neutral name."""
        return "albert." if self.base_model is self else ""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the parameters."""
        return next(self.parameters()).dtype

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def framework(self) -> str:
        """`pt`, as tools for Transformers ask."""
        return "pt"

    @property
    def dummy_inputs(self) -> dict[str, Tensor]:
        """A small valid batch, (3, 5)."""
        return {"input_ids": torch.tensor([[7, 6, 0, 0, 1], [1, 2, 3, 0, 0], [0, 0, 0, 4, 5]])}

    def can_generate(self) -> bool:
        """False: an encoder does not generate text."""
        return False

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """Parameters, each shared one counted once; with `exclude_embeddings` without the three embedding tables."""
        return sum(
            parameter.numel()
            for name, parameter in self.named_parameters()
            if (parameter.requires_grad or not only_trainable)
            and not (exclude_embeddings and name.endswith("_embeddings.weight"))
        )

    # ---------------------------------------------------------------------------------------- embeddings and their size

    def get_input_embeddings(self) -> nn.Embedding:
        """The word embeddings (V, E)."""
        return self.base_model.embeddings.word_embeddings

    def set_input_embeddings(self, value: nn.Embedding) -> None:
        """Replace the word embeddings."""
        self.base_model.embeddings.word_embeddings = value

    def get_output_embeddings(self) -> nn.Linear | None:
        """The layer E -> V of the masked-language-model head, or None where there is no such head."""
        return None

    def set_output_embeddings(self, value: nn.Linear) -> None:
        """Replace the layer of `get_output_embeddings`."""
        raise InputError(f"{type(self).__name__} has no masked-language-model head to set output embeddings on.")

    def tie_weights(self) -> None:
        """Make tied parameters one object again."""

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Embedding:
        """Change V, in the embeddings, the masked-language-model head, its bias and the config alike.

        The first min(old, new) rows stay. New rows stand at the mean of the old ones, or are drawn as fresh weights
        where `mean_resizing` is False; new biases are 0. `pad_to_multiple_of` rounds the size up.
        """
        old, decoder = self.get_input_embeddings(), self.get_output_embeddings()
        size = rules.vocabulary_size(old.num_embeddings, new_num_tokens, pad_to_multiple_of)
        if size == old.num_embeddings:
            return old
        spread = None if mean_resizing else self.config.initializer_range
        padding = old.padding_idx if old.padding_idx is not None and old.padding_idx < size else None
        new = nn.Embedding(size, old.embedding_dim, padding, _weight=weights.resized(old.weight, size, spread))
        new.weight.requires_grad_(old.weight.requires_grad)
        self.set_input_embeddings(new)
        if decoder is not None:
            decoder.out_features = size
            if not self.config.tie_word_embeddings:
                rows = weights.resized(decoder.weight, size, spread)
                decoder.weight = nn.Parameter(rows, requires_grad=decoder.weight.requires_grad)
            kept = decoder.bias.detach()[:size]
            longer = torch.cat([kept, kept.new_zeros(size - len(kept))])
            decoder.bias = nn.Parameter(longer, requires_grad=decoder.bias.requires_grad)
            self.set_output_embeddings(decoder)
        self.config.vocab_size = size
        self.tie_weights()
        return new

    # --------------------------------------------------------------------------------------------------------- switches

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether activations are computed again in the backward pass instead of kept."""
        return self.base_model.encoder.gradient_checkpointing

    def gradient_checkpointing_enable(self, gradient_checkpointing_kwargs: dict[str, Any] | None = None) -> None:
        """Keep only each layer's input during training and compute the rest again: less memory, about a third slower.

        `gradient_checkpointing_kwargs` go to torch.utils.checkpoint.checkpoint, e.g. {"use_reentrant": True}.
        """
        encoder = self.base_model.encoder
        encoder.gradient_checkpointing = True
        encoder.gradient_checkpointing_kwargs = {"use_reentrant": False} | (gradient_checkpointing_kwargs or {})

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self.base_model.encoder.gradient_checkpointing = False

    def set_attn_implementation(self, attn_implementation: str) -> None:
        """Compute attention by torch's fused kernel, "sdpa", or step by step, "eager"."""
        _check_attention(attn_implementation)
        self.config._attn_implementation = attn_implementation

    # --------------------------------------------------------------------------------------- files

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None,
        *model_args: Any,
        config: AlbertConfig | str | os.PathLike[str] | None = None,
        state_dict: Mapping[str, Tensor] | None = None,
        dtype: torch.dtype | str | None = None,
        torch_dtype: torch.dtype | str | None = None,
        attn_implementation: str | None = None,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        use_safetensors: bool | None = None,
        variant: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Read a model from a folder or from the hub. It comes back in evaluation mode.

        `config` replaces the folder's config.json, `state_dict` the folder's weights. `dtype` is the precision to keep
        the weights in: float32 by default, "auto" for the file's own. Keywords that name a field of the config override
        it (`num_labels=3`), those of `hub.fetch` (`revision`, `cache_dir`, `local_files_only`, ...) say where to look,
        those of `hub.VOID` (`from_tf`, ...) change nothing, and those of the constructor reach it. With
        `output_loading_info` the answer is (model, info).

        What was loaded and what started fresh stands in `model.load_report`; fresh weights are announced as a warning.
        Raises CheckpointNotFound, CheckpointError, UnsafeCheckpoint or WeightMismatch; see `albertkit.errors`.
        """
        if torch.get_default_device().type == "meta":
            raise RuntimeError(
                "You are using `from_pretrained` with a meta device context manager, which would leave the model "
                "without values. Leave the context before loading."
            )
        name = pretrained_model_name_or_path
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
        else:
            tensors = files.neutral({key: weights.to_numpy(tensor) for key, tensor in state_dict.items()})
            config = config or cast(AlbertConfig, cls.config_class.from_pretrained(name or "", **fetching))
            checkpoint = files.Checkpoint(config, tensors, Path("the given state_dict"))
        config = checkpoint.config.changed(**kwargs, attn_implementation=attn_implementation)
        with torch.device("meta"):
            model = cls(config, *model_args, **arguments)
        tensors = checkpoint.tensors  # only now, for they were checked meanwhile
        what = weights.load(
            model,
            model._prefix,
            config,
            tensors,
            str(checkpoint.source),
            dtype=_chosen_dtype(dtype or torch_dtype, config, tensors),
            ignore_mismatched_sizes=ignore_mismatched_sizes,
        )
        model.tie_weights()
        if announcement := what.announcement():
            logger.warning(announcement)
        model.load_report = what
        model.eval()
        if not output_loading_info:
            return model
        info = {"missing_keys": sorted(what.missing), "unexpected_keys": sorted(what.unexpected)}
        return model, info | {"mismatched_keys": sorted(what.mismatched), "error_msgs": []}

    @classmethod
    def _from_config(cls, config: AlbertConfig, dtype: Any = None, attn_implementation: str | None = None) -> Self:
        """A fresh model of a copy of `config`."""
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
    ) -> None:
        """Write `config.json` and `model.safetensors` as one step: a crash leaves the old model or the new one.

        `state_dict` replaces the model's own weights, `max_shard_size` limits one file ("5GB" or bytes), `variant`
        names the file `model.{variant}.safetensors`. Every process of a group may call this, and only the main one
        writes.
        """
        if not safe_serialization:
            raise InputError(
                "albertkit writes safetensors only. For a pickle call torch.save(model.state_dict(), path)."
            )
        if not is_main_process:
            return
        if state_dict is None:
            tensors = weights.extract(self, self._prefix)
        else:
            tensors = files.neutral({name: weights.to_numpy(tensor) for name, tensor in state_dict.items()})
        name = type(self).__name__
        files.save(save_directory, self.config, tensors, name, max_shard_size=max_shard_size, variant=variant)

    def _answer(self, output: ModelOutput, return_dict: bool | None) -> Any:
        named = self.config.use_return_dict if return_dict is None else return_dict
        return output if named else output.to_tuple()


def _check_attention(implementation: str) -> None:
    """ConfigError for a way of computing attention that is not there."""
    if implementation not in ("sdpa", "eager"):
        raise ConfigError(
            f'`attn_implementation` must be "sdpa" or "eager". Received: {implementation!r}. "sdpa" takes the fused '
            "kernels of torch, flash attention among them, wherever the device has one."
        )


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
