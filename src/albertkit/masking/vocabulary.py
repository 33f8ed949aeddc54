"""What masking knows of a vocabulary: which pieces start a word, which ids are special. Knows no text."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from albertkit.errors import InputError
from albertkit.tokenization.base import AlbertTokenizerBase

SPACE = "\u2581"
"""What SentencePiece writes for the space before a word."""
CONTINUATION = "##"
"""What WordPiece writes before the rest of a word."""

# Scripts that put no space between words, by the beginnings of their characters' Unicode names.
_UNSPACED = re.compile(
    "(CJK |IDEOGRAPHIC |HIRAGANA |KATAKANA|HALFWIDTH KATAKANA |BOPOMOFO |YI |THAI |LAO |KHMER |MYANMAR |TIBETAN |"
    "TAI |NEW TAI LUE |JAVANESE |BALINESE )"
)
_LATER_BYTE = re.compile(r"<0x[89AB][0-9A-F]>")
"""A byte piece that goes on with a character of UTF-8: 0x80 to 0xBF."""


@dataclass(frozen=True, eq=False)
class MaskingVocabulary:
    """A vocabulary of V ids, added tokens included, as masking sees it. InputError where all of it is special."""

    cls_id: int
    sep_id: int
    mask_id: int
    pad_id: int
    is_word_start: np.ndarray
    """(V,) bool: pieces that start a word."""
    is_special: np.ndarray
    """(V,) bool: special tokens, <unk> among them, and ids without a piece. Never masked, never put in by chance."""

    def __post_init__(self) -> None:
        if self.is_special.all():
            raise InputError("A vocabulary must hold pieces that are not special tokens. Received: none.")

    @classmethod
    def from_tokenizer(cls, tokenizer: AlbertTokenizerBase) -> "MaskingVocabulary":
        """The vocabulary of a tokenizer. InputError where it lacks [CLS], [SEP], [MASK] or <pad>."""
        roles = {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "mask", "pad")}
        missing = [f"{name}_token" for name, index in roles.items() if index is None]
        if missing:
            raise InputError(f"Masking needs special tokens that the tokenizer lacks: {', '.join(missing)}.")
        is_special = np.ones(len(tokenizer), bool)
        is_special[list(tokenizer.get_vocab().values())] = False
        is_special[tokenizer.all_special_ids] = True
        ids = {f"{name}_id": index for name, index in roles.items()}
        return cls(**ids, is_word_start=find_word_starts(tokenizer), is_special=is_special)

    @cached_property
    def ordinary_ids(self) -> np.ndarray:
        """(v,) int64: the ids that are not special, ascending; a random replacement is one of them."""
        return np.flatnonzero(~self.is_special)


def find_word_starts(tokenizer: AlbertTokenizerBase) -> np.ndarray:
    """Which ids start a word: (V,) bool, V with added tokens.

    The boundaries follow the language of the piece, where the original knows only English. A SentencePiece piece starts
    a word when it begins with U+2581 or `<`, holds punctuation or a symbol (£, €), or is in a script that puts no space
    between words, such as Chinese, Japanese or Thai: there every piece is a word. Other pieces without U+2581 go on
    with the word before them: English, accented Latin, Greek, Cyrillic, Korean, digits. In the original all of these
    but the English ones count as words, so that parts of one word are masked apart. Of a character written in bytes
    the first piece starts a word. A WordPiece piece starts one when it lacks `##` or is in a script without spaces.
    Special and added tokens, and ids without a token, start one.
    """
    vocabulary = tokenizer.get_vocab()
    continuations = sum(piece.startswith(CONTINUATION) for piece in vocabulary)
    is_wordpiece = continuations >= sum(piece.startswith(SPACE) for piece in vocabulary)
    starts_word = _starts_in_wordpiece if is_wordpiece else _starts_in_sentencepiece
    starts = np.ones(len(tokenizer), bool)
    for piece, index in vocabulary.items():
        starts[index] = starts_word(piece)
    starts[[*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder]] = True
    return starts


def _starts_in_wordpiece(piece: str) -> bool:
    return not piece.startswith(CONTINUATION) or _is_unspaced(piece)


def _starts_in_sentencepiece(piece: str) -> bool:
    if piece.startswith((SPACE, "<")):
        return not _LATER_BYTE.fullmatch(piece)
    return any(unicodedata.category(character)[0] in "PS" for character in piece) or _is_unspaced(piece)


def _is_unspaced(piece: str) -> bool:
    return any(_UNSPACED.match(unicodedata.name(character, "")) for character in piece)
