"""What albertkit uses of PyTorch that is not public; everything else keeps to the documented functions.

Tested with torch 2.13, and wanted from 2.6 on: `torch.utils._pytree`, the trees that torch.export and DataParallel walk
over, in which every class of outputs must be known; the int8 products of oneDNN and FBGEMM, `torch.ops.onednn` and
`torch.ops.quantized`; and the questions of `torch.cpu` after what the CPU has.
"""

import platform
import warnings

import torch
from torch import Tensor
from torch.utils import _pytree

from albertkit.outputs import ModelOutput


def register_outputs(kinds: tuple[type[ModelOutput], ...]) -> None:
    """Let PyTorch look inside outputs of these classes; exported programs find them by their names."""
    by_name = {kind.__name__: kind for kind in kinds}
    for kind in kinds:
        _pytree.register_pytree_node(
            kind,
            lambda output: (list(output.values()), (type(output), list(output))),
            lambda values, context: context[0](**dict(zip(context[1], values, strict=True))),
            serialized_type_name=f"albertkit.{kind.__name__}",
            to_dumpable_context=lambda context: [context[0].__name__, context[1]],
            from_dumpable_context=lambda context: (by_name[context[0]], context[1]),
        )


def has_bfloat16_products() -> bool:
    """Whether the CPU multiplies in bfloat16, by AVX-512 or AMX, rather than by way of float32."""
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name)() for name in questions if hasattr(torch.cpu, name))


def has_int8_products() -> bool:
    """Whether PyTorch was built with the int8 products of oneDNN, as for x86."""
    return torch.backends.mkldnn.is_available() and platform.machine().lower() in ("x86_64", "amd64")


def pack_for_onednn(weight: Tensor) -> Tensor:
    """(N, K) int8 -> the same as `onednn_linear` takes it."""
    return torch.ops.onednn.qlinear_prepack(weight, None)


def onednn_linear(
    x: Tensor,
    step: float,
    zero: int,
    packed: Tensor,
    weight_steps: Tensor,
    bias: Tensor | None,
    dtype: torch.dtype,
    gelu: str | None = None,
    out: tuple[float, int] = (1.0, 0),
) -> Tensor:
    """(T, K) bytes, each worth `step` from `zero` on, times a packed weight -> (T, N), plus a bias, after GELU.

    `weight_steps` (N,) are what the weight's bytes are worth; `gelu` is "none" or "tanh". Of the dtype uint8 what comes
    out is bytes, of which `out` says step and zero.
    """
    post = ("none", [], "") if gelu is None else ("gelu", [], gelu)
    zeros = torch.zeros(len(weight_steps), dtype=torch.int64)
    return torch.ops.onednn.qlinear_pointwise(x, step, zero, packed, weight_steps, zeros, bias, *out, dtype, *post)


def onednn_linear_and_sum(
    x: Tensor, step: float, zero: int, packed: Tensor, weight_steps: Tensor, bias: Tensor, residual: Tensor
) -> Tensor:
    """What `onednn_linear` gives, added to `residual` (T, N) float32 in its place."""
    zeros = torch.zeros(len(weight_steps), dtype=torch.int64)
    weights = (packed, weight_steps, zeros, residual, bias)
    sums = ("sum", 1.0, "none", [], "")
    return torch.ops.onednn.qlinear_pointwise.binary(x, step, zero, *weights, 1.0, 0, torch.float32, 1.0, 0, *sums)


def has_fbgemm() -> bool:
    """Whether PyTorch was built with FBGEMM and still has what packs weights for it: quantised tensors are to go."""
    wanted = torch.ops.quantized, "linear_with_input_q_dq_qweight_dq_output_fp32"
    return (
        "fbgemm" in torch.backends.quantized.supported_engines
        and hasattr(torch, "_make_per_channel_quantized_tensor")
        and hasattr(*wanted)
    )


def pack_for_fbgemm(weight: Tensor, weight_steps: Tensor, bias: Tensor | None) -> torch.ScriptObject:
    """(N, K) int8, whose bytes are worth `weight_steps` (N,), and a bias (N,) -> what `fbgemm_linear` takes."""
    engine = torch.backends.quantized.engine
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
        make = getattr(torch, "_make_per_channel_quantized_tensor")  # noqa: B009 - private to type checkers
        quantized = make(weight, weight_steps.double(), torch.zeros(len(weight), dtype=torch.int64), 0)
    try:
        torch.backends.quantized.engine = "fbgemm"
        return torch.ops.quantized.linear_prepack(quantized, bias)
    finally:
        torch.backends.quantized.engine = engine


def fbgemm_linear(x: Tensor, step: float, zero: int, packed: torch.ScriptObject) -> Tensor:
    """(T, K) float32, rounded to bytes worth `step` from `zero` on, times a packed weight -> (T, N) float32."""
    return torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(x, step, zero, packed)


def is_transformed() -> bool:
    """Whether a transform of `torch.func`, such as `grad` or `vmap`, is at work."""
    return torch._C._are_functorch_transforms_active()


def has_global_hooks() -> bool:
    """Whether hooks are registered that PyTorch calls for every module."""
    return bool(torch.nn.modules.module._has_any_global_hook())
