"""One weight file <-> tensors, under the names that stand in it: safetensors with a checksum, and PyTorch's pickles.

What is read is a plain array of numbers, or an error that names the file. Which tensors belong to a model is not known
here.
"""

import json
import math
import re
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy
import xxhash

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.errors import CheckpointError, MissingDependency, UnsafeCheckpoint

if TYPE_CHECKING:
    import torch

DTYPES = {
    **{f"{letter}{8 * size}": np.dtype(f"{letter.lower()}{size}") for letter in "FIU" for size in (2, 4, 8)},
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
"""The dtypes of safetensors files, by the names that stand in them."""

FLOATS = frozenset(map(np.dtype, (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)))
"""What a weight may be stored in."""
_NOT_FINITE = {np.dtype(np.float16): 0x7C00, np.dtype(ml_dtypes.bfloat16): 0x7F80}
"""Infinity by its bits, for numbers of two bytes: those beyond it are not finite either."""

_CHECKSUM = "checksum"
_ALGORITHM = "xxh3_128"  # as fast as memory: a checksum that costs time would be turned off
_WRAPPED = ("state_dict", "model_state_dict", "model", "module")
"""Keys under which trainers keep a model's weights beside the rest of a run: PyTorch Lightning the first."""
_PIECE = 2**26
"""Bytes that are checked at once: few enough to stay in memory, and many, for each call waits for Python's lock."""


@dataclass(frozen=True)
class Stored:
    """What a weight file holds."""

    tensors: Tensors
    framework: str | None = None
    """The framework that its metadata states."""
    notes: tuple[str, ...] = ()
    check: Callable[[], bool] = lambda: False
    """Reads all values: whether they are known to be finite. CheckpointError where they are not those written."""


def read_safetensors(file: Path) -> Stored:
    """Tensors as views into the file: a page is read when it is first used, and what is changed stays in memory."""
    try:
        with safetensors.safe_open(file, "np") as opened:  # checks the header against the size of the file
            slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
            stored = {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}
            metadata = opened.metadata() or {}
        sizes = [math.prod(shape) * DTYPES[code].itemsize for code, shape in stored.values()]
        content = np.memmap(file, np.uint8, mode="c").view(np.ndarray)
        values = content[
            content.size - sum(sizes) :
        ]  # the format leaves no gaps, so the last tensor ends with the file
        tensors, layout, start = {}, [], 0
        for (name, (code, shape)), size in zip(stored.items(), sizes, strict=True):
            tensor = values[start : start + size].view(DTYPES[code])
            tensors[name] = np.require(tensor.reshape(shape), requirements="A")
            layout.append((name, code, shape, start))
            start += size
    except (safetensors.SafetensorError, ValueError, OverflowError, KeyError) as error:  # NumPy's: odd shapes
        raise CheckpointError(
            f"{file} must be a complete safetensors file. Reading its {file.stat().st_size:,} bytes failed: "
            f"{error!s:.300}. If a download or a copy was cut short, repeat it."
        ) from error

    def check() -> bool:
        dtypes = {DTYPES[code] for code, _ in stored.values()}
        dtype = dtypes.pop() if len(dtypes) == 1 and dtypes <= FLOATS else None
        digest, are_finite = _read_through(layout, values, dtype)
        stated = metadata.get(_CHECKSUM, "")
        if stated.startswith(f"{_ALGORITHM}:"):
            _require_checksum(file, stated, digest)
        return are_finite

    notes = tuple(metadata.get("notes", "").splitlines())
    return Stored({name: tensors[name] for name in sorted(tensors)}, metadata.get("format"), notes, check)


def _require_checksum(file: Path, stated: str, found: str) -> None:
    if found != stated:
        raise CheckpointError(
            f"The weights in {file} must have the checksum that was written with them. They have another: the file is "
            "damaged, or was changed by a program that kept its metadata. Repeat the download or copy; if the change "
            f"was meant, write the file without the key `{_CHECKSUM}` in its metadata."
        )


def write_safetensors(file: Path, tensors: Mapping[str, np.ndarray], notes: Sequence[str] = ()) -> None:
    """Write tensors, and in the metadata their checksum and sentences about them.

    What is not finite is written all the same, for who wants to look into it: reading refuses it.
    """
    tensors = {name: np.ascontiguousarray(tensor).reshape(tensor.shape) for name, tensor in tensors.items()}
    metadata = {"format": "pt", _CHECKSUM: f"{_ALGORITHM}:{'0' * 32}"} | ({"notes": "\n".join(notes)} if notes else {})
    safetensors.numpy.save_file(tensors, file, metadata)
    _seal(file)


def _seal(file: Path) -> None:
    """Put the checksum into a file that has room for it, and its metadata in order: equal models are equal files.

    safetensors writes metadata in a random order.
    """
    content = np.memmap(file, np.uint8, mode="r+")
    size = 8 + int(content[:8].view("<u8")[0])
    header = json.loads(content[8:size].tobytes())
    metadata = header["__metadata__"]
    layout = [
        (name, entry["dtype"], entry["shape"], entry["data_offsets"][0])
        for name, entry in header.items()
        if entry is not metadata
    ]
    metadata[_CHECKSUM] = checksum(layout, content[size:])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(size - 8)
    content[8:size] = np.frombuffer(text, np.uint8)
    content.flush()


def checksum(layout: Iterable[tuple[str, str, Sequence[int], int]], values: np.ndarray) -> str:
    """A checksum of the tensors in a file: the name, dtype, shape and place of each, and the bytes of all.

    It tells damage, not who made a file: whoever changes the weights can write its checksum too.
    """
    return _read_through(layout, values, None)[0]


def _read_through(
    layout: Iterable[tuple[str, str, Sequence[int], int]], values: np.ndarray, dtype: np.dtype | None
) -> tuple[str, bool]:
    """The checksum of a file's bytes, and whether they are known to be finite numbers of a dtype.

    Piece by piece, so that a file is read once, however large it is; other threads go on for so long.
    """
    digest, are_finite = xxhash.xxh3_128(json.dumps(sorted(layout)).encode()), dtype is not None
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE]
        digest.update(piece.data)
        if dtype is not None and are_finite:
            are_finite = _is_finite(np.require(piece.view(dtype), None, "A"))
    return f"{_ALGORITHM}:{digest.hexdigest()}", are_finite


def read_pickle(file: Path) -> Stored:
    """Tensors of a `pytorch_model.bin`, old or new. Only tensors are unpickled, never code."""
    try:
        import torch
    except ImportError:
        raise MissingDependency(f"Reading {file.name}", "PyTorch", "torch") from None
    import pickle

    _require_plain_records(file)
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        raise UnsafeCheckpoint(
            f"{file} must hold tensors alone. It is damaged, or asks to run code while being read"
            f"{f' ({asked[1]})' if asked else ''}, and was refused. Ask its author for a safetensors file, or for the "
            "model's state_dict alone."
        ) from error
    except Exception as error:  # a damaged pickle fails in any way: KeyError, IndexError, struct.error, ...
        raise CheckpointError(
            f"{file} must be a complete PyTorch file. Reading its {file.stat().st_size:,} bytes failed: "
            f"{type(error).__name__}: {error!s:.200}. If a download or a copy was cut short, repeat it."
        ) from error
    if isinstance(content, dict):
        content = next((content[key] for key in _WRAPPED if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise CheckpointError(f"{file} must hold a mapping of names to tensors. It holds a {type(content).__name__}.")
    return Stored({name: _from_torch(file, name, tensor) for name, tensor in content.items()})


def _require_plain_records(file: Path) -> None:
    """CheckpointError where records of a file in zip form are damaged or compressed, which torch does not look at."""
    try:
        if not zipfile.is_zipfile(file):  # the old form, which has no checksums
            return
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            if sum(record.file_size for record in records) > file.stat().st_size:  # torch never compresses
                raise ValueError("its records state more bytes than the file has")
            written = any(record.CRC for record in records)  # torch can be told to leave them at zero
            damaged = archive.testzip() if written else None
    except Exception as error:  # zipfile raises many kinds: BadZipFile, zlib.error, NotImplementedError, EOFError, ...
        damaged = f"{type(error).__name__}: {error!s:.200}"
    if damaged is not None:
        raise CheckpointError(
            f"{file} must be a complete PyTorch file. It is damaged: {damaged}. If a download or a copy was cut short, "
            "repeat it."
        )


def _from_torch(file: Path, name: str, value: object) -> np.ndarray:
    """The values of a tensor out of a pickle. CheckpointError where it is none, or none of plain numbers in memory."""
    import torch

    kind = f"a {type(value).__name__}"
    if isinstance(value, torch.Tensor):
        kind = _special_kind(value)
        tensor = value.detach()
        try:
            if kind is None and tensor.dtype == torch.bfloat16:
                return tensor.contiguous().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
            if kind is None:
                return tensor.numpy()
        except (TypeError, ValueError, RuntimeError):  # ValueError: more axes than NumPy has
            kind = f"a tensor of {tensor.dtype} with {tensor.ndim} axes"
    raise CheckpointError(
        f"A weight must be a dense tensor of floating point numbers. {name} in {file} is {kind}. Convert it to such "
        "where the file was made."
    )


def _special_kind(tensor: "torch.Tensor") -> str | None:
    """What a tensor is that does not hold each of its values in memory, or None for one that does."""
    import torch

    if tensor.layout != torch.strided or tensor.is_nested:
        return "a sparse or nested tensor"
    if tensor.is_quantized:
        return "a quantised tensor"
    if tensor.is_meta:
        return "a tensor without values"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "a tensor that repeats its values"
    return None


def require_floats(tensors: Mapping[str, np.ndarray], source: Path) -> None:
    """CheckpointError where a weight of the table is of something else than floating point numbers."""
    for name, tensor in tensors.items():
        if weight_table.is_known(name) and tensor.dtype not in FLOATS:
            raise CheckpointError(
                f"A weight must be of floating point numbers. {name} in {source} is of {tensor.dtype}: a quantised "
                "model, or no model. Convert the checkpoint that it was made from."
            )


def require_finite(tensors: Mapping[str, np.ndarray], source: Path) -> None:
    """CheckpointError where a weight of the table is not finite."""
    bad = [name for name, tensor in tensors.items() if weight_table.is_known(name) and not _is_finite(tensor)]
    if bad:
        raise CheckpointError(
            f"Weights must be finite numbers. Not finite in {source}: {', '.join(bad[:4])}"
            f"{f' and {len(bad) - 4} more' if len(bad) > 4 else ''}. The training that wrote it has diverged: take an "
            "earlier checkpoint."
        )


def _is_finite(tensor: np.ndarray) -> bool:
    flat = tensor.reshape(-1)
    if (first := _NOT_FINITE.get(tensor.dtype)) and flat.size:  # as whole numbers they are in order, by each sign
        return int(flat.view(np.int16).max()) < first and int(flat.view(np.uint16).max()) < first | 0x8000
    with np.errstate(all="ignore"):
        if np.isfinite(np.dot(flat, flat)):  # four times as fast as looking at each, and without room for answers
            return True
    return bool(np.isfinite(flat).all())


class ValueCheck:
    """The check of all values of some files, in a thread that starts at once: beside what comes next."""

    def __init__(self, stored: Sequence[Stored]):
        self._stored = stored
        self._are_finite: Future[bool] = Future()
        self._is_done = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            are_finite = [each.check() for each in self._stored]  # of all, whatever the first says
            self._are_finite.set_result(all(are_finite))
        except BaseException as error:
            self._are_finite.set_exception(error)

    def require(self, tensors: Mapping[str, np.ndarray], source: Path) -> None:
        """Wait for it. CheckpointError where the files are damaged, or a weight among `tensors` is not finite."""
        if not self._is_done:
            if not self._are_finite.result():
                require_finite(tensors, source)
            self._is_done = True
