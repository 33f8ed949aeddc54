"""Answers for the rows of files by workers of a cluster: the blocks, the function and the journal of one machine."""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from albertkit.distributed.cluster import Cluster
from albertkit.distributed.datasets import Datasets
from albertkit.pipelines import Pipeline
from albertkit.prediction import cutting
from albertkit.prediction.answering import Answerer, Answering, Finished
from albertkit.prediction.cutting import Block, Position
from albertkit.prediction.run import Answers, Engine
from albertkit.prediction.sources import Source
from albertkit.tasks import registry


@dataclass(frozen=True)
class FileBlocks(Iterable[tuple[Block, Block]]):
    """The blocks of files from a position on, twice each: one to be answered, one to stand beside the answers.

    It can be pickled and read anywhere, if the files are there.
    """

    sources: tuple[Source, ...]
    task: str
    rows: int
    """Of a block at most, as the process decides that begins the run."""
    start: Position
    number: int
    """That of the first block."""

    def __iter__(self) -> Iterator[tuple[Block, Block]]:
        task = SimpleNamespace(rows_together=self.rows, stream=registry.get(self.task).stream)
        reader = cast("Pipeline", SimpleNamespace(task=task))  # a model is not needed to read
        for block in cutting.blocks(self.sources, reader, self.start, self.number):
            yield block, block


def by_workers(cluster: Cluster, kind: type[Answerer] = Answerer) -> Engine:
    """An engine of `prediction.run` whose blocks are read and answered in a cluster, which must see the files."""

    def answers(settings: Answering, blocks: Iterator[Block], loaded: Pipeline) -> Answers:
        first = next(blocks, None)  # only where to begin is asked here: the cluster reads for itself
        if first is None:
            return
        task = loaded.task
        read = FileBlocks(settings.sources, task.name, task.rows_together, first.start, first.number)
        with Datasets(cluster).map(functools.partial(_answerer, kind, settings), read) as found:
            yield from found

    return answers


def _answerer(kind: type[Answerer], settings: Answering) -> Callable[[Block], Finished]:
    return kind(settings).noted
