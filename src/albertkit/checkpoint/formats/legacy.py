"""Reads the weight files that Transformers' TensorFlow and Flax models wrote, without either framework.

Gives the tensors under the names that the file has; `framework_names` knows what these mean.
"""

import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from albertkit.arrays import Tensors
from albertkit.errors import CheckpointError, MissingDependency

_EXTRA = "legacy"
_PACKED = 64
"""How many times its own size all arrays of a compressed file together may have."""
_LENGTHS = {"max_array_len": 2**10, "max_map_len": 2**14, "max_buffer_size": 2**31 - 1}
"""Entries and bytes that a part of a Flax file may state, for room is made for as many: a model has far fewer."""
_CHUNKED = "__msgpack_chunked_array__"


def read_h5(file: Path) -> Tensors:
    """The arrays of a `tf_model.h5`, by their path in it. Optimizer state is left out."""
    try:
        import h5py
    except ImportError:
        raise MissingDependency(f"Reading {file.name}", "h5py", _EXTRA) from None

    tensors: Tensors = {}
    room = _PACKED * file.stat().st_size

    def visit(path: str, item: Any) -> None:
        nonlocal room
        if isinstance(item, h5py.Dataset) and not path.startswith("optimizer_weights/"):
            _require_plain(path, item)
            room -= max(item.nbytes, math.prod(item.chunks or ()) * item.dtype.itemsize)  # a chunk is read as a whole
            if room < 0:
                raise ValueError(f"its arrays up to {path} state more bytes than a file of this size holds")
            tensors[path] = np.asarray(item[()])

    try:
        with h5py.File(file, "r") as opened:
            opened.visititems(visit)
    except Exception as error:  # a damaged file fails in any way: OSError, RuntimeError, KeyError, ...
        raise _damaged(file, "HDF5 file", error) from error
    return tensors


def _require_plain(path: str, dataset: Any) -> None:
    """ValueError unless a dataset holds numbers, and its own file has them."""
    if dataset.external or dataset.is_virtual:
        raise ValueError(f"{path} keeps its values in other files")
    if dataset.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {dataset.dtype}, not numbers")
    stored, is_packed = dataset.id.get_storage_size(), dataset.id.get_create_plist().get_nfilters() > 0
    if stored < (min(dataset.nbytes, 1) if is_packed else dataset.nbytes):
        raise ValueError(f"{path} states {dataset.nbytes:,} bytes, of which the file holds {stored:,}")


def read_msgpack(file: Path) -> Tensors:
    """The arrays of a `flax_model.msgpack`, by their path joined with `/`."""
    try:
        import msgpack
    except ImportError:
        raise MissingDependency(f"Reading {file.name}", "msgpack", _EXTRA) from None

    def decoded(code: int, data: bytes) -> np.ndarray:
        if code not in (1, 3):  # an array, and a number as an array; 2 is a complex number
            raise ValueError(f"it holds an object of the unknown kind {code}")
        shape, dtype, content = msgpack.unpackb(data, raw=True)
        known = np.dtype(ml_dtypes.bfloat16) if dtype == b"bfloat16" else np.dtype(dtype.decode())
        return np.frombuffer(content, known).reshape(shape)

    tensors: Tensors = {}
    try:
        with file.open("rb") as opened:  # piece by piece: a file may be larger than what it holds
            unpacker = msgpack.Unpacker(opened, ext_hook=decoded, raw=False, strict_map_key=False, **_LENGTHS)
            content = unpacker.unpack()
            if unpacker.tell() != file.stat().st_size:
                raise ValueError("something stands behind its end")
        _flatten(content, "", tensors)
        if not tensors:
            raise ValueError("it holds no array")
    except Exception as error:  # as above: ValueError, TypeError, msgpack's own, ...
        raise _damaged(file, "msgpack file of Flax", error) from error
    return tensors


def _flatten(node: object, path: str, tensors: Tensors) -> None:
    if isinstance(node, np.ndarray):
        tensors[path] = node
    elif isinstance(node, dict) and _CHUNKED in node:  # an array too large for one object of msgpack
        chunks = [node["chunks"][str(number)] for number in range(len(node["chunks"]))]
        shape = [node["shape"][str(axis)] for axis in range(len(node["shape"]))]
        tensors[path] = np.concatenate(chunks).reshape(shape)
    elif isinstance(node, dict):
        for key, value in node.items():
            _flatten(value, f"{path}/{key}" if path else str(key), tensors)
    elif not path or not isinstance(node, (int, float, type(None))):  # a count of steps, or a collection without any
        raise ValueError(f"{path or 'its content'} is a {type(node).__name__}, not an array")


def _damaged(file: Path, kind: str, error: Exception) -> CheckpointError:
    why = f"{type(error).__name__}: {error}"[:200]  # not its repr, which may hold the rest of the file
    return CheckpointError(
        f"{file} must be a complete {kind}. Reading its {file.stat().st_size:,} bytes failed: {why}. If a download or "
        "a copy was cut short, repeat it."
    )
