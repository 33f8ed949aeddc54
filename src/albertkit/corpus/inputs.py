"""Which files the inputs of a command name, what format their suffixes tell, and the content of compressed ones."""

import bz2
import contextlib
import glob
import gzip
import io
import lzma
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import cast

from albertkit.errors import InputError, MissingDependency

_FORMAT_OF_SUFFIX = {
    **dict.fromkeys((".txt", ".text"), "text"),
    **dict.fromkeys((".jsonl", ".json", ".ndjson"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}
COMPRESSED = (".gz", ".xz", ".bz2", ".zst")
"""Suffixes of compressed files."""
_BUFFER = 2**18
"""Bytes that are decompressed at a time."""

PathLike = str | os.PathLike[str]


def find_files(inputs: Sequence[PathLike], exclude: PathLike | None = None) -> tuple[list[Path], list[Path]]:
    """The files that inputs name, in order and each once, and the files of folders that their suffix leaves out.

    An input is a file, a folder (its files and those below, by name) or a pattern such as `data/*.jsonl.xz`.
    Files in the folder `exclude`, where the output goes, are in neither list, unless one is named itself. InputError
    where an input names nothing.
    """
    files: list[Path] = []
    left_out: list[Path] = []
    named = {path.resolve() for path in map(Path, inputs) if path.is_file()}
    for given in map(str, inputs):
        if Path(given).is_dir():
            inside = [path for path in sorted(Path(given).rglob("*")) if path.is_file() and not _is_hidden(path, given)]
            found = [path for path in inside if format_of(path) is not None]
            left_out += [path for path in inside if format_of(path) is None]
        else:
            matches = glob.iglob(given, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute patterns
            found = [Path(given)] if Path(given).is_file() else sorted(map(Path, matches))
            found = [path for path in found if path.is_file()]
        if not found:
            raise InputError(
                f"An input must be a file, a folder with files, or a pattern that fits some. Received: {given}, "
                f"which names none. Files in folders end in {', '.join(_FORMAT_OF_SUFFIX)} or nothing, and "
                f"{', '.join(COMPRESSED)} behind where packed."
            )
        files += found
    return _unique(files, exclude, named), _unique(left_out, exclude, named)


def find_readable_files(inputs: Sequence[PathLike], exclude: PathLike, note: Callable[[str], None]) -> list[Path]:
    """The first list of `find_files`; `note` is told how many files are in the second. InputError as there."""
    files, left_out = find_files(inputs, exclude)
    if left_out:
        note(f"left out: {len(left_out)} files with other endings, such as {decode_path(left_out[0])}")
    return files


def _unique(paths: Sequence[Path], exclude: PathLike | None, named: Collection[Path]) -> list[Path]:
    """Each file where it comes first, and of the folder `exclude` only those that are `named`."""
    unique = {path.resolve(): path for path in paths}
    if exclude is None:
        return list(unique.values())
    folder = Path(exclude).resolve()
    return [path for real, path in unique.items() if real in named or not real.is_relative_to(folder)]


def _is_hidden(path: Path, folder: str) -> bool:
    return any(name.startswith(".") for name in path.relative_to(folder).parts)


def format_of(path: Path) -> str | None:
    """The format that a file's suffix tells, "" where it has no suffix, None where it has an unknown one."""
    suffix = strip_compression(path).suffix.lower()
    return _FORMAT_OF_SUFFIX.get(suffix) if suffix else ""


def decode_path(path: PathLike) -> str:
    """A path as text for a file or a screen: bytes of it that are not UTF-8 become U+FFFD."""
    return os.fsencode(path).decode(errors="replace")


def strip_compression(path: Path) -> Path:
    """A path without the suffix of a compressed file."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


@contextlib.contextmanager
def decompress(path: Path, raw: io.BufferedReader) -> Iterator[io.BufferedReader]:
    """The content of an opened file, decompressed if the suffix of its path says so.

    EOFError where a compressed file holds nothing at all, MissingDependency where .zst needs pyarrow.
    """
    suffix = path.suffix.lower()
    if suffix not in COMPRESSED:
        yield raw
        return
    if not raw.peek(1):  # of no bytes, some openers make an empty text
        raise EOFError("a packed file has at least a header")
    with cast("io.BufferedReader", io.BufferedReader(_open_compressed(suffix, raw), _BUFFER)) as file:
        yield file


def _open_compressed(suffix: str, raw: io.BufferedReader) -> gzip.GzipFile | lzma.LZMAFile | bz2.BZ2File:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=raw)
    if suffix == ".xz":
        return lzma.LZMAFile(raw)
    if suffix == ".bz2":
        return bz2.BZ2File(raw)
    try:
        import pyarrow
    except ImportError:
        raise MissingDependency("Reading .zst", "pyarrow", "train") from None
    return pyarrow.CompressedInputStream(raw, "zstd")
