"""Ctrl-C and SIGTERM in a run: the first is for the end of the step, the second acts at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NOTE = b"\nStopping after this step, with a checkpoint. Once more stops at once, without one.\n"


class StopSignals:
    """While it is entered, the first signal to stop is remembered, and the next one does what it did before.

    Python hands signals to the main thread alone: in another one, nothing is changed. Nor is what is ignored, as Ctrl-C
    is by a run in the background.
    """

    received: int = 0
    """The number of the first signal that came, or 0."""

    def __init__(self, is_told: bool = True) -> None:
        """`is_told`: whether a person is told on standard error that the signal was heard."""
        self._is_told = is_told
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._receive) for number in heard}
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received:
            self.__exit__()
            signal.raise_signal(number)
            return
        self.received = number
        if self._is_told:
            with contextlib.suppress(OSError):  # not by `print`, which may be in the middle of a line of its own
                os.write(2, _NOTE)
