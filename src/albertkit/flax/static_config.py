"""A module with a config that NNX takes for what it is: part of what is compiled, and one module's own."""

import copy
from dataclasses import dataclass

from albertkit.checkpoint.report import LoadReport
from albertkit.config import AlbertConfig
from albertkit.flax import private_api


class StaticConfig:
    """A config as static metadata: what jit compiles is kept under the values that it had when it was last looked at.

    It is equal to another with the same `snapshot`, which never changes. The config itself belongs to one module.
    """

    def __init__(self, config: AlbertConfig, owner: object) -> None:
        self.config, self.owner = config, id(owner)
        self.snapshot: dict[str, object] = copy.deepcopy(vars(config))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticConfig) and self.snapshot == other.snapshot

    def __hash__(self) -> int:
        return hash(StaticConfig)

    @property
    def is_current(self) -> bool:
        """Whether the config still has the values of the snapshot."""
        return self.snapshot == vars(self.config)

    def copied(self, owner: object) -> "StaticConfig":
        """One for another module, with a config of its own that has the values of the snapshot."""
        config = copy.copy(self.config)
        vars(config).update(copy.deepcopy(self.snapshot))
        return StaticConfig(config, owner)


@dataclass(eq=False)
class UntrackedAttributes:
    """What a module keeps that jit need not see: it makes no difference between two modules."""

    input_shape: tuple[int, ...]
    seed: int
    is_initialised: bool
    load_report: LoadReport | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntrackedAttributes)

    def __hash__(self) -> int:
        return hash(UntrackedAttributes)


class ConfiguredModule(private_api.ObservedModule):
    """A module whose config may change at any time: jit compiles anew then, and a copy has a config of its own.

    Of two modules of which one is inside the other, the inner one keeps the config of both: `_config_owner`.
    """

    _kept_attributes = ("_static_config", "_untracked")
    _untracked: UntrackedAttributes

    @property
    def _config_owner(self) -> "ConfiguredModule":
        """The module that keeps the config: this one, unless it has one inside that does."""
        return self

    def __setattr__(self, name: str, value: object) -> None:
        """NNX takes every attribute for a part of the module; those that are properties are not."""
        if isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def config(self) -> AlbertConfig:
        """The config, which the encoder keeps. When it changes jit compiles anew; a copy of a model has its own."""
        owner = self._config_owner
        static: StaticConfig = vars(owner)["_static_config"]
        if static.owner != id(owner):  # a module that NNX made of another's parts
            static = vars(owner)["_static_config"] = static.copied(owner)
        return static.config

    @config.setter
    def config(self, config: AlbertConfig) -> None:
        owner = self._config_owner
        vars(owner)["_static_config"] = StaticConfig(config, owner)

    def _before_flatten(self) -> None:
        """Take a new snapshot of the config where it has changed."""
        static: StaticConfig | None = vars(self).get("_static_config")
        if static is not None and static.owner == id(self) and not static.is_current:
            vars(self)["_static_config"] = StaticConfig(static.config, self)
