"""Files to documents of text, streamed: plain text, JSON lines, Parquet and WikiExtractor output, compressed or not.

A document comes in chunks of bounded size, so that one of any length passes through. Nothing here knows of sentences.
"""

import codecs
import html
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from albertkit import storage
from albertkit.corpus import chunks, inputs
from albertkit.corpus.chunks import ChunkBuffer, DocumentChunk
from albertkit.corpus.records import RecordReader
from albertkit.errors import ConfigError, InputError
from albertkit.storage import encodings

FORMATS = ("text", "jsonl", "wiki", "parquet")

_LINE_END = re.compile("[\r\n]")
_READING_ERRORS = (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error)
_TABLES = (".csv", ".tsv")
_PEEK = 64
"""Bytes at the beginning of a file that its format is guessed from."""


@dataclass(frozen=True)
class ReaderOptions:
    """How files are read. ConfigError for an unknown format."""

    format: str = "auto"
    """One of FORMATS, or "auto": by a file's suffix and beginning."""
    text_field: str = "text"
    """The field of JSON lines or column of Parquet that holds the text."""
    skip_broken: bool = False
    """Whether records without text are counted and left out, or are an error."""

    def __post_init__(self) -> None:
        if self.format not in ("auto", *FORMATS):
            raise ConfigError(f"`format` must be auto or one of {', '.join(FORMATS)}. Received: {self.format!r}.")


class DocumentReader:
    """The documents of one file, in order."""

    def __init__(self, path: Path, options: ReaderOptions) -> None:
        """Opens nothing: the file is read while the reader is iterated over."""
        self.path, self.options = path, options
        self._records = RecordReader(path, options.text_field, options.skip_broken)
        self._bytes_read = 0
        self._lines_read = 0

    @property
    def broken(self) -> int:
        """Broken records so far that were left out."""
        return self._records.broken

    @property
    def position(self) -> int:
        """How many bytes of the file, as it lies on disk, were read so far."""
        return max(self._bytes_read, self._records.position)

    def __iter__(self) -> Iterator[DocumentChunk]:
        """Its documents in chunks. InputError naming file and line where something is not as it must be."""
        try:
            storage.require_content(self.path, InputError)
            with self.path.open("rb") as raw, inputs.decompress(self.path, raw) as file:
                for chunk in self._read(file):
                    self._bytes_read = max(self._bytes_read, raw.tell())
                    yield chunk
        except _READING_ERRORS as error:
            place = f" behind line {self._lines_read}" if self._lines_read else ""
            reason = str(error).rstrip(".")
            raise InputError(
                f"{self.path} must be complete UTF-8 text. Reading it failed{place}: {reason}. {self._advice(error)}"
            ) from error

    def _advice(self, error: BaseException) -> str:
        if not isinstance(error, UnicodeDecodeError):
            return "If a copy was cut short, repeat it."
        with self.path.open("rb") as raw, inputs.decompress(self.path, raw) as file:
            return encodings.advice(file, inputs.strip_compression(self.path).name)

    def _read(self, file: io.BufferedReader) -> Iterator[DocumentChunk]:
        file = encodings.as_utf8(file, self.path)
        format = self.options.format if self.options.format != "auto" else self._guess_format(file)
        if format == "parquet":
            if self.path.suffix.lower() in inputs.COMPRESSED:
                raise InputError(f"A Parquet file is packed within. Received: {self.path}. Unpack it first.")
            return self._records.read_parquet()
        encodings.require_text(file, self.path, inputs.strip_compression(self.path).name)
        if format == "jsonl":
            return self._records.read_json_lines(file)
        return self._read_wiki(file) if format == "wiki" else self._read_plain_text(file)

    def _guess_format(self, file: io.BufferedReader) -> str:
        """The format by the file's suffix, or where that tells nothing, by how the file begins."""
        by_suffix = inputs.format_of(self.path)
        if inputs.strip_compression(self.path).suffix.lower() in _TABLES:
            raise InputError(
                f"A corpus is text, JSON lines or Parquet. Received: {self.path}, a table, whose labels and separators "
                "would count as text. Write its texts to a .txt file, or pass --format text to read its lines as such."
            )
        if by_suffix in ("jsonl", "parquet"):
            return by_suffix
        head = file.peek(_PEEK)[:_PEEK].removeprefix(codecs.BOM_UTF8).lstrip()
        if head.startswith(b"<doc "):
            return "wiki"
        if head.startswith(b"PAR1"):
            return "parquet"
        return "jsonl" if not by_suffix and head.startswith((b'{"', b'{ "')) else "text"

    def _read_plain_text(self, file: io.BufferedReader) -> Iterator[DocumentChunk]:
        """An empty line ends a document."""
        buffer = ChunkBuffer()
        for line, is_line_start in self._read_lines(file):
            if is_line_start and line.isspace():
                yield from buffer.end_document()
            else:
                yield from buffer.add(line)
        yield from buffer.end_document()

    def _read_wiki(self, file: io.BufferedReader) -> Iterator[DocumentChunk]:
        """`<doc ...>`, text, `</doc>`, as WikiExtractor writes them."""
        buffer = ChunkBuffer()
        is_inside = False
        for line, is_line_start in self._read_lines(file):
            if not is_inside and is_line_start and line.startswith("<doc "):
                is_inside = True
            elif is_inside and is_line_start and line.strip() == "</doc>":
                is_inside = False
                yield from buffer.end_document()
            elif is_inside:
                yield from buffer.add(html.unescape(line))
            elif not line.isspace():
                raise InputError(
                    f"{self.path}, line {self._lines_read + 1}, must stand between <doc ...> and </doc>. It is "
                    f"{line[:60]!r}. Pass --format text if this is not the output of WikiExtractor."
                )
        if is_inside:
            raise InputError(
                f"{self.path} must end with </doc>. It ends within a document, behind line {self._lines_read}. If a "
                "copy was cut short, repeat it."
            )

    def _read_lines(self, file: io.BufferedReader) -> Iterator[tuple[str, bool]]:
        """Lines with their ends, long ones in several pieces, and whether a piece is the first of its line."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        rest, is_line_start = "", True
        while (read := file.readline(chunks.CHUNK_CHARS)) or rest:
            line = rest + decoder.decode(read, final=not read)
            rest = ""
            is_line_end = line.endswith("\n")
            if len(read) == chunks.CHUNK_CHARS and not is_line_end:
                cut = chunks.find_cut(line)
                line, rest = line[:cut], line[cut:]
            yield line, is_line_start
            is_line_start = is_line_end
            self._lines_read += is_line_end
        decoder.decode(b"", final=True)


def read_lines(files: Iterable[Path], options: ReaderOptions, note: Callable[[str], None]) -> Iterator[str]:
    """The lines of the documents of files, empty ones too; one longer than CHUNK_CHARS comes as several.

    `note` is told how many broken records of a file were left out. InputError as from a DocumentReader.
    """
    for path in files:
        reader = DocumentReader(path, options)
        for chunk in reader:
            yield from _LINE_END.split(chunk.text)
        if reader.broken:
            note(f"left out: {reader.broken:,} broken records of {inputs.decode_path(path)}")
