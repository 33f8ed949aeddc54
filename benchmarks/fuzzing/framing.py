"""Damage behind a checksum or a length: it is made inside a file, and what surrounds it is made to fit again.

What a reader checks first would else keep everything else of it from being tried.
"""

import io
import json
import random
import struct
import zipfile

from albertkit.checkpoint.formats.crc32c import crc32c, masked
from fuzzing.damage import Damage, OtherForm, in_bytes, in_json

SHAPES = ("F16", "F64", "I32", "BOOL", "BF16", "F8_E4M3", [0], [1, 2**40], [0, 2**62], [2**62, 2**62], [-1], [2.0, 3])
"""What the header of a safetensors file may be made to state."""


SEALED = "sealed "
"""What the account of a mutation begins with where every checksum is right again, so that none tells."""


def header(data: bytes) -> tuple[dict, bytes]:
    """The header of a safetensors file, and the tensors behind it. OtherForm where there is none."""
    try:
        (size,) = struct.unpack_from("<Q", data)
        content = json.loads(data[8 : 8 + size])
    except (struct.error, ValueError, RecursionError) as error:
        raise OtherForm from error
    if not isinstance(content, dict):
        raise OtherForm
    return content, data[8 + size :]


def in_header(rng: random.Random, data: bytes, others: list[bytes]) -> Damage:
    """Mutate the header of a safetensors file as JSON; its length is stated rightly."""
    content, tensors = header(data)
    what, text = in_json(rng, json.dumps(content).encode(), SHAPES)
    return what, struct.pack("<Q", len(text)) + text + tensors


def in_record(rng: random.Random, data: bytes, others: list[bytes]) -> Damage:
    """Mutate one file of a zip archive, whose checksums are right again."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        raise OtherForm
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        records = {record: archive.read(record) for record in archive.infolist()}
    chosen = rng.choice([record for record in records if records[record]])
    if rng.random() < 0.5:  # the record that says what all others are
        chosen = next(record for record in records if record.filename.endswith("data.pkl"))
    what, records[chosen] = in_bytes(rng, records[chosen], others)
    new = io.BytesIO()
    with zipfile.ZipFile(new, "w") as archive:
        for record, content in records.items():
            archive.writestr(record.filename, content, rng.choice((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,)))
    return f"{SEALED}{chosen.filename}: {what}", new.getvalue()


def in_block(rng: random.Random, data: bytes, others: list[bytes]) -> Damage:
    """Mutate one block of the index of a TensorFlow checkpoint, whose checksum is right again."""
    _, _, at = _handle(data, len(data) - 48)
    top = _handle(data, at)[:2]
    offset, size = rng.choice((top, (0, top[0] - 10)))  # the index of blocks, or the first of them as far as it goes
    if offset == 0:
        size = _first_block(data, top)
    what, new = in_bytes(rng, data[offset : offset + size], others)
    kind = bytes([rng.choice((0, 0, 0, 1))])  # now and then called compressed
    new = new[:size].ljust(size, rng.randbytes(1)) + kind
    seal = struct.pack("<I", masked(crc32c(new)))
    return f"{SEALED}block at {offset}: {what}", data[:offset] + new + seal + data[offset + size + 5 :]


def _first_block(data: bytes, top: tuple[int, int]) -> int:
    """The size of the block at the beginning of a table: what the first entry of the index of blocks says."""
    at = top[0]
    _, at = _varint(data, at)
    fresh, at = _varint(data, at)
    _, at = _varint(data, at)
    return _handle(data, at + fresh)[1]


def _handle(data: bytes, at: int) -> tuple[int, int, int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return offset, size, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet, at = data[at], at + 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
        shift += 7
