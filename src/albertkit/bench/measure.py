"""Candidates asked in turn, round after round, within a budget of time; and what they said."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from albertkit.bench.candidates import Candidate
from albertkit.bench.process import Side, SideError

WARM, WARM_SINGLES, SINGLES_A_ROUND = 16, 3, 20
"""Rows and single texts to warm up with; single texts of each length that every candidate answers in a round."""
ROUNDS = 5
"""Rounds that the time is to suffice for."""


@dataclass
class Readings:
    """What was measured of a candidate."""

    candidate: Candidate
    load_seconds: float | None = None
    auto: str | None = None
    """What the precision auto is there."""
    seconds: list[float] = field(default_factory=list)
    """For all rows together, one a round."""
    latencies: dict[int, list[float]] = field(default_factory=dict)
    """Of single texts, by length, those of all rounds."""
    memory: int | None = None
    """Bytes at the peak."""
    error: str | None = None
    """Why it was left out."""


@dataclass
class Measured:
    """What was measured of all."""

    readings: list[Readings]
    rows: int
    """How many rows are answered together."""
    rounds: int = 0
    stopped: KeyboardInterrupt | None = None
    """What somebody stopped it with."""


class _Run:
    """Candidates at work."""

    def __init__(self, found: Measured, lengths: Sequence[int], told: Callable[[str], None]) -> None:
        self.found, self.lengths, self.told = found, lengths, told
        self.sides: list[tuple[Readings, Side]] = []

    def begin(self, start: Callable[[Candidate], Side]) -> dict[int, float]:
        """Start and warm up every candidate; seconds a row, and of a round of single texts, as they were then."""
        costs = {}
        for reading in self.found.readings:
            self.told(f"loading {reading.candidate}")
            try:
                side = start(reading.candidate)
            except SideError as error:
                reading.error = str(error)
                continue
            reading.load_seconds, reading.auto = side.load_seconds, side.auto
            self.sides.append((reading, side))
        for reading, side in list(self.sides):
            self.told(f"warming up {reading.candidate}")
            costs[id(reading)] = self._asked(reading, side, lambda side=side: self._cost(side))
        return {key: cost for key, cost in costs.items() if cost is not None}

    def _cost(self, side: Side) -> float:
        for length in self.lengths:
            side.latency(length, WARM_SINGLES)
        rows = min(WARM, self.found.rows)
        side.rate(rows)
        return side.rate(rows) / rows

    def round(self, is_counted: bool) -> None:
        """Ask every candidate once."""
        for reading, side in list(self.sides):
            self.told(f"round {self.found.rounds + 1}: {reading.candidate}" if is_counted else "warming up")
            self._asked(reading, side, lambda reading=reading, side=side: self._read(reading, side, is_counted))

    def _read(self, reading: Readings, side: Side, is_counted: bool) -> None:
        seconds = side.rate(self.found.rows)
        if not is_counted:
            return
        singles = {length: side.latency(length, SINGLES_A_ROUND) for length in self.lengths}
        reading.seconds.append(seconds)
        for length, taken in singles.items():
            reading.latencies.setdefault(length, []).extend(taken)

    def _asked(self, reading: Readings, side: Side, ask: Callable[[], float | None]) -> float | None:
        """What a candidate says; one that fails is left out from then on, and its readings with it."""
        try:
            return ask()
        except SideError as error:
            reading.error, reading.seconds, reading.latencies = str(error), [], {}
            self.sides = [pair for pair in self.sides if pair[0] is not reading]
            return None

    def end(self) -> None:
        """Take the peaks of memory and stop every candidate."""
        for reading, side in self.sides:
            try:
                reading.memory = side.memory()
                side.end()
            except SideError as error:  # it answered before: what it said stays
                self.told(f"{reading.candidate}: {error}")


def measure(
    candidates: Sequence[Candidate],
    start: Callable[[Candidate], Side],
    rows: int,
    lengths: Sequence[int],
    seconds: float,
    told: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.perf_counter,
) -> Measured:
    """Readings of all candidates within about so many seconds, beside what loading takes; one round in any case.

    `rows` is the most rows that are answered together: fewer where ROUNDS rounds would take longer. A candidate that
    fails is left out, and Ctrl-C ends it with the rounds that all candidates have done.
    """
    found = Measured([Readings(one) for one in candidates], rows)
    run = _Run(found, lengths, told)
    try:
        costs = run.begin(start)
        found.rows = affordable(rows, sum(costs.values()), seconds)
        run.round(is_counted=False)
        end = clock() + seconds
        while run.sides and (not found.rounds or clock() < end):
            run.round(is_counted=True)
            found.rounds += 1
    except KeyboardInterrupt as stopped:
        found.stopped = stopped
        _whole_rounds(found, len(lengths))
    finally:
        run.end()
    return found


def affordable(most: int, cost: float, seconds: float) -> int:
    """So many rows that ROUNDS rounds of all candidates, which take `cost` seconds a row together, fit; WARM at least.

    Half of the time is for single texts.
    """
    if cost <= 0:
        return most
    return min(most, max(int(seconds / 2 / ROUNDS / cost), WARM))


def _whole_rounds(found: Measured, lengths: int) -> None:
    """Take away what belongs to a round that was broken off."""
    for reading in found.readings:
        del reading.seconds[found.rounds :]
        for taken in reading.latencies.values():
            del taken[found.rounds * SINGLES_A_ROUND :]
