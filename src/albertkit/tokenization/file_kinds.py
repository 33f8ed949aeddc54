"""What a file of a tokenizer holds, so that one given to the wrong reader is sent to its own."""

import json
import re
from pathlib import Path

from albertkit import protobuf

_LOOKED_AT = 2**16
"""Bytes of a file that are looked at to see whether it is text."""


def own_reader(source: object, content: bytes) -> str:
    """A sentence that names what reads a file of this content, or nothing where it is of no kind that is known."""
    path = str(source)
    if content.lstrip()[:1] == b"{":
        return _reader_of_json(path, content)
    if _is_spiece(content):
        return f"It is a SentencePiece model: AlbertTokenizer({path!r}) reads it."
    lines = _lines(content)
    if lines and all(re.fullmatch(r".+\t-?[0-9.e+-]+", line) for line in lines):
        return "It lists the pieces of a SentencePiece model with their scores: take the .model file beside it."
    if len(lines) > 1:
        return f"It has a token on each line, as WordPiece does: AlbertWordPieceTokenizer({path!r}) reads it."
    return ""


def _reader_of_json(path: str, content: bytes) -> str:
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if "model" in stated:
        return f"It is a tokenizer.json: AlbertTokenizerFast(tokenizer_file={path!r}) reads it."
    folder = str(Path(path).parent)
    return f"It is JSON beside a vocabulary: AlbertTokenizerFast.from_pretrained({folder!r}) reads their folder."


def _is_spiece(content: bytes) -> bool:
    """Whether these are the fields of a ModelProto: 1 to 5, the first of them a piece."""
    try:
        found = [number for number, _ in protobuf.fields(content)]
    except (ValueError, IndexError):
        return False
    return bool(found) and found[0] == 1 and set(found) <= set(range(1, 6))


def _lines(content: bytes) -> list[str]:
    """The lines of a text at its beginning, or nothing where it is no text."""
    try:
        text = content[:_LOOKED_AT].decode("utf-8", "strict" if len(content) <= _LOOKED_AT else "ignore")
    except UnicodeDecodeError:
        return []
    lines = text.splitlines()
    return lines if all(line.isprintable() or "\t" in line for line in lines) else []
