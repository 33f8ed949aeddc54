"""The models that come with the package: their names, the language and the tasks they are for, where they lie."""

import importlib.resources
from pathlib import Path
from typing import NamedTuple

from albertkit.errors import CheckpointNotFound, InputError, did_you_mean

ENGLISH = "en"
"""The language that is meant where none is named."""


class Embedded(NamedTuple):
    """A model of the package, in the folder of albertkit/models that is called as it is."""

    language: str
    """A code of two letters."""
    tasks: tuple[str, ...]
    """The tasks, by their full names, that it answers where no model is named."""


MODELS = {
    "albertkit/small-en": Embedded("en", ("fill-mask", "pseudo-perplexity", "feature-extraction")),
    "albertkit/small-en-ner": Embedded("en", ("token-classification",)),
    "albertkit/small-en-similarity": Embedded("en", ("sentence-embedding",)),
    "albertkit/small-ja": Embedded("ja", ("fill-mask", "pseudo-perplexity", "feature-extraction")),
    "albertkit/small-ja-ner": Embedded("ja", ("token-classification",)),
    "albertkit/small-ja-qa": Embedded("ja", ("question-answering",)),
    "albertkit/small-ja-choice": Embedded("ja", ("multiple-choice",)),
    "albertkit/small-ja-similarity": Embedded("ja", ("sentence-embedding",)),
}
"""By their names, which are those of folders behind `albertkit/`."""


def default(task: str, language: str | None = None) -> str:
    """The name of the model that answers a task, by its full name, in a language, English where none is named.

    InputError where the package has none.
    """
    wanted = language or ENGLISH
    for name, model in MODELS.items():
        if task in model.tasks and model.language == wanted:
            return name
    known = sorted({model.language for model in MODELS.values()})
    if wanted not in known:
        raise InputError(
            f"`language` must be that of a model of the package: {', '.join(known)}. Received: {language!r}."
            f"{did_you_mean(wanted, known)} For others name a model."
        )
    there = [f"{one} ({model.language})" for model in MODELS.values() for one in model.tasks]
    raise InputError(
        f"A task without a model takes one that comes with the package. For {task} in {wanted!r} there is none; there "
        f"are some for {', '.join(sorted(there))}. Name a model: its folder, or its name on the hub."
    )


def folder(name: str) -> Path:
    """The folder of one of MODELS. CheckpointNotFound where it was left out of this copy of the package."""
    found = Path(str(importlib.resources.files("albertkit"))) / "models" / name.partition("/")[2]
    if not found.is_dir():
        raise CheckpointNotFound(
            f"{name!r} comes with the package. This copy lacks it: there is no {found}. Install albertkit anew, or "
            "name another model."
        )
    return found
