"""What albertkit uses of Flax and JAX that is not public; everything else keeps to the documented functions.

Tested with Flax 0.12.8 and JAX 0.10, and wanted from Flax 0.12.1 on: the methods by which NNX takes a module apart and
puts it together. A release that moves one of these names is found by `tests/frameworks/test_private_api.py`.
"""

from collections.abc import Iterable
from typing import ClassVar

from flax import nnx

from albertkit.flax.typing import PyTree


class ObservedModule(nnx.Module):
    """A module that is told before NNX looks at its attributes, and that keeps some when NNX puts attributes back.

    After a call of jit NNX puts back what it compiled with, maybe of another module. Of `_kept_attributes` the module
    keeps its own where the two are equal.
    """

    _kept_attributes: ClassVar[tuple[str, ...]] = ()

    def _before_flatten(self) -> None:
        """What a subclass has to do before its attributes are looked at."""

    def _own_attributes(self) -> dict[str, object]:
        return {name: vars(self)[name] for name in self._kept_attributes if name in vars(self)}

    def _graph_node_flatten(self) -> PyTree:
        self._before_flatten()
        return super()._graph_node_flatten()

    def _pytree__flatten(self) -> PyTree:
        self._before_flatten()
        return super()._pytree__flatten()

    def _pytree__flatten_with_paths(self) -> PyTree:
        self._before_flatten()
        return super()._pytree__flatten_with_paths()

    def _graph_node_clear(self) -> None:
        own = self._own_attributes()
        super()._graph_node_clear()
        vars(self).update(own)

    def _graph_node_init(self, attributes: Iterable[tuple[str | int, object]]) -> None:
        own = self._own_attributes()
        super()._graph_node_init(attributes)
        vars(self).update({name: value for name, value in own.items() if vars(self)[name] == value})

    def __getstate__(self) -> dict[str, object]:
        """For copies and pickles."""
        self._before_flatten()
        return super().__getstate__()
