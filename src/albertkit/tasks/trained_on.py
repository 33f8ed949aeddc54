"""What a model was fine-tuned on, kept in its config under one key: its task, and the columns and form of its data.

With these stands what was decided on held-out examples for its answers, such as a threshold.

A model of somebody else has no such entry, and nothing is known of it. The entry is no promise either: a config can be
written by hand, so what does not fit is passed over.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import tables, texts
from albertkit.tasks.base import AnyTask
from albertkit.tasks.calibration import FITTED, TRAINED
from albertkit.tasks.data_options import DataOptions
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)


def write(config: AlbertConfig, task: AnyTask, options: DataOptions) -> AlbertConfig:
    """The config of a model that was trained for a task on data of such options, columns as they were found.

    What is kept are the options that say what a row of the data is, `is_kept`, where they are not at their defaults.
    """
    found = {one.name: getattr(options, one.name) for one in fields(options) if one.metadata["is_kept"]}
    defaults = options.defaults()
    data = {name: value for name, value in found.items() if value != defaults[name]}
    return AlbertConfig.from_dict({**config.to_dict(), TRAINED: {"name": task.name, "data": data}})


def read(config: AlbertConfig, task: AnyTask) -> Json | None:
    """The options of the data that a model was trained on for a task, of the type `task.options`.

    None where the config does not say.
    """
    entry = getattr(config, TRAINED, None)
    if not isinstance(entry, Mapping) or entry.get("name") != task.name or not isinstance(entry.get("data"), Mapping):
        return None
    kept = {one.name for one in fields(task.options) if one.metadata["is_kept"]}
    fitting: Record = {}
    for name in kept & entry["data"].keys():
        try:
            task.options.of({name: entry["data"][name]})
        except InputError:
            continue
        fitting[name] = entry["data"][name]
    return task.options.of(fitting)


def kept(config: AlbertConfig, task: AnyTask) -> Record:
    """The options of `read` that are not at their defaults, by name."""
    options, defaults = read(config, task), task.options.defaults()
    return {} if options is None else {name: value for name, value in vars(options).items() if value != defaults[name]}


def with_fitted(config: AlbertConfig, task: AnyTask, decided: Record) -> AlbertConfig:
    """The config with what was decided for answers, if anything, beside and over what it has of `fitted`."""
    if not decided:
        return config
    keys, entry = config.to_dict(), getattr(config, TRAINED, None)
    if not isinstance(entry, Mapping) or entry.get("name") != task.name:
        entry = {"name": task.name, "data": {}}
    return AlbertConfig.from_dict({**keys, TRAINED: {**entry, FITTED: {**fitted(config, task), **decided}}})


def fitted(config: AlbertConfig, task: AnyTask) -> Record:
    """What was decided on held-out examples for a model's answers, by the names of `task.answer_options`."""
    entry = getattr(config, TRAINED, None)
    found = entry.get(FITTED) if isinstance(entry, Mapping) and entry.get("name") == task.name else None
    known = task.answer_options
    return {
        name: value
        for name, value in (found.items() if isinstance(found, Mapping) else ())
        if name in known and (type(value) is type(known[name]) or (type(value), type(known[name])) == (int, float))
    }


def for_file(path: str, trained: Mapping[str, Json], given: Mapping[str, Json]) -> Record:
    """The options for a file: those given, and those of training that fit the file, which are logged.

    Columns fit that the file has; a header fits a CSV or TSV of as many columns that seems to have none itself.
    """
    left = {name: value for name, value in trained.items() if name not in given}
    if not left:
        return dict(given)
    if "header" in left and not _fits(path, left["header"]):
        del left["header"]
    named = [name for name in left if name.endswith("_column")]
    columns = next(tables.pieces(path, left.get("header") or given.get("header") or ())).columns if named else {}
    for name in named:
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
