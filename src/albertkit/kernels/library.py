"""The compiled library, where the package has it and this processor runs it."""

import ctypes
import functools
import logging
import os
from pathlib import Path
from typing import Literal, get_args

from albertkit.backends import InferPrecision, Precision
from albertkit.errors import InputError

PRECISIONS: tuple[InferPrecision, ...] = ("fp32", "bf16", "int8")
"""In the order of their numbers in the library."""

Level = Literal["avx2", "avx2_vnni", "avx512"]
"""The instructions that the encoder is compiled for: AVX2 with FMA, the same and AVX-VNNI for int8, AVX-512."""
LEVELS: tuple[Level, ...] = get_args(Level)
"""The slowest first, and in the order of their numbers in the library."""

SWITCH = "ALBERTKIT_KERNELS"
"""The environment variable that is 0 where the library shall not be used, or the level than which none faster is."""
VERSION = 5
"""Of what the library is given, as in model.h."""
_FILE = Path(__file__).with_name("libalbertkit.so")

_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
_ARGUMENTS = {
    "albertkit_version": (),
    "albertkit_has_precision": (_INT, _INT),
    "albertkit_panel_outputs": (_INT,),
    "albertkit_panel_inputs": (_INT, _INT),
    "albertkit_embed": (_INT, _POINTER, _POINTER, _POINTER, _POINTER, _INT, _POINTER),
    "albertkit_dense": (_INT, _POINTER, _POINTER, _INT, _POINTER, _INT),
    "albertkit_encode": (_INT, _POINTER, _POINTER, _INT, _INT),
    "albertkit_measure_training": (_POINTER, _POINTER, _INT, _INT, _INT, _POINTER),
    "albertkit_train_forward": (_POINTER, _POINTER, _INT, _INT, _INT, _POINTER),
    "albertkit_train_backward": (_POINTER, _POINTER, _POINTER, _POINTER, _POINTER, _INT, _INT, _POINTER),
    "albertkit_cross_entropy": (_POINTER, _INT, _LONG, _LONG, _POINTER, _POINTER, _INT),
}
_WITH_RESULT = (
    *("albertkit_version", "albertkit_has_precision", "albertkit_panel_outputs", "albertkit_panel_inputs"),
    "albertkit_embed",
    "albertkit_dense",
    "albertkit_encode",
)

logger = logging.getLogger(__name__)


@functools.cache
def load() -> ctypes.CDLL | None:
    """The library, or None: the package was installed without a compiler, or it is switched off by SWITCH.

    One that cannot be loaded, or is of other sources, beside which Python's files have changed since, is told of by a
    warning.
    """
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        library = ctypes.CDLL(str(_FILE))
    except OSError as error:
        if _FILE.exists():  # damaged, or made for another system
            logger.warning(
                f"The compiled encoder cannot be loaded, so answers take longer: {error}. Install albertkit again."
            )
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
def levels(precision: InferPrecision) -> tuple[Level, ...]:
    """Those at which the library is there and this processor computes in a precision, the fastest first.

    At AVX-512 int8 wants VNNI, and bfloat16 its own instructions; AVX2 has no bfloat16. None in int8 for AVX-512
    without VNNI, unless SWITCH forbids AVX-512: there PyTorch's products have twice the width of those of AVX2.
    InputError for a value of SWITCH that has no meaning.
    """
    library = load()
    if library is None:
        return ()

    def has(level: Level, precision: InferPrecision) -> bool:
        return bool(library.albertkit_has_precision(LEVELS.index(level), PRECISIONS.index(precision)))

    allowed = _allowed()
    if precision == "int8" and "avx512" in allowed and has("avx512", "fp32") and not has("avx512", "int8"):
        return ()
    return tuple(one for one in reversed(allowed) if has(one, precision))


def has_precision(precision: InferPrecision) -> bool:
    """Whether the library is there and this processor computes in a precision, at some level."""
    return bool(levels(precision))


def fastest() -> dict[InferPrecision, Level]:
    """The fastest level of each precision that the library computes in here."""
    return {one: levels(one)[0] for one in PRECISIONS if has_precision(one)}


def description() -> str:
    """The same in a sentence."""
    found = fastest()
    if not found:
        return "There is no compiled encoder here."
    return f"The compiled encoder computes {', '.join(f'{one} with {level}' for one, level in found.items())} here."


def can_train(precision: Precision) -> bool:
    """Whether the library is there and this processor trains in a precision by it: with AVX-512."""
    return "avx512" in levels(precision)


def panel(level: Level, precision: InferPrecision) -> tuple[int, int]:
    """The outputs and the inputs of the panels that weights are cut into at a level, where the library is there."""
    library, place = load(), LEVELS.index(level)
    assert library is not None
    return library.albertkit_panel_outputs(place), library.albertkit_panel_inputs(place, PRECISIONS.index(precision))


def _allowed() -> tuple[Level, ...]:
    """The levels that SWITCH leaves."""
    value = os.environ.get(SWITCH, "")
    if value in ("", "1"):
        return LEVELS
    if value not in LEVELS:
        raise InputError(
            f"The environment variable {SWITCH} must be 0, which switches the compiled encoder off, or one of "
            f"{', '.join(LEVELS)}, than which nothing faster is used. Received: {value!r}. Unset it."
        )
    return LEVELS[: LEVELS.index(value) + 1]
