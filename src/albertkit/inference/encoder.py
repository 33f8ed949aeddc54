"""Examples -> what a model is given. What is cut, unknown to the vocabulary or left out on the way is counted."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

from albertkit.config import AlbertConfig
from albertkit.errors import UnusableRows
from albertkit.inference.pipeline_options import PipelineOptions
from albertkit.inference.settings import Settings
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.base import AnyTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, ExamplesT
from albertkit.tasks.features import Features
from albertkit.tasks.unknown import UnknownCounts, UnknownTotals
from albertkit.tokenization.base import AlbertTokenizerBase

logger = logging.getLogger(__name__)


class Encoder:
    """A task with a tokenizer, and what they met in the examples of the last call."""

    def __init__(self, task: AnyTask, tokenizer: AlbertTokenizerBase, options: PipelineOptions) -> None:
        self._task, self._tokenizer, self._options = task, tokenizer, options
        self._told: set[str] = set()
        self.truncated = 0
        """How many examples were longer than the model and were cut."""
        self.unknown = UnknownTotals()
        """How much of them the vocabulary does not know."""
        self.left_out: list[BadRow] = []
        """Rows that were left out of parts."""

    def features(
        self,
        config: AlbertConfig,
        examples: Examples,
        settings: Settings,
        options: DataOptions | None = None,
        labelled: bool = False,
    ) -> tuple[Features, UnknownCounts]:
        """What the model is given, and how much of each example the vocabulary knows.

        That it is unlike what the model was trained on is said once.
        """
        if told := self._task.unlike_training(config, examples):
            self.tell(told)
        found = self._options.to_encode(settings, options)
        features = self._task.encode(self._tokenizer, config, examples, found, labelled)
        settings.require_short(features)
        counts = features.unknown(self._tokenizer, len(examples))
        self.truncated, self.unknown = features.truncated, counts.totals()
        return features, counts

    def noted(self, parts: Iterable[ExamplesT]) -> Iterator[ExamplesT]:
        """Parts, without the rows that they were read without, which are noted."""
        self.left_out = []
        for part in parts:
            self.left_out += part.left_out
            yield replace(part, left_out=())

    def usable(
        self, config: AlbertConfig, part: ExamplesT, settings: Settings
    ) -> tuple[ExamplesT, Features, UnknownCounts]:
        """The examples of a part that a model can be given, and their features; others are noted, if they may be."""
        while len(part):
            try:
                return part, *self.features(config, part, settings)
            except UnusableRows as error:
                if not settings.skips:
                    raise
                part = part.without(error.rules)
                self.left_out += part.left_out
                part = replace(part, left_out=())
        none = Features([], [])
        self.truncated, self.unknown = 0, UnknownTotals()
        return part, none, none.unknown(self._tokenizer, 0)

    def tell(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning(sentence)

    def warn_of_unknown(self) -> None:
        """Say where the vocabulary does not know much of the examples."""
        if self.unknown.unreadable:
            logger.warning(self.unknown.describe(self._tokenizer))
