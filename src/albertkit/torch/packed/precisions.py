"""In which precisions this machine computes, and which of them is the fastest."""

import logging

import torch

from albertkit.backends import InferPrecision
from albertkit.errors import InputError, did_you_mean
from albertkit.torch import private_api

logger = logging.getLogger(__name__)

PRECISIONS: tuple[InferPrecision, ...] = ("fp32", "bf16", "int8")


def require_precision(name: InferPrecision, device: torch.device) -> InferPrecision:
    """The precision of a name, "auto" the fastest on the device. InputError for one that it does not have."""
    has_int8 = device.type == "cpu" and private_api.has_int8_products()
    offered = PRECISIONS if has_int8 else PRECISIONS[:2]
    if name == "auto":
        chosen = fastest() if device.type == "cpu" else "bf16" if device.type == "cuda" else "fp32"
        logger.warning(f"Answers are computed in {chosen}, the fastest precision of this {device.type}.")
        return chosen
    if name not in offered:
        where = f"this {device.type}"
        raise InputError(
            f"`precision` must be one of {', '.join(offered)}, or auto, on {where}. Received: {name!r}."
            f"{did_you_mean(str(name), (*offered, 'auto'))}"
        )
    return name


def usual(device: torch.device, is_quantized: bool) -> InferPrecision:
    """The precision where none is asked for: int8 for a model that was made ready for it, where there is int8."""
    return "int8" if is_quantized and device.type == "cpu" and private_api.has_int8_products() else "fp32"


def fastest() -> InferPrecision:
    """The precision in which this CPU computes products fastest.

    int8 where PyTorch has its products: twice as fast as float32 with AVX2 alone, and more with VNNI or AMX.
    """
    if private_api.has_int8_products():
        return "int8"
    return "bf16" if private_api.has_bfloat16_products() else "fp32"


def hidden_dtype(precision: InferPrecision) -> torch.dtype:
    """What hidden states are kept in between the products of a precision: bfloat16 where the CPU computes in it."""
    if precision == "bf16" or (precision == "int8" and private_api.has_bfloat16_products()):
        return torch.bfloat16
    return torch.float32
