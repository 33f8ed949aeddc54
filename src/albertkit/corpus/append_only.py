"""An array on disk that grows, so that it never has to fit into memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np


class Growing:
    """A one-dimensional .npy file that grows at its end. Its header keeps room for the final length."""

    def __init__(self, path: Path, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)
        self._file = path.open("w+b")
        self.length = 0
        self._write_header()
        self._start = self._file.tell()

    def append(self, values: Any) -> None:
        """Write values behind the last."""
        values = np.ascontiguousarray(values, dtype=self._dtype)
        self._file.write(values.data)
        self.length += len(values)

    def cut(self, length: int) -> None:
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
        """Close the file as it is."""
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.length,)}
        np.lib.format.write_array_header_1_0(self._file, header)
