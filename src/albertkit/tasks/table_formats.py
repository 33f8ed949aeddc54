"""The formats of data files, each to rows: CSV, TSV, JSON and Parquet, with errors that name file and line."""

import csv
import itertools
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from albertkit.errors import InputError, MissingDependency, few
from albertkit.tasks.bad_rows import BadRows
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

LONGEST = 2**27
"""Characters of the longest line, field or array: it has to fit into memory whole."""

_FIELDS = "Every row must have as many fields as the header."
_OBJECT = "Every row must be one JSON object."
_CUT_SHORT = " If a copy was cut short, repeat it."
_SPACE = re.compile(r"[ \t\r\n]*")

csv.field_size_limit(LONGEST)  # the csv module refuses fields above 128 KiB unless told otherwise


class Row(NamedTuple):
    """A row as its format has it."""

    line: int
    """Its first line, or in Parquet its number."""
    content: Json
    """A list of fields, or a record."""
    size: int
    """Characters, as far as they are easily told."""


Names = dict[str, None]
"""The names of columns, in order, to which a reader adds those that it meets."""


def read_grid(path: Path, file: TextIO, kind: str, names: Names, header: Sequence[str], bad: BadRows) -> Iterator[Row]:
    """The rows of a .csv (RFC 4180) or a .tsv (without quoting, as in GLUE).

    `header` names the columns of a file without a header line. A first line that is `header` again is one: it is left
    out, which is logged. A row of another number of fields is a bad one.
    """
    all_names = _distinct(path, list(header), bool(header))
    rows = fields(path, file, kind)
    for first in itertools.islice(rows, 1):
        stated = [field.strip() for field in first.content]
        if not header or stated == all_names:
            all_names = all_names or _distinct(path, stated)
            _require_unquoted(path, kind, stated)
            _tell_of_header(path, header)
        else:
            rows = itertools.chain([first], rows)
    yield from grid_rows(path, rows, all_names, names, bad)


def grid_rows(path: Path, rows: Iterable[Row], all_names: Sequence[str], names: Names, bad: BadRows) -> Iterator[Row]:
    """Rows of `fields` below a header, without the fields of columns that have no name."""
    for line, row, lines in rows:
        if len(row) != len(all_names):
            message = (
                f"{_FIELDS} {path}, line {line}, has {len(row)} "
                f"where the header has {len(all_names)}: {', '.join(all_names)}.{other_delimiter(list(all_names))}"
            )
            if lines > 1:  # quotes that are not closed where they should be took rows in
                raise InputError(message)
            bad.add(f"line {line}", _FIELDS, message)
            continue
        if not names:
            names.update(dict.fromkeys(name for name in all_names if name))
        named = len(names) == len(row)
        kept = row if named else [field for name, field in zip(all_names, row, strict=True) if name]
        yield Row(line, kept, sum(map(len, kept)))


def fields(path: Path, file: TextIO, kind: str, first: int = 1) -> Iterator[Row]:
    """The fields of every row of a .csv or .tsv that is not blank, a header among them; their size is in lines.

    `first` is the number of the first line of `file`.
    """
    rows = grid_reader(_lines(path, file, first), kind)
    following = first
    try:
        for row in rows:
            line, following = following, rows.line_num + first
            if any(field.strip() for field in row):
                yield Row(line, row, following - line)
    except csv.Error as error:
        raise InputError(f"{path}, line {following}, is not valid {kind[1:].upper()}: {error}.") from error


def grid_reader(lines: Iterable[str], kind: str) -> Json:
    """What makes rows of fields of the lines of a .csv or .tsv."""
    style: Record = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if kind == ".tsv" else {"strict": True}
    return csv.reader(lines, **style)


def _require_unquoted(path: Path, kind: str, names: list[str]) -> None:
    """InputError for a TSV that quotes its fields, whose quotes would become part of the text."""
    if kind == ".tsv" and all(len(name) > 1 and name.startswith('"') and name.endswith('"') for name in names):
        raise InputError(
            f"Fields of a .tsv have no quotes around them. {path} has the header {', '.join(names)}. Write it without "
            "quoting, or as a .csv with commas."
        )


def _tell_of_header(path: Path, header: Sequence[str]) -> None:
    if header:
        logger.warning("%s begins with the names %s: its first line is left out.", path, ", ".join(header))


def read_json(path: Path, file: TextIO, names: Names, bad: BadRows) -> Iterator[Row]:
    """The rows of JSON lines, one object each, or of one array of objects. What is no object is a bad row."""
    lines = enumerate(_lines(path, file), start=1)
    for number, line in lines:
        if line.lstrip().startswith("["):
            for raw, counted, record in array(path, number, itertools.chain([line], (line for _, line in lines))):
                yield from _record(path, counted, record, len(raw), names, bad)
            return
        if line.strip():
            yield from json_rows(path, itertools.chain([(number, line)], lines), names, bad)


def json_rows(path: Path, lines: Iterable[tuple[int, str]], names: Names, bad: BadRows) -> Iterator[Row]:
    """The rows of lines of JSON, each with its number."""
    for number, line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            bad.add(
                f"line {number}",
                _OBJECT,
                f"{path}, line {number}, must be one JSON object: {_reason(error)}. Write one object a line, or one "
                "array of objects; a last line cut short means an incomplete copy.",
            )
            continue
        yield from _record(path, number, record, len(line), names, bad)


def _reason(error: Exception) -> str:
    """What is wrong with a line, and where in it: the parser counts lines of its own."""
    return f"{error.msg}, character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else str(error)


def array(path: Path, number: int, lines: Iterable[str]) -> Iterator[tuple[str, int, Json]]:
    """The values of an array that begins in line `number`: of each its text, its line and itself.

    InputError where the array breaks: no row begins behind that.
    """
    parts: list[str] = []
    length = 0
    for line in lines:
        parts.append(line)
        length += len(line)
        if length > LONGEST:
            raise InputError(
                f"A JSON array must fit into memory: {LONGEST:,} characters at most. {path} is longer. Write one "
                "object a line in its place, without an array around them, such as: jq -c '.[]'"
            )
    text = "".join(parts)
    decoder, place, counted, wanted = json.JSONDecoder(), text.index("[") + 1, 0, ""
    while not text.startswith("]", place := _after_space(text, place)) or wanted == "object":
        number, counted = number + text.count("\n", counted, place), place
        if wanted == "comma" and not text.startswith(",", place):
            raise InputError(f"{path}, line {number}, must have a comma between two objects of the array.{_CUT_SHORT}")
        if wanted == "comma":
            place, wanted = place + 1, "object"
            continue
        try:
            record, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            told = f"{path}, line {number}, must be a JSON object of the array: {error}.{_CUT_SHORT}"
            raise InputError(told) from error
        yield text[place:end], number, record
        place, wanted = end, "comma"
    if more := text[place + 1 :].strip():
        raise InputError(f"{path} must end with its array. More follows: {more[:40]!r}. Take it out.")


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _record(path: Path, number: int, record: Json, size: int, names: Names, bad: BadRows) -> Iterator[Row]:
    if not isinstance(record, dict):
        message = (
            f"{path}, line {number}, must be a JSON object. It is a {type(record).__name__}. Write one object a line, "
            "or one array of objects."
        )
        bad.add(f"line {number}", _OBJECT, message)
        return
    if not names and _is_whole_table(record):
        raise InputError(
            f"A JSON file of a table has an object for each row. {path}, line {number}, has one object for all of it: "
            f"{few(list(record), 3)}. Write its rows; with pandas: table.to_json(path, orient='records', lines=True)."
        )
    names.update(dict.fromkeys(record))
    yield Row(number, record, size)


def _is_whole_table(record: Mapping[str, Json]) -> bool:
    """Whether an object is a table in one of the other forms of pandas: by columns, by rows, in parts."""
    if record.keys() in ({"columns", "index", "data"}, {"schema", "data"}):
        return isinstance(record["data"], list)
    parts = list(record.values())
    if not parts or not all(isinstance(part, dict) and part.keys() == parts[0].keys() for part in parts):
        return False
    return all(map(str.isdecimal, record)) or (len(parts[0]) > 0 and all(map(str.isdecimal, parts[0])))


def read_parquet(path: Path, names: Names) -> Iterator[Row]:
    """The rows of a Parquet file, read by pages, whatever the size of a row group."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise MissingDependency("Reading Parquet", "pyarrow", "train") from None
    number = 0
    try:
        with parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            names.update(dict.fromkeys(_distinct(path, file.schema_arrow.names, True)))
            for batch in file.iter_batches(batch_size=64, use_threads=False):
                for record in batch.to_pylist():
                    number += 1
                    yield Row(number, record, sum(len(value) for value in record.values() if isinstance(value, str)))
    except InputError:
        raise
    except (ArrowException, OSError, ValueError, OverflowError) as error:  # the latter two: a value Python cannot hold
        raise InputError(f"{path} must be a complete Parquet file. Reading it failed: {error}.") from error


def other_delimiter(names: list[str]) -> str:
    """The sentence that tells a header whose fields another sign separates, or nothing."""
    found = next((sign for sign in ";\t|," if len(names) == 1 and sign in names[0]), None)
    if not found:
        return ""
    way_out = {"\t": "Call the file .tsv", ",": "Call the file .csv"}.get(found, "Write it with one of these")
    return f" Fields are separated by commas in .csv, by tabs in .tsv; here it looks like {found!r}. {way_out}."


def _lines(path: Path, file: TextIO, first: int = 1) -> Iterator[str]:
    number = first - 1
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise InputError(
                f"A line must fit into memory: {LONGEST:,} characters at most. {path}, line {number}, is longer. Cut "
                "it, or check that the file is text."
            )
        yield line


def _distinct(path: Path, names: list[str], are_given: bool = False) -> list[str]:
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        raise InputError(
            f"Columns must have different names. {path} has the header {', '.join(names)}."
            + (
                ""
                if are_given
                else " If that is a row, for the file has no header line, name the columns with --header."
            )
        )
    return names
