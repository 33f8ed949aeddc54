"""What a person sees of a build: a bar with MB/s and time left, or, where there is no terminal, a line now and then."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from albertkit.pace import SECONDS, Every, TimeLeft


class ProgressBar:
    """Shows how far a build is. A context: the bar is there as long as it is entered."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Without a terminal, `console` gets a line every SECONDS in place of a bar, and one at the end."""
        self._console, self._clock = console, clock
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("reading", total=None)
        self._start: tuple[float, int, int] | None = None  # time, bytes done and bytes of text at the first update
        self._time_left, self._is_time_to_print = TimeLeft(clock), Every(SECONDS, clock)

    def __enter__(self) -> "ProgressBar":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def update(self, total: int, completed: int, text_bytes: int, tokens: int) -> None:
        """Of `total` bytes of the inputs `completed` are read, which gave so many bytes of text and so many tokens.

        Speed and time left are those since the first call: what an earlier run has done does not count.
        """
        now, left = self._clock(), self._time_left(completed, total)
        if self._start is None:
            self._start = now, completed, text_bytes
            self._bar.reset(self._task, total=total, completed=completed)
        seconds = max(now - self._start[0], 1e-9)
        speed = (text_bytes - self._start[2]) / 1e6 / seconds
        description = f"{text_bytes / 1e6:,.0f} MB of text · {tokens:,} tokens · {speed:.1f} MB/s"
        self._bar.update(self._task, completed=completed, description=description)
        is_told = self._is_time_to_print() or completed == total > self._start[1]
        if is_told and not self._console.is_terminal:
            parts = (f"{completed / max(total, 1):.0%}", description, left)
            self.print(" · ".join(part for part in parts if part))

    def print(self, text: str) -> None:
        """Print a line above the bar, without wrapping it."""
        self._console.print(text, soft_wrap=True)
