"""Layers of exactly torch's own types, which draw no values on the device "meta".

Tools that replace layers, such as `torch.ao.quantization.quantize_dynamic`, go by the exact type: they pass over
subclasses. There is no memory for values on "meta", and torch takes longer to pretend to draw them than a checkpoint
takes to load.
"""

import functools
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import nn

PLAIN = (nn.Linear, nn.Embedding, nn.LayerNorm)
"""The types of layers that have weights."""
Layer = TypeVar("Layer", bound=nn.Module)


def linear(inputs: int, outputs: int, use_bias: bool = True) -> nn.Linear:
    """A dense layer, (..., inputs) -> (..., outputs)."""
    return _plain(nn.Linear)(inputs, outputs, bias=use_bias)


def embedding(size: int, width: int, padding_idx: int | None = None) -> nn.Embedding:
    """A table of `size` rows, (...) integer ids -> (..., width)."""
    return _plain(nn.Embedding)(size, width, padding_idx)


def layer_norm(width: int, eps: float) -> nn.LayerNorm:
    """The norm over the last axis, (..., width) -> (..., width), with scale and bias."""
    return _plain(nn.LayerNorm)(width, eps=eps)


def _plain(layer: type[Layer]) -> Callable[..., Layer]:
    return functools.partial(_undrawn, layer) if torch.get_default_device().type == "meta" else layer


def _undrawn(layer: type[Layer], *arguments: int | None, **options: float) -> Layer:
    made = _without_reset(layer)(*arguments, **options)
    made.__class__ = layer
    return cast("Layer", made)


@functools.cache
def _without_reset(layer: type[nn.Module]) -> type[nn.Module]:
    return type(layer.__name__, (layer,), {"reset_parameters": lambda self: None})
