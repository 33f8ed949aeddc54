"""Rows of text files: CSV, TSV, JSON lines and Parquet, plain or compressed, with errors that name file and line."""

import bz2
import csv
import gzip
import itertools
import json
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from albertkit.errors import InputError, MissingDependency, did_you_mean

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq")

csv.field_size_limit(2**31 - 1)  # the csv module refuses fields above 128 KiB unless told otherwise


@dataclass(frozen=True)
class Table:
    """Columns of equal length, and for each row its first line (its number, in Parquet), counted from 1."""

    path: str
    columns: dict[str, list[Any]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str, role: str) -> list[Any]:
        """The column called `name`. InputError where there is none; `role` says what it was wanted for."""
        if name not in self.columns:
            raise InputError(
                f"The {role} column must be in the file. {self.contents}. Received: {name!r}."
                f"{did_you_mean(name, self.columns)}{self.hint}"
            )
        return self.columns[name]

    @property
    def contents(self) -> str:
        """What the columns are called, for a message."""
        return f"{self.path} has the columns {', '.join(self.columns)}"

    @property
    def hint(self) -> str:
        """A sentence where the file looks as if it had more columns than were read."""
        return _other_delimiter(list(self.columns))

    def places(self, rows: Sequence[int], most: int = 5) -> str:
        """Where rows stand, for a message: "line 3, line 8 and 12 more"."""
        named = ", ".join(f"line {self.lines[row]}" for row in rows[:most])
        return named + (f" and {len(rows) - most} more" if len(rows) > most else "")


def read(path: str | Path, header: Sequence[str] = ()) -> Table:
    """All rows of a file; see `pieces`."""
    tables = list(pieces(path, header, most=sys.maxsize))
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns = {name: [value for table in tables for value in table.columns[name]] for name in names}
    return Table(tables[0].path, columns, [line for table in tables for line in table.lines])


def pieces(path: str | Path, header: Sequence[str] = (), *, most: int) -> Iterator[Table]:
    """The rows of a file, at most so many at a time.

    It is read by its ending: .csv, .tsv, .jsonl (.json, .ndjson), .parquet (.pq), and .gz, .xz or .bz2 behind.
    CSV follows RFC 4180; TSV has no quoting, as in GLUE. `header` names the columns of a CSV or TSV that has no header
    line. Columns without a name are left out, and blank lines are skipped.

    Raises InputError, naming the line, where the file is missing, empty, cut short or not what its ending says; rows
    before that place were given out.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _OPENERS else None
    kind = suffixes[-1] if suffixes else ""
    if not path.is_file():
        raise InputError(f"A data file must be there. Received: {path}, where there is none.")
    if kind not in _FORMATS:
        raise InputError(f"A data file must end in one of {', '.join(_FORMATS)}. Received: {path}.")
    found = _parquet(path, most) if kind in (".parquet", ".pq") else _text(path, packed, kind, header, most)
    first = next(found, None)
    if first is None:
        raise InputError(f"A data file must hold at least one row. {path} holds none.")
    yield first
    yield from found


def _text(path: Path, packed: str | None, kind: str, header: Sequence[str], most: int) -> Iterator[Table]:
    try:
        with _open(path, packed) as file:
            yield from (
                _json(path, file, most) if "json" in kind or "nd" in kind else _csv(path, file, kind, header, most)
            )
    except (UnicodeDecodeError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        advice = "If a copy was cut short, repeat it."
        if isinstance(error, UnicodeDecodeError):
            advice = f"Convert it from the encoding it is in, such as: iconv -f LATIN1 -t UTF-8 {path.name} > new{kind}"
        raise InputError(f"{path} must be complete UTF-8 text. Reading it failed: {error}. {advice}") from error


def _open(path: Path, packed: str | None) -> AbstractContextManager[TextIO]:
    opener = _OPENERS[packed] if packed else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _csv(path: Path, file: TextIO, kind: str, header: Sequence[str], most: int) -> Iterator[Table]:
    style: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if kind == ".tsv" else {"strict": True}
    rows = csv.reader(file, **style)
    names = _distinct(path, list(header))
    records: list[list[str]] = []
    lines: list[int] = []
    following = 1

    def table() -> Table:
        columns = dict(zip(names, map(list, zip(*records, strict=True)), strict=True))
        columns.pop("", None)
        return Table(str(path), columns, lines)

    try:
        for row in rows:
            line, following = following, rows.line_num + 1
            if not any(field.strip() for field in row):
                continue
            if not names:
                names = _distinct(path, [field.strip() for field in row])
                continue
            if len(row) != len(names):
                raise InputError(
                    f"Every row must have as many fields as the header. {path}, line {line}, has {len(row)} "
                    f"where the header has {len(names)}: {', '.join(names)}.{_other_delimiter(names)}"
                )
            records.append(row)
            lines.append(line)
            if len(records) == most:
                yield table()
                records, lines = [], []
    except csv.Error as error:
        raise InputError(f"{path}, line {following}, is not valid {kind[1:].upper()}: {error}.") from error
    if records:
        yield table()


def _distinct(path: Path, names: list[str]) -> list[str]:
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        raise InputError(f"Columns must have different names. {path} has the header {', '.join(names)}.")
    return names


def _other_delimiter(names: list[str]) -> str:
    """The sentence that tells a header whose fields something else than a comma separates."""
    found = next((sign for sign in ";\t|" if len(names) == 1 and sign in names[0]), None)
    return f" Fields are separated by commas in .csv, by tabs in .tsv; here it looks like {found!r}." if found else ""


def _json(path: Path, file: TextIO, most: int) -> Iterator[Table]:
    records = _records(path, file)
    while piece := list(itertools.islice(records, most)):
        names = dict.fromkeys(name for _, record in piece for name in record)
        columns = {name: [record.get(name) for _, record in piece] for name in names}
        yield Table(str(path), columns, [number for number, _ in piece])


def _records(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of JSON lines, each with the number of its line."""
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}, line {number}, must be one JSON object: {error}. A file that is one JSON array has to be "
                "written as lines first; a last line cut short means an incomplete copy."
            ) from error
        if not isinstance(record, dict):
            raise InputError(
                f"{path}, line {number}, must be a JSON object. It is a {type(record).__name__}. Write JSON lines: one "
                "object a line, without an array around them."
            )
        yield number, record


def _parquet(path: Path, most: int) -> Iterator[Table]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
    rows = 0
    try:
        with parquet.ParquetFile(path) as file:
            _distinct(path, file.schema_arrow.names)
            size = min(most, max(file.metadata.num_rows, 1))
            for batch in file.iter_batches(batch_size=size):
                if batch.num_rows:
                    yield Table(str(path), batch.to_pydict(), list(range(rows + 1, rows + batch.num_rows + 1)))
                rows += batch.num_rows
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} must be a complete Parquet file. Reading it failed: {error}.") from error
