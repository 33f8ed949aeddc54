"""An ordered map of blocks that this process reads, one after the other, by Ray actors.

For what only one process can read, such as documents of which those are left out that came before. Results come in
order; Ray starts an actor again that has died, and does its blocks again.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from albertkit.distributed import cluster
from albertkit.distributed.cluster import Cluster
from albertkit.ordered_map import Block, Kept, Result
from albertkit.typing import Json

AHEAD = 3
"""Blocks that are held for each worker: so that it has the next one there, and may wait for a slower one."""


class Worker:
    """Makes the function when it first needs it: again where it was started again."""

    def __init__(self, make: Callable[[], Callable[[Json], Json]]) -> None:
        self._make = make
        self._function: Callable[[Json], Json] | None = None

    def ready(self) -> None:
        """Make the function."""
        self._function = self._function or self._make()

    def call(self, block: Json) -> Json:
        """The result of a block."""
        self.ready()
        assert self._function is not None
        return self._function(block)


@dataclass(frozen=True)
class Actors:
    """Workers of a cluster, of which each is an actor; see `ordered_map.Workers`."""

    cluster: Cluster

    @contextlib.contextmanager
    def map(
        self, make: Callable[[], Callable[[Block], Result]], blocks: Iterable[tuple[Kept, Block]]
    ) -> Generator[Iterator[tuple[Kept, Result]]]:
        """See `ordered_map.Workers`. TrainingError where a block fails again and again."""
        ray = cluster.require()
        stays_connected = ray.is_initialized()
        with self.cluster.connected() as count:
            again = {"max_restarts": -1, "max_task_retries": cluster.TRIES}
            kind = ray.remote(Worker).options(**self.cluster.resources, **again)
            actors = [kind.remote(make) for _ in range(count)]
            try:
                yield _InOrder(ray, self.cluster, actors).results(blocks)
            finally:
                for actor in actors if stays_connected else ():  # else they end with the connection
                    ray.kill(actor)


class _InOrder:
    """Hands blocks to the actors that have least to do, and their results on in order."""

    def __init__(self, ray: Json, asked: Cluster, actors: list[Json]) -> None:
        self._ray, self._asked = ray, asked
        self._starting = {actor.ready.remote(): actor for actor in actors}
        self._held: dict[Json, set[Json]] = {}
        """The unfinished blocks of each actor that is ready."""

    def results(self, blocks: Iterable[tuple[Kept, Block]]) -> Iterator[tuple[Kept, Json]]:
        waiting: deque[tuple[Kept, Json]] = deque()
        for kept, block in blocks:
            self._take_ready()
            actor = min(self._held, key=lambda one: len(self._held[one]))
            reference = actor.call.remote(block)
            self._held[actor].add(reference)
            waiting.append((kept, reference))
            if len(waiting) >= AHEAD * len(self._held):
                yield self._first(waiting)
        while waiting:
            yield self._first(waiting)

    def _first(self, waiting: deque[tuple[Kept, Json]]) -> tuple[Kept, Json]:
        kept, reference = waiting.popleft()
        return kept, self._got(reference)

    def _got(self, reference: Json) -> Json:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            raise cluster.own_error(error) from error

    def _take_ready(self) -> None:
        """Note which actors have become ready, and what is finished; wait where none is ready."""
        if self._starting:
            wait = 0 if self._held else cluster.READY_WITHIN
            for reference in self._ray.wait([*self._starting], num_returns=1, timeout=wait)[0]:
                self._got(reference)
                self._held[self._starting.pop(reference)] = set()
            if not self._held:
                raise cluster.too_small(self._asked, self._ray.cluster_resources())
        held = [reference for references in self._held.values() for reference in references]
        if held:
            finished = set(self._ray.wait(held, num_returns=len(held), timeout=0, fetch_local=False)[0])
            for references in self._held.values():
                references -= finished
