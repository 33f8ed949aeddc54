"""Cases in a process of their own, which may hang, die or grow: then it is replaced, and the case has that outcome."""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from fuzzing.cases import Result

SECONDS = 20
"""How long a case may take before it counts as hanging, on a machine that does other work too."""
MEMORY = 3 * 2**30
"""Bytes at which a process is ended."""
_CONTEXT = multiprocessing.get_context("spawn")


def work(connection: Connection, root: str, seed: int, quiet: bool) -> None:
    """What the process does: take (kind, number), answer with a Result. Number None only prepares."""
    home = Path(root) / "case" / "home"
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "TOKENIZERS_PARALLELISM": "false"}
    if quiet:  # libraries print what they think of damaged files
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
    import torch

    from fuzzing.cases import Bench

    torch.set_num_threads(1)
    bench = Bench(Path(root), seed)
    while (task := connection.recv()) is not None:
        name, number = task
        connection.send(bench.prepare(name) if number is None else bench.run(name, number))


class Worker:
    """A process that tries cases, replaced whenever one was too much for it."""

    def __init__(self, seed: int, quiet: bool = True) -> None:
        self._seed, self._quiet = seed, quiet
        self._folder = tempfile.TemporaryDirectory(prefix="albertkit-fuzz-", ignore_cleanup_errors=True)
        self._process: Any = None
        self._prepared: set[str] = set()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._end()
        self._folder.cleanup()

    def run(self, name: str, numbers: Iterable[int]) -> Iterator[Result]:
        """Try cases of a kind one after another."""
        for number in numbers:
            if self._process is None:
                self._begin()
            if name not in self._prepared:
                outcome = self._asked((name, None), 120)
                if isinstance(outcome, str):
                    yield Result(name, number, "whole folder not read", detail=outcome)
                    return
                self._prepared.add(name)
            answer = self._asked((name, number), SECONDS)
            yield Result(name, number, answer) if isinstance(answer, str) else answer

    def _asked(self, task: tuple[str, int | None], seconds: float) -> Any:
        """The answer of the process, or what became of it instead."""
        self._connection.send(task)
        watched, end = psutil.Process(self._process.pid), time.monotonic() + seconds
        why = "hang"
        try:
            while time.monotonic() < end:
                if self._connection.poll(0.05):
                    return self._connection.recv()
                if watched.memory_info().rss > MEMORY:
                    why = "memory"
                    break
        except (EOFError, psutil.Error, ConnectionError):
            why = "crash"
        self._end()
        return why

    def _begin(self) -> None:
        self._connection, other = _CONTEXT.Pipe()
        root = tempfile.mkdtemp(dir=self._folder.name)
        self._process = _CONTEXT.Process(target=work, args=(other, root, self._seed, self._quiet), daemon=True)
        self._process.start()
        other.close()
        self._prepared = set()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


def reproduce(name: str, number: int, seed: int) -> Result:
    """Try one case in this process, where a debugger reaches it."""
    from fuzzing.cases import Bench

    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-", ignore_cleanup_errors=True) as root:
        sys.stderr.write(f"The folder of the case: {root}/case/model\n")
        return Bench(Path(root), seed).run(name, number)
