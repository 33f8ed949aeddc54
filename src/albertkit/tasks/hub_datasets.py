"""Data sets of the Hugging Face Hub as files of JSON lines, which every task reads. The library `datasets` finds them.

Rows are streamed, so that no second copy of the data set is made; classes are written by their names.
"""

import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from albertkit import storage
from albertkit.errors import InputError, MissingDependency, did_you_mean, few
from albertkit.typing import Json, Record

_HELD_OUT = ("validation", "dev", "val")
"""What the names of splits for evaluation begin with, the first that is there is taken; a test is for the end."""
_MEDIA = ("Image", "Audio", "Video", "Pdf")
"""Kinds of columns that no task reads."""
_WAY_OUT = "Or save it as JSON lines or Parquet where there is a network, and name that file in its place."


@dataclass(frozen=True)
class HubDataset:
    """A data set of the hub, or a folder in its layout, with one of its configurations."""

    name: str
    config: str
    """The configuration; nothing where there is only one."""
    splits: tuple[str, ...]

    @classmethod
    def open(cls, named: str) -> Self:
        """The data set called NAME or NAME/CONFIG, such as imdb, nyu-mll/glue/sst2 or glue/sst2.

        InputError where there is none, it cannot be reached, or the configuration must be named.
        """
        parts = [part for part in named.strip("/").split("/") if part]
        if named != named.strip() or not parts or ".." in parts:
            raise InputError(f"A data set of the hub is called NAME or NAME/CONFIG. Received: {named!r}.")
        whole = "/".join([""] * named.startswith("/") + parts)
        name, _, config = whole.rpartition("/")
        if Path(whole).is_dir() or not name:
            return cls._found(whole, "")
        if len(parts) > 2 or Path(name).is_dir():
            return cls._found(name, config)
        try:
            return cls._found(whole, "")
        except InputError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        return cls._found(name, config)  # of a data set without an owner, such as glue

    @classmethod
    def _found(cls, name: str, config: str) -> Self:
        library = _library()
        with _told(name):
            configs = library.get_dataset_config_names(name)
        if config and config not in configs:
            raise InputError(
                f"A data set has the configurations of its own. {name} has {few(configs, 20)}. Received: {config!r}."
                f"{did_you_mean(config, configs)}"
            )
        if not config and len(configs) > 1 and "default" not in configs:
            raise InputError(
                f"The configuration of a data set must be named. {name} has {few(configs, 20)}. Name one behind it: "
                f"{name}/{configs[0]}."
            )
        with _told(name):
            return cls(name, config, tuple(library.get_dataset_split_names(name, config or None)))

    def __str__(self) -> str:
        return f"{self.name}/{self.config}" if self.config else self.name

    def split(self, asked: str) -> str:
        """The split of that name. InputError where there is none."""
        if asked not in self.splits:
            raise InputError(
                f"A split must be one of the data set. {self} has {few(self.splits, 20)}. Received: {asked!r}."
                f"{did_you_mean(asked, self.splits)} Name one of them."
            )
        return asked

    @property
    def held_out(self) -> str:
        """The first split for evaluation, but for a test; nothing where there is none."""
        return next((one for start in _HELD_OUT for one in self.splits if one.startswith(start)), "")

    def write(self, split: str, path: Path, most: int = 0) -> int:
        """Write the rows of a split, or the first `most`, a JSON object each, complete or not at all; their number.

        A class is written by its name, and as null where the row has none. Columns of pictures, sounds and the like are
        left out. InputError where the rows cannot be read.
        """
        count = 0
        with storage.replacing(path) as file:
            for row in itertools.islice(self._rows(split), most or None):
                file.write(
                    (json.dumps(row, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")
                )
                count += 1
        return count

    def _rows(self, split: str) -> Iterator[Record]:
        with _told(str(self)):
            rows = _library().load_dataset(self.name, self.config or None, split=split, streaming=True)
            features = rows.features or {}
            media = [name for name, feature in features.items() if type(feature).__name__ in _MEDIA]
            for row in rows.remove_columns(media) if media else rows:
                yield {name: _plain(value, features.get(name)) for name, value in row.items()}


def fetched(dataset: HubDataset, split: str, folder: Path, tell: Callable[[str], object], most: int = 0) -> Path:
    """The file of a split in a folder; see `HubDataset.write`. Says what is read, for that can take long."""
    name = "--".join([*str(dataset).strip("/").split("/")[-3:], dataset.split(split)])
    path = folder / f"{name}.jsonl"
    count = dataset.write(split, path, most)
    if not count:
        raise InputError(f"A split must hold at least one row. {dataset}, {split}, holds none. Name another.")
    tell(f"{count:,} rows of {dataset}, {split}, are now in {path}, a row a line.")
    return path


@contextlib.contextmanager
def files_of(
    named: str, splits: Mapping[str, str], tell: Callable[[str], object]
) -> Iterator[tuple[HubDataset, dict[str, str]]]:
    """The files of splits, by what they are for, while the context lasts.

    An empty name is the split for validation, which is left out where there is none.
    """
    dataset = HubDataset.open(named)
    chosen = {role: split or dataset.held_out for role, split in splits.items()}
    with tempfile.TemporaryDirectory(prefix="albertkit-") as folder:
        yield dataset, {role: str(fetched(dataset, one, Path(folder), tell)) for role, one in chosen.items() if one}


def _plain(value: Json, feature: Json) -> Json:
    """A value with its classes by their names."""
    if feature is None or value is None:
        return value
    if hasattr(feature, "int2str"):
        return None if value < 0 else feature.int2str(value)
    if isinstance(feature, dict):
        return {name: _plain(one, feature.get(name)) for name, one in value.items()}
    inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    if isinstance(value, dict) and isinstance(inner, dict):  # before version 4 lists of mappings: mappings of lists
        return {name: [_plain(one, inner.get(name)) for one in listed] for name, listed in value.items()}
    return [_plain(one, inner) for one in value] if isinstance(value, list) else value


def _library() -> Json:
    try:
        import datasets
    except ImportError:
        raise MissingDependency("Reading a data set of the hub", "datasets", "datasets") from None
    return datasets


@contextlib.contextmanager
def _told(name: str) -> Iterator[None]:
    """What the library raises as an InputError: it has errors of its own, and those of all that it reads with."""
    try:
        yield
    except (InputError, MissingDependency):
        raise
    except FileNotFoundError as error:
        raise InputError(
            f"A data set must be on the hub, or a folder of data files. Received: {name!r}, where there is none that "
            f"you may read: {_first_line(error)} Look its name up on the hub, log in with HF_TOKEN where it is "
            f"private. {_WAY_OUT}"
        ) from error
    except Exception as error:
        what = f"{type(error).__name__}: {_first_line(error)}"
        raise InputError(
            f"A data set of the hub needs a network, and data in it that can be read. Reading {name!r} failed: {what} "
            f"Check the network, and HF_HUB_OFFLINE. {_WAY_OUT}"
        ) from error


def _first_line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or ["no reason is given"])[0][:300]
    return text if text.endswith(".") else f"{text}."
