"""A file -> blocks of rows, cut by what the file holds alone: the same blocks wherever reading begins.

A plain file is read on from the byte where a block begins. One that is packed, or that is not UTF-8, is unpacked again
up to there, without its rows being read; Parquet from the row group on that holds the row; and one array of JSON, and
formats that only a task can read, are read whole. A file that is finished is not opened.
"""

import contextlib
import csv
import hashlib
import io
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from albertkit.corpus import inputs
from albertkit.errors import InputError, MissingDependency
from albertkit.pipelines import Pipeline
from albertkit.prediction.sources import ARRAY, PARQUET, WHOLE, Source
from albertkit.storage import encodings
from albertkit.tasks import table_formats
from albertkit.tasks.examples import Examples
from albertkit.typing import Json

SIZE = 2**22
"""Bytes after which a block ends, however few rows it has."""
_PAGE = 64
"""Rows of Parquet that are read at a time."""
_LINE_END = re.compile(r"[\r\n][ \t\r\n]*")
_READING_ERRORS = (EOFError, OSError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True)
class Position:
    """Where a block begins."""

    file: int = 0
    """The number of the file."""
    offset: int = 0
    """The byte of its unpacked content, as UTF-8; of Parquet the row, of others the number of the block."""
    line: int = 1
    """The number of the line, or in Parquet of the row, from 1."""


@dataclass(frozen=True)
class Block:
    """Rows that are answered together. It holds all that answering needs, and can be pickled."""

    number: int
    """Over all files, from 0."""
    start: Position
    stop: Position
    """Where the next block begins."""
    done: int
    """Bytes of all files, as they lie on disk, that are read behind this block."""
    content: bytes = b""
    """Whole lines, or a table in Arrow's format of streams."""
    lines: Sequence[int] = ()
    """The numbers of the lines."""
    examples: Examples | None = None
    """In place of the content where only a task can read the file."""

    @property
    def digest(self) -> str:
        """What tells the content from another."""
        content = self.content or repr(self.examples).encode(errors="surrogatepass")
        return hashlib.blake2b(content, digest_size=8).hexdigest()


def blocks(
    sources: Sequence[Source], pipeline: Pipeline, at: Position = Position(), number: int = 0
) -> Iterator[Block]:
    """The blocks of files from a position on, of which the first has a `number`.

    Only tasks with formats of their own ask the pipeline. InputError, naming the file, where it cannot be read.
    """
    before = sum(source.size for source in sources[: at.file])
    for file, source in enumerate(sources[at.file :], start=at.file):
        start = at if file == at.file else Position(file)
        for block in _told_of_end(_of_file(source, start, pipeline)):
            yield replace(block, number=number, done=before + min(block.done, source.size))
            number += 1
        before += source.size


def _told_of_end(found: Iterator[Block]) -> Iterator[Block]:
    """Blocks of a file, of which the last goes on with the next file: so none is opened again that is finished."""
    held: Block | None = None
    try:
        for block in found:
            if held is not None:
                yield held
            held = block
    except Exception:
        if held is not None:
            yield held
        raise
    if held is not None:
        yield replace(held, stop=Position(held.start.file + 1))


def _of_file(source: Source, start: Position, pipeline: Pipeline) -> Iterator[Block]:
    rows = pipeline.task.rows_together
    try:
        if source.kind == PARQUET:
            yield from _of_parquet(source, start, rows)
        elif source.kind == WHOLE:
            yield from _of_parts(source, start, pipeline)
        elif source.kind == ARRAY:
            yield from _of_array(source, start, rows)
        else:
            yield from _of_lines(source, start, rows)
    except _READING_ERRORS as error:
        raise InputError(
            f"{source.path} must be complete. Reading it failed: {getattr(error, 'strerror', None) or error}. If a "
            "copy was cut short, repeat it."
        ) from error


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[io.BufferedReader, BinaryIO, bool]]:
    """The content of a file as UTF-8, the file itself, and whether a byte of the one is that of the other."""
    with Path(path).open("rb") as raw, inputs.decompress(Path(path), raw) as unpacked:
        file = encodings.as_utf8(unpacked, path)
        yield file, raw, file is raw


def _of_lines(source: Source, start: Position, rows: int) -> Iterator[Block]:
    """Blocks of lines; of a CSV a row may have several."""
    with _opened(source.path) as (file, raw, is_plain):
        if start.offset and is_plain:
            file.seek(start.offset)
        else:
            _skip(file, start.offset)
        cut = _csv_rows(file, start.line) if source.kind == ".csv" else _lines(file, source.path, start.line)
        at, held, size = start, list[bytes](), 0
        is_header = source.has_header_line and start.line == 1
        for row in cut:
            held.append(row)
            size += len(row)
            if is_header and row.strip():
                is_header = False
                at = Position(at.file, at.offset + size, at.line + _count(b"".join(held)))
                held, size = [], 0
            elif len(held) >= rows or size >= SIZE:
                content, held, size = b"".join(held), [], 0
                del row  # while the block is answered nothing else holds what may be one long line
                at, block = _block(at, content, raw.tell())
                del content
                yield block
                del block
        if any(map(bytes.strip, held)):
            yield _block(at, b"".join(held), raw.tell())[1]


def _block(at: Position, content: bytes, done: int) -> tuple[Position, Block]:
    """Where the next block begins, and this one."""
    mark = b"\xef\xbb\xbf" if at.offset == 0 and content.startswith(b"\xef\xbb\xbf") else b""
    lines = range(at.line, at.line + _count(content))
    stop = Position(at.file, at.offset + len(content), lines.stop)
    return stop, Block(0, at, stop, done, content[len(mark) :], lines)


def _count(content: bytes) -> int:
    """Lines as the readers of rows count them, `bytes.splitlines`, without a copy of them."""
    ends = content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
    return ends + bool(content and not content.endswith((b"\n", b"\r")))


def _skip(file: io.BufferedReader, count: int) -> None:
    """Unpack so many bytes, and forget them."""
    while count and (read := file.read(min(count, SIZE))):
        count -= len(read)


def _lines(file: io.BufferedReader, path: str, number: int) -> Iterator[bytes]:
    while line := file.readline(table_formats.LONGEST + 1):
        if len(line) > table_formats.LONGEST:
            raise InputError(
                f"A line must fit into memory: {table_formats.LONGEST:,} bytes at most. {path}, line {number}, is "
                "longer. Cut it, or check that the file is text."
            )
        yield line
        number += 1


def _csv_rows(file: io.BufferedReader, number: int) -> Iterator[bytes]:
    """The bytes of each row of a CSV. What is no row comes as the last of them: whoever reads it says what is wrong."""
    taken: list[bytes] = []

    def decoded() -> Iterator[str]:
        for line in _lines(file, "", number):
            for piece in line.splitlines(keepends=True):
                taken.append(piece)
                yield piece.decode("utf-8", "surrogateescape")

    rows = table_formats.grid_reader(decoded(), ".csv")
    with contextlib.suppress(csv.Error):
        for _ in rows:
            yield b"".join(taken)
            taken.clear()
    if taken:
        yield b"".join(taken)


def _of_array(source: Source, start: Position, rows: int) -> Iterator[Block]:
    """The objects of an array, a line each: between its values JSON has no line ends but blank ones."""
    with _opened(source.path) as (file, raw, _):
        text = io.TextIOWrapper(file, "utf-8-sig", newline="")
        found: list[tuple[str, int]] = []
        size = number = before = 0
        values = table_formats.array(Path(source.path), 1, iter(text.readline, ""))
        for one, line, _ in values:
            found.append((_LINE_END.sub(" ", one), line))
            size += len(one)
            if len(found) == rows or size >= SIZE:
                yield from _joined(found, start, number, before, raw.tell())
                found, size, number, before = [], 0, number + 1, before + len(found)
        yield from _joined(found, start, number, before, raw.tell())


def _numbered(found: Sequence[tuple[str, int]], before: int) -> list[int]:
    """The lines of objects, or where several stand in one line their numbers in the array."""
    lines = [line for _, line in found]
    return lines if len(set(lines)) == len(lines) else list(range(before + 1, before + len(lines) + 1))


def _joined(found: Sequence[tuple[str, int]], start: Position, number: int, before: int, done: int) -> Iterator[Block]:
    if found and number >= start.offset:
        content = "".join(f"{one}\n" for one, _ in found).encode("utf-8", "surrogatepass")
        places = Position(start.file, number), Position(start.file, number + 1)
        yield Block(0, *places, done, content, _numbered(found, before))


def _of_parts(source: Source, start: Position, pipeline: Pipeline) -> Iterator[Block]:
    """What the task itself makes of a file, or of a folder."""
    parts = pipeline.task.stream(source.path, source.options)
    for number, examples in enumerate(parts):
        if number >= start.offset:
            places = Position(start.file, number), Position(start.file, number + 1)
            yield Block(0, *places, source.size, examples=examples)


def _of_parquet(source: Source, start: Position, rows: int) -> Iterator[Block]:
    """Runs of rows, read by pages, whatever the size of a row group."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
    try:
        with parquet.ParquetFile(source.path, buffer_size=2**20, pre_buffer=False) as file:
            total, at, held = max(file.metadata.num_rows, 1), start.offset, list[Json]()
            count, size, unit = 0, 0, min(rows, _PAGE)
            for batch in _batches(file, start.offset, unit):
                held.append(batch)
                count, size = count + batch.num_rows, size + _text_bytes(batch)
                if at + count == file.metadata.num_rows or (
                    (count % min(rows, _PAGE)) == 0 and (count >= rows or size >= SIZE)
                ):
                    yield (block := _of_rows(source, start.file, at, held, total))
                    at, held, count, size = block.stop.offset, [], 0, 0
    except (pyarrow.ArrowException, ValueError, OverflowError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source.path} must be a complete Parquet file. Reading it failed: {error}.") from error


def _batches(file: Json, start: int, most: int) -> Iterator[Json]:
    """The batches of a Parquet file from a row on, without the row groups before it.

    None crosses a row whose number is a multiple of `most`: so blocks are the same wherever reading begins.
    """
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    first = at = 0
    while first < len(groups) and at + groups[first] <= start:
        at += groups[first]
        first += 1
    for batch in file.iter_batches(batch_size=_PAGE, row_groups=range(first, len(groups)), use_threads=False):
        end = at + batch.num_rows
        place = max(at, start)
        while place < end:
            following = min(end, place - place % most + most)
            yield batch.slice(place - at, following - place)
            place = following
        at = end


def _text_bytes(batch: Json) -> int:
    """Bytes of the texts of a batch."""
    import pyarrow
    import pyarrow.compute

    functions: Json = pyarrow.compute
    columns = [column for column in batch.columns if pyarrow.types.is_string(column.type)]
    return sum(functions.sum(functions.binary_length(column)).as_py() or 0 for column in columns)


def _of_rows(source: Source, file: int, at: int, held: Sequence[Json], total: int) -> Block:
    import pyarrow

    count = sum(one.num_rows for one in held)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, held[0].schema) as writer:
        for one in held:
            writer.write_batch(one)
    places = Position(file, at, at + 1), Position(file, at + count, at + count + 1)
    done = source.size * (at + count) // total
    return Block(0, *places, done, sink.getvalue().to_pybytes(), range(at + 1, at + count + 1))
