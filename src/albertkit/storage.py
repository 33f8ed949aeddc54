"""Writing so that nothing is ever half there, and reading JSON with errors a person can act on.

A single file is written aside and renamed. A set of files that belong together goes through `replacing`: however the
process ends, a folder then holds the old set or the new one, never a mixture that would load as something else.
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

_STAGING = ".staging-"
_COMMIT = ".commit"
_NOTE = ".note.json"


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
    that dies before the commit leaves the old set untouched; one that dies after it leaves a complete new set, which
    `recover` moves into place.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"A checkpoint is saved to a folder. Received: {folder}, which is a file.")
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        recover(folder)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=folder))
        try:
            yield staging
            if not (staging / head).is_file():
                raise CheckpointError(
                    f"The saved set must include {head}. It holds {sorted(path.name for path in staging.iterdir())}."
                )
            new = sorted(path.name for path in staging.iterdir())
            write_json(staging / _NOTE, {"head": head, "stale": list(stale), "new": new})
            for path in staging.iterdir():
                os.chmod(path, 0o666 & ~_umask())
                _flush(path)
            _flush(staging)
            os.rename(staging, folder / _COMMIT)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        recover(folder)


def recover(folder: str | os.PathLike[str]) -> None:
    """Finish a save that was cut off after its commit. Does nothing where there is none."""
    folder = Path(folder)
    commit = folder / _COMMIT
    if not commit.is_dir():
        return
    with explained(folder):
        note = read_json(commit / _NOTE) if (commit / _NOTE).exists() else {}
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


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a CheckpointError that says what is left."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, SafetensorError) as error:  # safetensors tells the system's number only in words
        full = getattr(error, "errno", None) == errno.ENOSPC or f"(os error {errno.ENOSPC})" in str(error)
        why = "the disk is full" if full else str(error)
        raise CheckpointError(f"Writing {path} failed: {why}. What was there before is untouched.") from error


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
