"""Time for people: what is done every so many seconds, and how long something takes, in words."""

import math
import time
from collections.abc import Callable

SECONDS = 30.0
"""Between two lines for a person, where there is no terminal with a bar."""
_UNITS = {"year": 365 * 86_400, "day": 86_400, "h": 3600, "min": 60, "s": 1}


class Every:
    """True once so many seconds have passed since it last was; at first, since it was made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._last = clock()

    def __call__(self) -> bool:
        """Whether it is time again."""
        is_time = self._clock() - self._last >= self._seconds
        if is_time:
            self.restart()
        return is_time

    def restart(self) -> None:
        """Count from now."""
        self._last = self._clock()


class TimeLeft:
    """How long something takes until it is done, at the speed that it has had since the first call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def __call__(self, done: float, total: float) -> str:
        """In words, such as "3 h 20 min left". "" as long as there is no speed to go by."""
        now = self._clock()
        if self._first is None:
            self._first = now, done
        start, begun = self._first
        return f"{in_words((now - start) * (total - done) / (done - begun))} left" if done > begun else ""


def in_words(seconds: float) -> str:
    """A time in its largest unit and the next, such as "2 days 3 h" or "40 s"."""
    if not math.isfinite(seconds) or seconds > 100 * 365 * 86_400:
        return "more than a hundred years"
    left, found = round(seconds), []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        if count:
            plural = "s" if count > 1 and unit in ("year", "day") else ""
            found.append(f"{count} {unit}{plural}")
        elif found:
            break
    return " ".join(found[:2]) or "0 s"
