"""Files of plain text, a text a line, plain or compressed: what standard input is, with a name."""

import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path

from albertkit.corpus import inputs
from albertkit.errors import InputError
from albertkit.tasks.base import AnyTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples

ENDING = ".txt"


class _TextFile(io.BufferedReader):
    """An open file that errors call by its path."""

    def __init__(self, raw: io.BufferedReader, path: Path) -> None:
        super().__init__(raw)  # type: ignore[arg-type]  # it asks for readinto alone, which buffered readers have
        self.path = str(path)


def is_text(path: str) -> bool:
    """Whether a file is read as lines of text, by its ending, behind which may be that of a compression."""
    return inputs.strip_compression(Path(path)).suffix.lower() == ENDING


def is_lines(task: AnyTask, path: str) -> bool:
    """Whether it is one for a task, too, which may have a form of its own that is called so."""
    return is_text(path) and task.is_lines(path)


def stream(task: AnyTask, path: str, options: DataOptions) -> Iterator[Examples]:
    """The examples of the lines of a file, in parts.

    InputError where it is missing, cut short or no text, MissingDependency where .zst needs pyarrow.
    """
    try:
        with (
            Path(path).open("rb") as raw,
            inputs.decompress(Path(path), raw) as unpacked,
            _TextFile(unpacked, Path(path)) as file,
        ):
            yield from task.stream(file, options)
    except (EOFError, OSError, lzma.LZMAError, zlib.error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        why = getattr(error, "strerror", None) or error
        raise InputError(f"A file of texts must be there and whole. Reading {path} failed: {why}. Check it.") from None
