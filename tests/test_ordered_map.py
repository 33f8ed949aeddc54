"""An ordered map: results in the order of the blocks, whichever comes first, and few blocks held at a time."""

from concurrent.futures import Future

import pytest

import block_work
from albertkit import ordered_map
from albertkit.errors import InputError
from albertkit.ordered_map import Processes


class Pool:
    """A pool whose work is done in pairs: of two blocks, the second first."""

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
@pytest.mark.parametrize("most", [3, 5])
def test_results_come_in_order_and_few_are_held(blocks, most):
    given = taken = 0

    def source():
        nonlocal given
        for number in range(blocks):
            given += 1
            assert given - taken <= most
            yield -number, str(number)

    for kept, got in ordered_map._in_order(Pool(), source(), most):
        assert (kept, got) == (-taken, str(taken))
        taken += 1
    assert taken == blocks


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_in_its_place(processes):
    blocks = zip("abcdef", range(6), strict=True)
    with Processes(processes, "").map(block_work.make_negator, blocks) as found:
        assert [next(found) for _ in range(3)] == [("a", 0), ("b", -1), ("c", -2)]
        with pytest.raises(InputError, match="Not three"):
            next(found)
