"""Writing so that a reader finds what was there before or what is there now, whatever happens in between."""

import contextlib
import fnmatch
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from albertkit.errors import CheckpointError
from albertkit.storage.commit import (
    COMMIT_FOLDER,
    FILES,
    HEAD,
    MODEL_FILE,
    PARTS,
    RESERVED_PREFIX,
    SAVE_PREFIX,
    STALE,
    finish_commit,
)
from albertkit.storage.filesystem import flush_to_disk, set_default_permissions, translate_os_errors
from albertkit.storage.locks import exclusive_lock, is_unlocked, lock_handle, shared_lock
from albertkit.typing import Json

_WRITE_PREFIX = f"{RESERVED_PREFIX}write-"


def require_writable(folder: str | os.PathLike[str]) -> None:
    """CheckpointError where nothing can be written into a folder, or into the nearest one above that is there.

    To be asked before long work whose result goes there. Nothing is left behind.
    """
    folder = Path(folder).absolute()
    with translate_os_errors(folder):
        nearest = next(one for one in (folder, *folder.parents) if one.exists())
        with tempfile.TemporaryFile(dir=nearest):
            pass


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file as one step; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Yield a temporary file beside `path` to write into; on leaving without an error it is renamed, as one step.

    It is flushed to the disk before. Missing parents are made. CheckpointError where the file system does not let it;
    then, and after any other error, an old file is untouched.
    """
    path = Path(path)
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _locked_temporary_file(path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                set_default_permissions(temporary)
                os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Json) -> None:
    """`write_text` of JSON with two spaces of indentation, keys in the given order."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _locked_temporary_file(folder: Path) -> tuple[int, str]:
    """(handle, path) of a new file to write into, locked, so that nobody takes it for abandoned."""
    while True:
        handle, path = tempfile.mkstemp(prefix=_WRITE_PREFIX, dir=folder)
        lock_handle(handle)
        if os.fstat(handle).st_nlink:  # else it was cleared away before the lock was there
            return handle, path
        os.close(handle)


@contextlib.contextmanager
def atomic_replace(folder: str | os.PathLike[str], head: str, stale: Sequence[str] = ()) -> Iterator[Path]:
    """Yield an empty folder to write into; on leaving without an error, its files move into `folder` as one step.

    `head` names the file without which the others cannot be loaded: it is taken away first and put back last, so that
    no program that knows nothing of this reads a mixture in between. `stale` are name patterns of old files that must
    not survive, as far as they are names of a model's files. A process that dies before the commit leaves the old
    files untouched, and a folder that the next save clears away; one that dies after it leaves all new files complete:
    readers find them, the next save moves them into place.

    CheckpointError where the file system does not let it, or `head` was not written; the old files are then untouched.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as stack:
        with translate_os_errors(folder):
            save = _new_save(folder, stack)
        try:
            with translate_os_errors(folder):
                yield save / FILES
                _prepare(save, head)
            with exclusive_lock(folder):
                finish_commit(folder)  # of a save that died since
                with translate_os_errors(folder):
                    _commit(save, folder, stale)
                finish_commit(folder)
        except BaseException:
            shutil.rmtree(save, ignore_errors=True)
            raise


def _new_save(folder: Path, stack: contextlib.ExitStack) -> Path:
    """A new folder in `folder` for a save, locked until `stack` ends, once what died before is finished and cleared."""
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"A checkpoint is saved to a folder. Received: {folder}, which is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder):
        finish_commit(folder)
        clear_abandoned(folder)
        save = Path(tempfile.mkdtemp(prefix=SAVE_PREFIX, dir=folder))
        stack.enter_context(shared_lock(save))
    for part in PARTS:
        (save / part).mkdir()
    return save


def _prepare(save: Path, head: str) -> None:
    """Put the head apart, and flush all files to the disk. CheckpointError where the head was not written."""
    written = sorted(path.name for path in (save / FILES).iterdir())
    if head not in written:
        raise CheckpointError(f"The saved set must include {head}. It holds {written}.")
    os.replace(save / FILES / head, save / HEAD / head)
    for path in (*(save / FILES).iterdir(), save / HEAD / head):
        set_default_permissions(path)
        flush_to_disk(path)


def _commit(save: Path, folder: Path, stale: Sequence[str]) -> None:
    """Note which old files go, and rename the save to the commit folder: the one step that decides."""
    written = {path.name for part in (FILES, HEAD) for path in (save / part).iterdir()}
    for path in folder.iterdir():
        is_stale = any(fnmatch.fnmatchcase(path.name, pattern) for pattern in stale)
        if is_stale and path.name not in written and MODEL_FILE.fullmatch(path.name):
            (save / STALE / path.name).touch()
    for path in (*(save / part for part in PARTS), save):
        flush_to_disk(path)
    os.rename(save, folder / COMMIT_FOLDER)


def clear_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while they wrote into a folder have left there, and nothing else."""
    for path in Path(folder).glob(f"{RESERVED_PREFIX}*"):
        if path.name.startswith((SAVE_PREFIX, _WRITE_PREFIX)) and not path.is_symlink() and is_unlocked(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def remove_named(folder: str | os.PathLike[str], patterns: Sequence[str]) -> list[Path]:
    """Remove the files of a folder whose names match, folder and subfolders too where they are empty then.

    Returns the files that stay: whoever writes into a folder may remove what it wrote there, and nothing else.
    """
    folder = Path(folder)
    if folder.is_symlink() or not folder.is_dir():
        return [folder] if os.path.lexists(folder) else []
    stays = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            stays += remove_named(path, patterns)
        elif any(fnmatch.fnmatchcase(path.name, pattern) for pattern in patterns):
            path.unlink(missing_ok=True)
        else:
            stays.append(path)
    if not stays:
        with contextlib.suppress(OSError):  # what another process has just put there
            folder.rmdir()
    return stays
