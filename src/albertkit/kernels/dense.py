"""Dense layers by the compiled library, in float32: those of heads, which are no part of an encoder.

By the threads of the encoder. Those of another library would still wait actively for more to do, some on the
processors of the encoder, when that begins with the next texts: OpenBLAS's for 25 milliseconds.

Letters: K inputs, N outputs.
"""

import ctypes

import numpy as np

from albertkit.errors import InputError
from albertkit.kernels import library
from albertkit.kernels.encoder import PANEL

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int32


class _Dense(ctypes.Structure):
    _fields_ = (("weight", _POINTER), ("bias", _POINTER), ("inputs", _INT), ("outputs", _INT), ("has_tanh", _INT))


def can_multiply(inputs: int) -> bool:
    """Whether the library is there and multiplies so many inputs on this processor."""
    return inputs % PANEL == 0 and library.has_precision("fp32")


def dense(
    weight: np.ndarray,
    bias: np.ndarray | None,
    x: np.ndarray,
    threads: int,
    *,
    has_tanh: bool = False,
    level: library.Level | None = None,
) -> np.ndarray:
    """A weight (N, K), a bias (N,) and inputs (..., K), K one that `can_multiply` says yes to -> (..., N) float32.

    A row has the same outputs whatever stands beside it. `has_tanh`: they go through tanh. `level` as of the encoder.
    """
    weight, rows = np.ascontiguousarray(weight, np.float32), np.ascontiguousarray(x, np.float32)
    bias = None if bias is None else np.ascontiguousarray(bias, np.float32)
    outputs, inputs = weight.shape
    if rows.shape[-1:] != (inputs,) or (bias is not None and bias.shape != (outputs,)):
        shapes = [one if one is None else one.shape for one in (weight, bias, rows)]
        raise InputError(
            f"A dense layer takes a weight (N, K), a bias (N,) and inputs (..., K). Received: {shapes}. "
            "Pass those of one layer."
        )
    out = np.empty((*rows.shape[:-1], outputs), np.float32)
    layer = _Dense(weight.ctypes.data, None if bias is None else bias.ctypes.data, inputs, outputs, has_tanh)
    place = library.LEVELS.index(level or library.levels("fp32")[0])
    count, given, found = rows.size // inputs, rows.ctypes.data, out.ctypes.data
    if library.load().albertkit_dense(place, ctypes.byref(layer), given, count, found, threads):  # type: ignore[union-attr]  # `can_multiply` found it
        raise MemoryError(f"There is no memory for a layer of {inputs} inputs.")
    return out
