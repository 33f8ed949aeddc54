"""The files in which TensorFlow keeps variables: `PREFIX.index` and `PREFIX.data-00000-of-00001`, ...

The index is a sorted table in the format of LevelDB: blocks of entries whose keys share prefixes, each block with a
checksum. An entry says of one variable its dtype, its shape, and where its bytes lie in the data files, with their
checksum. All checksums are checked: a damaged file is an error, never other numbers. Needs no TensorFlow.
"""

import itertools
import math
import os
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np

from albertkit import storage
from albertkit.checkpoint.formats.crc32c import crc32c, masked
from albertkit.errors import CheckpointError, abbreviate
from albertkit.protobuf import fields, varint

INDEX = ".index"

_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_LARGEST = 2**24
"""Bytes that an index may have, and all its blocks together once they are uncompressed."""
_ENTRIES = 10**5
"""Variables that an index may name, with the blocks in which it names them."""
_LONGEST = 1000
"""Bytes that the name of a variable may have."""
_DIMENSIONS = 64
"""Dimensions that a variable may have: as many as an array of NumPy."""
_TRAILER = 5  # behind a block: how it is compressed, and its checksum
# The numbers of TensorFlow's DataType. Others (strings above all) are never weights.
_DTYPES = {
    number: np.dtype(kind)
    for numbers, kinds in (
        ((1, 2, 14, 19), (np.float32, np.float64, ml_dtypes.bfloat16, np.float16)),
        ((3, 5, 6, 9, 10), (np.int32, np.int16, np.int8, np.int64, np.bool_)),
        ((4, 17, 22, 23), (np.uint8, np.uint16, np.uint32, np.uint64)),
    )
    for number, kind in zip(numbers, kinds, strict=True)
}


@dataclass(frozen=True)
class Entry:
    """One variable of an index: what it is, and where its bytes lie."""

    dtype: np.dtype | None
    """None for what is not numbers."""
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int
    sliced: bool = False
    """Whether the variable was stored in parts, as entries of their own."""


@dataclass(frozen=True)
class TFCheckpoint:
    """The variables under one prefix."""

    prefix: Path
    shards: int
    entries: dict[str, Entry]

    def read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """The values of some variables, as views into the files. CheckpointError where anything is damaged."""
        shards: dict[int, np.ndarray] = {}
        room: dict[int, int] = {}
        values = {}
        for name in names:
            values[name] = self._value(name, shards)
            shard = self.entries[name].shard
            room[shard] = room.get(shard, shards[shard].size) - self.entries[name].size
            if room[shard] < 0:
                raise CheckpointError(
                    f"Every variable must have bytes of its own. {_index(self.prefix)} gives those in "
                    f"{self._file(shard).name} more than it has. {_REPEAT}"
                )
        return values

    def _value(self, name: str, shards: dict[int, np.ndarray]) -> np.ndarray:
        entry = self.entries[name]
        if entry.dtype is None or entry.sliced:
            why = "is stored in parts" if entry.sliced else "does not hold numbers"
            raise CheckpointError(
                f"A weight must be one array of numbers. {name} in {self.prefix} {why}. Load the model with the code "
                "that trained it and save it again without a partitioner."
            )
        if entry.size != math.prod(entry.shape) * entry.dtype.itemsize:
            stated = f"{abbreviate(entry.shape)} and {entry.size} bytes"
            raise CheckpointError(f"{_index(self.prefix)} gives {name} {stated}. {_REPEAT}")
        if entry.shard not in shards:
            shards[entry.shard] = self._shard(entry.shard)
        content = shards[entry.shard][entry.offset : entry.offset + entry.size]
        if content.size != entry.size or masked(crc32c(content)) != entry.crc:
            raise CheckpointError(
                f"The bytes of every weight must have the checksum that the index states. Those of {name} in "
                f"{self._file(entry.shard)} have not: the file is damaged or of another save. {_REPEAT}"
            )
        try:
            value = content.view(entry.dtype).reshape(entry.shape)
        except (ValueError, OverflowError) as error:  # no bytes, and a shape that NumPy cannot have
            raise CheckpointError(
                f"{_index(self.prefix)} gives {name} the shape {abbreviate(entry.shape)}: {error}. {_REPEAT}"
            ) from error
        return np.require(value, requirements="A")

    def _file(self, shard: int) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}.data-{shard:05}-of-{self.shards:05}")

    def _shard(self, shard: int) -> np.ndarray:
        file = self._file(shard)
        if not os.path.isfile(file):  # noqa: PTH113 - unlike Path.is_file, it answers False for a name that is too long
            raise CheckpointError(
                f"{_index(self.prefix).name} needs {file.name}, which is not in {file.parent}. {_REPEAT}"
            )
        storage.require_content(file)
        if not file.stat().st_size:
            return np.zeros(0, np.uint8)
        return np.memmap(file, np.uint8, mode="c").view(np.ndarray)


_REPEAT = "Repeat the download or copy."


def open_checkpoint(prefix: Path) -> TFCheckpoint:
    """The index under a prefix. CheckpointError where it is damaged."""
    content = storage.read_bytes(_index(prefix), limit=_LARGEST)
    try:
        table = dict(_table(content))
        header = dict(fields(table.pop(b"")))
        entries = {key.decode(): _entry(value) for key, value in table.items() if key[:1] != b"\0"}
        if header.get(2, 0):
            raise ValueError("its numbers are stored in big-endian order")
        if not isinstance(shards := header.get(1, 1), int):
            raise ValueError("it does not state how many files it has")
        return TFCheckpoint(prefix, shards, entries)
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise CheckpointError(
            f"{_index(prefix)} must be the complete index of a TensorFlow checkpoint. Reading its {len(content):,} "
            f"bytes failed: {error}. {_REPEAT}"
        ) from error


def _index(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + INDEX)


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The (key, value) pairs of a table, in order."""
    footer = content[-_FOOTER:]
    if len(footer) < _FOOTER or struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise ValueError("it does not end as such a file does")
    _, at = _handle(footer, 0)
    index, _ = _handle(footer, at)
    size = count = 0
    for _, value in _pairs(_block(content, *index)):
        handle, _ = _handle(value, 0)
        block = _block(content, *handle)
        pairs = list(itertools.islice(_pairs(block), _ENTRIES))
        size, count = size + len(block), count + 1 + len(pairs)  # one block may be named often, or be without pairs
        if size > _LARGEST or count > _ENTRIES:
            raise ValueError(f"it states more than {_ENTRIES:,} entries or {_LARGEST:,} bytes")
        yield from pairs


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    """((offset, size) of a block, and the place behind them)."""
    offset, at = varint(data, at)
    size, at = varint(data, at)
    return (offset, size), at


def _block(content: bytes, offset: int, size: int) -> bytes:
    """The contents of one block."""
    block = content[offset : offset + size + _TRAILER]
    if len(block) != size + _TRAILER or masked(crc32c(block[:-4])) != struct.unpack("<I", block[-4:])[0]:
        raise ValueError(f"the checksum of the block at byte {offset} is wrong")
    return _uncompressed(block[size], block[:size])


def _pairs(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The pairs of a block. A key is stored as what it shares with the key before, and the rest."""
    end = len(data) - 4 - 4 * struct.unpack("<I", data[-4:])[0]  # places to start a search at stand behind the pairs
    key, at = b"", 0
    while at < end:
        shared, at = varint(data, at)
        unshared, at = varint(data, at)
        length, at = varint(data, at)
        key = key[:shared] + data[at : at + unshared]
        if len(key) > _LONGEST:
            raise ValueError(f"a name in it has more than {_LONGEST:,} bytes")
        at += unshared
        yield key, data[at : at + length]
        at += length


def _uncompressed(kind: int, data: bytes) -> bytes:
    if kind == 0:
        return data
    if kind == 1:
        return _snappy(data)
    raise ValueError(f"a block is compressed in an unknown way ({kind})")


def _snappy(data: bytes) -> bytes:
    """Undo the compression of Snappy: stretches of bytes, and copies of what came before."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        if len(out) > min(length, _LARGEST):
            raise ValueError("a compressed block is longer than it states, or than any block is")
        tag, at = data[at], at + 1
        kind, count = tag & 3, tag >> 2
        if kind == 0:
            extra = max(0, count - 59)
            count = int.from_bytes(data[at : at + extra], "little") if extra else count
            at += extra
            out += data[at : at + count + 1]
            at += count + 1
            continue
        width = (0, 1, 2, 4)[kind]
        back = int.from_bytes(data[at : at + width], "little")
        at += width
        if kind == 1:
            back, count = back | count >> 3 << 8, (count & 7) + 3
        if not 0 < back <= len(out):
            raise ValueError("a compressed block copies from before its beginning")
        for _ in range(count + 1):
            out.append(out[-back])
    if len(out) != length:
        raise ValueError("a compressed block has another length than it states")
    return bytes(out)


def _entry(message: bytes) -> Entry:
    held = dict(fields(message))
    dimensions = (size for number, size in fields(held.get(2, b"")) if number == 2)
    sizes = [dict(fields(size)).get(1, 0) for size in itertools.islice(dimensions, _DIMENSIONS + 1)]
    if len(sizes) > _DIMENSIONS:
        raise ValueError(f"a variable has more than {_DIMENSIONS} dimensions")
    if not all(isinstance(value, int) for value in (*sizes, *(held.get(number, 0) for number in (1, 3, 4, 5, 6)))):
        raise ValueError("an entry has text where a number belongs")
    return Entry(
        dtype=_DTYPES.get(held.get(1, 0)),
        shape=tuple(sizes),
        shard=held.get(3, 0),
        offset=held.get(4, 0),
        size=held.get(5, 0),
        crc=held.get(6, 0),
        sliced=7 in held,
    )


def newest(folder: Path) -> str | None:
    """The name of the newest checkpoint of a folder, by its file `checkpoint`. None where there is no such file.

    The path that stands there is that of the machine that trained, so that only its last part counts.
    """
    file = folder / "checkpoint"
    if not file.is_file():
        return None
    named = re.search(r'^model_checkpoint_path: "(?:.*/)?([^/"]+)"', storage.read_text(file), re.MULTILINE)
    return named[1] if named else None
