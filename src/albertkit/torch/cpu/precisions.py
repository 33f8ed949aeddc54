"""In which precisions this machine computes, and which of them is the fastest."""

import torch

from albertkit.backends import InferPrecision
from albertkit.errors import InputError, did_you_mean
from albertkit.torch import private_api
from albertkit.torch.cpu.products import WEIGHT_STEPS, weight_steps

PRECISIONS: tuple[InferPrecision, ...] = ("fp32", "bf16", "int8")


def require_precision(name: InferPrecision, device: torch.device) -> InferPrecision:
    """The precision of a name, "auto" the fastest on the device. InputError for one that it does not have."""
    offered = PRECISIONS if device.type == "cpu" else PRECISIONS[:2]
    if name == "auto":
        return fastest() if device.type == "cpu" else "bf16" if device.type == "cuda" else "fp32"
    if name not in offered:
        where = "a CPU" if device.type == "cpu" else f"the device {device.type}"
        raise InputError(
            f"`precision` must be one of {', '.join(offered)}, or auto, on {where}. Received: {name!r}."
            f"{did_you_mean(str(name), (*offered, 'auto'))}"
        )
    return name


def fastest() -> InferPrecision:
    """The precision in which this CPU computes products fastest.

    int8 wherever it has instructions for products of bytes: VNNI, AMX, or those of ARM.
    """
    if weight_steps() == WEIGHT_STEPS:
        return "int8"
    return "bf16" if private_api.has_bfloat16_products() else "fp32"


def hidden_dtype(precision: InferPrecision) -> torch.dtype:
    """What hidden states are kept in between the products of a precision: bfloat16 where the CPU computes in it."""
    if precision == "bf16" or (precision == "int8" and private_api.has_bfloat16_products()):
        return torch.bfloat16
    return torch.float32
