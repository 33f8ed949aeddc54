"""Files of records, JSON lines and Parquet, to documents: the text stands in one field of each record."""

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from albertkit.corpus.chunks import DocumentChunk, split_into_chunks
from albertkit.errors import InputError, MissingDependency, did_you_mean
from albertkit.storage import encodings
from albertkit.tokenization.normalizer import SURROGATE

if TYPE_CHECKING:
    from pyarrow import parquet

MAX_JSON_LINE = 2**27
"""Bytes of the longest line of JSON: it has to fit into memory whole."""
_PARQUET_ROWS = 64
"""Rows of Parquet that are held at a time."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class RecordReader:
    """The documents of a file of records.

    A record without text is an InputError, or with `skip_broken` counted and left out.
    """

    def __init__(self, path: Path, text_field: str, skip_broken: bool) -> None:
        """`path` is the file; `text_field` the field of JSON or column of Parquet that holds the text."""
        self._path, self._field, self._skip_broken = path, text_field, skip_broken
        self.broken = 0
        """Records that were left out so far."""
        self.position = 0
        """Bytes of a Parquet file that the rows read so far make up, as the share of its rows; 0 for JSON."""

    def read_json_lines(self, file: io.BufferedReader) -> Iterator[DocumentChunk]:
        """One object a line; empty lines are passed over. InputError where a record is broken or a line too long."""
        number = 0
        while line := file.readline(MAX_JSON_LINE + 1):
            number += 1
            if len(line) > MAX_JSON_LINE:
                raise InputError(
                    f"A line of JSON must fit into memory: {MAX_JSON_LINE:,} bytes at most. {self._path}, line "
                    f"{number}, is longer. Give a text of that length as plain text."
                )
            line = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if line.isspace():
                continue
            try:
                text = self._parse(line, f"line {number}")
            except InputError as error:
                self._skip(error)
                continue
            yield from split_into_chunks(text)

    def _parse(self, line: bytes, place: str) -> str:
        """The text of a line of JSON. InputError where it has none that can be encoded."""
        try:
            # Decoded here: of bytes, `loads` would let halves of characters through, and nothing could write them.
            record = json.loads(line.decode())
        except UnicodeDecodeError as error:
            advice = encodings.advice([line], self._path.name)
            raise InputError(f"{self._path}, {place}, must be UTF-8 text: {error}. {advice}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{self._path}, {place}, must be one JSON object: {error}. A file that is one JSON array "
                "has to be written as lines first; a last line cut short means an incomplete copy."
            ) from None
        text = self._text_of(record, place)
        half = SURROGATE.search(text) if b"\\u" in line.lower() else None
        if half:
            raise InputError(f"{self._path}, {place}, must be whole characters. It holds half of one, {half[0]!r}.")
        return text

    def read_parquet(self) -> Iterator[DocumentChunk]:
        """A document a row, read by pages, whatever the size of a row group.

        InputError where the file or a record is broken, MissingDependency without pyarrow.
        """
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError:
            raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
        try:
            with parquet.ParquetFile(self._path, buffer_size=2**20, pre_buffer=False) as file:
                names = file.schema_arrow.names
                if self._field not in names:
                    self._text_of(dict.fromkeys(names), "its columns")  # raises the error that names the columns
                yield from self._read_rows(file)
        except pyarrow.ArrowException as error:
            raise InputError(
                f"{self._path} must be a complete Parquet file. Reading it failed: {str(error).rstrip('.')}. If a copy "
                "was cut short, repeat it."
            ) from error

    def _read_rows(self, file: "parquet.ParquetFile") -> Iterator[DocumentChunk]:
        number, size, rows = 0, self._path.stat().st_size, max(file.metadata.num_rows, 1)
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=[self._field], use_threads=False):
            for value in batch.column(0).to_pylist():
                number += 1
                try:
                    text = self._text_of({self._field: value}, f"row {number}")
                except InputError as error:
                    self._skip(error)
                    continue
                yield from split_into_chunks(text)
            self.position = size * number // rows

    def _text_of(self, record: object, place: str) -> str:
        """The text of a record. InputError where it has none."""
        if not isinstance(record, Mapping):
            raise InputError(
                f"{self._path}, {place}, must be a JSON object. It is a {type(record).__name__}. Write JSON lines: one "
                "object a line, without an array around them."
            )
        if self._field not in record:
            raise InputError(
                f"The text must stand in the field {self._field!r}. {self._path}, {place}, has "
                f"{', '.join(map(str, record)) or 'none'}.{did_you_mean(self._field, map(str, record))} Name the field "
                "with --text-field, or pass --skip-broken to leave such records out."
            )
        text = record[self._field]
        if not isinstance(text, str):
            raise InputError(
                f"The field {self._field!r} must be text. {self._path}, {place}, holds {text!r:.60}. Pass "
                "--skip-broken to leave such records out."
            )
        return text

    def _skip(self, error: InputError) -> None:
        """Count a broken record where they are left out; else raise the error, with the advice to leave them out."""
        if not self._skip_broken:
            message = str(error)
            raise InputError(message if "--skip-broken" in message else f"{message} Or pass --skip-broken.") from None
        self.broken += 1
