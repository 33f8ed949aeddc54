"""What a person sees of a build: a bar with MB/s and time left, or, where there is no terminal, a line now and then."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn

from albertkit.pace import TimeLeft
from albertkit.progress import ProgressBar


class BuildProgress(ProgressBar):
    """Shows how far a build is; without a terminal there is a line at its end, too."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, "reading", BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), clock=clock)
        self._start: tuple[float, int, int] | None = None  # time, bytes done and bytes of text at the first update
        self._time_left = TimeLeft(clock)

    def update(self, total: int, completed: int, text_bytes: int, tokens: int) -> None:
        """Of `total` bytes of the inputs `completed` are read, which gave so many bytes of text and so many tokens.

        Speed and time left are those since the first call: what an earlier run has done does not count.
        """
        now, left = self._clock(), self._time_left(completed, total)
        if self._start is None:
            self._start = now, completed, text_bytes
            self.restart(completed, total)
        seconds = max(now - self._start[0], 1e-9)
        speed = (text_bytes - self._start[2]) / 1e6 / seconds
        description = f"{text_bytes / 1e6:,.0f} MB of text · {tokens:,} tokens · {speed:.1f} MB/s"
        parts = (f"{completed / max(total, 1):.0%}", description, left)
        line = " · ".join(part for part in parts if part)
        self.show(completed, description, line, total, is_due=completed == total > self._start[1])
