"""What a person sees of a build: a bar with MB/s and time left, or, where there is no terminal, a line now and then."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINES = 20
"""How many lines are printed where there is no terminal: one for each twentieth of the input."""


class ProgressBar:
    """Shows how far a build is. A context: the bar is there as long as it is entered."""

    def __init__(self, console: Console) -> None:
        """Without a terminal, `console` gets LINES lines in place of a bar."""
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("reading", total=None)
        self._start: tuple[float, int, int] | None = None  # time, bytes done and bytes of text at the first update
        self._lines_printed = 0

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
        now, share = time.perf_counter(), completed / max(total, 1)
        if self._start is None:
            self._start = now, completed, text_bytes
            self._lines_printed = int(LINES * share)
            self._bar.reset(self._task, total=total, completed=completed)
        seconds = max(now - self._start[0], 1e-9)
        speed = (text_bytes - self._start[2]) / 1e6 / seconds
        description = f"{text_bytes / 1e6:,.0f} MB of text · {tokens:,} tokens · {speed:.1f} MB/s"
        self._bar.update(self._task, completed=completed, description=description)
        if not self._console.is_terminal and int(LINES * share) > self._lines_printed:
            self._lines_printed = int(LINES * share)
            left = seconds * (total - completed) / max(completed - self._start[1], 1)
            self.print(f"{share:.0%} · {description} · {timedelta(seconds=round(left))} left")

    def print(self, text: str) -> None:
        """Print a line above the bar, without wrapping it."""
        self._console.print(text, soft_wrap=True)
