"""Rows of text files: CSV, TSV, JSON lines and Parquet, plain or compressed, with errors that name file and line."""

import bz2
import csv
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Sequence
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
    """Read a file by its ending: .csv, .tsv, .jsonl (.json, .ndjson), .parquet (.pq), and .gz, .xz or .bz2 behind.

    CSV follows RFC 4180; TSV has no quoting, as in GLUE. `header` names the columns of a CSV or TSV that has no header
    line. Columns without a name are left out, and blank lines are skipped.

    Raises InputError, naming the line, where the file is missing, empty, cut short or not what its ending says.
    """
    path = Path(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _OPENERS else None
    kind = suffixes[-1] if suffixes else ""
    if not path.is_file():
        raise InputError(f"A data file must be there. Received: {path}, where there is none.")
    if kind not in _FORMATS:
        raise InputError(f"A data file must end in one of {', '.join(_FORMATS)}. Received: {path}.")
    if kind in (".parquet", ".pq"):
        table = _read_parquet(path)
    else:
        try:
            with _open(path, packed) as file:
                table = (
                    _read_json(path, file) if "json" in kind or "nd" in kind else _read_csv(path, file, kind, header)
                )
        except (UnicodeDecodeError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
            advice = "If a copy was cut short, repeat it."
            if isinstance(error, UnicodeDecodeError):
                advice = (
                    f"Convert it from the encoding it is in, such as: iconv -f LATIN1 -t UTF-8 {path.name} > new{kind}"
                )
            raise InputError(f"{path} must be complete UTF-8 text. Reading it failed: {error}. {advice}") from error
    if not table.lines:
        raise InputError(f"A data file must hold at least one row. {path} holds none.")
    return table


def _open(path: Path, packed: str | None) -> AbstractContextManager[TextIO]:
    opener = _OPENERS[packed] if packed else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _read_csv(path: Path, file: TextIO, kind: str, header: Sequence[str]) -> Table:
    style: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if kind == ".tsv" else {"strict": True}
    rows = csv.reader(file, **style)
    names = _distinct(path, list(header))
    records: list[list[str]] = []
    lines: list[int] = []
    following = 1
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
    except csv.Error as error:
        raise InputError(f"{path}, line {following}, is not valid {kind[1:].upper()}: {error}.") from error
    columns = dict(zip(names, _columns(records, len(names)), strict=True))
    columns.pop("", None)
    return Table(str(path), columns, lines)


def _distinct(path: Path, names: list[str]) -> list[str]:
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        raise InputError(f"Columns must have different names. {path} has the header {', '.join(names)}.")
    return names


def _other_delimiter(names: list[str]) -> str:
    """The sentence that tells a header whose fields something else than a comma separates."""
    found = next((sign for sign in ";\t|" if len(names) == 1 and sign in names[0]), None)
    return f" Fields are separated by commas in .csv, by tabs in .tsv; here it looks like {found!r}." if found else ""


def _columns(records: list[list[str]], width: int) -> list[list[str]]:
    return [list(column) for column in zip(*records, strict=True)] or [[] for _ in range(width)]


def _read_json(path: Path, file: TextIO) -> Table:
    records: list[dict[str, Any]] = []
    lines: list[int] = []
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
        records.append(record)
        lines.append(number)
    names = list(dict.fromkeys(name for record in records for name in record))
    return Table(str(path), {name: [record.get(name) for record in records] for name in names}, lines)


def _read_parquet(path: Path) -> Table:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
    try:
        columns = parquet.read_table(path).to_pydict()
    except (ArrowException, OSError) as error:
        raise InputError(f"{path} must be a complete Parquet file. Reading it failed: {error}.") from error
    rows = len(next(iter(columns.values()), []))
    return Table(str(path), columns, list(range(1, rows + 1)))
