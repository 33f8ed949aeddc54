"""Functions of blocks for tests of an ordered map: workers import this module."""

import os
import signal
import time
from pathlib import Path

from albertkit.errors import InputError


def make_negator():
    return negate


def negate(number):
    if number == 3:
        raise InputError("Not three.")
    return -number


def make_uneven():
    return uneven


def uneven(number):
    """The first of each four takes longest."""
    time.sleep(0.2 if number % 4 == 0 else 0.01)
    return number, os.getpid()


class KillOnce:
    """Kills the worker that first gets to block 5; makes the function as a worker does."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __call__(self):
        return self.work

    def work(self, number):
        if number == 5 and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return number * 2**60


def make_killer():
    return kill


def kill(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def make_sleeper():
    return sleep


def sleep(number):
    """All but the first take ten minutes."""
    time.sleep(600 if number else 0)
    return os.getpid()


class Numbers:
    """Blocks that are the same whenever they are read; the last one may be an error."""

    def __init__(self, count: int, fails: bool = False) -> None:
        self.count, self.fails = count, fails

    def __iter__(self):
        for number in range(self.count):
            yield {"number": number}, number
        if self.fails:
            raise InputError("No more can be read.")
