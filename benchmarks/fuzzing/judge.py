"""Whether a changed answer can be told from the files: by types that no such file has, or by a checksum that is there.

A damaged file may say something else in all its due form, or hold other numbers where no checksum is: then nobody can
know. Everything else must be refused or said. Each judge takes the contents before and after, and answers what makes
the change impossible to tell, or None where it could be told.
"""

import io
import json
import math
import zipfile
from typing import Any

from fuzzing.framing import header

STATED = "stated by the file"
UNCHECKED = "no checksum"


def of_json(before: bytes, after: bytes) -> str | None:
    """Same types at the same places: the file states something else. Keys may go and come."""
    try:
        new = json.loads(after.decode(), object_pairs_hook=_unambiguous)
        return STATED if _alike(json.loads(before), new) else None
    except (ValueError, RecursionError):
        return None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _alike(old: Any, new: Any) -> bool:
    if isinstance(old, dict) and isinstance(new, dict):
        return all(_alike(old[key], new[key]) for key in old.keys() & new.keys())
    if isinstance(old, list) and isinstance(new, list):
        return not old or all(any(_alike(one, other) for one in old) for other in new)
    if isinstance(old, str) and isinstance(new, dict):  # a token may be its text, or an object with its text
        return isinstance(new.get("content"), str)
    if isinstance(old, float) and isinstance(new, int | float) and not isinstance(new, bool):
        return math.isfinite(new)
    if isinstance(old, int) and isinstance(new, float):
        return new.is_integer()
    return old is None or new is None or type(old) is type(new)


def of_index(before: bytes, after: bytes) -> str | None:
    """A shard is named plainly: what leads out of the folder could be told."""
    said = of_json(before, after)
    shards = json.loads(after).get("weight_map", {}).values() if said else ()
    plain = all(isinstance(name, str) and name == name.strip("./\\ ") and "/" not in name for name in shards)
    return said if plain else None


def of_safetensors(before: bytes, after: bytes) -> str | None:
    """Without a checksum in its metadata, nobody knows the numbers; but weights are never whole numbers."""
    try:
        (old, _), (new, _) = header(before), header(after)
    except Exception:
        return None
    checked = set(old.get("__metadata__", {})) - {"format", "notes"}
    if checked and new.get("__metadata__") == old["__metadata__"]:
        return None
    kinds = [tensor.get("dtype") for name, tensor in new.items() if name != "__metadata__" and isinstance(tensor, dict)]
    return UNCHECKED if all(isinstance(kind, str) and "F" in kind for kind in kinds) else None


def of_zip(before: bytes, after: bytes) -> str | None:
    """A zip archive has a checksum for each file in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(after)) as archive:
            return UNCHECKED if archive.testzip() is None else None
    except Exception:
        return None


def of_pickle(before: bytes, after: bytes) -> str | None:
    """A `pytorch_model.bin` is a zip archive, or plain pickles in the form before."""
    return of_zip(before, after) if zipfile.is_zipfile(io.BytesIO(before)) else UNCHECKED


def of_unchecked(before: bytes, after: bytes) -> str | None:
    """A format without any checksum."""
    return UNCHECKED


def of_checked(before: bytes, after: bytes) -> str | None:
    """A format whose every byte is covered by a checksum."""
    return None


def of_text(before: bytes, after: bytes) -> str | None:
    """Text says what it says."""
    try:
        return STATED if after.decode() else None
    except UnicodeDecodeError:
        return None


def of_tokenizer(before: bytes, after: bytes) -> str | None:
    """A tokenizer.json, whose library knows more types than one file shows."""
    try:
        return STATED if isinstance(json.loads(after.decode(), object_pairs_hook=_unambiguous), dict) else None
    except (ValueError, RecursionError):
        return None
