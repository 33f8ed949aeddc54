"""A candidate as a process of its own: started, asked, and ended."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Protocol, TextIO, cast

from albertkit.bench.candidates import Candidate
from albertkit.bench.rows import Rows, as_record
from albertkit.typing import Json

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
"""Variables by which libraries are told how many threads they may use."""


class SideError(Exception):
    """A candidate failed; the text says how."""


class Side(Protocol):
    """What `measure` asks of a candidate. SideError where it fails."""

    load_seconds: float
    """From the start of its process until it could answer."""
    auto: str | None
    """What the precision auto is in it, where it has that."""

    def rate(self, rows: int) -> float:
        """Seconds for so many rows together."""
        ...

    def latency(self, length: int, count: int) -> list[float]:
        """Seconds of each of so many single texts."""
        ...

    def memory(self) -> int | None:
        """The bytes that it has held at most."""
        ...

    def end(self) -> None:
        """Stop it."""
        ...


class Process:
    """A `Side` that runs `bench.worker`."""

    def __init__(
        self,
        candidate: Candidate,
        model: str,
        rows: Rows,
        threads: int,
        device: str | int | None,
        trust_program: bool = False,
    ) -> None:
        """Start it and wait until it can answer. SideError where it cannot."""
        plan = {"model": model, "task": rows.task, "backend": candidate.backend, "precision": candidate.precision}
        singles = {length: as_record(one) for length, one in rows.singles.items()}
        plan |= {
            "trust_program": trust_program,
            "device": device,
            "threads": threads,
            "many": as_record(rows.many),
            "singles": singles,
        }
        environment = dict(os.environ) | dict.fromkeys(_THREADS, str(threads))
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (end closes it)
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "albertkit.bench.worker"],  # -P: not from the folder one is in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
            env=environment,
            start_new_session=True,  # Ctrl-C is for the one that measures, which tells what there is
        )
        self._questions, self._answers = cast("TextIO", self._process.stdin), cast("TextIO", self._process.stdout)
        with contextlib.suppress(OSError, AttributeError):  # where a process can be kept on some of the cores
            os.sched_setaffinity(self._process.pid, sorted(os.sched_getaffinity(0))[:threads])
        self.auto: str | None = self._ask(json.dumps(plan)).get("auto")
        self.load_seconds = time.perf_counter() - start

    def rate(self, rows: int) -> float:
        """See Side."""
        return self._ask(f"rate {rows}")

    def latency(self, length: int, count: int) -> list[float]:
        """See Side."""
        return self._ask(f"latency {length} {count}")

    def memory(self) -> int | None:
        """See Side; nothing where an answer was broken off, which has ended the process."""
        return None if self._questions.closed else self._ask("memory")

    def end(self) -> None:
        """See Side."""
        if self._questions.closed:
            return
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, line: str) -> Json:
        try:
            self._questions.write(f"{line}\n")
            self._questions.flush()
            answer = self._answers.readline()
        except OSError:
            answer = ""
        except BaseException:
            self.end()
            raise
        if not answer:
            told = self._last_words()
            self.end()
            raise SideError(told)
        found = json.loads(answer)
        if isinstance(found, dict) and "error" in found:
            self.end()
            raise SideError(found["error"])
        return found

    def _last_words(self) -> str:
        """How the process ended, and the last line that it wrote."""
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().splitlines() if line.strip()]
        return f"its process ended with status {status}" + (f": {lines[-1]}" if lines else "")
