"""The encoder in training by the compiled library, as one function of PyTorch; see `albertkit.kernels.training`.

Letters: T tokens, P tokens that are wanted, E embedding size, H hidden size.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from albertkit.backends import Precision
from albertkit.config import AlbertConfig
from albertkit.kernels import training
from albertkit.torch import private_api
from albertkit.torch.packed_sequences import PackedSequences
from albertkit.torch.plain_layers import PLAIN


def can_train(encoder: nn.Module, config: AlbertConfig, embeddings: Tensor) -> bool:
    """Whether `encode` gives what the encoder's own layers would: none of them is replaced, hooked or has dropout."""
    return (
        not _is_watched()
        and type(embeddings) is Tensor
        and embeddings.device.type == "cpu"
        and embeddings.dtype in (torch.float32, torch.bfloat16)
        and embeddings.shape[-1] == config.embedding_size
        and training.can_train(config, _precision())
        and all(_is_plain(module, config) for module in encoder.modules() if module is not encoder)
        and _has_plain_weights(encoder, config)
    )


def encode(
    encoder: nn.Module, config: AlbertConfig, embeddings: Tensor, sequences: PackedSequences, memory: training.Memory
) -> Tensor:
    """(1, T, E) -> the last hidden states (1, P, H) float32, or (1, T, H) where no tokens are named as wanted.

    In bfloat16 where autocast says so. Has first derivatives only.
    """
    own = dict(encoder.named_parameters(remove_duplicate=False))
    weights = [own[name] for name in training.names(config)]
    positions, order = sequences.positions, None
    if positions is not None and bool((positions[1:] < positions[:-1]).any()):
        positions, order = positions.sort()
    counts, sizes = np.array(sequences.groups, np.int32).T
    is_kept = torch.is_grad_enabled() and any(one.requires_grad for one in (embeddings, *weights))
    memory = memory if is_kept else training.Memory()  # nothing comes after an answer that would use it again
    tokens = None if positions is None else positions.numpy()
    given = config, np.repeat(sizes, counts), tokens, _precision(), memory, is_kept
    states = _Encode.apply(embeddings[0].float(), given, *weights)  # type: ignore[no-untyped-call]  # PyTorch gives it no type
    return (states if order is None else states[order.argsort()])[None]


class _Encode(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, given: tuple[Any, ...], *weights: Tensor) -> Tensor:
        config, lengths, wanted, precision, memory, is_kept = given
        step = training.EncoderStep(config, _arrays(weights), precision, torch.get_num_threads(), memory, is_kept)
        states, kept = step.forward(embeddings.detach().numpy(), lengths, wanted)
        ctx.step = step
        # PyTorch lets go of these when the backward pass is through, and says so where weights have changed before.
        ctx.save_for_backward(torch.from_numpy(kept), *weights)
        return torch.from_numpy(states)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_states: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]  # PyTorch: any arguments
        kept, *weights = ctx.saved_tensors
        is_wanted = ctx.needs_input_grad[2:]
        found = [torch.zeros_like(one) if wanted else None for one, wanted in zip(weights, is_wanted, strict=True)]
        arrays = [None if one is None else one.numpy() for one in found]
        # Detached: with create_graph=True it would have derivatives, which only this function's result lacks.
        of_embeddings = ctx.step.backward(kept.numpy(), _arrays(weights), of_states.detach().numpy(), arrays)
        return torch.from_numpy(of_embeddings), None, *found


def _arrays(weights: Sequence[Tensor]) -> list[np.ndarray]:
    """Not by `numpy()`, after which the storage of a tensor cannot be resized, as FSDP does between the passes."""
    return [np.from_dlpack(weight.detach()) for weight in weights]


def _precision() -> Precision:
    is_bf16 = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return "bf16" if is_bf16 else "fp32"


def _is_watched() -> bool:
    """Whether PyTorch is following each operation, so that one it does not know would be missing or an error."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]  (documented all the same)
        or private_api.is_transformed()
        or private_api.has_global_hooks()
    )


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def _is_plain(module: nn.Module, config: AlbertConfig) -> bool:
    """Whether a module is one of this package or of torch's plainest, as the config has it and nothing hung on it."""
    kind = type(module)
    is_known = kind in (*PLAIN, nn.Dropout, nn.ModuleList) or kind.__module__ == "albertkit.torch.layers"
    has_dropout = kind is nn.Dropout and module.training and module.p
    has_own_epsilon = kind is nn.LayerNorm and module.eps != config.layer_norm_eps
    is_changed = "forward" in vars(module) or any(getattr(module, hooks) for hooks in _HOOKS)
    return is_known and not (has_dropout or has_own_epsilon or is_changed)


def _has_plain_weights(encoder: nn.Module, config: AlbertConfig) -> bool:
    """Whether the weights are those of the config, as the library reads them; tied ones have several names."""
    own = dict(encoder.named_parameters(remove_duplicate=False))
    return {name: tuple(one.shape) for name, one in own.items()} == training.shapes(config) and all(
        type(one) is nn.Parameter and one.device.type == "cpu" and one.dtype == torch.float32 and one.is_contiguous()
        for one in own.values()
    )
