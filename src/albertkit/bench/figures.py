"""Readings -> figures: rates, percentiles, and which differences are more than noise."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from albertkit.bench.candidates import PEER
from albertkit.bench.measure import Measured, Readings
from albertkit.typing import Record

PERCENTILES = (50, 95, 99)
FEW_ROUNDS = 3
"""Fewer rounds say nothing about noise."""


@dataclass(frozen=True)
class Comparison:
    """A candidate against the baseline: how many times as fast it is, by the ratios of the rounds."""

    median: float
    lowest: float
    highest: float
    rounds: int

    @property
    def is_noise(self) -> bool:
        """Whether the rounds do not agree on which of the two is faster, or are too few to tell."""
        return self.rounds < FEW_ROUNDS or self.lowest <= 1 <= self.highest


@dataclass(frozen=True)
class Figures:
    """What is said of a candidate."""

    name: str
    backend: str
    precision: str
    load_seconds: float | None
    texts_per_second: float
    tokens_per_second: float
    spread: float | None
    """The slowest round less the fastest, as a part of the median; None for a single round."""
    latency: dict[int, dict[str, float | None]]
    """Milliseconds by length: p50, p95, p99; None where there are too few texts for a percentile."""
    slowest: float
    fastest: float
    """Tokens a second of these rounds."""
    memory: int | None
    """Bytes at the peak."""
    comparison: Comparison | None
    """Against the baseline; None for that itself."""

    def record(self) -> Record:
        """All of it as JSON."""
        found = asdict(self)
        if self.comparison is not None:
            found["comparison"]["is_noise"] = self.comparison.is_noise
        return found


def of_all(measured: Measured, tokens: int) -> list[Figures]:
    """The figures of every candidate that has readings, in their order. `tokens` are those of the rows together."""
    base = baseline(measured.readings)
    return [
        _of(reading, measured.rows, tokens, None if reading is base or base is None else base)
        for reading in measured.readings
        if reading.seconds
    ]


def baseline(readings: Sequence[Readings]) -> Readings | None:
    """What others are compared with: Transformers where it was measured, else the first that was."""
    measured = [one for one in readings if one.seconds]
    return next((one for one in measured if one.candidate.backend == PEER), measured[0] if measured else None)


def _of(reading: Readings, rows: int, tokens: int, base: Readings | None) -> Figures:
    median = statistics.median(reading.seconds)
    spread = (max(reading.seconds) - min(reading.seconds)) / median if len(reading.seconds) > 1 else None
    return Figures(
        name=str(reading.candidate),
        backend=reading.candidate.backend,
        precision=reading.candidate.precision,
        load_seconds=reading.load_seconds,
        texts_per_second=rows / median,
        tokens_per_second=tokens / median,
        spread=spread,
        slowest=tokens / max(reading.seconds),
        fastest=tokens / min(reading.seconds),
        latency={length: percentiles(taken) for length, taken in reading.latencies.items()},
        memory=reading.memory,
        comparison=None if base is None else compare(base.seconds, reading.seconds),
    )


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Percentiles in milliseconds. One is given where there is a text beyond it: p99 needs a hundred, p95 twenty."""
    return {
        f"p{one}": float(np.percentile(seconds, one)) * 1000 if len(seconds) * (100 - one) >= 100 else None
        for one in PERCENTILES
    }


def compare(base: Sequence[float], seconds: Sequence[float]) -> Comparison:
    """Seconds of two candidates in the same rounds."""
    ratios = [one / other for one, other in zip(base, seconds, strict=True)]
    return Comparison(statistics.median(ratios), min(ratios), max(ratios), len(ratios))
