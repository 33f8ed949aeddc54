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

_OF_A_RUN = ("train", "eval", "held_out", "max_length", "skip_empty")
"""Options that say nothing of what a row of the data is; the tokenizer keeps `max_length`."""


def write(config: AlbertConfig, task: AnyTask, options: DataOptions) -> AlbertConfig:
    """The config of a model that was trained for a task on data of such options, columns as they were found."""
    found = {one.name: getattr(options, one.name) for one in fields(options)}
    data = {name: value for name, value in found.items() if name not in _OF_A_RUN and value not in ("", [])}
    return AlbertConfig.from_dict({**config.to_dict(), KEY: {"name": task.name, "data": data}})


def read(config: AlbertConfig, task: AnyTask) -> Json | None:
    """The options of the data that a model was trained on for a task, of the type `task.options`.

    None where the config does not say.
    """
    entry = getattr(config, KEY, None)
    if not isinstance(entry, Mapping) or entry.get("name") != task.name or not isinstance(entry.get("data"), Mapping):
        return None
    fitting: Record = {}
    for name, value in entry["data"].items():
        try:
            task.options.of({name: value})
        except InputError:
            continue
        fitting[name] = value
    return task.options.of({name: value for name, value in fitting.items() if name not in _OF_A_RUN})
