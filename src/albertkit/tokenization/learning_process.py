"""Learning a vocabulary in a process of its own, which ends at Ctrl-C: SentencePiece itself hears no signal."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import IO

from albertkit.errors import InputError, TrainingError
from albertkit.pace import SECONDS, in_words
from albertkit.tokenization.learning import learn
from albertkit.typing import Json

_REFUSED = 3
"""The status of the process where `learn` has raised InputError."""


def learn_apart(
    lines: Sequence[str],
    told: Callable[[str], None],
    every: float = SECONDS,
    **options: Json,
) -> bytes:
    """What `learn` gives for some lines and options, and its InputError.

    `told` is given a line at the start and every so many seconds. TrainingError where the process dies.
    """
    told(f"Learning from {len(lines):,} lines.")
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as model, tempfile.TemporaryFile() as errors:
        for one in (options, *lines):
            given.write(json.dumps(one).encode() + b"\n")
        given.seek(0)
        command = [sys.executable, "-P", "-m", __name__]  # -P: nothing is imported from the folder one is in
        process = subprocess.Popen(command, stdin=given, stdout=model, stderr=errors, start_new_session=True)
        _wait(process, told, every)
        if process.returncode == _REFUSED:
            raise InputError(_content(model).decode())
        if process.returncode:
            said = _content(errors).decode(errors="replace").strip().splitlines() or ["nothing"]
            raise TrainingError(
                f"Learning a vocabulary must come to an end. Its process ended with status {process.returncode} and "
                f"said last: {said[-1]}. Where memory ran out, learn from fewer lines: --sentences, in Python "
                "`sentences`."
            )
        return _content(model)


def _wait(process: subprocess.Popen[bytes], told: Callable[[str], None], every: float) -> None:
    """Wait for the process, and end it where that is interrupted."""
    start = time.monotonic()
    try:
        while process.poll() is None:
            try:
                process.wait(every)
            except subprocess.TimeoutExpired:
                told(f"Still learning, for {in_words(time.monotonic() - start)} by now.")
    finally:
        process.kill()
        process.wait()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _serve() -> int:
    """Learn what standard input asks for, and write the model, or why there is none, to standard output."""
    options = json.loads(sys.stdin.readline())
    try:
        sys.stdout.buffer.write(learn(map(json.loads, sys.stdin), **options))
    except InputError as error:
        sys.stdout.buffer.write(str(error).encode())  # apart from what libraries say on standard error
        return _REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_serve())
