"""CRC-32C, the checksum that TensorFlow's files carry, in NumPy.

A CRC is linear: each word of a message counts as itself, moved on by the number of bytes behind it, and the whole is
the XOR of these. So neighbours are joined in pairs, the pairs in pairs, and so on, each round by table look-ups over
whole arrays. That reads some hundred megabytes a second, enough for a checkpoint, without a compiled package to need.
"""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, with the lowest bit first
_BLOCK = 1 << 16  # words at a time, so that what is worked on stays near the processor
_ONES = 0xFFFFFFFF


def crc32c(data: bytes | np.ndarray) -> int:
    """The checksum of bytes, or of a uint8 array."""
    octets = np.frombuffer(data, np.uint8)
    whole = octets.size // 4 * 4
    words = octets[:whole].view("<u4")
    state = _ONES
    for start in range(0, words.size, _BLOCK):
        state = _after_words(state, words[start : start + _BLOCK])
    table = _octets()
    for octet in octets[whole:].tolist():
        state = int(table[(state ^ octet) & 0xFF]) ^ state >> 8
    return state ^ _ONES


def masked(crc: int) -> int:
    """The form in which TensorFlow stores a checksum: turned and shifted, for a checksum of checksums is a weak one."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & _ONES


def _after_words(state: int, words: np.ndarray) -> int:
    """The state after some words (at least one) have passed."""
    sums = words.astype(np.uint32)
    sums[0] ^= np.uint32(state)
    level = 0
    while sums.size > 1:
        if sums.size % 2:  # a zero in front changes nothing
            sums = np.concatenate([np.zeros(1, np.uint32), sums])
        sums = _moved(sums[0::2], level) ^ sums[1::2]
        level += 1
    return int(_moved(sums, 0)[0])


def _moved(values: np.ndarray, level: int) -> np.ndarray:
    """States after 4 * 2**level zero bytes."""
    octets = np.ascontiguousarray(values, "<u4").view(np.uint8).reshape(-1, 4)
    tables = _tables(level)
    moved = tables[0].take(octets[:, 0])
    for place in (1, 2, 3):
        moved ^= tables[place].take(octets[:, place])
    return moved


@cache
def _tables(level: int) -> np.ndarray:
    """(4, 256): what each byte of a state becomes, by its place, after 4 * 2**level zero bytes."""
    if level:
        before = _tables(level - 1)
        return np.stack([_moved(row, level - 1) for row in before])
    states = np.arange(256, dtype=np.uint32) << np.array([[0], [8], [16], [24]], np.uint32)
    for _ in range(4):
        states = _octets()[states & 0xFF] ^ states >> 8
    return states


@cache
def _octets() -> np.ndarray:
    """(256,): what the lowest byte of a state becomes when one byte has passed."""
    states = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = states >> 1 ^ np.where(states & 1, np.uint32(_POLYNOMIAL), np.uint32(0))
    return states
