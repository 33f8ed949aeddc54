"""The batches of pre-training: which rows of the corpus stand in which step, made ahead of the step that needs them."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from albertkit.batches import PretrainingBatch
from albertkit.pretraining.examples import PretrainingExamples

PREFETCHED = 4
"""Batches that are made while the ones before are computed."""


@dataclass(frozen=True)
class PretrainBatches:
    """Batches of `batch_size` rows, in an order drawn anew for every epoch; of each, process `rank` gets its cut.

    Rows that fill no batch at the end of an epoch are left to later ones, whose rows begin elsewhere. A corpus of fewer
    rows than a batch fills it with repeats.
    """

    examples: PretrainingExamples
    batch_size: int
    rank: int = 0
    world_size: int = 1

    def __len__(self) -> int:
        """Batches in an epoch."""
        return max(len(self.examples) // self.batch_size, 1)

    def epoch(self, number: int, start: int = 0, parts: int = 1) -> Iterator[list[PretrainingBatch]]:
        """The batches of an epoch from batch `start` on, each cut into at most `parts`."""
        order = self.examples.order(number)
        order = np.resize(order, max(len(order), self.batch_size))
        batches = [order[at * self.batch_size : (at + 1) * self.batch_size] for at in range(start, len(self))]
        cuts = (np.array_split(np.array_split(rows, self.world_size)[self.rank], parts) for rows in batches)
        yield from _prefetched([self.examples.batch(number, part) for part in cut if len(part)] for cut in cuts)


def _prefetched(batches: Iterator[list[PretrainingBatch]]) -> Iterator[list[PretrainingBatch]]:
    """The same, made by a thread of their own a few steps ahead."""
    made: queue.Queue[list[PretrainingBatch] | BaseException | None] = queue.Queue(PREFETCHED)
    is_wanted = threading.Event()
    is_wanted.set()

    def offer(item: list[PretrainingBatch] | BaseException | None) -> None:
        while is_wanted.is_set():
            with contextlib.suppress(queue.Full):
                made.put(item, timeout=0.1)
                return

    def work() -> None:
        try:
            for batch in batches:
                offer(batch)
                if not is_wanted.is_set():
                    return
            offer(None)
        except BaseException as error:  # raised again where the batch is asked for
            offer(error)

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        is_wanted.clear()
        thread.join()
