"""The tasks by name. Each is imported when it is asked for."""

import importlib
from collections.abc import Mapping, Sequence

from albertkit.config import AlbertConfig
from albertkit.errors import InputError, did_you_mean
from albertkit.tasks.base import AnyTask, AnyTrainableTask, TrainableTask
from albertkit.tasks.calibration import TRAINED

_TASKS = {
    "text-classification": "albertkit.tasks.text_classification.task:TextClassification",
    "token-classification": "albertkit.tasks.token_classification.task:TokenClassification",
    "question-answering": "albertkit.tasks.question_answering.task:QuestionAnswering",
    "multiple-choice": "albertkit.tasks.multiple_choice.task:MultipleChoice",
    "sentence-embedding": "albertkit.tasks.sentence_embedding.task:SentenceEmbedding",
    "feature-extraction": "albertkit.tasks.feature_extraction:FeatureExtraction",
    "fill-mask": "albertkit.tasks.fill_mask.task:FillMask",
    "pseudo-perplexity": "albertkit.tasks.pseudo_perplexity.task:PseudoPerplexity",
}
"""Name -> module:class. The first one answers for models whose config names no class."""


_ALIASES = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "masked-lm": "fill-mask",
    "mlm": "fill-mask",
}
"""Other names under which people know a task."""


def register(name: str, target: str) -> None:
    """Make a task known by its `module:class`, so that recipes, pipelines and commands find it."""
    _TASKS[name] = target


def full_name(name: str) -> str:
    """The name of a task by any of its names; what is none stays as it is."""
    return _ALIASES.get(name, name)


def is_known(name: str) -> bool:
    """Whether a task is called so, by any of its names."""
    return full_name(name) in _TASKS


def get(name: str) -> AnyTask:
    """The task called `name`. InputError where there is none."""
    name = full_name(name)
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


def of_model(config: AlbertConfig, architectures: Sequence[str] | None = None) -> AnyTask:
    """The task that a model answers: the one that it was trained for, if its config says so, or the first that fits.

    A task fits that has a head for one of the `architectures`, by default those of the config. The first task of all
    where none fits.
    """
    named = config.architectures if architectures is None else architectures
    entry = getattr(config, TRAINED, None)
    trained = entry.get("name") if isinstance(entry, Mapping) else None
    order = sorted(_TASKS, key=lambda name: name != trained)  # what fits is found without importing the others
    tasks = map(get, order)
    fitting = (task for task in tasks if any(one.endswith(task.heads) for one in named or ()))
    return next(fitting, None) or get(next(iter(_TASKS)))
