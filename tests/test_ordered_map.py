"""An ordered map: results in the order of the blocks, whichever comes first, and few blocks held at a time."""

from concurrent.futures import Future

import psutil
import pytest

import block_work
from albertkit import ordered_map
from albertkit.errors import InputError, TrainingError
from albertkit.ordered_map import Processes


class Executor:
    """An executor whose work is done in pairs: of two blocks, the second first."""

    def __init__(self):
        self.late = None

    def submit(self, work, block):
        future = Future()
        if self.late:
            future.set_result(block)
            first, its_block = self.late
            first.set_result(its_block)
        self.late = None if self.late else (future, block)
        return future


@pytest.mark.parametrize("blocks", [0, 2, 4, 20])
def test_results_come_in_order_and_few_are_held(monkeypatch, blocks):
    given = taken = 0

    def source():
        nonlocal given
        for number in range(blocks):
            given += 1
            assert given - taken <= 5
            yield -number, str(number)

    monkeypatch.setattr(ordered_map._Pool, "_started", lambda self: Executor())
    for kept, got in ordered_map._Pool(Processes(2, ""), block_work.make_negator).results(source()):
        assert (kept, got) == (-taken, str(taken))
        taken += 1
    assert taken == blocks


def test_a_process_that_dies_loses_nothing_and_is_told(tmp_path, caplog):
    work = block_work.KillOnce(tmp_path / "killed")
    with Processes(2, "").map(work, block_work.Numbers(12)) as found:
        assert [result for _, result in found] == [number * 2**60 for number in range(12)]
    assert work.mark.exists()
    assert "One of 2 processes died" in caplog.text


def test_processes_that_die_again_end_it(caplog):
    with Processes(2, "Pass fewer.").map(block_work.make_killer, block_work.Numbers(12)) as found:
        assert [next(found)[1] for _ in range(2)] == [0, 1]
        with pytest.raises(TrainingError, match=r"Of 2 one died, and again .* Pass fewer\."):
            next(found)


def test_leaving_ends_processes_in_the_middle_of_a_block():
    with Processes(2, "").map(block_work.make_sleeper, block_work.Numbers(4)) as found:
        process = psutil.Process(next(found)[1])
    gone, alive = psutil.wait_procs([process], timeout=30)
    assert (len(gone), len(alive)) == (1, 0)  # it has begun another block, of ten minutes


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_in_its_place(processes):
    blocks = zip("abcdef", range(6), strict=True)
    with Processes(processes, "").map(block_work.make_negator, blocks) as found:
        assert [next(found) for _ in range(3)] == [("a", 0), ("b", -1), ("c", -2)]
        with pytest.raises(InputError, match="Not three"):
            next(found)
