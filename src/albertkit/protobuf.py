"""The wire format of protocol buffers: numbered fields, read without a description of the message.

TensorFlow's checkpoints and SentencePiece's models are stored in it.
"""

from collections.abc import Iterator
from typing import Any


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The (number, value) pairs of a message; a value is an int or bytes. IndexError or ValueError if damaged."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind in (1, 5):
            width = 8 if kind == 1 else 4
            value, at = int.from_bytes(message[at : at + width], "little"), at + width
        elif kind == 2:
            size, at = varint(message, at)
            value, at = message[at : at + size], at + size
        else:
            raise ValueError(f"a message has a field of the unknown kind {kind}")
        yield tag >> 3, value


def varint(data: bytes, at: int) -> tuple[int, int]:
    """(a number stored seven bits a byte, the place behind it)."""
    value = shift = 0
    while True:
        octet, at = data[at], at + 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is longer than any number can be")
