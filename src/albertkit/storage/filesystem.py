"""What the operating system is asked for: its errors in words, permissions, and data forced onto the disk."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from albertkit.errors import CheckpointError

UNTOUCHED = "What was there before is untouched."


@contextlib.contextmanager
def translate_os_errors(path: Path, outcome: str = UNTOUCHED) -> Iterator[None]:
    """Turn an error of the file system, while `path` is written, into a CheckpointError.

    `outcome` is the last sentence of its message: what is there now.
    """
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, SafetensorError) as error:  # safetensors tells the system's number only in words
        full = getattr(error, "errno", None) == errno.ENOSPC or f"(os error {errno.ENOSPC})" in str(error)
        why = "the disk is full" if full else str(error)
        raise CheckpointError(f"Writing {path} failed: {why}. {outcome}") from error


def file_kind(mode: int) -> str:
    """What a file that is not a regular one is, in words, by its `st_mode`."""
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "a device")


def set_default_permissions(path: str | os.PathLike[str]) -> None:
    """Give a file the permissions of a new one: temporary files are made for their owner alone."""
    os.chmod(path, 0o666 & ~_umask())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def flush_to_disk(path: Path) -> None:
    """Force a file or, where the system can, a folder onto the disk."""
    with contextlib.suppress(PermissionError):  # Windows does not open folders.
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
