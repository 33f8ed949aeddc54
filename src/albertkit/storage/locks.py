"""Locks on folders and files, by which processes that read and save in one place take turns.

They are `flock` locks of the open file: they end with the process, so that none is ever left behind. Where a system or
a file system has none, everything goes on without.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from albertkit.errors import CheckpointError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)

TIMEOUT = 60
"""Seconds to wait for a folder that another process has locked: a save takes a moment."""
_QUIET = 2
"""Seconds after which a person is told whom the wait is for."""


@contextlib.contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Lock a folder for this process alone, once it is free. CheckpointError where it is not within TIMEOUT."""
    with _lock(folder, shared=False):
        yield


@contextlib.contextmanager
def shared_lock(folder: Path) -> Iterator[None]:
    """Lock a folder together with others that share it, once nobody has it alone. CheckpointError as above."""
    with _lock(folder, shared=True):
        yield


@contextlib.contextmanager
def try_exclusive_lock(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a folder for as long as a process works in it. CheckpointError at once where another one has it."""
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CheckpointError(
                    f"Only one process at a time may work in a folder. Another one works in {folder}: wait for it, or "
                    "end it."
                ) from None
            except OSError:  # a file system without locks
                pass
        yield


@contextlib.contextmanager
def _lock(folder: Path, *, shared: bool) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            handle = None
            with contextlib.suppress(OSError):
                handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                stack.callback(os.close, handle)
            if handle is not None:
                _acquire(handle, folder, shared)
        yield


def _acquire(handle: int, folder: Path, shared: bool) -> None:
    """Wait for the lock on an open folder. CheckpointError where it takes too long: a run may hold it for days."""
    if fcntl is None:
        return
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        _wait(handle, operation, folder)
    except OSError:  # a file system without locks
        pass


def _wait(handle: int, operation: int, folder: Path) -> None:
    waiting = threading.Thread(target=lock_handle, args=(handle, operation), daemon=True)
    waiting.start()  # instead of asking again and again, where whoever asks more often would always be first
    waiting.join(min(_QUIET, TIMEOUT))
    if waiting.is_alive():
        logger.warning("Waiting for %s, which %s holds.", folder, lock_holder(handle))
        waiting.join(TIMEOUT)
    if waiting.is_alive():
        raise CheckpointError(
            f"{folder} must be free for the moment in which its files are opened or replaced. It was not for "
            f"{TIMEOUT} seconds, and {lock_holder(handle)} holds it: wait until that is done, or end it."
        ) from None


def lock_handle(handle: int, operation: int | None = None) -> None:
    """Wait for a lock on an open file, an exclusive one unless `operation` says otherwise. Nothing without locks."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX if operation is None else operation)


def lock_holder(handle: int) -> str:
    """Who holds the lock on an open folder, as far as the system tells."""
    status = os.fstat(handle)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError):  # only Linux has the list
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, *_, process, locked, _, _ = line.split()
            if (kind, locked) == ("FLOCK", place) and process.isdigit():
                return f"process {process}"
    return "another process"


def is_unlocked(path: Path) -> bool:
    """Whether no process has a file or folder locked. False where there are no locks to tell, and for a link."""
    if fcntl is None:
        return False
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        stack.callback(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
