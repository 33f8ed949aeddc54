"""A SentencePiece segmenter -> a `tokenizers.Tokenizer`, as near as that library can come to it.

Two things it cannot say: the digit-comma rule, in whose place pieces that end in digit and comma are made so costly
that they are not chosen, as Transformers does too, and SentencePiece's sums in single precision, which decide between
near ties. On real text the two differ in fewer than one paragraph in ten thousand.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors

from albertkit import protobuf
from albertkit.errors import CheckpointError
from albertkit.tokenization.normalizer import AlbertNormalizer
from albertkit.tokenization.sentencepiece_segmenter import UNDERLINE, SentencePieceSegmenter, ends_in_digit_comma
from albertkit.tokenization.tokenizers_segmenter import add_tokens_to

# Numbers of fields and values in sentencepiece_model.proto. The module generated for it is not used, since it asks for
# one exact version of the protobuf library.
_PIECES, _TRAINER, _NORMALIZER = 1, 2, 3
_PIECE, _SCORE, _TYPE = 1, 2, 3
_MODEL_TYPE, _CHARSMAP = 3, 2
_UNIGRAM, _NORMAL, _UNKNOWN, _USER_DEFINED = 1, 1, 2, 4
_COMMA_COST = 100.0


class _Piece(NamedTuple):
    """A piece of the vocabulary: its text, its log probability, and one of the kinds above."""

    text: str
    score: float
    kind: int


def to_tokenizers(
    segmenter: SentencePieceSegmenter, cls_token: str | None, sep_token: str | None
) -> tokenizers.Tokenizer:
    """The tokenizer with all its parts; [CLS] and [SEP] are put around texts where there are both.

    CheckpointError for a model that is no unigram model, and for added tokens whose ids do not follow the vocabulary.
    """
    fields = list(protobuf.fields(segmenter.model))
    pieces = [_piece(value) for number, value in fields if number == _PIECES]
    trainer, normalizer = (dict(protobuf.fields(dict(fields).get(part, b""))) for part in (_TRAINER, _NORMALIZER))
    if trainer.get(_MODEL_TYPE, _UNIGRAM) != _UNIGRAM:
        raise CheckpointError(
            "Only a SentencePiece model of type unigram can become a tokenizer.json. Received: another type."
        )
    unknown = next(index for index, piece in enumerate(pieces) if piece.kind == _UNKNOWN)
    backend = tokenizers.Tokenizer(models.Unigram(_scores(pieces), unk_id=unknown))
    backend.normalizer = _normalizer(segmenter.normalizer, normalizer.get(_CHARSMAP, b""))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(replacement=UNDERLINE, prepend_scheme="always")
    backend.decoder = decoders.Metaspace(replacement=UNDERLINE, prepend_scheme="always")
    add_tokens_to(backend, dict(sorted(segmenter.added.by_id.items())))
    if cls_token and sep_token:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{cls_token}:0 $A:0 {sep_token}:0",
            pair=f"{cls_token}:0 $A:0 {sep_token}:0 $B:1 {sep_token}:1",
            special_tokens=[(token, backend.token_to_id(token)) for token in (cls_token, sep_token)],
        )
    return backend


def _piece(message: bytes) -> _Piece:
    fields = dict(protobuf.fields(message))
    score = fields.get(_SCORE, 0).to_bytes(4, "little")  # a float, which `fields` reads as an int of its bytes
    return _Piece(fields[_PIECE].decode(), struct.unpack("<f", score)[0], fields.get(_TYPE, _NORMAL))


def _scores(pieces: Sequence[_Piece]) -> list[tuple[str, float]]:
    """Scores as SentencePiece uses them: a symbol that the vocabulary's maker chose always wins."""
    best = max((piece.score for piece in pieces if piece.kind == _NORMAL), default=0.0)
    scores = []
    for text, score, kind in pieces:
        if kind == _USER_DEFINED:
            score = best * len(text.encode()) - 0.1
        scores.append((text, score - _COMMA_COST * ends_in_digit_comma(text)))
    return scores


def _normalizer(normalizer: AlbertNormalizer, charsmap: bytes) -> normalizers.Normalizer:
    """ALBERT's normalizer, and behind it that of the SentencePiece model, a map of characters."""
    steps: list[normalizers.Normalizer] = []
    if normalizer.remove_space:
        steps += [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    steps += [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not normalizer.keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if normalizer.do_lower_case:
        steps.append(normalizers.Lowercase())
    if charsmap:
        steps.append(normalizers.Precompiled(charsmap))
    return normalizers.Sequence([*steps, normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")])
