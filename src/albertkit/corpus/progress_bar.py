"""What a person sees of a build: a bar with MB/s and time left, or, where there is no terminal, a line now and then."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

LINES = 20
"""How many lines are printed where there is no terminal."""


class Meter:
    """Shows how far a build is. A context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("reading", total=None)
        self._begun: tuple[float, int, int] | None = None
        self._told = 0

    def __enter__(self) -> "Meter":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, total: int, position: int, text: int, tokens: int) -> None:
        """Of `total` bytes of the inputs `position` are done, which gave so many bytes of text and so many tokens.

        Speed and time left are those since the first call: what an earlier run has done does not count.
        """
        now, share = time.perf_counter(), position / max(total, 1)
        if self._begun is None:
            self._begun = now, position, text
            self._told = int(LINES * share)
            self._bar.reset(self._task, total=total, completed=position)
        seconds = max(now - self._begun[0], 1e-9)
        speed = (text - self._begun[2]) / 1e6 / seconds
        described = f"{text / 1e6:,.0f} MB of text · {tokens:,} tokens · {speed:.1f} MB/s"
        self._bar.update(self._task, completed=position, description=described)
        if not self._console.is_terminal and int(LINES * share) > self._told:
            self._told = int(LINES * share)
            left = seconds * (total - position) / max(position - self._begun[1], 1)
            self._console.print(f"{share:.0%} · {described} · {timedelta(seconds=round(left))} left", soft_wrap=True)

    def note(self, text: str) -> None:
        """Something a person should know."""
        self._console.print(text, soft_wrap=True)
