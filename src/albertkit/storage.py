"""Writing so that nothing is ever half there, and reading JSON with errors a person can act on.

A single file is written aside and renamed. A set of files that belong together goes through `replacing`: however the
process ends, a folder then holds the old set or the new one, never a mixture that would load as something else.
Programs that save and load at once hold the folder in turns, by a lock on the folder itself that ends with its holder.
"""

import contextlib
import errno
import fnmatch
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from albertkit.errors import CheckpointError, CheckpointNotFound

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_STAGING = ".staging-"
_COMMIT = ".commit"
_NOTE = ".note.json"

_UNTOUCHED = "What was there before is untouched."
_COMMITTED = "All that was saved is there: the next load from this folder or save to it moves it into place."


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file aside, flush it to the disk and rename it into place."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(aside, 0o666 & ~_umask())
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """`write_bytes` of UTF-8 text."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """`write_text` of JSON with two spaces of indentation, keys in the given order."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The object in a JSON file. CheckpointNotFound where there is no file, CheckpointError where it is cut short."""
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointNotFound(f"{path.name} must be there. {path.parent} does not hold it.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"{path} must be JSON text. Reading it failed: {error}. If a download or a save was cut short, repeat it."
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object. It holds a {type(content).__name__}.")
    return content


@contextlib.contextmanager
def replacing(folder: str | os.PathLike[str], head: str, stale: Sequence[str] = ()) -> Iterator[Path]:
    """Yield an empty folder to write into; on leaving without an error, its files move into `folder` as one step.

    `head` names the file without which the set cannot be loaded: it is taken away first and put back last, so that no
    other program reads a mixture in between. `stale` are name patterns of the old set that must not survive. A process
    that dies before the commit leaves the old set untouched, and a folder that the next save clears away; one that dies
    after it leaves a complete new set, which `recover` moves into place.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"A checkpoint is saved to a folder. Received: {folder}, which is a file.")
    with contextlib.ExitStack() as living:
        with explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                _finish(folder)
                _clear_away(folder)
                staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
                living.enter_context(_locked(staging, shared=True))
        try:
            with explained(folder):
                yield staging
                new = sorted(path.name for path in staging.iterdir())
                if head not in new:
                    raise CheckpointError(f"The saved set must include {head}. It holds {new}.")
                write_json(staging / _NOTE, {"head": head, "stale": list(stale), "new": new})
                for path in staging.iterdir():
                    os.chmod(path, 0o666 & ~_umask())
                    _flush(path)
                _flush(staging)
            with _locked(folder):
                _finish(folder)  # one that died since
                with explained(folder):
                    os.rename(staging, folder / _COMMIT)
                _finish(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise


@contextlib.contextmanager
def reading(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep saves out of a folder while the files of a set are opened, so that all are of the same set."""
    with _locked(Path(folder), shared=True):
        yield


@contextlib.contextmanager
def alone(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold a folder for as long as a process works in it. CheckpointError where another one does.

    Where there are no locks, it does without.
    """
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


def recover(folder: str | os.PathLike[str]) -> None:
    """Finish a save that was cut off after its commit. Does nothing where there is none.

    CheckpointError where it cannot be finished, such as in a folder that may not be written to, unless the old set is
    still whole.
    """
    folder = Path(folder)
    if not (folder / _COMMIT).is_dir():
        return
    with _locked(folder):
        try:
            _finish(folder)
        except CheckpointError:
            if not _is_whole(folder):
                raise


def _finish(folder: Path) -> None:
    """Move a committed set into place, if there is one. For the holder of the folder alone."""
    commit = folder / _COMMIT
    if not commit.is_dir():
        return
    with explained(folder, _COMMITTED):
        note = _note(commit)
        head = note.get("head")
        if head and (commit / head).exists():  # else everything was moved, and only clearing away was cut off
            (folder / head).unlink(missing_ok=True)
            for path in folder.iterdir():
                if path.name not in note["new"] and any(fnmatch.fnmatchcase(path.name, old) for old in note["stale"]):
                    path.unlink()
            for name in sorted(note["new"], key=lambda name: name == head):
                if (commit / name).exists():
                    os.replace(commit / name, folder / name)
        _flush(folder)
        shutil.rmtree(commit)


def _is_whole(folder: Path) -> bool:
    """Whether a folder with a commit holds one set, old or new: its head is away while there is a mixture."""
    note = _note(folder / _COMMIT)
    return not note or (folder / note["head"]).exists()


def _note(commit: Path) -> dict[str, Any]:
    return read_json(commit / _NOTE) if (commit / _NOTE).exists() else {}


def _clear_away(folder: Path) -> None:
    """Remove what processes that were killed before their commit have left. For the holder of the folder alone."""
    for staging in folder.glob(f"{_STAGING}*"):
        if _is_abandoned(staging):
            shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder, alone or, where `shared`, with others that share it. Where there are no locks, do without."""
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                handle = os.open(folder, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def _is_abandoned(staging: Path) -> bool:
    """Whether nobody holds a folder any more. False where there are no locks to tell."""
    if fcntl is None:
        return False
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        handle = os.open(staging, os.O_RDONLY)
        stack.callback(os.close, handle)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


@contextlib.contextmanager
def explained(path: Path, left: str = _UNTOUCHED) -> Iterator[None]:
    """Turn an error of the file system into a CheckpointError that ends with what is left."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, SafetensorError) as error:  # safetensors tells the system's number only in words
        full = getattr(error, "errno", None) == errno.ENOSPC or f"(os error {errno.ENOSPC})" in str(error)
        why = "the disk is full" if full else str(error)
        raise CheckpointError(f"Writing {path} failed: {why}. {left}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush(path: Path) -> None:
    """Force a file or, where the system can, a folder onto the disk."""
    with contextlib.suppress(PermissionError):  # Windows does not open folders.
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
