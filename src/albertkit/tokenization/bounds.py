"""What a vocabulary may hold before a library is given it: bounds on what costs time or memory there.

They lie far beyond every vocabulary that was ever published. What is of the wrong kind is left to the library to
refuse.
"""

import base64
import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping

import tokenizers
from tokenizers.normalizers import Normalizer

from albertkit.errors import CheckpointError
from albertkit.protobuf import fields
from albertkit.tokenization.file_kinds import own_reader
from albertkit.typing import Json, Record

ENTRIES = 2**24
"""Entries of a vocabulary, with those added to it, and one more than the highest id: as many as a config may state."""
LONGEST = 1000
"""Characters of one entry, of one added token, and of one text in the model and the steps of a tokenizer.json."""
TOTAL = 2**23
"""Characters of all entries together, and of all added tokens together, before and after they are normalized."""
WORD = 1000
"""Characters that a WordPiece model may look at as one word: its time grows with their square."""
STEPS = 100
"""Steps of a tokenizer.json: normalizers, pre-tokenizers, processors and decoders."""
GROWTH = 1000
"""How many times as long as it was all steps together may make a text."""

# The fields of a ModelProto, and those of the messages in it, in sentencepiece_model.proto.
_PIECES, _TRAINER, _NORMALIZER, _SELF_TEST, _DENORMALIZER = 1, 2, 3, 4, 5
_PIECE, _UNKNOWN_SURFACE, _CHARSMAP = 1, 44, 2
_STEPS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")


def require_entries(source: object, entries: Collection[str]) -> None:
    """CheckpointError where the entries of a vocabulary, or added tokens, are too many or too long."""
    lengths = [len(entry) for entry in entries]
    _require(source, "entries", len(lengths), ENTRIES)
    _require(source, "characters in one entry", max(lengths, default=0), LONGEST)
    _require(source, "characters in all entries", sum(lengths), TOTAL)


def require_ids(source: object, ids: Iterable[int]) -> None:
    """CheckpointError where an id is too high."""
    _require(source, "ids", max(ids, default=0) + 1, ENTRIES)


def require_spiece(source: object, model: bytes) -> None:
    """CheckpointError where a SentencePiece model makes a text too much longer, before it is cut or once it is decoded.

    The library merges messages that stand in a file more than once. Here the worst of them counts.
    """
    try:
        held: dict[int, list[bytes]] = {}
        for number, value in fields(model):
            if isinstance(value, bytes):
                held.setdefault(number, []).append(value)
        growth = max(map(_longest, _nested(held, _NORMALIZER, _CHARSMAP)), default=1)
        decoded = max(map(_longest, _nested(held, _DENORMALIZER, _CHARSMAP)), default=1)
        long = [piece for piece in held.get(_PIECES, ()) if len(piece) > LONGEST]
        entries = _nested({_PIECES: long}, _PIECES, _PIECE) + _nested(held, _TRAINER, _UNKNOWN_SURFACE)
    except (ValueError, IndexError) as error:
        raise not_spiece(source, model, error) from error
    require_entries(source, [entry.decode("utf-8", "replace") for entry in entries])
    replaced = "times the length of a text once its characters are replaced"
    _require(source, replaced, max(growth, 1) * max(decoded, 1), GROWTH)
    tested = sum(map(len, held.get(_SELF_TEST, ())))  # the library cuts these texts when it loads the model
    _require(source, "characters in its self-test once they are replaced", tested * max(growth, 1), TOTAL)


def not_spiece(source: object, model: bytes, error: Exception) -> CheckpointError:
    """The error for bytes that are no SentencePiece model."""
    way_out = own_reader(source, model)
    if "AlbertTokenizer(" in way_out or not way_out:
        way_out = "If a download or a copy was cut short, repeat it."
    return CheckpointError(
        f"A vocabulary file must be a SentencePiece model. Reading {len(model):,} bytes failed, those of {source}: "
        f"{error!s:.200}. {way_out}"
    )


def _nested(held: Mapping[int, Iterable[bytes]], outer: int, inner: int) -> list[bytes]:
    """All values of the field `inner` in all messages of the field `outer`."""
    parts = (part for message in held.get(outer, ()) for part in fields(message))
    return [value for number, value in parts if number == inner and isinstance(value, bytes)]


def require_tokenizer(source: object, content: Mapping[str, Json]) -> None:
    """CheckpointError where the contents of a tokenizer.json ask for endless time or memory."""
    model, added = _mapping(content.get("model")), content.get("added_tokens")
    _require_texts(source, "its model", model)
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, list):
        entries = [entry[0] for entry in vocabulary if isinstance(entry, list) and entry]
    else:
        entries = list(_mapping(vocabulary))
        require_ids(source, filter(_is_whole, _mapping(vocabulary).values()))
    require_entries(source, [entry for entry in entries if isinstance(entry, str)])
    tokens = [_mapping(token) for token in added] if isinstance(added, list) else []
    require_entries(source, [token["content"] for token in tokens if isinstance(token.get("content"), str)])
    require_ids(source, [token["id"] for token in tokens if _is_whole(token.get("id"))])
    most = model.get("max_input_chars_per_word")
    if isinstance(most, int):
        _require(source, "characters in a word of its model", most, WORD)
    _require_steps(source, [step for part in _STEPS for step in _objects(content.get(part)) if "type" in step])
    normalized = [t["content"] for t in tokens if t.get("normalized") is True and isinstance(t.get("content"), str)]
    if normalized:
        require_normalized(source, _normalizer(content.get("normalizer")), normalized)


def require_normalized(source: object, normalizer: Normalizer | None, added: Iterable[str], before: int = 0) -> int:
    """Characters of added tokens once they are normalized, and those `before`. CheckpointError where they are too many.

    The library builds a search tree over them, which takes many times their room.
    """
    total = before
    for token in added:
        total += len(normalizer.normalize_str(token) if normalizer is not None else token)
        _require(source, "characters in all added tokens once they are normalized", total, TOTAL)
    return total


def _normalizer(stated: object) -> Normalizer | None:
    """The normalizer of a tokenizer.json, made without its vocabulary."""
    nothing = {"type": "BPE", "vocab": {}, "merges": []}
    return tokenizers.Tokenizer.from_str(
        json.dumps({"version": "1.0", "normalizer": stated, "model": nothing})
    ).normalizer


def _require_steps(source: object, steps: list[Record]) -> None:
    _require(source, "steps", len(steps), STEPS)
    for step in steps:
        _require_texts(source, "a step", step)
    growth = "times the length of a text once all steps are taken"
    _require(source, growth, math.prod(max(_growth(step), 1) for step in steps), GROWTH)


def _require_texts(source: object, where: str, part: Mapping[str, Json]) -> None:
    texts = [len(text) for key, text in part.items() if isinstance(text, str) and key != "precompiled_charsmap"]
    _require(source, f"characters in a text of {where}", max(texts, default=0), LONGEST)


def _growth(step: Mapping[str, Json]) -> int:
    """How many times as long as it was one step may make a text, as far as its file decides that."""
    kind, content = step["type"], step.get("content")
    if kind == "Replace" and isinstance(content, str):
        # What a regular expression matches may be empty, and then stands between any two characters.
        replaced = _mapping(step.get("pattern")).get("String")
        return math.ceil(len(content) / len(replaced)) if isinstance(replaced, str) and replaced else len(content) + 1
    if kind == "Prepend" and isinstance(prepended := step.get("prepend"), str):
        return len(prepended) + 1
    if kind == "TemplateProcessing":  # a template may name a text any number of times
        templates = [step[key] for key in ("single", "pair") if isinstance(step.get(key), list)]
        return max((sum("Sequence" in _mapping(part) for part in parts) for parts in templates), default=1)
    if kind == "Precompiled" and isinstance(charsmap := step.get("precompiled_charsmap"), str):
        try:
            return _longest(base64.b64decode(charsmap))
        except ValueError:
            return 1
    return 2 if kind in ("ByteLevel", "Metaspace") else 1


def _longest(charsmap: bytes) -> int:
    """Characters of the longest replacement in a precompiled character map.

    Behind the size of its search tree and the tree, it holds all replacements, each ended by a zero byte.
    """
    replacements = charsmap[4 + int.from_bytes(charsmap[:4], "little") :].split(b"\0")
    return max(len(replacement.decode("utf-8", "replace")) for replacement in replacements)


def _require(source: object, what: str, count: int, most: int) -> None:
    if count > most:
        raise CheckpointError(
            f"{source} may have {most:,} {what} at most. It has {count:,}. Check that it is the right file."
        )


def _objects(value: object) -> Iterator[Record]:
    """The JSON objects in a value, itself among them."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from _objects(child)


def _mapping(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
