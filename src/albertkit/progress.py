"""How far something is, for whoever waits for it: a bar on a terminal, or else a line now and then."""

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TextColumn

from albertkit.pace import SECONDS, Every


class ProgressBar:
    """A bar with a description, or a line every SECONDS. A context: the bar is there as long as it is entered."""

    def __init__(
        self,
        console: Console,
        description: str,
        *columns: ProgressColumn,
        total: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`columns` stand behind the description on a terminal. `clock` gives seconds."""
        self._console, self._clock = console, clock
        self._bar = Progress(TextColumn("{task.description}"), *columns, console=console, transient=True)
        self._task = self._bar.add_task(description, total=total)
        self._is_time_to_print = Every(SECONDS, clock)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, _kind: object, _error: BaseException | None, _trace: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(
        self, completed: float, description: str, line: str, total: float | None = None, is_due: bool = False
    ) -> None:
        """How far it is: `description` beside the bar, or without a terminal the line, if it is time or due."""
        self._bar.update(self._task, completed=completed, description=description, total=total)
        if (self._is_time_to_print() or is_due) and not self._console.is_terminal:
            self.print(line)

    def restart(self, completed: int, total: float | None) -> None:
        """Count the time of the bar from now, where so much is done already."""
        self._bar.reset(self._task, completed=completed, total=total)

    def print(self, text: str) -> None:
        """Print a line above the bar, without wrapping it."""
        self._console.print(text, soft_wrap=True)
