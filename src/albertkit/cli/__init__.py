"""The command line: one small file a verb. A command parses its arguments and makes one call."""

import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from albertkit.errors import AlbertkitError, Interrupted


def main() -> None:
    """Run a command. An error that albertkit raises on purpose is one line and exit status 1.

    What Ctrl-C ends says so, with status 130, and what SIGTERM ends with 143. So does a device that takes no more of
    what is printed; a pipe that was closed ends in silence.
    """
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    is_ignored = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    if threading.current_thread() is threading.main_thread() and not is_ignored:
        signal.signal(signal.SIGTERM, _end)
    try:
        from albertkit.cli.app import app  # Ctrl-C may come while it is imported

        app()
    except AlbertkitError as error:
        _say(f"error: {error}")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:  # Typer makes of Ctrl-C an exit without a word
        stopped = _interruption(end)
        if stopped is None:
            raise
        _say(str(stopped) or "Stopped. Nothing that was begun is kept.")
        sys.exit(stopped.status)
    except OSError as error:
        why = error.strerror or error
        told = f"Files must be there for a command to use. {error.filename}: {why}. Name another, or mend that one."
        if error.filename is None:  # what is printed has no name
            told = f"What is printed must find room. Writing it failed: {why}."
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes when it ends
        _say(f"error: {told}")
        sys.exit(1)


def _say(text: str) -> None:
    from rich.console import Console

    Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False).print(text, style="red")


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End as at Ctrl-C, so that what is open is closed."""
    raise Interrupted("", number)


def _interruption(end: BaseException | None) -> Interrupted | None:
    """The interruption that is, or lies behind, the end of a command, or None where it ended by itself."""
    while end is not None:
        if isinstance(end, KeyboardInterrupt):
            return end if isinstance(end, Interrupted) else Interrupted("")
        end = end.__cause__ or end.__context__
    return None
