"""How many texts are answered: a line on the terminal that changes, or else a line of text now and then."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from albertkit.pace import SECONDS, Every


class CountOfTexts:
    """Says on standard error how many texts are answered. A context: it counts as long as it is entered."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._console, self._clock = console, clock
        columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} texts answered"), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=None)
        self._start, self._is_time_to_print = clock(), Every(SECONDS, clock)
        self._count = 0

    def __enter__(self) -> "CountOfTexts":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def count(self) -> None:
        """One text more is answered."""
        self._count += 1
        if self._console.is_terminal:
            self._bar.advance(self._task)
        elif self._is_time_to_print():
            speed = self._count / (self._clock() - self._start)
            self._console.print(f"{self._count:,} texts answered, {speed:,.1f} a second", soft_wrap=True)
