"""Rows of text files: CSV, TSV, JSON lines and Parquet, plain or compressed, with errors that name file and line."""

import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from albertkit import storage
from albertkit.errors import InputError, MissingDependency, did_you_mean
from albertkit.typing import Json, Record

PIECE = 4096
"""Rows of a piece at most: enough to batch them by length."""
CHARACTERS = 2**22
"""Characters after which a piece ends, however few rows it has."""
LONGEST = 2**27
"""Characters of the longest line or field: it has to fit into memory whole."""

_FIRST = (64, 512)
"""Rows of the first pieces, so that there is something to answer soon."""
_LISTED = 40
"""Columns that a message names at most."""
_OPENERS: dict[str, Callable[..., Json]] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq")

csv.field_size_limit(LONGEST)  # the csv module refuses fields above 128 KiB unless told otherwise


@dataclass(frozen=True)
class Table:
    """Columns of equal length, and for each row its first line (its number, in Parquet), counted from 1."""

    path: str
    columns: Mapping[str, list[Json]]
    lines: list[int]

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str, role: str) -> list[Json]:
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
        names = list(self.columns)
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return f"{self.path} has the columns {', '.join(names[:_LISTED])}{more}"

    @property
    def hint(self) -> str:
        """A sentence where the file looks as if it had more columns than were read."""
        return _other_delimiter(list(self.columns))

    def places(self, rows: Sequence[int], most: int = 5) -> str:
        """Where rows stand, for a message: "line 3, line 8 and 12 more"."""
        named = ", ".join(f"line {self.lines[row]}" for row in rows[:most])
        return named + (f" and {len(rows) - most} more" if len(rows) > most else "")


class _Records(Mapping[str, list[Json]]):
    """The columns of records, made when they are asked for: records with names of their own fill no grid."""

    def __init__(self, names: Iterable[str], records: Sequence[Mapping[str, Json]]) -> None:
        self._names, self._records = dict.fromkeys(names), records

    def __getitem__(self, name: str) -> list[Json]:
        if name not in self._names:
            raise KeyError(name)
        return [record.get(name) for record in self._records]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class _Row(NamedTuple):
    line: int
    """Its first line, or in Parquet its number."""
    content: Json
    """A list of fields, or a record."""
    size: int
    """Characters, as far as they are easily told."""


Names = dict[str, None]
"""The names of columns, in order, to which a reader adds those that it meets."""


def read(path: str | Path, header: Sequence[str] = ()) -> Table:
    """All rows of a file; see `pieces`. InputError where one of them cannot be read."""
    [table] = _tables(Path(path), header, itertools.repeat(sys.maxsize), sys.maxsize)
    return table


def pieces(path: str | Path, header: Sequence[str] = (), *, most: int = PIECE) -> Iterator[Table]:
    """The rows of a file as tables of `most` rows at most, few at first and few where rows are long.

    It is read by its ending: .csv, .tsv, .jsonl (.json, .ndjson), .parquet (.pq), and .gz, .xz or .bz2 behind.
    CSV follows RFC 4180; TSV has no quoting, as in GLUE. `header` names the columns of a CSV or TSV that has no header
    line. Columns without a name are left out, and blank lines are skipped. JSON lines have all columns met so far.

    Raises InputError, naming the line, where the file is missing, empty, cut short or not what its ending says; rows
    before that place were given out.
    """
    sizes = (min(size, most) for size in itertools.chain(_FIRST, itertools.repeat(most)))
    return _tables(Path(path), header, sizes, CHARACTERS)


def lines(file: io.BufferedReader, path: str = "standard input") -> Iterator[Table]:
    """Lines of UTF-8 text as tables of one column, "text": what has come so far, without waiting for more.

    InputError, naming the line, for other bytes; lines before it were given out.
    """
    number, size = 1, 2**13
    unended: list[bytes] = []
    length = 0
    while True:
        unended.append(file.read1(size))
        size, length = 2**18, length + len(unended[-1])
        is_last = not unended[-1]
        if not is_last and b"\n" not in unended[-1]:
            if length > LONGEST:
                raise InputError(
                    f"A line must fit into memory: {LONGEST:,} bytes at most. {path}, line {number}, is longer. Cut it."
                )
            continue
        content = b"".join(unended)
        end = len(content) if is_last else content.rfind(b"\n") + 1
        unended, length = [content[end:]], len(content) - end
        found = content[:end].splitlines()
        for rows in _gathered(_decoded(path, number, found), itertools.repeat(PIECE), CHARACTERS):
            yield Table(path, {"text": [row.content for row in rows]}, [row.line for row in rows])
        number += len(found)
        if is_last:
            return


def _decoded(path: str, first: int, found: Iterable[bytes]) -> Iterator[_Row]:
    for number, line in enumerate(found, start=first):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, line {number}, must be UTF-8 text: {error}. Convert it from the encoding it is in, such as: "
                "iconv -f LATIN1 -t UTF-8"
            ) from error
        yield _Row(number, text, len(text))


def _tables(path: Path, header: Sequence[str], sizes: Iterator[int], characters: int) -> Iterator[Table]:
    """The rows of a file in pieces of so many, which end sooner where they have so many characters."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _OPENERS else None
    kind = suffixes[-1] if suffixes else ""
    _require_file(path)
    if kind not in _FORMATS:
        raise InputError(f"A data file must end in one of {', '.join(_FORMATS)}. Received: {path}.")
    names: Names = {}
    is_grid = kind in (".csv", ".tsv")
    is_parquet = kind in (".parquet", ".pq")
    found = _parquet(path, names) if is_parquet else _text(path, packed, kind, names, header)
    is_empty = True
    for rows in _gathered(found, sizes, characters):
        is_empty = False
        contents = [row.content for row in rows]
        grid = zip(names, map(list, zip(*contents, strict=True)), strict=True) if is_grid else ()
        columns = dict(grid) if is_grid else _Records(names, contents)
        yield Table(str(path), columns, [row.line for row in rows])
    if is_empty:
        raise InputError(f"A data file must hold at least one row. {path} holds none.")


def _gathered(rows: Iterable[_Row], sizes: Iterator[int], characters: int) -> Iterator[list[_Row]]:
    """Rows in pieces; where one cannot be read, those before it come first."""
    found: list[_Row] = []
    size, room = next(sizes), characters
    try:
        for row in rows:
            found.append(row)
            room -= row.size
            if len(found) == size or room <= 0:
                yield found
                found, size, room = [], next(sizes), characters
    except Exception:
        if found:
            yield found
        raise
    if found:
        yield found


def _require_file(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"A data file must be there. Received: {path}, where there is none.") from None
    except (OSError, ValueError) as error:  # a name that is too long or holds a zero byte, a folder that is closed
        why = getattr(error, "strerror", None) or error
        raise InputError(f"A data file must be there. Received: {str(path)[:80]!r}: {why}. Check the path.") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise InputError(
            f"A data file must be there. Received: {path}, which is {what}. Name a file; `albertkit predict` reads "
            "lines of text from standard input too."
        )
    storage.require_content(path, InputError)


def _text(path: Path, packed: str | None, kind: str, names: Names, header: Sequence[str]) -> Iterator[_Row]:
    try:
        with _open(path, packed) as file:
            found = _lines(path, file)
            yield from _csv(path, found, kind, names, header) if kind in (".csv", ".tsv") else _json(path, found, names)
    except (UnicodeDecodeError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        advice = "If a copy was cut short, repeat it."
        if isinstance(error, UnicodeDecodeError):
            advice = f"Convert it from the encoding it is in, such as: iconv -f LATIN1 -t UTF-8 {path.name} > new{kind}"
        raise InputError(f"{path} must be complete UTF-8 text. Reading it failed: {error}. {advice}") from error


def _open(path: Path, packed: str | None) -> AbstractContextManager[TextIO]:
    opener = _OPENERS[packed] if packed else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise InputError(
                f"A line must fit into memory: {LONGEST:,} characters at most. {path}, line {number}, is longer. Cut "
                "it, or check that the file is text."
            )
        yield line


def _csv(path: Path, lines: Iterator[str], kind: str, names: Names, header: Sequence[str]) -> Iterator[_Row]:
    style: Record = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if kind == ".tsv" else {"strict": True}
    rows = csv.reader(lines, **style)
    all_names = _distinct(path, list(header))
    following = 1
    try:
        for row in rows:
            line, following = following, rows.line_num + 1
            if not any(field.strip() for field in row):
                continue
            if not all_names:
                all_names = _distinct(path, [field.strip() for field in row])
                continue
            if len(row) != len(all_names):
                raise InputError(
                    f"Every row must have as many fields as the header. {path}, line {line}, has {len(row)} "
                    f"where the header has {len(all_names)}: {', '.join(all_names)}.{_other_delimiter(all_names)}"
                )
            if not names:
                names.update(dict.fromkeys(name for name in all_names if name))
            named = len(names) == len(row)
            fields = row if named else [field for name, field in zip(all_names, row, strict=True) if name]
            yield _Row(line, fields, sum(map(len, fields)))
    except csv.Error as error:
        raise InputError(f"{path}, line {following}, is not valid {kind[1:].upper()}: {error}.") from error


def _distinct(path: Path, names: list[str]) -> list[str]:
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        raise InputError(f"Columns must have different names. {path} has the header {', '.join(names)}.")
    return names


def _other_delimiter(names: list[str]) -> str:
    """The sentence that tells a header whose fields something else than a comma separates."""
    found = next((sign for sign in ";\t|" if len(names) == 1 and sign in names[0]), None)
    return f" Fields are separated by commas in .csv, by tabs in .tsv; here it looks like {found!r}." if found else ""


def _json(path: Path, lines: Iterator[str], names: Names) -> Iterator[_Row]:
    for number, line in enumerate(lines, start=1):
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
        names.update(dict.fromkeys(record))
        yield _Row(number, record, len(line))


def _parquet(path: Path, names: Names) -> Iterator[_Row]:
    """The rows, read by pages, whatever the size of a row group."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
    number = 0
    try:
        with parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            names.update(dict.fromkeys(_distinct(path, file.schema_arrow.names)))
            for batch in file.iter_batches(batch_size=64, use_threads=False):
                for record in batch.to_pylist():
                    number += 1
                    yield _Row(number, record, sum(len(value) for value in record.values() if isinstance(value, str)))
    except InputError:
        raise
    except (ArrowException, OSError, ValueError, OverflowError) as error:  # the latter two: a value Python cannot hold
        raise InputError(f"{path} must be a complete Parquet file. Reading it failed: {error}.") from error
