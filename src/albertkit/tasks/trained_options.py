"""How the data of a run was read: what its recipe said, for the files that its model is to score or answer."""

import logging
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from albertkit.errors import InputError
from albertkit.storage import encodings
from albertkit.tasks import tables
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

    Columns fit that the file has; a header fits a CSV or TSV that has as many columns, and where no other is given.
    """
    left = {name: value for name, value in trained.items() if name not in given}
    if not left:
        return dict(given)
    header = left.get("header") or given.get("header") or ()
    try:
        columns = next(tables.pieces(path, header)).columns
    except InputError:
        left.pop("header", None)
        columns = next(tables.pieces(path, given.get("header") or ())).columns
    if not tables.is_grid(path):
        left.pop("header", None)
    for name in [name for name in left if name.endswith("_column")]:
        if left[name] not in columns and not all(one.strip() in columns for one in left[name].split(",")):
            del left[name]
    if left:
        told = ", ".join(f"{name} {','.join(v) if isinstance(v, list) else v!r}" for name, v in left.items())
        logger.warning("%s is read as the data of training was: %s. Options given here go first.", path, told)
    return {**left, **given}
