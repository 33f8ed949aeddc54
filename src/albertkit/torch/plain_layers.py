"""Layers of exactly torch's own types, which draw no values on the device "meta", nor for a model about to be loaded.

Tools that replace layers, such as `torch.ao.quantization.quantize_dynamic`, go by the exact type: they pass over
subclasses. There is no memory for values on "meta", and torch takes longer to pretend to draw them than a checkpoint
takes to load. While a model is built for that, these layers are there; what a subclass makes in its constructor, such
as weights of classes, keeps the values that it has there.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeVar, cast

import torch
from torch import nn

PLAIN = (nn.Linear, nn.Embedding, nn.LayerNorm)
"""The types of layers that have weights."""
Layer = TypeVar("Layer", bound=nn.Module)
_has_values: ContextVar[bool] = ContextVar("has_values", default=True)


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """The layers of this module that are made inside stand on "meta", to be loaded. Other threads do not see it."""
    token = _has_values.set(False)
    try:
        yield
    finally:
        _has_values.reset(token)


def are_without_values() -> bool:
    """Whether layers that are made now have no values."""
    return not _has_values.get() or torch.get_default_device().type == "meta"


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
    return functools.partial(_undrawn, layer, device="meta") if are_without_values() else layer


def _undrawn(layer: type[Layer], *arguments: int | None, **options: float | str) -> Layer:
    made = _without_reset(layer)(*arguments, **options)
    made.__class__ = layer
    return cast("Layer", made)


@functools.cache
def _without_reset(layer: type[nn.Module]) -> type[nn.Module]:
    return type(layer.__name__, (layer,), {"reset_parameters": lambda self: None})
