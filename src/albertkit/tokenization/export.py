"""A SentencePiece segmenter -> a `tokenizers.Tokenizer`, as near as that library can come to it.

Two things it cannot say: the digit-comma rule, in whose place pieces that end in digit and comma are made so costly
that they are not chosen, and SentencePiece's sums in single precision, which decide between near ties. On real text
the two differ in fewer than one paragraph in ten thousand.
"""

import struct
from collections.abc import Iterator
from typing import Any

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors

from albertkit.errors import CheckpointError
from albertkit.tokenization.segmenters import UNDERLINE, SentencePieceSegmenter, add_to, ends_in_comma

# Numbers of fields and values in sentencepiece_model.proto.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _CHARSMAP = 3, 2
_UNIGRAM, _NORMAL, _UNKNOWN, _USER_DEFINED = 1, 1, 2, 4
_COMMA_COST = 100.0


def to_tokenizers(segmenter: SentencePieceSegmenter, roles: dict[str, str]) -> tokenizers.Tokenizer:
    """The tokenizer with all its parts; `roles` gives the text of cls_token and sep_token, where there are such."""
    fields = list(_fields(segmenter.model))
    pieces = [_piece(value) for number, value in fields if number == _PIECES]
    trainer, normalizer = (dict(_fields(dict(fields).get(part, b""))) for part in (_TRAINER, _NORMALIZER))
    if trainer.get(_MODEL_TYPE, _UNIGRAM) != _UNIGRAM:
        raise CheckpointError(
            "Only a SentencePiece model of type unigram can become a tokenizer.json. Received: another type."
        )
    unknown = next(index for index, (_, _, kind) in enumerate(pieces) if kind == _UNKNOWN)
    backend = tokenizers.Tokenizer(models.Unigram(_scores(pieces), unk_id=unknown))
    backend.normalizer = _normalizer(segmenter, normalizer.get(_CHARSMAP, b""))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement=UNDERLINE, prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement=UNDERLINE, prepend_scheme="always")
    for index, token in sorted(segmenter.added.by_id.items()):
        add_to(backend, token, index)
    cls, sep = roles.get("cls_token"), roles.get("sep_token")
    if cls and sep:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{cls}:0 $A:0 {sep}:0",
            pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
            special_tokens=[(token, backend.token_to_id(token)) for token in (cls, sep)],
        )
    return backend


def _scores(pieces: list[tuple[str, float, int]]) -> list[tuple[str, float]]:
    """Scores as SentencePiece uses them: a symbol that the vocabulary's maker chose always wins."""
    best = max((score for _, score, kind in pieces if kind == _NORMAL), default=0.0)
    scores = []
    for piece, score, kind in pieces:
        if kind == _USER_DEFINED:
            score = best * len(piece.encode()) - 0.1
        scores.append((piece, score - _COMMA_COST * ends_in_comma(piece)))
    return scores


def _normalizer(segmenter: SentencePieceSegmenter, charsmap: bytes) -> normalizers.Normalizer:
    cleaning = segmenter.cleaning
    steps: list[normalizers.Normalizer] = []
    if cleaning.collapse:
        steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    steps += [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not cleaning.keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if cleaning.lower:
        steps.append(normalizers.Lowercase())
    if charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    return normalizers.Sequence([*steps, normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])


def _piece(message: bytes) -> tuple[str, float, int]:
    fields = dict(_fields(message))
    return fields[_PIECE].decode(), struct.unpack("<f", fields.get(_SCORE, b"\0\0\0\0"))[0], fields.get(_TYPE, _NORMAL)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer message: (number, value), the value an integer or the bytes it holds.

    Read here because the module generated for this message asks for one exact version of the protobuf library.
    """
    position = 0

    def varint() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(message):
        number, wire = divmod(varint(), 8)
        if wire == 0:
            yield number, varint()
            continue
        size = varint() if wire == 2 else {1: 8, 5: 4}[wire]
        yield number, message[position : position + size]
        position += size
