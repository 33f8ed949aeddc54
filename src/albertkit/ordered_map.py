"""Blocks through a function in several workers at once, the results in the order of the blocks.

The contract, and processes of this machine, which fulfil it; `albertkit.distributed` does it on a Ray cluster.
"""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import Protocol, TypeVar

from albertkit.errors import TrainingError
from albertkit.typing import Json

Kept = TypeVar("Kept")
Block = TypeVar("Block")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)


class Workers(Protocol):
    """Where blocks are worked on."""

    def map(
        self, make: Callable[[], Callable[[Block], Result]], blocks: Iterable[tuple[Kept, Block]]
    ) -> contextlib.AbstractContextManager[Iterator[tuple[Kept, Result]]]:
        """What stands beside each block, with its result, in order, while the context lasts.

        Each worker makes the function once: `make`, blocks and results are pickled. At any time only a few blocks more
        than there are workers are held. Leaving the context, as at Ctrl-C, ends the workers. An error of the function
        comes in place of the result that it is of.
        """
        ...


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; one is this process itself."""

    count: int
    way_out: str
    """What to do where processes die."""
    imports_ahead: bool = True
    """Whether the module of what makes the function is imported once for all: not where it reads the environment."""

    @contextlib.contextmanager
    def map(
        self, make: Callable[[], Callable[[Block], Result]], blocks: Iterable[tuple[Kept, Block]]
    ) -> Generator[Iterator[tuple[Kept, Result]]]:
        """See Workers. TrainingError where a process dies a second time: on one machine, that is for lack of memory."""
        if self.count == 1:
            call = make()
            yield ((kept, call(block)) for kept, block in blocks)
            return
        pool = _Pool(self, make)
        try:
            yield pool.results(blocks)
        finally:
            pool.end()


class _Pool:
    """Processes that have made a function. Where one dies, all are begun again, once, with the blocks that wait."""

    def __init__(self, processes: Processes, make: Callable[[], Callable[[Json], Json]]) -> None:
        self._processes, self._make, self._has_died = processes, make, False
        self._executor = self._started()

    def results(self, blocks: Iterable[tuple[Kept, Json]]) -> Iterator[tuple[Kept, Json]]:
        """What stands beside each block, with its result, in order."""
        waiting: deque[tuple[Kept, Json, Future[Json]]] = deque()
        for kept, block in blocks:
            waiting.append((kept, block, self._submit(block)))
            if len(waiting) > 2 * self._processes.count:
                yield self._first(waiting)
        while waiting:
            yield self._first(waiting)

    def end(self) -> None:
        """End the processes, whatever they are at: what has no result by now is wanted by nobody."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with contextlib.suppress(OSError, ValueError):
                process.kill()

    def _submit(self, block: Json) -> Future[Json]:
        try:
            return self._executor.submit(_call, block)
        except BrokenProcessPool as error:  # told when it is this block's turn
            found: Future[Json] = Future()
            found.set_exception(error)
            return found

    def _first(self, waiting: deque[tuple[Kept, Json, Future[Json]]]) -> tuple[Kept, Json]:
        kept, _, future = waiting[0]
        try:
            found = future.result()
        except BrokenProcessPool:
            self._restart(waiting)
            return self._first(waiting)
        waiting.popleft()
        return kept, found

    def _restart(self, waiting: deque[tuple[Kept, Json, Future[Json]]]) -> None:
        count = self._processes.count
        if self._has_died:
            raise TrainingError(
                f"Every process must live until the end. Of {count} one died, and again one of those that were begun "
                f"anew, most likely for lack of memory. {self._processes.way_out}"
            ) from None
        self._has_died = True
        logger.warning(
            f"One of {count} processes died, most likely for lack of memory: what it had begun is done again."
        )
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._started()
        again = [(kept, block, self._submit(block)) for kept, block, _ in waiting]
        waiting.clear()
        waiting.extend(again)

    def _started(self) -> ProcessPoolExecutor:
        # Not forked from a process that may hold threads and locks, but from a fresh one where the system can.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        if method == "forkserver" and self._processes.imports_ahead:
            context.set_forkserver_preload([getattr(self._make, "func", self._make).__module__])
        return ProcessPoolExecutor(self._processes.count, context, _start_process, (self._make,))


_function: Callable[[Json], Json]
"""Of each of the processes; set by `_start_process`."""


def _start_process(make: Callable[[], Callable[[Json], Json]]) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that reads and writes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    _function = make()


def _exit_with_parent() -> None:
    """A parent that was killed cannot say so: without this, its processes would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _call(block: Json) -> Json:
    return _function(block)
