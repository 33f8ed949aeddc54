"""The models that a server answers with, by name: loaded, tried, and swapped without losing a request."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from albertkit.errors import InputError
from albertkit.pipelines import Pipeline, pipeline
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """Where a model comes from."""

    name: str
    """What clients call it."""
    model: str
    """Its folder, or its name at the hub."""
    options: tuple[tuple[str, Json], ...]
    """Those of `pipeline`."""

    @classmethod
    def of(cls, given: str, **options: Json) -> "Source":
        """Of FOLDER, NAME=FOLDER or NAME:TASK=FOLDER. InputError for a name that cannot stand in an address."""
        name, model, task = "", given, ""
        if "=" in given and not Path(given).exists():  # a folder may have the sign in its own name
            name, _, model = given.partition("=")
            name, _, task = name.partition(":")
        name, options = name or Path(model).name, {**options, **({"task": task} if task else {})}
        if not name or not all(sign.isalnum() or sign in "-_." for sign in name):
            raise InputError(
                "A served model needs a name of letters, digits, '-', '_' and '.', for it stands in addresses. "
                f"Received: {name!r}. Give one in front, such as my-model={model or 'FOLDER'}."
            )
        return cls(name, model, tuple(options.items()))

    def load(self) -> Pipeline:
        """Its pipeline, which has answered once: weights are in memory, and what is compiled at first is compiled."""
        options = dict(self.options)
        answerer = pipeline(options.pop("task", None), self.model, **options)
        answerer(answerer.task.sample)
        return answerer


class Models:
    """Pipelines by name. A request keeps the one that it began with."""

    def __init__(self, sources: list[Source]) -> None:
        """InputError for none, and for a name that is given twice."""
        if not sources:
            raise InputError("A server needs a model. Received: none. Name a folder, or several.")
        names = [source.name for source in sources]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"Served models need names that differ. Received twice: {name!r}. Give them names: "
                    f"first={name} second=..."
                )
        self._sources = {source.name: source for source in sources}
        self._loaded: dict[str, Pipeline] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Load all, again where they are there: each takes the place of the former once it has answered.

        A model that cannot be loaded raises, and the former ones go on. InputError for one of another task: routes are
        those of the tasks at the start.
        """
        with self._lock:
            loaded = {name: source.load() for name, source in self._sources.items()}
            for name, former in self._loaded.items():
                if loaded[name].task.name != former.task.name:
                    raise InputError(
                        f"A model that is loaded again must answer for {former.task.name}, as before. Received as "
                        f"{name!r}: one for {loaded[name].task.name}. Start the server anew for it."
                    )
            self._loaded = loaded

    @property
    def names(self) -> list[str]:
        """In the order in which they were named."""
        return list(self._sources)

    @property
    def are_ready(self) -> bool:
        """Whether all can answer."""
        return len(self._loaded) == len(self._sources)

    def get(self, name: str) -> Pipeline | None:
        """The pipeline of a name, where there is one and it is loaded."""
        return self._loaded.get(name)

    def loaded(self) -> Mapping[str, Pipeline]:
        """Those that can answer."""
        return self._loaded

    def describe(self) -> list[Record]:
        """What clients may know of each: nothing of where it lies."""
        return [
            {
                "name": name,
                "task": one.task.name,
                "max_input_length": one.max_length,
                "vocab_size": one.config.vocab_size,
                "hidden_size": one.config.hidden_size,
                "num_hidden_layers": one.config.num_hidden_layers,
                "labels": [one.config.id2label[number] for number in sorted(one.config.id2label)],
                "mask_token": one.tokenizer.mask_token,
                **one.task.about(one.config),
            }
            for name, one in self._loaded.items()
        ]
