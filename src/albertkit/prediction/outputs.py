"""Rows -> bytes that may be put one behind the other, and these -> the file that is left.

Lines of JSON may be packed: members of gzip and frames of zstd stand one behind the other, too. Of Parquet the bytes
are tables in Arrow's format of streams, which become row groups of one file when it is complete; of .npy and .npz the
numbers of vectors, which get their header then.
"""

import gzip
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from albertkit import storage
from albertkit.errors import InputError, MissingDependency
from albertkit.inference import vector_files
from albertkit.inference.record_files import json_line
from albertkit.typing import Json

PARQUET = ".parquet"
LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
VECTORS = vector_files.FORMATS
FORMATS = (*LINES, PARQUET, *VECTORS)
_GROUP = 2**16
"""Rows of a row group at least, but for the last."""


def format_of(path: Path) -> str | None:
    """The format by the name of a file, or None for one that is none of these."""
    return next((one for one in FORMATS if path.name.lower().endswith(one)), None)


def require_format(name: str) -> str:
    """The format of a name with or without its dot. InputError for none, MissingDependency where it needs pyarrow."""
    form = f".{name.lower().removeprefix('.')}"
    if form not in FORMATS:
        known = ", ".join(one[1:] for one in FORMATS)
        raise InputError(f"A format of answers must be one of {known}. Received: {name!r}.")
    if form in (PARQUET, ".jsonl.zst"):
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingDependency(f"Writing {form}", "pyarrow", "train") from None
    return form


def packed(form: str, lines: Sequence[str]) -> bytes:
    """Lines of JSON as bytes of one of LINES; the same for the same lines."""
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
    if not content or form == ".jsonl":
        return content
    if form == ".jsonl.gz":
        return gzip.compress(content, mtime=0)
    import pyarrow

    return pyarrow.Codec("zstd").compress(content, asbytes=True)


def tabled(schema: Json, columns: Mapping[str, Json]) -> bytes:
    """Columns, of Arrow or lists, as a table of a schema in Arrow's format of streams."""
    import pyarrow

    arrays = [_array(columns[field.name], field) for field in schema]
    table = pyarrow.Table.from_arrays(arrays, schema=schema)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _array(values: Json, field: Json) -> Json:
    import pyarrow

    if isinstance(values, (pyarrow.Array, pyarrow.ChunkedArray)):
        return values
    try:
        return pyarrow.array(values, field.type)
    except (pyarrow.ArrowException, OverflowError, TypeError, UnicodeEncodeError) as error:
        raise InputError(
            f"The column {field.name!r} of Parquet must hold {field.type}. Received: {error}. Write to .jsonl in its "
            "place."
        ) from None


def schema(columns: Mapping[str, Json], answers: Mapping[str, Json]) -> Json:
    """The schema of Parquet: columns of the input with their types of Arrow, then those of answers by their kinds."""
    import pyarrow

    return pyarrow.schema([*columns.items(), *((name, _type(kind)) for name, kind in answers.items())])


def _type(kind: Json) -> Json:
    """str, int, float, np.float32, bool, [kind], {name: kind}, or object for any value as JSON -> a type of Arrow."""
    import pyarrow

    if isinstance(kind, list):
        return pyarrow.list_(_type(kind[0]))
    if isinstance(kind, Mapping):
        return pyarrow.struct([(name, _type(one)) for name, one in kind.items()])
    plain = {str: pyarrow.string, int: pyarrow.int64, float: pyarrow.float64, bool: pyarrow.bool_}
    return {**plain, np.float32: pyarrow.float32}.get(kind, pyarrow.string)()


def value(kind: Json, found: Json) -> Json:
    """A value of an answer as its column takes it."""
    return json_line(found) if kind is object and found is not None else found


def vectors(answers: Sequence[Mapping[str, Json]]) -> bytes:
    """The vectors of answers, float32."""
    return np.array([one[vector_files.COLUMN] for one in answers], np.float32).tobytes()


def finish(form: str, spool: Path, target: Path, schema: Json) -> None:
    """Make the file of the bytes that stand in `spool`, which is gone then: as one step. OSError where that fails.

    `schema` is that of Arrow for Parquet, and of VECTORS how many numbers each has.
    """
    if form in LINES:
        os.replace(spool, target)
        return
    if form in VECTORS:
        count = spool.stat().st_size // (schema * np.dtype(np.float32).itemsize)
        with spool.open("rb") as source, storage.replacing(target) as file:
            vector_files.write_rows(form, file, source, count, schema)
        spool.unlink()
        return
    from pyarrow import parquet

    with (
        spool.open("rb") as source,
        storage.replacing(target) as file,
        parquet.ParquetWriter(file, schema) as writer,
    ):
        for table in _groups(source):
            writer.write_table(table)
    spool.unlink()


def _groups(source: BinaryIO) -> Iterator[Json]:
    """The tables of a spool, so many together that each is a row group."""
    import pyarrow

    held: list[Json] = []
    count = 0
    size = os.fstat(source.fileno()).st_size
    while source.tell() < size:
        with pyarrow.ipc.open_stream(source) as reader:
            held.append(reader.read_all())
        count += len(held[-1])
        if count >= _GROUP:
            yield pyarrow.concat_tables(held)
            held, count = [], 0
    if held:
        yield pyarrow.concat_tables(held)
