"""Reading single files, text and JSON that may be damaged, of any size, or made by a stranger. Nothing here writes."""

import json
import os
import stat
from collections import Counter
from pathlib import Path

from albertkit.errors import CheckpointError, CheckpointNotFound, abbreviate
from albertkit.storage import encodings
from albertkit.storage.filesystem import file_kind
from albertkit.storage.pointers import require_no_pointer
from albertkit.typing import Json, Record

SIZE_LIMIT = 64 * 2**20
"""Bytes that a JSON or text file may have, unless its reader says otherwise."""
JSON_DEPTH_LIMIT = 64
"""Levels to which objects and lists of a JSON file may be nested."""


def read_bytes(path: str | os.PathLike[str], limit: int = SIZE_LIMIT) -> bytes:
    """The contents of a regular file of at most `limit` bytes.

    CheckpointNotFound where there is none, CheckpointError where it is something else or cannot be read.
    """
    path = Path(path)
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} must be a file. It is {file_kind(status.st_mode)}. Name a file.")
            if status.st_size > limit:
                raise CheckpointError(
                    f"{path} may have {limit:,} bytes at most. It has {status.st_size:,}: no such file is that large. "
                    "Check that the right file has this name."
                )
            content = file.read(limit)
        require_no_pointer(path, content, CheckpointError)
        return content
    except FileNotFoundError:
        raise CheckpointNotFound(f"{path.name} must be there. {path.parent} does not hold it.") from None
    except CheckpointError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        why = getattr(error, "strerror", None) or error
        raise CheckpointError(f"{path} must be a file that can be read. Reading it failed: {why}.") from error


def read_text(path: str | os.PathLike[str], limit: int = SIZE_LIMIT) -> str:
    """The text in a file, UTF-8 or what a byte-order mark says; see `read_bytes`. CheckpointError for other bytes."""
    content = read_bytes(path, limit)
    try:
        return encodings.decode(content)
    except UnicodeDecodeError as error:
        raise CheckpointError(
            f"{path} must be UTF-8 text. Reading it failed: {error}. If a download or a copy was cut short, repeat it. "
            f"{encodings.advice(content.splitlines(), Path(path).name)}"
        ) from error


def read_json(path: str | os.PathLike[str], limit: int = SIZE_LIMIT) -> Record:
    """The object in a JSON file of at most `limit` bytes; see `read_text`.

    CheckpointError where it is not JSON, holds something else than an object, states a key twice, is nested deeper
    than JSON_DEPTH_LIMIT or holds text that could not be written again.
    """
    path, text = Path(path), read_text(path, limit)
    try:
        content = json.loads(text, object_pairs_hook=_object_of_distinct_keys)
    except (ValueError, RecursionError) as error:  # ValueError: a syntax error, or a whole number of too many digits
        raise CheckpointError(
            f"{path} must be JSON text. Reading it failed: {str(error) or type(error).__name__}. If a download or a "
            "save was cut short, repeat it."
        ) from error
    _require_shallow(path, content)
    _require_writable(path, text, content)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} must hold a JSON object. It holds a {type(content).__name__}.")
    return content


def _require_shallow(path: Path, content: Json) -> None:
    """CheckpointError for what is nested so deep that whoever copies, prints or writes it runs out of stack."""
    level = [content]
    for _ in range(JSON_DEPTH_LIMIT):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
        ]
    if level:
        raise CheckpointError(
            f"{path} may be nested {JSON_DEPTH_LIMIT} deep at most. It is deeper. Check that it is the right file."
        )


def _require_writable(path: Path, text: str, content: Json) -> None:
    """CheckpointError for half a character, which JSON can state by its number and UTF-8 cannot hold."""
    try:
        if "\\u" in text:
            json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CheckpointError(
            f"{path} must hold text that can be written. It has half a character: {error}. Write both halves, or none."
        ) from error


def _object_of_distinct_keys(pairs: list[tuple[str, Json]]) -> Record:
    content = dict(pairs)
    if len(content) < len(pairs):
        [(repeated, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {abbreviate(repeated, 80)} stands twice in one object")
    return content
