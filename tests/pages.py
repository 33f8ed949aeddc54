"""Blocks of code of the documentation, run as a reader would, but in this process: a start of Python costs seconds."""

import logging
import re
import shlex
import subprocess
import sys

import pytest

from albertkit import cli

BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"[|<>$;&]|^\w+ .*\bdo\b")


def run_python(code, page, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["python"])
    exec(compile(code, str(page), "exec"), {"__name__": "__main__"})  # the page is the project's own


def commands(code):
    """The lines of a block in sh, those that end in a backslash with the next."""
    return [line for line in code.replace("\\\n", " ").splitlines() if line.strip()]


def is_plain(line):
    """Whether a line is a command of albertkit alone, without a shell's signs outside of quotes."""
    return line.startswith("albertkit ") and not _SHELL.search(re.sub(r"\"[^\"]*\"|'[^']*'", "", line))


def run_albertkit(line, monkeypatch):
    """Run a command as from a terminal; it must end well."""
    monkeypatch.setattr(sys, "argv", shlex.split(line, comments=True))
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # its handler would outlive what it writes to
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code, line


def run_sh(code, monkeypatch, **options):
    """Run a block in sh, what is plain in this process and the rest with bash."""
    lines = commands(code)
    if not all(map(is_plain, lines)):
        done = subprocess.run(["bash", "-euc", code], capture_output=True, text=True, check=False, **options)
        assert done.returncode == 0, done.stderr
        return
    for line in lines:
        run_albertkit(line, monkeypatch)
