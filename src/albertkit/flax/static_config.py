"""A module with a config that NNX takes for what it is: part of what is compiled, and one module's own."""

import copy
from typing import Any

from flax import nnx

from albertkit.config import AlbertConfig


class Constant:
    """A config as jit sees it: equal to another that said the same when it was written down.

    What is compiled is kept under it, so what it compares by never changes. The config itself belongs to one module.
    """

    def __init__(self, config: AlbertConfig, owner: object) -> None:
        self.config, self.owner = config, id(owner)
        self.written: dict[str, Any] = copy.deepcopy(vars(config))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self.written == other.written

    def __hash__(self) -> int:
        return hash(Constant)

    def copied(self, owner: object) -> "Constant":
        """One with a config of its own, as it was written down."""
        config = copy.copy(self.config)
        vars(config).update(copy.deepcopy(self.written))
        return Constant(config, owner)


class Aside:
    """What a module keeps that jit need not see: it makes no difference between two modules."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Aside)

    def __hash__(self) -> int:
        return hash(Aside)


class ConfiguredModule(nnx.Module):
    """A module whose config may change at any time: jit compiles anew then, and a copy has a config of its own.

    Of two modules of which one is inside the other, the inner one keeps the config of both: `_keeper`.
    """

    _aside: Aside

    @property
    def _keeper(self) -> Any:
        """The module that keeps the config: this one, unless it has one inside that does."""
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """NNX takes every attribute for a part of the module; those that are properties are not."""
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def config(self) -> AlbertConfig:
        """The config, which the encoder keeps. When it changes jit compiles anew; a copy of a model has its own."""
        keeper = self._keeper
        held = vars(keeper)["_constant"]
        if held.owner != id(keeper):  # a module that NNX made of another's parts
            held = vars(keeper)["_constant"] = held.copied(keeper)
        return held.config

    @config.setter
    def config(self, config: AlbertConfig) -> None:
        keeper = self._keeper
        vars(keeper)["_constant"] = Constant(config, keeper)

    def _settle(self) -> None:
        """Write the config down as it is now, before NNX looks at the attributes."""
        held = vars(self).get("_constant")
        if held is not None and held.owner == id(self) and held.written != vars(held.config):
            vars(self)["_constant"] = Constant(held.config, self)

    def _graph_node_flatten(self) -> Any:
        self._settle()
        return super()._graph_node_flatten()

    def _pytree__flatten(self) -> Any:
        self._settle()
        return super()._pytree__flatten()

    def _pytree__flatten_with_paths(self) -> Any:
        self._settle()
        return super()._pytree__flatten_with_paths()

    def _graph_node_clear(self) -> None:
        own = self._own
        super()._graph_node_clear()
        vars(self).update(own)

    def _graph_node_init(self, attributes: Any) -> None:
        """After a call NNX puts back what it compiled with, of another module maybe: what is equal stays one's own."""
        own = self._own
        super()._graph_node_init(attributes)
        vars(self).update({name: value for name, value in own.items() if vars(self)[name] == value})

    @property
    def _own(self) -> dict[str, Any]:
        return {name: vars(self)[name] for name in ("_constant", "_aside") if name in vars(self)}

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles."""
        self._settle()
        return super().__getstate__()
