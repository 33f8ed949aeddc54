"""How the data of a run was read: what its recipe said, for the files that its model is to score or answer."""

import logging
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from albertkit.errors import InputError
from albertkit.storage import encodings
from albertkit.tasks import tables, texts
from albertkit.tasks.data_options import DataOptions
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

RECIPE = "recipe.toml"
"""What a run leaves beside its model."""


def of_model(source: Path, task: str, options: type[DataOptions]) -> Record:
    """The options by which training was told to read its data, of the recipe beside a model; none where there is none.

    `source` is a model's folder or a file in it. Only options that are kept and differ from their defaults.
    """
    path = (source if source.is_dir() else source.parent) / RECIPE
    try:
        recipe = tomllib.loads(encodings.decode(path.read_bytes()))
    except (OSError, ValueError):
        return {}
    data, defaults = recipe.get("data"), options.defaults()
    if recipe.get("task") != task or not isinstance(data, dict):
        return {}
    kept = {one.name for one in fields(options) if one.metadata["is_kept"]}
    found = {name: value for name, value in data.items() if name in kept and value != defaults[name]}
    try:
        options.of(found)
    except InputError:  # of another version
        return {}
    return found


def for_file(path: str, trained: Mapping[str, Json], given: Mapping[str, Json]) -> Record:
    """The options for a file: those given, and those of training that fit the file, which are logged.

    Columns fit that the file has; a header fits a CSV or TSV of as many columns that seems to have none itself.
    """
    left = {name: value for name, value in trained.items() if name not in given}
    if not left:
        return dict(given)
    if "header" in left and not _fits(path, left["header"]):
        del left["header"]
    columns = next(tables.pieces(path, left.get("header") or given.get("header") or ())).columns
    for name in [name for name in left if name.endswith("_column")]:
        if left[name] not in columns and not all(one.strip() in columns for one in left[name].split(",")):
            del left[name]
    if left:
        told = ", ".join(f"{name} {','.join(v) if isinstance(v, list) else v!r}" for name, v in left.items())
        logger.warning("%s is read as the data of training was: %s. Options given here go first.", path, told)
    return {**left, **given}


def _fits(path: str, header: Sequence[str]) -> bool:
    """Whether a file has as many columns as a header names, and no first line with usual names of texts."""
    if not tables.is_grid(path):
        return False
    try:
        next(tables.pieces(path, header))
    except InputError:
        return False
    try:
        own = next(tables.pieces(path)).header_line
    except InputError:  # a single row, or one that repeats itself
        own = ()
    return texts.USUAL.isdisjoint(name.lower() for name in own)
