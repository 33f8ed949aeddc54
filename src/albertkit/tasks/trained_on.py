"""What a model was fine-tuned on, kept in its config under one key: its task, and the columns and form of its data.

A model of somebody else has no such entry, and nothing is known of it. The entry is no promise either: a config can be
written by hand, so what does not fit is passed over.
"""

from collections.abc import Mapping
from dataclasses import fields

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.base import AnyTask
from albertkit.tasks.data_options import DataOptions
from albertkit.typing import Json, Record

KEY = "task"
"""The key of config.json, with `name` and `data`."""


def write(config: AlbertConfig, task: AnyTask, options: DataOptions) -> AlbertConfig:
    """The config of a model that was trained for a task on data of such options, columns as they were found.

    What is kept are the options that say what a row of the data is, `is_kept`, where they are not at their defaults.
    """
    found = {one.name: getattr(options, one.name) for one in fields(options) if one.metadata["is_kept"]}
    defaults = options.defaults()
    data = {name: value for name, value in found.items() if value != defaults[name]}
    return AlbertConfig.from_dict({**config.to_dict(), KEY: {"name": task.name, "data": data}})


def read(config: AlbertConfig, task: AnyTask) -> Json | None:
    """The options of the data that a model was trained on for a task, of the type `task.options`.

    None where the config does not say.
    """
    entry = getattr(config, KEY, None)
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
