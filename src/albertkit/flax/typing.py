"""The types that the modules of this package share, beside those of JAX."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.typing import DTypeLike

DType = DTypeLike
"""A dtype of JAX or NumPy, or its name."""
ArrayInput = jax.Array | np.ndarray | Sequence[Any]
"""What stands for an array in a call: one of JAX or NumPy, or nested lists of numbers."""
PyTree = Any
"""Whatever jax.tree walks over; JAX itself gives it no type."""
Params = Mapping[str, PyTree]
"""Parameters as nested dicts, by attribute path, in which a list's items are "0", "1", ..."""
Path = tuple[str, ...]
"""An attribute path."""
Model = Any
"""A model of this package, as something that is called and has a config."""
Device = Any
"""One of `jax.devices()`, whose class JAX hides from type checkers."""
