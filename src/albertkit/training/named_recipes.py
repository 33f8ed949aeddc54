"""The recipes that come with the package, by name: files of albertkit/recipes without their ending."""

import importlib.resources
import tomllib
from dataclasses import dataclass
from pathlib import Path

from albertkit.errors import ConfigError, did_you_mean

_ENDING = ".toml"


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe of the package."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        """The file itself."""
        return self.path.read_text(encoding="utf-8")

    @property
    def task(self) -> str:
        """What it trains: pretraining, or the name of a task."""
        return tomllib.loads(self.text)["task"]

    @property
    def about(self) -> str:
        """What it is for: the comment at its head."""
        lines = self.text.splitlines()
        head = lines[: next(at for at, line in enumerate(lines) if not line.startswith("#"))]
        return " ".join(line.removeprefix("#").strip() for line in head)


def all_recipes() -> list[NamedRecipe]:
    """Those there are, by name."""
    folder = Path(str(importlib.resources.files("albertkit"))) / "recipes"
    return [NamedRecipe(path.stem, path) for path in sorted(folder.glob(f"*{_ENDING}"))]


def get(name: str) -> NamedRecipe:
    """The recipe called `name`, with or without .toml. ConfigError where there is none."""
    known = {recipe.name: recipe for recipe in all_recipes()}
    wanted = name.removesuffix(_ENDING)
    if wanted not in known:
        raise ConfigError(
            f"A recipe of the package is one of {', '.join(known)}. Received: {name!r}.{did_you_mean(wanted, known)}"
        )
    return known[wanted]


def find(name: str | Path) -> Path:
    """The file of a recipe: the one at this path, or else that of the package with this name.

    ConfigError where there is neither.
    """
    path = Path(name)
    if path.exists() and not path.is_dir():  # a run may be kept in a folder that is called as its recipe is
        return path
    known = {recipe.name: recipe.path for recipe in all_recipes()}
    if path.name == str(path) and path.name.removesuffix(_ENDING) in known:
        return known[path.name.removesuffix(_ENDING)]
    raise ConfigError(
        "A recipe must be a TOML file, or the name of one that comes with the package. Received: "
        f"{path}, {'a folder' if path.is_dir() else 'where there is none'}.{did_you_mean(path.stem, known)} "
        "`albertkit recipe list` names them."
    )
