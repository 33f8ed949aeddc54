"""Which files inputs name, what their endings tell, and what is in those that are packed."""

import bz2
import contextlib
import glob
import gzip
import io
import lzma
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from albertkit.errors import InputError, MissingDependency

_ENDINGS = {
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".jsonl", ".json", ".ndjson"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}
PACKED = (".gz", ".xz", ".bz2", ".zst")
"""Endings of packed files."""


def find(
    inputs: Sequence[str | os.PathLike[str]], apart_from: str | os.PathLike[str] | None = None
) -> tuple[list[Path], list[Path]]:
    """The files that inputs name, in order, and those of folders that are left out because of their ending.

    An input is a file, a folder (its files and those below, by name) or a pattern such as `data/*.jsonl.xz`.
    Files in the folder `apart_from` are in neither list, unless one is named itself. InputError where an input names
    nothing.
    """
    files: list[Path] = []
    other: list[Path] = []
    named = {path.resolve() for path in map(Path, inputs) if path.is_file()}
    for given in map(str, inputs):
        if Path(given).is_dir():
            inside = [path for path in sorted(Path(given).rglob("*")) if path.is_file() and not _is_hidden(path, given)]
            found = [path for path in inside if kind(path) is not None]
            other += [path for path in inside if kind(path) is None]
        else:
            found = [Path(given)] if Path(given).is_file() else sorted(map(Path, glob.glob(given, recursive=True)))  # noqa: PTH207
            found = [path for path in found if path.is_file()]
        if not found:
            raise InputError(
                f"An input must be a file, a folder with files, or a pattern that fits some. Received: {given}, "
                f"which names none. Files in folders end in {', '.join(_ENDINGS)} or nothing, and "
                f"{', '.join(PACKED)} behind where packed."
            )
        files += found
    return _once(files, apart_from, named), _once(other, apart_from, named)


def chosen(
    inputs: Sequence[str | os.PathLike[str]], apart_from: str | os.PathLike[str], note: Callable[[str], None]
) -> list[Path]:
    """The files that `find` finds; of those that are left out `note` is told."""
    files, other = find(inputs, apart_from)
    if other:
        note(f"left out: {len(other)} files with other endings, such as {written(other[0])}")
    return files


def _once(paths: Sequence[Path], apart_from: str | os.PathLike[str] | None, named: Collection[Path]) -> list[Path]:
    """Each file where it comes first, and of the folder `apart_from` only those that are `named`."""
    once = {path.resolve(): path for path in paths}
    if apart_from is None:
        return list(once.values())
    folder = Path(apart_from).resolve()
    return [path for real, path in once.items() if real in named or not real.is_relative_to(folder)]


def _is_hidden(path: Path, folder: str) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def kind(path: Path) -> str | None:
    """The format that a name tells, "" where it has no ending, None where its ending is another one."""
    suffix = plain_name(path).suffix.lower()
    return _ENDINGS.get(suffix) if suffix else ""


def written(path: str | os.PathLike[str]) -> str:
    """A path or a name as text for a file or a screen: bytes of it that are not UTF-8 become U+FFFD."""
    return os.fsencode(path).decode(errors="replace")


def plain_name(path: Path) -> Path:
    """A path without the ending of a packed file."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


@contextlib.contextmanager
def unpacked(path: Path, raw: io.BufferedReader) -> Iterator[io.BufferedReader]:
    """The content of a packed file, by its ending. EOFError where it holds nothing at all."""
    suffix = path.suffix.lower()
    if suffix not in PACKED:
        yield raw
        return
    if not raw.peek(1):  # of no bytes, some openers make an empty text
        raise EOFError("a packed file has at least a header")
    if suffix == ".zst":
        try:
            import pyarrow
        except ImportError:
            raise MissingDependency("Reading .zst", "pyarrow", "train") from None
        opened: Any = io.BufferedReader(pyarrow.CompressedInputStream(raw, "zstd"), 2**18)
    else:
        opener: Callable[..., Any] = {".gz": gzip.GzipFile, ".xz": lzma.LZMAFile, ".bz2": bz2.BZ2File}[suffix]
        opened = io.BufferedReader(opener(fileobj=raw) if suffix == ".gz" else opener(raw), 2**18)
    with opened:
        yield opened
