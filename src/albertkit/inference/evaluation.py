"""Labelled files -> scores: which files of a folder they are, and what is told beside the scores."""

import logging
import os
from collections.abc import Iterable
from typing import NamedTuple

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.inference.early_exit import LayersTaken
from albertkit.tasks import bad_rows, registry
from albertkit.tasks.base import AnyTask, AnyTrainableTask, TrainableTask
from albertkit.tasks.collapse import AnswersSeen
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, few_to_score
from albertkit.tasks.features import Features
from albertkit.typing import Record

logger = logging.getLogger(__name__)

Name = str | os.PathLike[str]


class Labelled(NamedTuple):
    """The examples of a file with their labels."""

    examples: Examples
    features: Features
    outputs: Iterable[Outputs]
    """What the model gives for each row, in turn."""


def require_trainable(task: AnyTask) -> AnyTrainableTask:
    """The task as one that has scores. InputError where it has none."""
    if isinstance(task, TrainableTask):
        return task
    raise InputError(
        f"A task to evaluate must have labels and scores. Received: {task.name!r}. Fine-tune the model, or name "
        f"another task: {', '.join(registry.trainable_names())}."
    )


def files(task: AnyTrainableTask, path: Name, options: DataOptions) -> dict[str, Name]:
    """The files to score on by split. InputError for a folder of data that holds none."""
    splits = task.splits(str(path), options)
    found: dict[str, Name] = {name: file for name, file in splits.items() if name.startswith("validation")}
    if splits and not found:
        raise InputError(f"A folder to evaluate on must hold a file for it. {path} holds {', '.join(splits)} alone.")
    return found or {"": path}


def warn(examples: Examples) -> None:
    """Say where there are few examples, and which rows were left out."""
    for told in filter(None, (few_to_score(len(examples)), bad_rows.told(examples.left_out))):
        logger.warning(told)


def scores(
    task: AnyTrainableTask, config: AlbertConfig, labelled: Labelled, official: dict[str, Record] | None
) -> Record:
    """The scores, how many layers were taken for them, and a warning where all answers are alike.

    `official` is filled with what the task's official scripts want of the answers.
    """
    examples, features, outputs = labelled
    if official is not None:
        outputs = list(outputs)
        official.update(task.files(config, examples, features, outputs))
    seen, taken = AnswersSeen(features, config), LayersTaken()
    found = task.score(config, examples, features, taken.watched(seen.watched(outputs)))
    if told := seen.told():
        logger.warning(told)
    return {**found, **taken.found(), **({"warning": told} if told else {})}


def together(found: dict[str, Record]) -> Record:
    """The scores of several files by split, without those of a file of all; of one file its own."""
    several = {name: one for name, one in found.items() if name != "validation"}
    return several if len(several) > 1 else next(iter(found.values()))
