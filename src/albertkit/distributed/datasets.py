"""An ordered map of blocks that the cluster reads, by Ray Data: a task that reads, and a pool of actors behind it.

Every block is a row of one block of Ray's, in Arrow: so it is given to one actor, and its values are not changed. What
an actor had when it died another one does again; what a reader had read is read again.
"""

import contextlib
import functools
import logging
import pickle
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass

from albertkit.distributed import cluster
from albertkit.distributed.cluster import Cluster
from albertkit.errors import AlbertkitError
from albertkit.ordered_map import Block, Kept, Result
from albertkit.typing import Json

_COLUMN = "pickled"
_READERS = 1
"""Cores for the task that reads: without one, actors that take all would wait for it."""


@dataclass(frozen=True)
class Datasets:
    """Workers of a cluster, which Ray Data feeds; see `ordered_map.Workers`."""

    cluster: Cluster

    @contextlib.contextmanager
    def map(
        self, make: Callable[[], Callable[[Block], Result]], blocks: Iterable[tuple[Kept, Block]]
    ) -> Generator[Iterator[tuple[Kept, Result]]]:
        """See `ordered_map.Workers`. `blocks` are read in the cluster: they are pickled, and the same when read again.

        TrainingError where a block fails again and again.
        """
        ray = cluster.require()
        with (
            self.cluster.connected(_READERS) as count,
            _settings(),
            contextlib.closing(_results(ray, self._dataset(make, blocks, count))) as results,
        ):
            yield results

    def _dataset(self, make: Callable[[], Json], blocks: Iterable[Json], count: int) -> Json:
        from ray import data

        read = data.read_datasource(_source(blocks), num_cpus=_READERS, override_num_blocks=1)
        with warnings.catch_warnings():  # that the bound of retries will be given otherwise from Ray 2.64 on
            warnings.simplefilter("ignore", DeprecationWarning)
            return read.map_batches(
                _Call,
                fn_constructor_args=(make,),
                batch_size=1,
                batch_format="pyarrow",
                compute=data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count),
                num_cpus=self.cluster.cpus,
                num_gpus=self.cluster.gpus,
                ray_remote_args_fn=functools.partial(dict, max_task_retries=cluster.TRIES),
            )


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    """Ray Data as it keeps the order, hands on each block by itself, and is silent."""
    from ray.data import DataContext

    changed = DataContext.get_current().copy()
    changed.execution_options.preserve_order = True
    changed.target_max_block_size = 1  # in bytes: else it collects rows up to 128 MiB, and one actor had them all
    changed.enable_progress_bars = False
    logger, level = logging.getLogger("ray.data"), logging.getLogger("ray.data").level
    logger.setLevel(logging.ERROR)
    try:
        with DataContext.current(changed):
            yield
    finally:
        logger.setLevel(level)


def _source(blocks: Iterable[Json]) -> Json:
    """What reads blocks in the cluster, in one task: they stand one behind the other."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Blocks(Datasource):
        def get_read_tasks(self, parallelism: int, *_: Json, **__: Json) -> list[ReadTask]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(lambda: _read(blocks), unknown)]

        def estimate_inmemory_data_size(self) -> int | None:
            return None

    return Blocks()


def _read(blocks: Iterable[tuple[Json, Json]]) -> Iterator[Json]:
    """A row of Arrow for each block; an error of reading is the last one."""
    try:
        for kept, block in blocks:
            yield _row((kept, block, None))
    except AlbertkitError as error:
        yield _row((None, None, error))


class _Call:
    """The function of a worker, on rows of Arrow."""

    def __init__(self, make: Callable[[], Callable[[Json], Json]]) -> None:
        self._make = make
        self._function: Callable[[Json], Json] | None = None

    def __call__(self, batch: Json) -> Json:
        kept, block, error = _unpickled(batch)
        result = None
        try:
            if error is None:
                self._function = self._function or self._make()
                result = self._function(block)
        except AlbertkitError as found:  # it has its place among the results
            error = found
        return _row((kept, result, error))


def _row(value: Json) -> Json:
    import pyarrow

    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return pyarrow.table({_COLUMN: pyarrow.array([pickled], pyarrow.large_binary())})


def _unpickled(table: Json) -> Json:
    """What stands in the only row of a table, which this process or one of its workers has pickled."""
    return pickle.loads(table.column(_COLUMN)[0].as_buffer())  # noqa: S301 - pickled by this run alone


def _results(ray: Json, dataset: Json) -> Generator[tuple[Json, Json]]:
    found = iter(dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0))
    while True:
        try:
            table = next(found, None)
        except ray.exceptions.RayError as error:
            raise cluster.own_error(error) from error
        if table is None:
            return
        for row in range(table.num_rows):
            kept, result, error = _unpickled(table.slice(row, 1))
            if error is not None:
                raise error
            yield kept, result
