"""What a person sees of predictions and evaluations."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskProgressColumn, TimeElapsedColumn

from albertkit.errors import Interrupted
from albertkit.pace import TimeLeft
from albertkit.progress import ProgressBar

if TYPE_CHECKING:
    from albertkit.prediction.totals import Totals


class CountOfTexts(ProgressBar):
    """Says on standard error how many texts are answered."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, "", TimeElapsedColumn(), clock=clock)
        self._start, self._count = clock(), 0

    def computed(self, done: int, total: int) -> None:
        """So many rows are computed of those at hand, whose texts are answered together."""
        answered = self._answered()
        self.show(self._count, answered, f"{answered}, {done:,} of {total:,} rows computed for the next ones")

    def count(self) -> None:
        """One text more is answered."""
        self._count += 1
        answered = self._answered()
        seconds = max(self._clock() - self._start, 1e-9) / self._count
        speed = f"{1 / seconds:,.1f} a second" if seconds < 10 else f"{seconds:,.0f} seconds each"
        self.show(self._count, answered, f"{answered}, {speed}")

    def _answered(self) -> str:
        return f"{self._count:,} {'text' if self._count == 1 else 'texts'} answered"


class PredictionProgress(ProgressBar):
    """Says on standard error how far the answers for files are."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, "reading", BarColumn(), TaskProgressColumn(), clock=clock)
        self._start: tuple[float, int] | None = None  # time and rows at the first update
        self._time_left = TimeLeft(clock)

    def update(self, total: int, done: int, totals: "Totals") -> None:
        """Of `total` bytes of the inputs so many are read. Speed and time left are those since the first call."""
        now, rows = self._clock(), totals.answers
        if self._start is None:
            self._start = now, rows
            self.restart(done, total)
        left = self._time_left(done, total)
        speed = (rows - self._start[1]) / max(now - self._start[0], 1e-9)
        others = {"not kept": totals.filtered, "that cannot be used": totals.left_out}
        counts = "".join(f" · {count:,} {name}" for name, count in others.items() if count)
        text = f"{rows:,} rows{counts} · {speed:,.0f} rows/s"
        text = f"{text} · {left}" if left else text
        self.show(done, text, f"{done / max(total, 1):.0%} · {text}", total)


class RowProgress(ProgressBar):
    """Says on standard error how far an evaluation is."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        super().__init__(console, "evaluating", BarColumn(), MofNCompleteColumn(), clock=clock)
        self._time_left = TimeLeft(clock)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted.of(error, "Stopped before the end: there are no scores.") from None

    def update(self, done: int, total: int) -> None:
        """Of `total` rows so many are done."""
        left = self._time_left(done, total)
        more = f" · {left}" if left else ""
        self.show(done, f"evaluating{more}", f"{done:,} of {total:,} rows{more}", total)
