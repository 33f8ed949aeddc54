"""How a file is mutated: its bytes, its JSON, or what lies in its place. The same random generator does the same."""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any


class OtherForm(ValueError):
    """A file that is not of the form that a mutator looks into."""


Damage = tuple[str, bytes]
"""What was done, in a few words, and the new contents."""


def in_bytes(rng: random.Random, data: bytes, others: list[bytes]) -> Damage:
    """Mutate plain bytes. `others` are contents to splice with."""
    change = rng.choice((_bits, _octets, _cut, _zeros, _doubled, _deleted, _spliced, _grown))
    start = rng.randrange(len(data) + 1)
    if len(data) > 64 and rng.random() < 0.5:  # headers and footers are short, and decide most
        start = rng.choice((rng.randrange(64), len(data) - rng.randrange(64)))
    size = min(rng.choice((1, 2, 4, 8, 64, 1024, len(data))), len(data) - start)
    new = change(rng, data, start, size, others)
    return f"{change.__name__[1:]} at {start}, {size} bytes", new


def _bits(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    new = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if new:
            new[min(start, len(new) - 1)] ^= 1 << rng.randrange(8)
            start = rng.randrange(len(new))
    return bytes(new)


def _octets(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    size = min(size, 64)
    fill = rng.choice((rng.randbytes(size), b"\xff" * size, b"\x80" * size, rng.randbytes(1) * size))
    return data[:start] + fill + data[start + size :]


def _cut(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    return data[:start]


def _zeros(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    return data[:start] + bytes(size) + data[start + size :]


def _doubled(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    times = rng.choice((2, 2, 2, 3, 1000 if size < 1024 else 2))
    return data[:start] + data[start : start + size] * times + data[start + size :]


def _deleted(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    return data[:start] + data[start + size :]


def _spliced(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    other = rng.choice(others) if others else data[::-1]
    there = rng.randrange(len(other) + 1)
    tail = data[start + size :] if rng.random() < 0.5 else b""
    return data[:start] + other[there : there + size] + tail


def _grown(rng: random.Random, data: bytes, start: int, size: int, others: list[bytes]) -> bytes:
    run = rng.choice((b"\0", b"\xff", b"\x80", b"[", b"9", b" ", b"\n")) * rng.choice((16, 1000, 200_000))
    return data[:start] + run + data[start:]


_RAW = "@raw@"
_TWICE = "@twice@"
RAW = ("1e400", "-1e400", "NaN", "Infinity", "1" * 30, "9" * 5000, "[" * 10_000 + "]" * 10_000, r'"\ud800"', "1e-400")
"""Values as they stand in a file, which no Python value is written as."""
VALUES: tuple[Any, ...] = (
    *(None, True, False, "false", "true", "", "x" * 100_000, "../x", "\x1b[31mred", "ALBERT", "é\n", "0", "1"),
    *([], {}, [[]], [None], {"a": None}, -1, 0, 1, 2, 3, 2.5, -2.5, 10**9, 2**31, 2**63, -(2**63), 0.5),
)


def in_json(rng: random.Random, data: bytes, more: tuple[Any, ...] = ()) -> Damage:
    """Mutate what stands in JSON text once or twice. `more` are values that the kind of file is open to."""
    try:
        tree = json.loads(data)
    except ValueError as error:
        raise OtherForm from error
    done = []
    for _ in range(rng.choice((1, 1, 1, 2))):
        places = list(_places(tree))
        if places:
            change = rng.choice((*(_replaced,) * 4, _swapped, _dropped, _renamed, _twice, _added))
            done.append(change(rng, *rng.choice(places), places, more))
    text = json.dumps(tree, indent=2)
    for number, raw in enumerate(RAW):
        text = text.replace(f'"{_RAW}{number}"', raw)
    return "; ".join(done), text.replace(_TWICE, "").encode()


def _places(node: Any) -> Any:
    """(container, key) of everything in a tree; a long list or object shows a few of its parts."""
    keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in keys if len(keys) < 200 else (*keys[:20], *keys[-20:]):
        yield node, key
        yield from _places(node[key])


def _value(rng: random.Random, more: tuple[Any, ...]) -> Any:
    number = rng.randrange(len(RAW) + len(VALUES) + 3 * len(more))
    if number < len(RAW):
        return f"{_RAW}{number}"
    return copy.deepcopy(rng.choice(VALUES + more) if number < len(RAW) + len(VALUES) else rng.choice(more))


def _replaced(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    node[key] = _value(rng, more)
    return f"{key} = {node[key]!r:.40}"


def _swapped(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    other, there = rng.choice([(n, k) for n, k in places if n is node])
    node[key], other[there] = other[there], node[key]
    return f"{key} <-> {there}"


def _dropped(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    del node[key]
    return f"no {key}"


def _renamed(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    if isinstance(node, dict):
        new = rng.choice((key.upper(), f"{key} ", "", "../x", key[:-1], "\x1b[31m", "0", "-1", "9" * 30, "__class__"))
        node[new] = node.pop(key)
        return f"{key} named {new!r}"
    node.insert(key, node[key])
    return f"{key} again"


def _twice(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    if isinstance(node, dict):
        node[f"{key}{_TWICE}"] = _value(rng, more)
        return f"{key} twice"
    node.append(_value(rng, more))
    return "one more"


def _added(rng: random.Random, node: Any, key: Any, places: list, more: tuple[Any, ...]) -> str:
    if isinstance(node, dict):
        name = rng.choice(("unknown", "self", "config", "name_or_path", "num_labels", "torch_dtype", "return_tensors"))
        node[name] = _value(rng, more)
        return f"{name} added"
    node.insert(0, _value(rng, more))
    return "one in front"


HUGE = 8 * 2**30
"""Bytes of a file that takes no room on the disk."""


def in_place(rng: random.Random, path: Path, elsewhere: Path) -> str:
    """Put something else where a file is; `elsewhere` is a folder outside that holds a file of the same name."""
    change: Callable[[Path, Path], object] = rng.choice(list(_PLACES.values()))
    change(path, elsewhere)
    return next(name for name, other in _PLACES.items() if other is change)


def _linked(path: Path, target: Path | str) -> None:
    path.unlink()
    path.symlink_to(target)


def _folder(path: Path, elsewhere: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path, elsewhere: Path) -> None:
    path.unlink()
    os.mkfifo(path)


_PLACES: dict[str, Callable[[Path, Path], object]] = {
    "missing": lambda path, elsewhere: path.unlink(),
    "empty": lambda path, elsewhere: path.write_bytes(b""),
    "a folder": _folder,
    "a FIFO": _fifo,
    "a link to nothing": lambda path, elsewhere: _linked(path, "nothing"),
    "a link to itself": lambda path, elsewhere: _linked(path, path.name),
    "a link to its folder": lambda path, elsewhere: _linked(path, "."),
    "a link to a device": lambda path, elsewhere: _linked(path, "/dev/zero"),
    "a link to a file elsewhere": lambda path, elsewhere: _linked(path, elsewhere / path.name),
    "huge": lambda path, elsewhere: os.truncate(path, HUGE),
}
