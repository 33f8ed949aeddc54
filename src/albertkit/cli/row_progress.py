"""How far an evaluation is, for whoever waits for it."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from albertkit.errors import Interrupted
from albertkit.pace import SECONDS, Every, TimeLeft


class RowProgress:
    """Says on standard error how far an evaluation is: a bar, or a line now and then where there is no terminal."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("evaluating", total=None)
        self._time_left, self._is_time_to_print = TimeLeft(clock), Every(SECONDS, clock)

    def __enter__(self) -> "RowProgress":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted.of(error, "Stopped before the end: there are no scores.") from None

    def update(self, done: int, total: int) -> None:
        """Of `total` rows so many are done."""
        left = self._time_left(done, total)
        self._bar.update(self._task, completed=done, total=total, description=f"evaluating · {left}")
        if self._is_time_to_print() and not self._console.is_terminal:
            self._console.print(f"{done:,} of {total:,} rows · {left}", soft_wrap=True)
