"""A model's name -> what was measured of it: rows, candidates and their processes put together."""

import os
from collections.abc import Callable, Mapping, Sequence

from albertkit import processors
from albertkit.bench import rows as bench_rows
from albertkit.bench.candidates import Candidate
from albertkit.bench.measure import measure
from albertkit.bench.process import Process
from albertkit.bench.result import Result
from albertkit.errors import InputError
from albertkit.typing import Json


def bench(
    model: str | os.PathLike[str],
    candidates: Sequence[Candidate],
    data: str | None = None,
    lengths: Sequence[int] = (),
    rows: int = 256,
    seconds: float = 60,
    threads: int | None = None,
    max_length: int | None = None,
    device: str | int | None = None,
    seed: int = 0,
    told: Callable[[str], None] = lambda line: None,
    options: Mapping[str, Json] | None = None,
    trust_program: bool = False,
) -> Result:
    """Measure every candidate on the same rows: see `rows.of_model` for these and `measure.measure` for the time.

    `data` is a file of texts, `options` those by which it is read. `threads` is how many each may use, by default as
    many as there are cores. InputError for more than that.
    """
    cores = processors.count()
    if threads is not None and threads > cores:
        raise InputError(f"--threads may be as many as there are cores, {cores}. Received: {threads}. Give fewer.")
    found = bench_rows.of_model(model, data, list(lengths), rows, seed, max_length, options, trust_program)
    used = threads or cores

    def start(candidate: Candidate) -> Process:
        return Process(candidate, str(model), found, used, device, trust_program)

    measured = measure(candidates, start, len(found.many), list(found.singles), seconds, told)
    return Result(str(model), found, used, measured)
