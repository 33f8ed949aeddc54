"""An array on disk that grows at its end, so that it never has to fit into memory."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike


class AppendOnlyArray:
    """A one-dimensional .npy file that values are appended to.

    NumPy pads the header of an .npy file with enough spaces for any length of the first axis, so `close` can write the
    final length over the first header without moving the values.
    """

    def __init__(self, path: Path, dtype: DTypeLike) -> None:
        """Create the file, or replace one that is there. OSError where that fails."""
        self._dtype = np.dtype(dtype)
        self._file = path.open("w+b")
        self.length = 0
        """Values so far."""
        self._write_header()
        self._start = self._file.tell()

    def append(self, values: ArrayLike) -> None:
        """Write values (n,) behind the last one, converted to the array's dtype."""
        array = np.ascontiguousarray(values, dtype=self._dtype)
        self._file.write(array.data)
        self.length += len(array)

    def truncate(self, length: int) -> None:
        """Take back all but the first `length` values."""
        self._file.flush()
        self._file.truncate(self._start + length * self._dtype.itemsize)
        self._file.seek(0, os.SEEK_END)
        self.length = length

    def close(self) -> None:
        """Write the final length and flush the file to the disk."""
        self._file.seek(0)
        self._write_header()
        if self._file.tell() != self._start:
            raise RuntimeError(f"The header of {self._file.name} outgrew its place.")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        """Close the file as it is, without a final length. May be called after `close`, too."""
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._file, header)
