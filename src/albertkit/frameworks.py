"""The frameworks that compute: which there are, which are installed, and the modules of their rooms.

Imports none of them until a module is asked for.
"""

import importlib
import importlib.util
from types import ModuleType

from albertkit.errors import InputError, MissingDependency, did_you_mean

PACKAGES = {"torch": ("torch",), "tensorflow": ("tensorflow", "keras"), "flax": ("jax", "flax", "optax")}
"""What each room needs, in the order in which a framework is chosen where none is named."""

PREFIXES = {"torch": "Albert", "tensorflow": "TFAlbert", "flax": "FlaxAlbert"}
"""What the names of each room's classes begin with."""


def installed() -> list[str]:
    """The frameworks whose packages are all there."""
    return [name for name, needed in PACKAGES.items() if all(map(importlib.util.find_spec, needed))]


def chosen(name: str) -> str:
    """The framework called `name`, or for "auto" the first that is installed.

    InputError for a name that is none, MissingDependency where none is installed.
    """
    if name == "auto":
        found = installed()
        if not found:
            raise MissingDependency("Computing", "PyTorch, TensorFlow or JAX", "torch")
        return found[0]
    if name not in PACKAGES:
        near = did_you_mean(name, PACKAGES)
        raise InputError(f"A framework must be one of {', '.join(PACKAGES)}, or auto. Received: {name!r}.{near}")
    return name


def room(name: str, module: str) -> ModuleType:
    """A module of a framework's room: `models`, `train` or `infer`. MissingDependency where it is not installed."""
    return importlib.import_module(f"albertkit.{name}.{module}")
