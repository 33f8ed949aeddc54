"""Writing answers to a file, a record a row: JSON lines, CSV or Parquet, complete under its name or not at all."""

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

from albertkit import storage
from albertkit.errors import InputError, MissingDependency, abbreviate
from albertkit.typing import Json, Record

Write = Callable[[Record], None]
_ROWS = 4096
"""Rows of Parquet that are written together."""


@contextlib.contextmanager
def opened(path: Path, overwrite: bool = False, last: Sequence[str] = ()) -> Iterator[Write]:
    """A function that writes a record. The file has its name when all are written, and after an error it has none.

    `last` are columns that a .csv or .parquet has behind all others, empty in rows without them. InputError for an
    ending that is none of those, for a file that is there unless `overwrite`, and for a record that does not fit those
    before it in a format with fixed columns.
    """
    writer = require_writable(path, overwrite)
    with storage.replacing(path) as file, writer(file) as write:
        yield partial(_with_last, write, last) if last and path.suffix.lower() in (".csv", ".parquet") else write


def _with_last(write: Write, last: Sequence[str], record: Record) -> None:
    others = {name: value for name, value in record.items() if name not in last}
    write({**others, **{name: record.get(name) for name in last}})


def require_writable(
    path: Path, overwrite: bool = False, others: Sequence[str] = ()
) -> Callable[[BinaryIO], contextlib.AbstractContextManager[Write]]:
    """What writes the format of a path. InputError as in `opened`; `others` are endings that a caller knows beside."""
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"An output file must end in one of {', '.join((*others, *_WRITERS))}. Received: {path}.")
    require_new(path, overwrite)
    return writer


def require_other(path: Path, source: str) -> None:
    """InputError where answers would replace the file of texts that they are for, were it to be overwritten or not."""
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise InputError(
            f"Answers must not replace the texts that they are for. Received: {path} for both. Name another."
        )


def require_new(path: Path, overwrite: bool) -> None:
    """InputError for a file that is there, unless it may be overwritten."""
    if path.exists() and (not overwrite or not path.is_file()):
        way_out = "Pass --overwrite to replace it, or name another." if path.is_file() else "Name a file."
        raise InputError(f"An output file must be a new one. Received: {path}, which is there already. {way_out}")


def json_line(record: Record) -> str:
    """A record as a line of JSON; values that JSON does not have, such as dates, are written as text."""
    return json.dumps(record, ensure_ascii=False, default=str)


def flat(record: Mapping[str, Json]) -> Record:
    """A record whose values are texts and numbers: `scores` of classes are a column each, lists are JSON."""
    found: Record = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": one for key, one in value.items()}
        elif isinstance(value, (list, tuple)):
            found[name] = json_line(list(value))  # type: ignore[arg-type]  # any value will do
        else:
            found[name] = value
    return found


@contextlib.contextmanager
def _json_lines(file: BinaryIO) -> Iterator[Write]:
    def write(record: Record) -> None:
        file.write(f"{json_line(record)}\n".encode("utf-8", "backslashreplace"))

    yield write


@contextlib.contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    text = io.TextIOWrapper(file, "utf-8", errors="backslashreplace", newline="", write_through=True)
    rows: list[Json] = []

    def write(record: Record) -> None:
        row = flat(record)
        if not rows:
            rows.append(csv.DictWriter(text, list(row)))
            rows[0].writeheader()
        _require_known(row, rows[0].fieldnames)
        rows[0].writerow(row)

    yield write
    text.detach()


@contextlib.contextmanager
def _tsv(file: BinaryIO) -> Iterator[Write]:
    """Lines without quotes, as the servers of benchmarks take them: values hold no tab and no line end."""
    columns: list[str] = []

    def write(record: Record) -> None:
        row = flat(record)
        if not columns:
            columns.extend(row)
            file.write(("\t".join(columns) + "\n").encode())
        _require_known(row, columns)
        values = ["" if row.get(name) is None else str(row[name]) for name in columns]
        if broken := [value for value in (*columns, *values) if set(value) & {"\t", "\n", "\r"}]:
            raise InputError(
                "A value in a .tsv must have no tabs and no line ends, for nothing is quoted there. Received: "
                f"{abbreviate(broken[0])}. Write to .jsonl or .csv in its place."
            )
        file.write(("\t".join(values) + "\n").encode())

    yield write


@contextlib.contextmanager
def _parquet(file: BinaryIO) -> Iterator[Write]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MissingDependency("Writing Parquet", "pyarrow", "train") from None
    waiting: list[Record] = []
    writers: list[Json] = []

    def flush() -> None:
        for record in waiting if writers else ():
            _require_known(record, writers[0].schema.names)
        try:
            table = pyarrow.Table.from_pylist(waiting, schema=writers[0].schema if writers else None)
            table = table.cast(
                pyarrow.schema(
                    [
                        field.with_type(pyarrow.string()) if pyarrow.types.is_null(field.type) else field
                        for field in table.schema  # of what stands nowhere yet it is not known what it will be
                    ]
                )
            )
        except (pyarrow.ArrowException, OverflowError, TypeError) as error:
            raise InputError(
                f"A column of Parquet must hold one kind of value. Received: {error}. Write to .jsonl in its place."
            ) from None
        if not writers:
            writers.append(parquet.ParquetWriter(file, table.schema))
        writers[0].write_table(table)
        waiting.clear()

    def write(record: Record) -> None:
        if waiting and record.keys() != waiting[0].keys():
            _require_known(record, waiting[0].keys())
        waiting.append(record)
        if len(waiting) == _ROWS:
            flush()

    yield write
    flush()
    writers[0].close()


def _require_known(row: Record, columns: Json) -> None:
    """InputError for a record with a column that the first one has not: it would be lost."""
    if added := [name for name in row if name not in columns]:
        raise InputError(
            f"A table has the columns of its first row: {', '.join(columns)}. Received a row with {', '.join(added)}, "
            "too. Write to .jsonl in its place."
        )


_WRITERS = {".jsonl": _json_lines, ".csv": _csv, ".parquet": _parquet, ".tsv": _tsv}
