"""An answer as JSON, part by part: no copy of the whole in memory, and no call that holds Python's lock for long."""

import json
from collections.abc import Iterable, Iterator

import numpy as np

from albertkit.typing import Json

SIZE = 2**17
"""Characters of a part at least, but for the last."""
_TOGETHER = 2**13
"""Numbers and texts that one call writes: some milliseconds."""
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def parts(answer: Json) -> Iterator[bytes]:
    """The JSON of an answer in parts, UTF-8.

    An answer may hold arrays, each a list of rows, and iterators, each a list whose items are made one by one.
    ValueError for numbers that are not finite.
    """
    held: list[str] = []
    size = 0
    for text in _texts(answer):
        held.append(text)
        size += len(text)
        if size >= SIZE:
            yield "".join(held).encode()
            held, size = [], 0
    if held:
        yield "".join(held).encode()


def _texts(value: Json) -> Iterator[str]:
    """JSON in pieces that each take some milliseconds."""
    if not isinstance(value, dict | list | tuple | np.ndarray | Iterator) or _left(value, _TOGETHER):
        yield _encode(_plain(value))
    elif isinstance(value, dict):
        before = "{"
        for name, one in value.items():
            yield f"{before}{_encode(name)}:"
            yield from _texts(one)
            before = ","
        yield "}"
    else:
        before = "["
        for some in _together(value.tolist() if isinstance(value, np.ndarray) and value.ndim < 2 else value):
            yield before
            if len(some) == 1:
                yield from _texts(some[0])
            else:
                yield _encode(_plain(some))[1:-1]
            before = ","
        yield "]" if before == "," else "[]"


def _together(values: Iterable[Json]) -> Iterator[list[Json]]:
    """Values so many at a time that one call writes them; those that are long each alone."""
    held: list[Json] = []
    left = _TOGETHER
    for one in values:
        left = _left(one, left)
        if not left and held:
            yield held
            held, left = [], _left(one, _TOGETHER)
        held.append(one)
    if held:
        yield held


def _left(value: Json, left: int) -> int:
    """What a value leaves of a number of numbers and texts, or 0 where it has as many, or is made as it is read."""
    kind = type(value)
    if kind is np.ndarray:
        return max(left - value.size, 0)
    if kind is not dict and kind is not list and kind is not tuple:
        return 0 if isinstance(value, Iterator) else max(left - 1, 0)
    for one in value.values() if kind is dict else value:
        left = _left(one, left)
        if not left:
            break
    return left


def _plain(value: Json) -> Json:
    """Arrays and their numbers as lists and numbers of Python."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
