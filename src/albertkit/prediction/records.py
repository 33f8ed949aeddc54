"""The answers for the rows of a file as records, one after the other, by an engine: for whoever writes them himself."""

import pickle
from collections.abc import Callable, Iterator

from albertkit.pipelines import Pipeline
from albertkit.prediction import cutting
from albertkit.prediction.answering import Answerer, Answering, Finished
from albertkit.prediction.cutting import Block
from albertkit.prediction.run import Engine
from albertkit.prediction.sources import Source
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.unknown import UnknownTotals
from albertkit.typing import Record


class RecordAnswerer(Answerer):
    """Answers blocks by records, pickled: values that JSON does not have stay what they are."""

    def __call__(self, block: Block) -> Finished:
        """The records of a block. InputError, saying where, for a row that cannot be used."""
        _, bad, answers = self.answered(block)
        records = [self._pipeline.record(one) for one in answers]
        return Finished((pickle.dumps(records),), (len(records),), 0, *self._counted(bad))


class Answers:
    """The answers for a file, and what is counted of them so far, under the names that a pipeline has for it."""

    def __init__(self, loaded: Pipeline, model: Record, path: str, data: Record, skips: bool, threads: int) -> None:
        """`loaded` is the pipeline that the arguments `model` make; `data` are options of the task's data.

        InputError for a file that cannot be used.
        """
        self._pipeline = loaded
        source = Source.of(loaded, path, {**data, "skip_bad_rows": skips})
        self._settings = Answering({**model, "task": loaded.task.name}, (source,), skips=skips, threads=threads)
        self.max_length, self.tokenizer = loaded.max_length, loaded.tokenizer
        self.truncated, self.unknown = 0, UnknownTotals()
        self.left_out: list[BadRow] = []
        self.progress: Callable[[int, int], None] = lambda done, total: None

    def records(self, engine: Engine) -> Iterator[Record]:
        """A record for each row, in order, by an engine that makes them with a RecordAnswerer; errors as of that."""
        blocks = cutting.blocks(self._settings.sources, self._pipeline)
        for _, found in engine(self._settings, blocks, self._pipeline):
            self.truncated, self.unknown = self.truncated + found.truncated, self.unknown + found.unknown
            self.left_out += found.bad
            yield from pickle.loads(found.contents[0])  # noqa: S301  # by one of its workers
