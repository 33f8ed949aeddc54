"""Writes TensorFlow's checkpoints, so that their reader is tested where TensorFlow is not."""

import struct

import ml_dtypes
import numpy as np

from albertkit.checkpoint.formats.crc32c import crc32c, masked

NUMBERS = {
    **dict(zip(("float32", "float64", "bfloat16", "float16"), (1, 2, 14, 19), strict=True)),
    **dict(zip(("int32", "int16", "int8", "int64", "bool"), (3, 5, 6, 9, 10), strict=True)),
    **dict(zip(("uint8", "uint16", "uint32", "uint64"), (4, 17, 22, 23), strict=True)),
}
DTYPES = [np.dtype(name) if name != "bfloat16" else np.dtype(ml_dtypes.bfloat16) for name in NUMBERS]


def varint(number):
    octets = bytearray()
    while number >= 0x80:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


def message(*fields):
    """(number, value) pairs as a protocol-buffer message: ints as varints, bytes as they are."""
    content = b""
    for number, value in fields:
        if isinstance(value, bytes):
            content += varint(number << 3 | 2) + varint(len(value)) + value
        else:
            content += varint(number << 3) + varint(value)
    return content


def block(pairs, restart_every=16):
    """A block of sorted pairs, each key without what it shares with the one before."""
    content, restarts, before = b"", [], b""
    for place, (key, value) in enumerate(pairs):
        if place % restart_every == 0:
            restarts.append(len(content))
            before = b""
        shared = next(
            (n for n, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    restarts = restarts or [0]
    return content + struct.pack(f"<{len(restarts)}I", *restarts) + struct.pack("<I", len(restarts))


def sealed(content, kind=0):
    return content + bytes([kind]) + struct.pack("<I", masked(crc32c(content + bytes([kind]))))


def table(pairs, entries_a_block=4, compress=None, times=1):
    """A whole table file. `compress` turns a block into Snappy's form. Each block is named a number of `times`."""
    content, handles = b"", []
    for start in range(0, max(len(pairs), 1), entries_a_block):
        part = pairs[start : start + entries_a_block]
        data = block(part) if compress is None else compress(block(part))
        handle = varint(len(content)) + varint(len(data))
        handles += [(part[-1][0] + b"\0" if part else b"", handle)] * times
        content += sealed(data, 0 if compress is None else 1)
    places = []
    for pairs_of_block in ([], handles):
        data = block(pairs_of_block, restart_every=1)
        places.append(varint(len(content)) + varint(len(data)))
        content += sealed(data)
    return content + b"".join(places).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def write(prefix, tensors, shards=1, entries=(), shapes=None, offsets=None, **options):
    """Write {name: array} under a prefix, dealt out to `shards` data files. `entries` are more pairs of the index.

    `shapes` and `offsets` are those to state of some tensors instead of their own.
    """
    data = [b""] * shards
    pairs = [(b"", message((1, shards), (3, message((1, 1))))), *entries]
    for place, (name, tensor) in enumerate(sorted(tensors.items())):
        shard = place % shards
        shape = b"".join(message((2, message((1, size)))) for size in (shapes or {}).get(name, tensor.shape))
        content = tensor.tobytes()
        entry = message(
            (1, NUMBERS[tensor.dtype.name]),
            (2, shape),
            (3, shard),
            (4, (offsets or {}).get(name, len(data[shard]))),
            (5, len(content)),
        )
        entry += varint(6 << 3 | 5) + struct.pack("<I", masked(crc32c(content)))
        pairs.append((name.encode(), entry))
        data[shard] += content
    prefix.with_name(f"{prefix.name}.index").write_bytes(table(sorted(pairs), **options))
    for shard, content in enumerate(data):
        prefix.with_name(f"{prefix.name}.data-{shard:05}-of-{shards:05}").write_bytes(content)
    return prefix
