"""The compiled library, where the package has it and this processor runs it."""

import ctypes
import functools
import logging
import os
from pathlib import Path

from albertkit.backends import InferPrecision

PRECISIONS: tuple[InferPrecision, ...] = ("fp32", "bf16", "int8")
"""In the order of their numbers in the library."""

SWITCH = "ALBERTKIT_KERNELS"
"""The environment variable that is 0 where the library shall not be used."""
VERSION = 3
"""Of what the library is given, as in model.h."""
_FILE = Path(__file__).with_name("libalbertkit.so")

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
_ARGUMENTS = {
    "albertkit_version": (),
    "albertkit_has_precision": (_INT,),
    "albertkit_embed": (_POINTER, _POINTER, _POINTER, _POINTER, _INT, _POINTER),
    "albertkit_encode": (_POINTER, _POINTER, _INT, _INT),
    "albertkit_measure_training": (_POINTER, _POINTER, _INT, _INT, _INT, _POINTER),
    "albertkit_train_forward": (_POINTER, _POINTER, _INT, _INT, _INT, _POINTER),
    "albertkit_train_backward": (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _INT, _INT, _POINTER),
    "albertkit_cross_entropy": (_POINTER, _INT, _LONG, _LONG, _POINTER, _POINTER, _INT),
}
_WITH_RESULT = ("albertkit_version", "albertkit_has_precision", "albertkit_encode")

logger = logging.getLogger(__name__)


@functools.cache
def load() -> ctypes.CDLL | None:
    """The library, or None: the package was installed without a compiler, or it is switched off by SWITCH.

    One of other sources, beside which Python's files have changed since, is refused with a warning.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        library = ctypes.CDLL(str(_FILE))
    except OSError:
        return None
    if getattr(library, "albertkit_version", int)() != VERSION:
        logger.warning(
            f"The compiled encoder {_FILE} is of another version of albertkit and is not used, so answers take longer. "
            "Install albertkit again."
        )
        return None
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, _INT if name in _WITH_RESULT else None
    return library


@functools.cache
def has_precision(precision: InferPrecision) -> bool:
    """Whether the library is there and this processor computes in a precision: AVX-512, for int8 with VNNI."""
    library = load()
    return library is not None and bool(library.albertkit_has_precision(PRECISIONS.index(precision)))
