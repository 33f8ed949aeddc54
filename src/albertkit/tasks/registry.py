"""The tasks by name. Each is imported when it is asked for."""

import importlib
from collections.abc import Sequence

from albertkit.errors import InputError, did_you_mean
from albertkit.tasks.base import AnyTask, AnyTrainableTask, TrainableTask

_TASKS = {
    "text-classification": "albertkit.tasks.text_classification:TextClassification",
    "fill-mask": "albertkit.tasks.fill_mask:FillMask",
}
"""Name -> module:class. The first one answers for models whose config names no class."""


_ALIASES = {"sentiment-analysis": "text-classification"}
"""Other names under which Transformers knows a task."""


def register(name: str, target: str) -> None:
    """Make a task known by its `module:class`, so that recipes, pipelines and commands find it."""
    _TASKS[name] = target


def get(name: str) -> AnyTask:
    """The task called `name`. InputError where there is none."""
    name = _ALIASES.get(name, name)
    if name not in _TASKS:
        raise InputError(
            f"A task must be one of {', '.join(_TASKS)}. Received: {name!r}.{did_you_mean(str(name), _TASKS)}"
        )
    module, _, attribute = _TASKS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)()


def trainable_names() -> list[str]:
    """The names of the tasks that can be fine-tuned and scored."""
    return [name for name in _TASKS if isinstance(get(name), TrainableTask)]


def get_trainable(name: str) -> AnyTrainableTask:
    """The task called `name`. InputError where there is none, or it cannot be fine-tuned."""
    task = get(name)
    if not isinstance(task, TrainableTask):
        known = ", ".join(trainable_names())
        raise InputError(f"A task to fine-tune must be one of {known}. Received: {name!r}.")
    return task


def of_model(architectures: Sequence[str]) -> AnyTask:
    """The task that a model answers, by the classes that its config names; the first task where none fits."""
    tasks = [get(name) for name in _TASKS]
    for task in tasks:
        if any(one.endswith(task.heads) for one in architectures):
            return task
    return tasks[0]
