"""Blocks through a function in several workers at once, the results in the order of the blocks.

The contract, and processes of this machine, which fulfil it; `albertkit.distributed` does it on a Ray cluster.
"""

import contextlib
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
    """What to do where a process dies."""

    @contextlib.contextmanager
    def map(
        self, make: Callable[[], Callable[[Block], Result]], blocks: Iterable[tuple[Kept, Block]]
    ) -> Generator[Iterator[tuple[Kept, Result]]]:
        """See Workers. TrainingError where a process dies: on one machine, that is for lack of memory."""
        if self.count == 1:
            call = make()
            yield ((kept, call(block)) for kept, block in blocks)
            return
        # Not forked from a process that may hold threads and locks, but from a fresh one where the system can.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload([getattr(make, "func", make).__module__])
        pool = ProcessPoolExecutor(self.count, context, _start_process, (make,))
        try:
            yield _in_order(pool, blocks, 2 * self.count + 1)
        except BrokenProcessPool:
            raise TrainingError(
                f"Every process must live until the end. One of {self.count} died, most likely for lack of memory. "
                f"{self.way_out}"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, blocks: Iterable[tuple[Kept, Block]], max_waiting: int
) -> Iterator[tuple[Kept, Json]]:
    waiting: deque[tuple[Kept, Future[Json]]] = deque()
    for kept, block in blocks:
        waiting.append((kept, pool.submit(_call, block)))
        if len(waiting) >= max_waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


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
