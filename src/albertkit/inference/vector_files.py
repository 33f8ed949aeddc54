"""Writing vectors to a file, a row a text: .npy and .npz of NumPy, or a column of JSON lines, CSV or Parquet.

The file is complete under its name or not at all, and no more than a few rows are held in memory.
"""

import contextlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from albertkit import storage
from albertkit.errors import InputError
from albertkit.inference import record_files
from albertkit.inference.input_parts import WARNING
from albertkit.inference.record_files import Write
from albertkit.typing import Record

COLUMN = "embedding"
"""The name under which a record has its vector, (H,) float32."""
NPY, NPZ = ".npy", ".npz"
FORMATS = (NPY, NPZ)
"""Those of NumPy, which hold vectors and nothing else."""


@contextlib.contextmanager
def opened(path: Path, overwrite: bool = False) -> Iterator[Write]:
    """A function that writes a record with its vector.

    .npy has the vectors alone, (N, H) float32, and .npz has them as `embedding`. Other formats are those of
    `record_files`, with all that a record holds. InputError as there, and where there is no record.
    """
    require_writable(path, overwrite)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        with record_files.opened(path, overwrite, (WARNING,)) as write:
            yield write if kind == ".parquet" else lambda record: write(_listed(record))
        return
    with storage.replacing(path) as file, (_npy if kind == NPY else _npz)(file) as write:
        yield write


def require_writable(path: Path, overwrite: bool = False) -> None:
    """InputError for an ending that is none of those, and for a file that is there unless `overwrite`."""
    if path.suffix.lower() in FORMATS:
        record_files.require_new(path, overwrite)
    else:
        record_files.require_writable(path, overwrite, FORMATS)


def _listed(record: Record) -> Record:
    return {**record, COLUMN: record[COLUMN].tolist()}


def write_rows(form: str, file: BinaryIO, rows: BinaryIO, count: int, width: int) -> None:
    """The bytes of (count, width) float32, C order, from `rows` into a file of one of FORMATS: the same as `opened`."""
    if form == NPY:
        _write_header(file, (count, width))
        shutil.copyfileobj(rows, file)
        return
    with _entry(file) as entry:
        _write_header(entry, (count, width))
        shutil.copyfileobj(rows, entry)


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    # NumPy leaves room for a first axis of any length, so that a header keeps its size.
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)


@contextlib.contextmanager
def _entry(file: BinaryIO) -> Iterator[IO[bytes]]:
    """The array of a .npz."""
    with zipfile.ZipFile(file, "w") as packed, packed.open(f"{COLUMN}.npy", "w", force_zip64=True) as entry:
        yield entry


class _Rows:
    """Rows of one array, written one after the other behind a header that is put right in the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._count = file, -1
        self._shape: tuple[int, ...] = ()

    def add(self, row: np.ndarray) -> None:
        """The next row; the first says what shape all have."""
        if self._count < 0:
            self._shape, self._count = row.shape, 0
            _write_header(self._file, (self._count, *self._shape))
        self._file.write(np.ascontiguousarray(row, np.float32).tobytes())
        self._count += 1

    def finish(self) -> None:
        """Put the number of rows into the header. InputError where there are none."""
        if self._count < 0:
            raise InputError("A file of vectors must hold one. Received: no text. Check the data.")
        self._file.seek(0)
        _write_header(self._file, (self._count, *self._shape))
        self._file.seek(0, 2)


@contextlib.contextmanager
def _npy(file: BinaryIO) -> Iterator[Write]:
    rows = _Rows(file)
    yield lambda record: rows.add(record[COLUMN])
    rows.finish()


@contextlib.contextmanager
def _npz(file: BinaryIO) -> Iterator[Write]:
    with tempfile.TemporaryFile() as vectors:
        with _npy(vectors) as write:
            yield write
        vectors.seek(0)
        with _entry(file) as entry:
            shutil.copyfileobj(vectors, entry)
