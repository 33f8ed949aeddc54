"""Candidates in turn, within a time that a stand-in for the clock tells."""

import pytest

from albertkit.bench import measure as measuring
from albertkit.bench.candidates import Candidate
from albertkit.bench.measure import ROUNDS, SINGLES_A_ROUND, WARM, affordable, measure
from albertkit.bench.process import SideError

ONE, TWO = Candidate("torch", "fp32"), Candidate("numpy", "fp32")


class Machine:
    """Candidates whose answers take the time that it is told, on a clock of its own."""

    def __init__(self, seconds_a_row, fails=(), fails_in=None, stops_in=None):
        self.seconds_a_row, self.fails, self.fails_in, self.stops_in = seconds_a_row, fails, fails_in, stops_in
        self.now, self.calls, self.ended = 0.0, [], []

    def start(self, candidate):
        if candidate in self.fails:
            raise SideError("it is not installed")
        return Answering(self, candidate)

    def measure(self, candidates=(ONE, TWO), rows=100, lengths=(16,), seconds=10.0):
        return measure(candidates, self.start, rows, lengths, seconds, clock=lambda: self.now)


class Answering:
    load_seconds, auto = 2.0, None

    def __init__(self, machine, candidate):
        self.machine, self.candidate, self.rates = machine, candidate, 0

    def rate(self, rows):
        machine = self.machine
        machine.calls.append((self.candidate, rows))
        self.rates += 1
        if machine.fails_in == (self.candidate, self.rates):
            raise SideError("out of memory")
        if machine.stops_in == (self.candidate, self.rates):
            raise KeyboardInterrupt
        taken = machine.seconds_a_row[self.candidate] * rows
        machine.now += taken
        return taken

    def latency(self, length, count):
        return [self.machine.seconds_a_row[self.candidate] * length] * count

    def memory(self):
        return 1000

    def end(self):
        self.machine.ended.append(self.candidate)


SPEEDS = {ONE: 0.01, TWO: 0.02}


def test_candidates_take_turns_until_the_time_is_over():
    machine = Machine(SPEEDS)
    found = machine.measure()
    one, two = found.readings
    assert found.rows == 33  # 5 s for all rows of 5 rounds, of 0.03 s a row
    assert found.rounds == len(one.seconds) == len(two.seconds) == 11
    assert one.seconds[0] == pytest.approx(0.33)
    counted = machine.calls[-2 * found.rounds :]
    assert [candidate for candidate, _ in counted] == [ONE, TWO] * found.rounds
    assert len(one.latencies[16]) == SINGLES_A_ROUND * found.rounds
    assert (one.memory, one.load_seconds, machine.ended) == (1000, 2.0, [ONE, TWO])


def test_rows_are_as_many_as_the_time_suffices_for():
    assert affordable(1000, 0.1, 100) == 100 / 2 / ROUNDS / 0.1
    assert affordable(50, 0.1, 100) == 50
    assert affordable(1000, 10, 1) == WARM
    assert affordable(1000, 0, 1) == 1000


def test_one_that_cannot_start_is_told_and_the_others_go_on():
    found = Machine(SPEEDS, fails=(ONE,)).measure()
    assert found.readings[0].error == "it is not installed"
    assert found.readings[0].seconds == []
    assert len(found.readings[1].seconds) == found.rounds > 1


def test_one_that_fails_on_the_way_is_left_out_with_its_readings():
    machine = Machine(SPEEDS, fails_in=(TWO, 5))
    found = machine.measure()
    assert found.readings[1].error == "out of memory"
    assert found.readings[1].seconds == []
    assert len(found.readings[0].seconds) == found.rounds
    assert machine.ended == [ONE]


def test_nothing_that_works_ends_it():
    found = Machine(SPEEDS, fails=(ONE, TWO)).measure()
    assert found.rounds == 0


def test_what_is_stopped_keeps_the_rounds_that_all_have_done():
    machine = Machine(SPEEDS, stops_in=(TWO, 6))  # two to warm up, one with all rows, two rounds
    found = machine.measure()
    assert isinstance(found.stopped, KeyboardInterrupt)
    assert found.rounds == 2
    assert [len(one.seconds) for one in found.readings] == [2, 2]
    assert [len(one.latencies[16]) for one in found.readings] == [2 * measuring.SINGLES_A_ROUND] * 2
    assert machine.ended == [ONE, TWO]


def test_what_is_stopped_before_the_first_round_has_nothing():
    found = Machine(SPEEDS, stops_in=(ONE, 1)).measure()
    assert (found.stopped is None, found.rounds, found.readings[0].seconds) == (False, 0, [])
