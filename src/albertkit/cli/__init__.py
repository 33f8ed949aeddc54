"""The command line: one small file a verb. A command parses its arguments and makes one call."""

import logging
import os
import sys

from albertkit.errors import AlbertkitError


def main() -> None:
    """Run a command. An error that albertkit raises on purpose is one line and exit status 1; Ctrl-C is status 130.

    So is a device that takes no more of what is printed; a pipe that was closed ends in silence.
    """
    from rich.console import Console

    from albertkit.cli.app import app

    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    try:
        app()
    except AlbertkitError as error:
        errors.print(f"error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("interrupted", style="red")
        sys.exit(130)
    except OSError as error:
        why = error.strerror or error
        told = f"Files must be there for a command to use. {error.filename}: {why}. Name another, or mend that one."
        if error.filename is None:  # what is printed has no name
            told = f"What is printed must find room. Writing it failed: {why}."
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes when it ends
        errors.print(f"error: {told}", style="red")
        sys.exit(1)
