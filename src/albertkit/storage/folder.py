"""A folder as a reader sees it: regular files by plain names, also where a save was cut off. Nothing here writes."""

import contextlib
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from albertkit.errors import CheckpointError, CheckpointNotFound, abbreviate
from albertkit.storage.commit import COMMIT_FOLDER, RESERVED_PREFIX, Commit
from albertkit.storage.filesystem import file_kind
from albertkit.storage.locks import shared_lock
from albertkit.storage.pointers import require_content

logger = logging.getLogger(__name__)


class Folder:
    """A folder's files as a reader sees them: regular files, by plain names.

    Where a save was cut off after its commit, the new files are found where they are, and those that it was to remove
    are not found. Nothing is moved: that is left to the next save.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """CheckpointError where the folder holds a commit that no save leaves."""
        self.path = Path(path)
        self._commit = Commit.find(self.path)
        if self._commit is not None and self._commit.head is None:
            self._commit = None  # all its files were moved
        if self._commit is not None:
            logger.warning("A save to %s was cut off at its very end. Its files are read from %s.", path, COMMIT_FOLDER)

    def file(self, name: str) -> Path | None:
        """Where the regular file `name` lies, or None where there is none. Links are followed.

        CheckpointError where `name` is not a plain file name, or names something else than a file.
        """
        require_plain_name(name, self.path)
        if self._commit is not None:
            if committed := self._commit.files.get(name):
                return committed
            if name in self._commit.stale:
                return None
        return _regular_file(self.path / name)

    def require(self, name: str) -> Path:
        """`file`, or CheckpointNotFound where there is none."""
        if path := self.file(name):
            return path
        raise CheckpointNotFound(f"{name} must be there. {self.path} does not hold it.")

    def names(self) -> list[str]:
        """The names of what a reader finds, sorted; folders are among them."""
        names = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        if self._commit is not None:
            names = (names - self._commit.stale) | self._commit.files.keys()
        return sorted(name for name in names if not name.startswith(RESERVED_PREFIX))


def _regular_file(path: Path) -> Path | None:
    """`path` where it is a regular file, None where nothing is there, and CheckpointError for anything else."""
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():  # as in a cache whose download was cut short
            raise CheckpointError(
                f"{path} must be a file. It is a link that leads to nothing. Repeat the download or copy."
            ) from None
        return None
    except OSError as error:
        why = error.strerror  # the error itself would bring the whole path once more
        raise CheckpointError(f"{path} must be a file that can be read. Looking at it failed: {why}.") from error
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path} must be a file. It is {file_kind(mode)}. Remove it, or name another folder.")
    require_content(path)
    return path


@contextlib.contextmanager
def open_folder(folder: str | os.PathLike[str]) -> Iterator[Folder]:
    """A folder as a reader sees it, with saves kept out while its files are opened: so all are of the same save.

    CheckpointError where another process has the folder locked and does not let go of it.
    """
    with shared_lock(Path(folder)):
        yield Folder(folder)


def require_plain_name(name: object, folder: Path) -> None:
    """CheckpointError unless `name`, which a file of `folder` may have stated, is the plain name of a file."""
    if not isinstance(name, str) or name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise CheckpointError(
            f"A file of a model must be a plain name inside its folder. Received: {abbreviate(name, 80)}, for "
            f"{folder}. Ask its author for a folder whose files lie side by side."
        )
