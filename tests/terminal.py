"""Commands as a person types them, run in this process: a start of Python and its libraries takes seconds."""

import io
import logging
import signal
import sys
from types import SimpleNamespace

import pytest

from albertkit import cli


def albertkit(*arguments, input=None, cwd=".", **environment):
    """What a command left behind: its `returncode`, and what it said on `stdout` and `stderr`.

    The test runner's log handlers are put aside, since with them the command would make none of its own.
    """
    streams = {name: io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for name in ("stdout", "stderr")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["albertkit", *map(str, arguments)])
        patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((input or "").encode()), "utf-8"))
        for name, stream in streams.items():
            patched.setattr(sys, name, stream)
        for name, value in environment.items():
            patched.setenv(name, value)
        patched.setattr(logging.root, "handlers", [])
        patched.chdir(cwd)
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                cli.main()
        finally:
            signal.signal(signal.SIGTERM, before)
    said = {name: stream.buffer.getvalue().decode() for name, stream in streams.items()}
    return SimpleNamespace(returncode=ended.value.code or 0, **said)
