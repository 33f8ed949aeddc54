"""The wire format of protocol buffers: numbered fields, read without a description of the message.

TensorFlow's checkpoints and SentencePiece's models are stored in it.
"""

from collections.abc import Iterator

from albertkit.typing import FieldValue


def fields(message: bytes) -> Iterator[tuple[int, FieldValue]]:
    """The (number, value) pairs of a message; a value is an int or bytes. IndexError or ValueError if damaged.

    A number may come more than once: readers take the last value of it, and merge the values that are messages.
    """
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if not 8 <= tag < 2**32:  # other readers drop the bits beyond, and find another field here
            raise ValueError("a message has a field without a number")
        kind = tag & 7
        if kind == 0:
            value, at = varint(message, at)
        elif kind in (1, 2, 5):
            size, at = varint(message, at) if kind == 2 else (8 if kind == 1 else 4, at)
            if size > len(message) - at:
                raise ValueError("a message ends within a field")
            value, at = message[at : at + size], at + size
            value = value if kind == 2 else int.from_bytes(value, "little")
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
