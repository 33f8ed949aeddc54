"""Rows of data files: CSV, TSV, JSON and Parquet, plain or compressed, with errors that name file and line."""

import bz2
import gzip
import io
import itertools
import lzma
import stat
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

from albertkit import storage
from albertkit.errors import InputError, MissingDependency, NoRows, did_you_mean, few
from albertkit.storage import encodings
from albertkit.tasks import table_formats
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.table_formats import Names, Row
from albertkit.typing import Json, Record

PIECE = 4096
"""Rows of a piece at most: enough to batch them by length."""
CHARACTERS = 2**22
"""Characters after which a piece ends, however few rows it has."""

_FIRST = (64, 512)
"""Rows of the first pieces, so that there is something to answer soon."""
_LISTED = 40
"""Columns that a message names at most."""


def is_missing(value: Json) -> bool:
    """Whether a row has no value there: None, or NaN, which alone differs from itself."""
    return value is None or value != value


def _open_zstd(path: Path, mode: str) -> Json:
    try:
        import pyarrow
    except ImportError:
        raise MissingDependency("Reading .zst", "pyarrow", "train") from None
    return pyarrow.input_stream(str(path), compression="zstd")


_OPENERS: dict[str, Callable[..., Json]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".bz2": bz2.open,
    ".zst": _open_zstd,
}
_FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq")


@dataclass(frozen=True)
class Table:
    """Columns of equal length, and for each row its first line (its number, in Parquet), counted from 1."""

    path: str
    columns: Mapping[str, list[Json]]
    lines: list[int]
    header_line: Sequence[str] = ()
    """The first line of a CSV or TSV, where the columns are called by it."""

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str, role: str, option: str = "") -> list[Json]:
        """The column called `name`. InputError where there is none; `role` says what it was wanted for.

        `option` is the one that names another.
        """
        if name not in self.columns:
            raise InputError(
                f"The {role} column must be in the file. {self.contents}. Received: {name!r}."
                f"{did_you_mean(name, self.columns)}{self.hint}"
                + (f" Name it with --set data.{option}=NAME." if option else "")
            )
        return self.columns[name]

    def rest(self, used: Iterable[str]) -> list[Record]:
        """Of each row what stands in other columns than those that are used."""
        names = [name for name in self.columns if name not in {*used}]
        rows = zip(*(self.columns[name] for name in names), strict=True) if names else [()] * len(self)
        return [dict(zip(names, row, strict=True)) for row in rows]

    @property
    def contents(self) -> str:
        """What the columns are called, for a message."""
        return f"{self.path} has the columns {few(list(self.columns), _LISTED)}"

    @property
    def hint(self) -> str:
        """A sentence where the names look wrong: by another delimiter, or as if the first line were a row."""
        if found := table_formats.other_delimiter(list(self.columns)):
            return found
        if not any(map(_is_no_name, self.header_line)):
            return ""
        return f" Its first line looks like a row, not like names:{self._to_name}"

    def advice(self, option: str) -> str:
        """Sentences that tell how to name a column which was not found; `option` is what names it."""
        if table_formats.other_delimiter(list(self.columns)) or any(map(_is_no_name, self.header_line)):
            return self.hint
        told = f"{self.hint} Name it with {option}."
        return told + (f" Or, if the first line is a row:{self._to_name}" if self.header_line and not self.hint else "")

    @property
    def _to_name(self) -> str:
        count = len(self.header_line)
        names = f"and {count} names with commas between them"
        if count == 2:  # of which the text is the longer
            names = "label,text" if len(self.header_line[0]) < len(self.header_line[1]) else "text,label"
        return f" name the columns with --header {names}, else that row is lost."

    def places(self, rows: Sequence[int], most: int = 5) -> str:
        """Where rows stand, for a message: "line 3, line 8 and 12 more"."""
        return few([f"line {self.lines[row]}" for row in rows], most)


def _is_no_name(field: str) -> bool:
    """Whether the field of a first line is what no column is called: a number, or more than a few words."""
    return field.replace(".", "", 1).lstrip("-").isdigit() or len(field) > 60 or field.count(" ") > 3


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


def is_data(name: str) -> bool:
    """Whether a file is read as a table, by its ending, behind which may be that of a compression."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes[-2:]]
    return bool(suffixes) and (suffixes[-1] in _FORMATS or (suffixes[-1] in _OPENERS and suffixes[0] in _FORMATS))


def read(path: str | Path, header: Sequence[str] = (), bad: BadRows | None = None, kind: str = "") -> Table:
    """All rows of a file; see `pieces`. InputError where one of them cannot be read."""
    [table] = _tables(Path(path), header, itertools.repeat(sys.maxsize), sys.maxsize, bad, kind)
    return table


def first_fields(path: str | Path, kind: str = "") -> list[str]:
    """The fields of the first line of a CSV or TSV that is not blank, whatever they are; nothing where there is none.

    `kind` is as in `pieces`. InputError where the file is missing or cannot be read.
    """
    packed, ending = _ending(Path(path))
    _require_file(Path(path))
    rows = _text(Path(path), packed, lambda file: table_formats.fields(Path(path), file, kind or ending))
    return next(rows, Row(1, [], 0)).content


def pieces(
    path: str | Path, header: Sequence[str] = (), bad: BadRows | None = None, *, most: int = PIECE, kind: str = ""
) -> Iterator[Table]:
    """The rows of a file as tables of `most` rows at most, few at first and few where rows are long.

    It is read by its ending: .csv, .tsv, .jsonl (.json, .ndjson), .parquet (.pq), and .gz, .xz, .bz2 or .zst behind.
    CSV follows RFC 4180; TSV has no quoting, as in GLUE. `header` names the columns of a CSV or TSV that has no header
    line. Columns without a name are left out, and blank lines are skipped. JSON is one object a line or one array of
    objects, and has all columns met so far. Text is UTF-8, or what a byte-order mark says. `kind` is the ending by
    which a file is read that has another one. Rows that cannot be read alone, such as a line of JSON that is none, go
    to `bad`; without it they are errors, too.

    Raises InputError, naming the line, where the file is missing, empty, cut short or not what its ending says; rows
    before that place were given out.
    """
    sizes = (min(size, most) for size in itertools.chain(_FIRST, itertools.repeat(most)))
    return _tables(Path(path), header, sizes, CHARACTERS, bad, kind)


def lines(file: io.BufferedReader, path: str = "") -> Iterator[Table]:
    """Lines of text as tables of one column, "text": what has come so far, without waiting for more.

    They are UTF-8, or what a byte-order mark says. What has neither a `path` nor one of its own is standard input.

    InputError, naming the line, for other bytes; lines before it were given out.
    """
    path = path or getattr(file, "path", "standard input")
    file = file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)  # where a test gives the lines
    file = encodings.as_utf8(file, path)
    encodings.require_text(file, path, "FILE")
    number, size = 1, 2**13
    unended: list[bytes] = []
    length = 0
    while True:
        unended.append(file.read1(size))
        size, length = 2**18, length + len(unended[-1])
        is_last = not unended[-1]
        if not is_last and b"\n" not in unended[-1]:
            if length > table_formats.LONGEST:
                raise InputError(
                    f"A line must fit into memory: {table_formats.LONGEST:,} bytes at most. {path}, line {number}, is "
                    "longer. Cut it."
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


def of_lines(path: str, kind: str, content: bytes, lines: Sequence[int], header: Sequence[str], bad: BadRows) -> Table:
    """The rows of some whole lines of a file, which may be none.

    `kind` is the ending by which a file is read, .txt too; `lines` are their numbers. `header` has all names of a CSV
    or TSV, also those without one, and names that JSON had before. InputError, naming the line, as from `pieces`.
    """
    place, names = Path(path), dict[str, None]()
    if kind in (".csv", ".tsv"):
        names.update(dict.fromkeys(filter(None, header)))
        text = io.StringIO("".join(one for _, one in _text_lines(path, content, lines, keepends=True)), newline="")
        fields = table_formats.fields(place, text, kind, lines[0] if lines else 1)
        rows = list(table_formats.grid_rows(place, fields, header, names, bad))
        grid = zip(*(row.content for row in rows), strict=True) if rows else [()] * len(names)
        return Table(path, dict(zip(names, map(list, grid), strict=True)), [row.line for row in rows])
    found = _text_lines(path, content, lines)
    if kind == ".txt":
        return Table(path, {"text": [line for _, line in found]}, list(lines))
    names.update(dict.fromkeys(header))
    rows = list(table_formats.json_rows(place, found, names, bad))
    return Table(path, _Records(names, [row.content for row in rows]), [row.line for row in rows])


def _text_lines(path: str, content: bytes, lines: Sequence[int], keepends: bool = False) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, one at a time. InputError, naming the line, where one is not UTF-8."""
    for number, line in zip(lines, content.splitlines(keepends), strict=True):
        [row] = _decoded(path, number, [line])
        yield number, row.content


def open_bytes(path: str | Path) -> io.BufferedReader:
    """A file of text, unpacked where its ending says so, as UTF-8. InputError where there is none."""
    _require_file(Path(path))
    packed = Path(path).suffix.lower()
    return encodings.as_utf8(_open(Path(path), packed if packed in _OPENERS else None), Path(path))


def _decoded(path: str, first: int, found: Iterable[bytes]) -> Iterator[Row]:
    for number, line in enumerate(found, start=first):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            advice = encodings.advice([line], "FILE")
            raise InputError(f"{path}, line {number}, must be UTF-8 text: {error}. {advice}") from error
        yield Row(number, text, len(text))


def without_packing(path: str | Path) -> Path:
    """The name of a file without the ending of its compression, if it has one."""
    path = Path(path)
    return path.with_suffix("") if path.suffix.lower() in _OPENERS else path


def is_grid(path: str | Path) -> bool:
    """Whether a file is a CSV or TSV by its name: these have a header line, or need one to be given."""
    return _ending(Path(path))[1] in (".csv", ".tsv")


def _ending(path: Path) -> tuple[str | None, str]:
    """How a file is packed, or None, and its format: both by its name."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _OPENERS else None
    return packed, suffixes[-1] if suffixes else ""


def _tables(
    path: Path, header: Sequence[str], sizes: Iterator[int], characters: int, bad: BadRows | None, stated: str
) -> Iterator[Table]:
    """The rows of a file in pieces of so many, which end sooner where they have so many characters."""
    packed, kind = (None, stated) if stated else _ending(path)
    _require_file(path)
    if kind not in _FORMATS:
        raise InputError(f"A data file must end in one of {', '.join(_FORMATS)}. Received: {path}.")
    names: Names = {}
    bad = bad or BadRows(str(path), may_skip=False)
    has_fields = kind in (".csv", ".tsv")
    is_parquet = kind in (".parquet", ".pq")
    found = (
        table_formats.read_parquet(path, names)
        if is_parquet
        else _text(path, packed, lambda file: _rows(path, file, kind, names, header, bad))
    )
    is_empty = True
    for rows in _gathered(found, sizes, characters):
        is_empty = False
        contents = [row.content for row in rows]
        grid = zip(names, map(list, zip(*contents, strict=True)), strict=True) if has_fields else ()
        columns = dict(grid) if has_fields else _Records(names, contents)
        header_line = list(names) if has_fields and not header else ()
        yield Table(str(path), columns, [row.line for row in rows], header_line)
    if is_empty:
        bad.require_rest(0)
        raise NoRows(f"A data file must hold at least one row. {path} holds none.")


def _gathered(rows: Iterable[Row], sizes: Iterator[int], characters: int) -> Iterator[list[Row]]:
    """Rows in pieces; where one cannot be read, those before it come first."""
    found: list[Row] = []
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
        raise InputError(f"A data file must be there. Received: {path}, where there is none. Check the path.") from None
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


def _rows(path: Path, file: TextIO, kind: str, names: Names, header: Sequence[str], bad: BadRows) -> Iterator[Row]:
    if kind in (".csv", ".tsv"):
        return table_formats.read_grid(path, file, kind, names, header, bad)
    return table_formats.read_json(path, file, names, bad)


def _text(path: Path, packed: str | None, reader: Callable[[TextIO], Iterator[Row]]) -> Iterator[Row]:
    """What a reader finds in a file of text. InputError where it is cut short or no text."""
    name = path.with_suffix("").name if packed else path.name
    try:
        with _open(path, packed) as raw:
            file = encodings.as_utf8(raw, path)
            encodings.require_text(file, path, name)
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")  # named, for it closes the file when it is gone
            yield from reader(text)
    except (UnicodeDecodeError, EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        advice = "If a copy was cut short, repeat it."
        if isinstance(error, UnicodeDecodeError):
            with _open(path, packed) as raw:
                advice = encodings.advice(raw, name)
        raise InputError(f"{path} must be complete UTF-8 text. Reading it failed: {error}. {advice}") from error


def _open(path: Path, packed: str | None) -> io.BufferedReader:
    if packed is None:
        return path.open("rb")
    return io.BufferedReader(cast("io.RawIOBase", _OPENERS[packed](path, "rb")))
