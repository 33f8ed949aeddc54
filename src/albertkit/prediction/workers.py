"""Blocks through several processes at once, in order. What dies is begun again once."""

import contextlib
import logging
import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from albertkit.errors import TrainingError
from albertkit.prediction import limits

if TYPE_CHECKING:
    from albertkit.prediction.answering import Answerer, Answering, Finished
    from albertkit.prediction.cutting import Block

logger = logging.getLogger(__name__)

Waiting = deque[tuple["Block", Future["Finished"]]]


class Workers:
    """Processes that each have the model. A context: they end with it."""

    def __init__(self, settings: "Answering", count: int) -> None:
        """`count` processes, each with as many threads as the settings say."""
        self._settings, self._count, self._has_died = pickle.dumps(settings), count, False
        self._threads = settings.threads
        self._pool = self._started()

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in list((self._pool._processes or {}).values()):
            with contextlib.suppress(OSError, ValueError):
                process.kill()

    def answers(self, blocks: Iterable["Block"]) -> Iterator[tuple["Block", "Finished"]]:
        """Each block with what it has become, in order; a few blocks more than processes are held.

        What a block raises is raised in its turn. TrainingError where a process dies a second time.
        """
        waiting: Waiting = deque()
        for block in blocks:
            waiting.append((block, self._submit(block)))
            if len(waiting) > self._count + 1:
                yield self._first(waiting)
        while waiting:
            yield self._first(waiting)

    def _submit(self, block: "Block") -> "Future[Finished]":
        try:
            return self._pool.submit(_answer, block)
        except BrokenProcessPool as error:
            found: Future[Finished] = Future()
            found.set_exception(error)
            return found

    def _first(self, waiting: Waiting) -> tuple["Block", "Finished"]:
        block, future = waiting[0]
        try:
            found = future.result()
        except BrokenProcessPool:
            self._restart(block, waiting)
            return self._first(waiting)
        waiting.popleft()
        return block, found

    def _restart(self, block: "Block", waiting: Waiting) -> None:
        """Begin again with new processes, and all blocks that wait. TrainingError where that was done before."""
        if self._has_died:
            raise TrainingError(
                f"Every process must live until the end. One of {self._count} died twice, the second time at block "
                f"{block.number + 1}, most likely for lack of memory. Run the same command again with fewer --workers, "
                "or a smaller --max-batch-tokens: it goes on where this one stopped."
            )
        self._has_died = True
        logger.warning(
            "One of %d processes died, most likely for lack of memory: what it had begun is done again.", self._count
        )
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = self._started()
        again = [(one, self._pool.submit(_answer, one)) for one, _ in waiting]
        waiting.clear()
        waiting.extend(again)

    def _started(self) -> ProcessPoolExecutor:
        # Not forked from a process that may hold threads and locks, but from a fresh one where the system can.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        return ProcessPoolExecutor(self._count, context, _start, (self._settings, self._threads))


_answerer: "Answerer"
"""Of each of the processes; set by `_start`."""


def _start(settings: bytes, count: int | None) -> None:
    global _answerer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that reads and writes
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    if count:
        limits.limit(count)
    from albertkit.prediction.answering import Answerer  # what it imports reads that

    loaded: Any = pickle.loads(settings)  # noqa: S301 - by the process that began this one
    _answerer = Answerer(loaded)


def _exit_with_parent() -> None:
    """A parent that was killed cannot say so: without this, its processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _answer(block: "Block") -> "Finished":
    return _answerer.noted(block)
