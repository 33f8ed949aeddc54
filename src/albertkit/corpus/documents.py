"""Files to documents of text, streamed: plain text, JSON lines, Parquet and WikiExtractor output, packed or not.

A document comes in parts of bounded size, so that one of any length passes through. Nothing here knows of sentences.
"""

import codecs
import html
import io
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from albertkit.corpus import inputs
from albertkit.errors import ConfigError, InputError, MissingDependency, did_you_mean
from albertkit.tokenization.normalizer import SURROGATE

FORMATS = ("text", "jsonl", "wiki", "parquet")
PART = 2**20
"""Characters after which a document goes on in another part."""
LONGEST_RECORD = 2**27
"""Bytes of the longest line of JSON: it has to fit into memory whole."""

_LINE_END = re.compile("[\r\n]")
_READING_ERRORS = (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error)


class Part(NamedTuple):
    """A document, or a stretch of one."""

    text: str
    last: bool
    """Whether the document ends here."""


@dataclass(frozen=True)
class Options:
    """How files are read."""

    format: str = "auto"
    """One of FORMATS, or "auto": by a file's ending and beginning."""
    text_field: str = "text"
    """The field of JSON lines or column of Parquet that holds the text."""
    skip_broken: bool = False
    """Whether records without text are counted and left out, or are an error."""

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise ConfigError(f"`format` must be auto or one of {', '.join(FORMATS)}. Received: {self.format!r}.")


class Reader:
    """The documents of one file, in order."""

    def __init__(self, path: Path, options: Options) -> None:
        self.path, self.options = path, options
        self.broken = 0
        """Broken records so far that were left out."""
        self.position = 0
        """How many bytes of the file, as it lies on disk, were read so far."""
        self._line = 0

    def __iter__(self) -> Iterator[Part]:
        """Its documents. InputError naming file and line where something is not as it must be."""
        try:
            with self.path.open("rb") as raw, inputs.unpacked(self.path, raw) as file:
                kind = self.options.format if self.options.format != "auto" else self._sniffed(file)
                if kind == "parquet" and self.path.suffix.lower() in inputs.PACKED:
                    raise InputError(f"A Parquet file is packed within. Received: {self.path}. Unpack it first.")
                if kind != "parquet":
                    self._require_text(file.peek(64)[:64])
                parts = {"text": self._text, "jsonl": self._json, "wiki": self._wiki, "parquet": self._parquet}[kind]
                for part in parts(file):
                    self.position = max(self.position, raw.tell())
                    yield part
        except _READING_ERRORS as error:
            advice = "If a copy was cut short, repeat it."
            if isinstance(error, UnicodeDecodeError):
                name = inputs.plain_name(self.path).name
                advice = (
                    f"Convert it from the encoding it is in, such as: iconv -f LATIN1 -t UTF-8 {name} > utf8-{name}"
                )
            place = f" behind line {self._line}" if self._line else ""
            raise InputError(
                f"{self.path} must be complete UTF-8 text. Reading it failed{place}: {_reason(error)}. {advice}"
            ) from error

    def _require_text(self, head: bytes) -> None:
        """InputError for zero bytes: valid UTF-8, but never text."""
        name, zeros = inputs.plain_name(self.path).name, head.count(0)
        if zeros * 4 >= len(head) > 0 or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise InputError(
                f"{self.path} must be UTF-8 text. It begins as UTF-16 does. "
                f"Convert it, such as: iconv -f UTF-16LE -t UTF-8 {name} > utf8-{name}"
            )
        if zeros:
            raise InputError(
                f"{self.path} must be UTF-8 text. It holds a zero byte behind {head.index(0)} others. Take such bytes "
                f"out, such as: tr -d '\\000' < {name} > text-{name}"
            )

    def _sniffed(self, file: io.BufferedReader) -> str:
        """The format by name, or where that tells nothing, by how the file begins."""
        kind = inputs.kind(self.path)
        if kind in ("jsonl", "parquet"):
            return kind
        head = file.peek(64)[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
        if head.startswith(b"<doc "):
            return "wiki"
        if head.startswith(b"PAR1"):
            return "parquet"
        return "jsonl" if not kind and head.startswith((b'{"', b'{ "')) else "text"

    # ------------------------------------------------------------------------------------------------------- the kinds

    def _text(self, file: io.BufferedReader) -> Iterator[Part]:
        """An empty line ends a document."""
        gathered = _Gathered()
        for line, first in self._lines(file):
            if first and line.isspace():
                yield from gathered.end()
            else:
                yield from gathered.add(line)
        yield from gathered.end()

    def _wiki(self, file: io.BufferedReader) -> Iterator[Part]:
        """`<doc ...>`, text, `</doc>`, as WikiExtractor writes them."""
        gathered = _Gathered()
        inside = False
        for line, first in self._lines(file):
            if not inside and first and line.startswith("<doc "):
                inside = True
            elif inside and first and line.strip() == "</doc>":
                inside = False
                yield from gathered.end()
            elif inside:
                yield from gathered.add(html.unescape(line))
            elif not line.isspace():
                raise InputError(
                    f"{self.path}, line {self._line + 1}, must stand between <doc ...> and </doc>. It is {line[:60]!r}."
                    " Pass --format text if this is not the output of WikiExtractor."
                )
        if inside:
            raise InputError(
                f"{self.path} must end with </doc>. It ends within a document, behind line {self._line}. If a copy was "
                "cut short, repeat it."
            )

    def _lines(self, file: io.BufferedReader) -> Iterator[tuple[str, bool]]:
        """Lines with their ends, long ones in several pieces, and whether a piece is the first of its line."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        rest, first = "", True
        while (read := file.readline(PART)) or rest:
            line = rest + decoder.decode(read, final=not read)
            rest = ""
            ends = line.endswith("\n")
            if len(read) == PART and not ends:
                cut = _cut(line)
                line, rest = line[:cut], line[cut:]
            yield line, first
            first = ends
            self._line += ends
        decoder.decode(b"", final=True)

    def _json(self, file: io.BufferedReader) -> Iterator[Part]:
        """One object a line, with the text in one of its fields."""
        number = 0
        while line := file.readline(LONGEST_RECORD + 1):
            number += 1
            if len(line) > LONGEST_RECORD:
                raise InputError(
                    f"A line of JSON must fit into memory: {LONGEST_RECORD:,} bytes at most. {self.path}, line "
                    f"{number}, is longer. Give a text of that length as plain text."
                )
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.isspace():
                continue
            try:
                # Decoded here: of bytes, `loads` would let halves of characters through, and nothing could write them.
                text = self._field(json.loads(line.decode()), f"line {number}")
            except (ValueError, RecursionError) as error:
                if isinstance(error, UnicodeDecodeError):
                    self._break(f"{self.path}, line {number}, must be UTF-8 text: {error}.")
                elif isinstance(error, InputError):
                    self._break(str(error))
                else:
                    self._break(
                        f"{self.path}, line {number}, must be one JSON object: {error}. A file that is one JSON array "
                        "has to be written as lines first; a last line cut short means an incomplete copy."
                    )
                continue
            half = SURROGATE.search(text) if b"\\u" in line.lower() else None
            if half:
                self._break(f"{self.path}, line {number}, must be whole characters. It holds half of one, {half[0]!r}.")
                continue
            yield from _parts(text)

    def _parquet(self, _: io.BufferedReader) -> Iterator[Part]:
        """A document a row, the text in one of the columns; read by pages, whatever the size of a row group."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
        field = self.options.text_field
        try:
            with parquet.ParquetFile(self.path, buffer_size=2**20, pre_buffer=False) as file:
                names = file.schema_arrow.names
                if field not in names:
                    self._field(dict.fromkeys(names), "its columns")
                number, size, rows = 0, self.path.stat().st_size, max(file.metadata.num_rows, 1)
                for batch in file.iter_batches(batch_size=64, columns=[field], use_threads=False):
                    for value in batch.column(0).to_pylist():
                        number += 1
                        try:
                            text = self._field({field: value}, f"row {number}")
                        except InputError as error:
                            self._break(str(error))
                            continue
                        yield from _parts(text)
                    self.position = size * number // rows
        except pyarrow.ArrowException as error:
            raise InputError(
                f"{self.path} must be a complete Parquet file. Reading it failed: {_reason(error)}. If a copy was cut "
                "short, repeat it."
            ) from error

    def _field(self, record: Any, place: str) -> str:
        """The text of a record. InputError where it has none."""
        field = self.options.text_field
        if not isinstance(record, Mapping):
            raise InputError(
                f"{self.path}, {place}, must be a JSON object. It is a {type(record).__name__}. Write JSON lines: one "
                "object a line, without an array around them."
            )
        if field not in record:
            raise InputError(
                f"The text must stand in the field {field!r}. {self.path}, {place}, has "
                f"{', '.join(map(str, record)) or 'none'}.{did_you_mean(field, map(str, record))} Name the field with "
                "--text-field, or pass --skip-broken to leave such records out."
            )
        if not isinstance(record[field], str):
            raise InputError(
                f"The field {field!r} must be text. {self.path}, {place}, holds {record[field]!r:.60}. Pass "
                "--skip-broken to leave such records out."
            )
        return record[field]

    def _break(self, message: str) -> None:
        """Count a broken record where they are left out; else InputError."""
        if not self.options.skip_broken:
            raise InputError(message if "--skip-broken" in message else f"{message} Or pass --skip-broken.") from None
        self.broken += 1


def lines(files: Iterable[Path], options: Options, note: Callable[[str], None]) -> Iterator[str]:
    """The lines of the documents of files, empty ones too; one longer than PART comes as several.

    `note` is told how many broken records of a file were left out. InputError as from a Reader.
    """
    for path in files:
        reader = Reader(path, options)
        for part in reader:
            yield from _LINE_END.split(part.text)
        if reader.broken:
            note(f"left out: {reader.broken:,} broken records of {inputs.written(path)}")


class _Gathered:
    """Lines on their way to be a document. A part is held back until it is known whether it is the last."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._size = 0

    def add(self, line: str) -> Iterator[Part]:
        if self._size >= PART:
            yield Part("".join(self._lines), False)
            self._lines, self._size = [], 0
        self._lines.append(line)
        self._size += len(line)

    def end(self) -> Iterator[Part]:
        if self._lines:
            yield Part("".join(self._lines), True)
        self._lines, self._size = [], 0


def _reason(error: BaseException) -> str:
    """What a library says, as the end of a sentence of ours."""
    return str(error).rstrip(".")


def _parts(text: str) -> Iterator[Part]:
    """A text in memory as parts."""
    start = 0
    while len(text) - start > PART:
        end = start + _cut(text[start : start + PART])
        yield Part(text[start:end], False)
        start = end
    yield Part(text[start:] if start else text, True)


def _cut(text: str) -> int:
    """Where a long text is best cut: behind its last paragraph, else its last sentence, else its last word."""
    for end in ("\n", ". ", "。", " "):
        place = text.rfind(end, len(text) // 2)
        if place >= 0:
            return place + len(end)
    return len(text)
