"""Files that are read with care and written so that nothing is ever half there.

Reading never writes, moves or removes anything: what a folder holds is looked at through `Folder`, which gives only
regular files of plain names. A single file is written aside and renamed. A set of files that belong together goes
through `replacing`: however the process ends, a reader then finds the old set or the new one, never a mixture.

A save leaves names that begin with `.albertkit-`:

    .albertkit-save-XXXX/     a set that is being written; its process holds a lock on it
    .albertkit-commit/        a set that is complete, on its way into the folder
        files/  head/         its files, and the one without which nothing loads; each moves up in turn, the head last
        stale/                empty files, named like the files of the old set that go: files of a model alone
    .albertkit-write-XXXX     a single file that is being written

No name is ever read from a file's contents. Processes that save and load at once hold the folder in turns, by a lock on
the folder itself that ends with its holder.
"""

import contextlib
import errno
import fnmatch
import json
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from safetensors import SafetensorError

from albertkit.errors import CheckpointError, CheckpointNotFound

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = logging.getLogger(__name__)

OWN = ".albertkit-"
"""What the names of unfinished work begin with."""
LIMIT = 64 * 2**20
"""Bytes that a JSON or text file may have, unless its reader says otherwise."""

PATIENCE = 60
"""Seconds that whoever reads or saves waits for a folder that another process holds: a save takes a moment."""

DEPTH = 64
"""Levels to which objects and lists of a JSON file may be nested."""

_SAVE = f"{OWN}save-"
_WRITE = f"{OWN}write-"
_COMMIT = f"{OWN}commit"
_PARTS = _FILES, _HEAD, _STALE = "files", "head", "stale"

_KINDS = (
    *(("model|optimizer|ema", "safetensors"), ("pytorch_model", "bin"), ("tf_model", "h5")),
    ("flax_model", "msgpack"),
)
_REMOVABLE = re.compile(
    "|".join(rf"({stems})(\..+)?(-\d+-of-\d+)?\.{suffix}(\.index(\..+)?\.json)?" for stems, suffix in _KINDS)
    + r"|(.+-)?((tokenizer_config|special_tokens_map|added_tokens|tokenizer)\.json|spiece\.model|vocab\.txt)"
)
"""Names of the files of a model, ours or of Transformers: a save removes no others, whatever a folder asks for."""

_UNTOUCHED = "What was there before is untouched."
_COMMITTED = "All that was saved is there: loading finds it, and the next save to the folder moves it into place."


class Folder:
    """A folder's files as a reader sees them: regular files, by plain names.

    Where a save was cut off after its commit, the files of the new set are found where they are, and those that it
    was to remove are not found. Nothing is moved: that is left to the next save.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """CheckpointError where the folder holds a commit that no save leaves."""
        self.path = Path(path)
        self._commit = _Commit.of(self.path)
        if self._commit is not None and self._commit.head is None:
            self._commit = None  # all its files were moved
        if self._commit is not None:
            logger.warning("A save to %s was cut off at its very end. Its files are read from %s.", path, _COMMIT)

    def file(self, name: str) -> Path | None:
        """Where the regular file `name` lies, or None where there is none. Links are followed.

        CheckpointError where `name` is not a plain file name, or names something else than a file.
        """
        require_plain(name, self.path)
        if self._commit is not None:
            if found := self._commit.files.get(name):
                return found
            if name in self._commit.stale:
                return None
        path = self.path / name
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
            raise CheckpointError(f"{path} must be a file. It is {_kind(mode)}. Remove it, or name another folder.")
        return path

    def require(self, name: str) -> Path:
        """`file`, or CheckpointNotFound where there is none."""
        if found := self.file(name):
            return found
        raise CheckpointNotFound(f"{name} must be there. {self.path} does not hold it.")

    def names(self) -> list[str]:
        """The names of what a reader finds, sorted; folders are among them."""
        found = {path.name for path in self.path.iterdir()} if self.path.is_dir() else set()
        if self._commit is not None:
            found = (found - self._commit.stale) | self._commit.files.keys()
        return sorted(name for name in found if not name.startswith(OWN))


@contextlib.contextmanager
def reading(folder: str | os.PathLike[str]) -> Iterator[Folder]:
    """A folder as a reader sees it, with saves kept out while its files are opened: so all are of the same set.

    CheckpointError where another process holds the folder and does not let go of it.
    """
    with _locked(Path(folder), shared=True):
        yield Folder(folder)


def require_plain(name: Any, folder: Path) -> None:
    """CheckpointError unless `name`, which a file of `folder` may have stated, is the plain name of a file."""
    if not isinstance(name, str) or name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
        raise CheckpointError(
            f"A file of a model must be a plain name inside its folder. Received: {brief(name, 80)}, for {folder}. Ask "
            "its author for a folder whose files lie side by side."
        )


def read_bytes(path: str | os.PathLike[str], limit: int = LIMIT) -> bytes:
    """The contents of a regular file of at most `limit` bytes.

    CheckpointNotFound where there is none, CheckpointError where it is something else or cannot be read.
    """
    path = Path(path)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} must be a file. It is {_kind(status.st_mode)}. Name a file.")
            if status.st_size > limit:
                raise CheckpointError(
                    f"{path} may have {limit:,} bytes at most. It has {status.st_size:,}: no such file is that large. "
                    "Check that the right file has this name."
                )
            return file.read(limit)
    except FileNotFoundError:
        raise CheckpointNotFound(f"{path.name} must be there. {path.parent} does not hold it.") from None
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        why = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path} must be a file that can be read. Reading it failed: {why}.") from error


def read_text(path: str | os.PathLike[str], limit: int = LIMIT) -> str:
    """The UTF-8 text in a file; see `read_bytes`."""
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path} must be UTF-8 text. Reading it failed: {error}. If a download or a copy was cut short, repeat it; "
            "else write the file as UTF-8."
        ) from error


def read_json(path: str | os.PathLike[str], limit: int = LIMIT) -> dict[str, Any]:
    """The object in a JSON file; see `read_bytes`. A key that stands twice is an error too."""
    path, text = Path(path), read_text(path, limit)
    try:
        content = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:  # ValueError: a syntax error, or a whole number of too many digits
        raise CheckpointError(
            f"{path} must be JSON text. Reading it failed: {str(error) or type(error).__name__}. If a download or a "
            "save was cut short, repeat it."
        ) from error
    _require_usable(path, text, content)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object. It holds a {type(content).__name__}.")
    return content


def _require_usable(path: Path, text: str, content: Any) -> None:
    """CheckpointError for what is JSON and yet trips up whoever copies, prints or writes it."""
    level = [content]
    for _ in range(DEPTH):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    if level:
        raise CheckpointError(
            f"{path} may be nested {DEPTH} deep at most. It is deeper. Check that it is the right file."
        )
    try:
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CheckpointError(
            f"{path} must hold text that can be written. It has half a character: {error}. Write both halves, or none."
        ) from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        [(twice, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {brief(twice, 80)} stands twice in one object")
    return content


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a FIFO", stat.S_ISSOCK: "a socket"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "a device")


def brief(value: Any, most: int = 200) -> str:
    """A value for a message, in `most` characters or few more, whatever it is."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return f"{type(value).__name__} with too many digits to print"
    return text if len(text) <= most else f"{text[:most]}..."


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file aside, flush it to the disk and rename it into place."""
    path = Path(path)
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = _aside(path.parent)
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


@contextlib.contextmanager
def replacing(folder: str | os.PathLike[str], head: str, stale: Sequence[str] = ()) -> Iterator[Path]:
    """Yield an empty folder to write into; on leaving without an error, its files move into `folder` as one step.

    `head` names the file without which the set cannot be loaded: it is taken away first and put back last, so that no
    program that knows nothing of this reads a mixture in between. `stale` are name patterns of the old set that must
    not survive, as far as they are names of a model's files. A process that dies before the commit leaves the old set
    untouched, and a folder that the next save clears away; one that dies after it leaves a complete new set: readers
    find it, the next save moves it into place.
    """
    folder = Path(folder)
    with contextlib.ExitStack() as living:
        with explained(folder):
            if folder.exists() and not folder.is_dir():
                raise CheckpointError(f"A checkpoint is saved to a folder. Received: {folder}, which is a file.")
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(folder):
                _finish(folder)
                clear_abandoned(folder)
                save = Path(tempfile.mkdtemp(prefix=_SAVE, dir=folder))
                living.enter_context(_locked(save, shared=True))
            for part in _PARTS:
                (save / part).mkdir()
        try:
            with explained(folder):
                yield save / _FILES
                new = sorted(path.name for path in (save / _FILES).iterdir())
                if head not in new:
                    raise CheckpointError(f"The saved set must include {head}. It holds {new}.")
                os.replace(save / _FILES / head, save / _HEAD / head)
                for path in (*(save / _FILES).iterdir(), save / _HEAD / head):
                    os.chmod(path, 0o666 & ~_umask())
                    _flush(path)
            with _locked(folder):
                _finish(folder)  # one that died since
                with explained(folder):
                    for path in folder.iterdir():
                        is_stale = any(fnmatch.fnmatchcase(path.name, old) for old in stale)
                        if is_stale and path.name not in new and _REMOVABLE.fullmatch(path.name):
                            (save / _STALE / path.name).touch()
                    for part in (save / _FILES, save / _HEAD, save / _STALE, save):
                        _flush(part)
                    os.rename(save, folder / _COMMIT)
                _finish(folder)
        except BaseException:
            shutil.rmtree(save, ignore_errors=True)
            raise


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


def clear_abandoned(folder: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while they wrote into a folder have left there, and nothing else."""
    for path in Path(folder).glob(f"{OWN}*"):
        if path.name.startswith((_SAVE, _WRITE)) and not path.is_symlink() and _is_abandoned(path):
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


class _Commit:
    """The set in the commit folder of a save that was cut off, or is just about to move it into place."""

    def __init__(self, folder: Path) -> None:
        """CheckpointError, with nothing touched, where it is not of the form that `replacing` gives it."""
        self.path = folder / _COMMIT
        parts = {part: self._held(self.path / part) for part in _PARTS}
        self.head = next(iter(parts[_HEAD]), None)
        self.stale = frozenset(parts[_STALE]) - parts[_FILES].keys()
        self.files = parts[_FILES] | parts[_HEAD]
        if strange := [name for name in parts[_STALE] if not _REMOVABLE.fullmatch(name)]:
            self._refuse(f"{strange[0]}, which it would remove, is no file of a model")
        if len(parts[_HEAD]) > 1 or (self.head is None and self.files) or self.head in self.stale:
            self._refuse("it holds another set of files")

    @classmethod
    def of(cls, folder: Path) -> "_Commit | None":
        """The commit in a folder, or None where there is none."""
        return cls(folder) if os.path.lexists(folder / _COMMIT) else None

    def _held(self, part: Path) -> dict[str, Path]:
        """The files of a part, by name: regular ones, and no links."""
        try:
            if not all(stat.S_ISDIR(path.lstat().st_mode) for path in (self.path, part)):
                self._refuse(f"{part.name} is not a folder")
            if more := {path.name for path in self.path.iterdir()}.difference(_PARTS):
                self._refuse(f"{min(more)} is in it")
            with os.scandir(part) as entries:
                held = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
        except CheckpointError:
            raise
        except OSError as error:
            self._refuse(f"{error}")
        for name, is_file in held.items():
            if not is_file or name.startswith(OWN):
                self._refuse(f"{name} is not a file")
        return {name: part / name for name in held}

    def _refuse(self, why: str) -> NoReturn:
        raise CheckpointError(
            f"{self.path} must be what a save of albertkit leaves when it is cut off. It is something else: {why}. "
            "Nothing was touched. Remove it if you do not know it."
        )


def _finish(folder: Path) -> None:
    """Move a committed set into place, if there is one. Only for a save that holds the folder."""
    commit = _Commit.of(folder)
    if commit is None:
        return
    with explained(folder, _COMMITTED):
        if commit.head is not None:  # else everything was moved, and only clearing away was cut off
            for name in (commit.head, *sorted(commit.stale)):
                if not (folder / name).is_dir() or (folder / name).is_symlink():
                    (folder / name).unlink(missing_ok=True)
            for name in sorted(commit.files, key=lambda name: name == commit.head):
                os.replace(commit.files[name], folder / name)
        _flush(folder)
        done = folder / f"{_SAVE}{secrets.token_hex(8)}"
        os.rename(commit.path, done)  # in one step, for a commit must never be half there
        shutil.rmtree(done, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a folder, alone or, where `shared`, with others that share it. Where there are no locks, do without.

    CheckpointError where another process does not let go of it.
    """
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
    flock, lock = fcntl.flock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX

    def wait() -> None:
        with contextlib.suppress(OSError):
            flock(handle, lock)

    try:
        flock(handle, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()  # instead of asking again and again, where whoever asks more often would always be first
        waiting.join(min(2, PATIENCE))
        if waiting.is_alive():
            logger.warning("Waiting for %s, which %s holds.", folder, _holder(handle))
            waiting.join(PATIENCE)
        if waiting.is_alive():
            raise CheckpointError(
                f"{folder} must be free for the moment in which its files are opened or replaced. It was not for "
                f"{PATIENCE} seconds, and {_holder(handle)} holds it: wait until that is done, or end it."
            ) from None
    except OSError:  # a file system without locks
        pass


def _holder(handle: int) -> str:
    """Who holds the lock on an open folder, as far as the system tells."""
    status = os.fstat(handle)
    place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with contextlib.suppress(OSError):  # only Linux has the list
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, *_, process, held, _, _ = line.split()
            if (kind, held) == ("FLOCK", place) and process.isdigit():
                return f"process {process}"
    return "another process"


def _aside(folder: Path) -> tuple[int, str]:
    """A new file to write into, open and locked, so that nobody takes it for abandoned."""
    while True:
        handle, aside = tempfile.mkstemp(prefix=_WRITE, dir=folder)
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else it was cleared away before the lock was there
            return handle, aside
        os.close(handle)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody holds a file or folder any more. False where there are no locks to tell."""
    if fcntl is None:
        return False
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
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
