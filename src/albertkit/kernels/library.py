"""The compiled library, where the package has it and this processor runs it."""

import ctypes
import functools
import os
from pathlib import Path

from albertkit.backends import InferPrecision

PRECISIONS: tuple[InferPrecision, ...] = ("fp32", "bf16", "int8")
"""In the order of their numbers in the library."""

SWITCH = "ALBERTKIT_KERNELS"
"""The environment variable that is 0 where the library shall not be used."""
_FILE = Path(__file__).with_name("libalbertkit.so")


@functools.cache
def load() -> ctypes.CDLL | None:
    """The library, or None: the package was installed without a compiler, or it is switched off by SWITCH."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        return ctypes.CDLL(str(_FILE))
    except OSError:
        return None


@functools.cache
def has_precision(precision: InferPrecision) -> bool:
    """Whether the library is there and this processor computes in a precision: AVX-512, for int8 with VNNI."""
    library = load()
    return library is not None and bool(library.albertkit_has_precision(PRECISIONS.index(precision)))
