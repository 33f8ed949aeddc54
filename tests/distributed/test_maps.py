"""Ordered maps on a cluster: the contract of `ordered_map.Workers`, by actors and by Ray Data."""

import pytest

import block_work
from albertkit.distributed.actors import Actors
from albertkit.distributed.cluster import Cluster
from albertkit.distributed.datasets import Datasets
from albertkit.errors import InputError, TrainingError

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]
TWO = Cluster(workers=2)
MAPS = pytest.mark.parametrize("kind", [Actors, Datasets])


@MAPS
def test_results_come_in_order_by_both_workers(ray, kind):
    with kind(TWO).map(block_work.make_uneven, block_work.Numbers(16)) as found:
        results = list(found)
    assert [(kept["number"], number) for kept, (number, _) in results] == [(number, number) for number in range(16)]
    assert len({process for _, (_, process) in results}) == 2


@MAPS
def test_an_error_of_a_block_comes_in_its_place(ray, kind):
    with kind(TWO).map(block_work.make_negator, block_work.Numbers(6)) as found:
        assert [next(found)[1] for _ in range(3)] == [0, -1, -2]
        with pytest.raises(InputError, match=r"^Not three\.$"):
            next(found)


@MAPS
def test_an_error_of_reading_comes_behind_what_was_read(ray, kind):
    taken = []
    with (
        kind(TWO).map(block_work.make_uneven, block_work.Numbers(2, fails=True)) as found,
        pytest.raises(InputError, match="No more can be read"),
    ):
        taken += [next(found)[1][0] for _ in range(3 if kind is Datasets else 1)]
    assert len(taken) < 3
    with kind(TWO).map(block_work.make_uneven, block_work.Numbers(0)) as found:
        assert list(found) == []


@MAPS
def test_a_worker_that_dies_loses_nothing(ray, kind, tmp_path):
    work = block_work.KillOnce(tmp_path / "killed")
    with kind(TWO).map(work, block_work.Numbers(12)) as found:
        assert [result for _, result in found] == [number * 2**60 for number in range(12)]
    assert work.mark.exists()


@MAPS
def test_a_block_that_kills_every_worker_ends_it(ray, kind):
    results = []
    is_given_up = pytest.raises(TrainingError, match=r"4 times at the same block.*run the same command again")
    with kind(TWO).map(block_work.make_killer, block_work.Numbers(4)) as found, is_given_up:
        for _, result in found:
            results.append(result)
    # A block that waits at a worker which is killed again and again may be the first to be given up.
    assert results == [0, 1][: len(results)]


def test_few_blocks_are_held(ray):
    given = 0

    def blocks():
        nonlocal given
        for number in range(40):
            given += 1
            yield number, number

    with Actors(TWO).map(block_work.make_uneven, blocks()) as found:
        for taken, _ in enumerate(found, start=1):
            assert given - taken <= 2 * 3
