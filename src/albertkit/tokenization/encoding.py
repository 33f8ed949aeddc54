"""Encoding: one model input made of one or two tokenised texts, and the columns that describe it. Ids only; no text."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from albertkit.tokenization.normalizer import Offsets

T = TypeVar("T")

SpecialToken = tuple[int, str]
"""A special token: its id and its text."""


class TokenizedText(NamedTuple):
    """The tokens of one text, without special tokens around it.

    `ids` always. Only where an alignment was asked for: `pieces`, the tokens as strings; `offsets`, the characters of
    the original text that each comes from; and `word_ids`, the number of the word that each belongs to.
    """

    ids: list[int]
    pieces: list[str] | None = None
    offsets: list[Offsets] | None = None
    word_ids: list[int | None] | None = None

    def cut(self, start: int, stop: int) -> "TokenizedText":
        """The tokens from `start` to `stop`."""
        part = slice(start, stop)
        return TokenizedText(
            self.ids[part],
            self.pieces and self.pieces[part],
            self.offsets and self.offsets[part],
            self.word_ids and self.word_ids[part],
        )


TokenizedPair = tuple[TokenizedText, TokenizedText | None]
"""The tokens of a text and of its second text, if it has one."""


@dataclass(slots=True)
class Encoding:
    """A model input: `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]` (ALBERT, arXiv 1909.11942, section 4.1).

    `special_tokens` are [CLS] and [SEP], or None for an input without them. All columns are lists of L, the length of
    the input with its padding; their names are those of `tokenizers.Encoding`.
    """

    first: TokenizedText
    second: TokenizedText | None
    special_tokens: tuple[SpecialToken, SpecialToken] | None
    left_padding: int = 0
    right_padding: int = 0
    pad_token: SpecialToken = (0, "")

    def pad(self, count: int, side: str, pad_token: SpecialToken) -> None:
        """Note that the batch adds `count` pad tokens at the `side` "left" or "right"."""
        self.left_padding, self.right_padding = (count, 0) if side == "left" else (0, count)
        self.pad_token = pad_token

    def __len__(self) -> int:
        special = 0 if self.special_tokens is None else 2 if self.second is None else 3
        texts = len(self.first.ids) + (0 if self.second is None else len(self.second.ids))
        return self.left_padding + self.right_padding + special + texts

    @property
    def ids(self) -> list[int]:
        """Token ids."""
        cls, sep = self.special_tokens or (self.pad_token, self.pad_token)
        return self._column("ids", cls[0], sep[0], self.pad_token[0])

    @property
    def tokens(self) -> list[str]:
        """Tokens as strings. Needs an alignment, as all columns below but for the masks and type ids do."""
        cls, sep = self.special_tokens or (self.pad_token, self.pad_token)
        return self._column("pieces", cls[1], sep[1], self.pad_token[1])

    @property
    def offsets(self) -> list[Offsets]:
        """The characters of its text, first and behind last, that a token comes from; (0, 0) for special tokens."""
        return self._column("offsets", (0, 0), (0, 0), (0, 0))

    @property
    def word_ids(self) -> list[int | None]:
        """Word of each token, counted within its text; None for special tokens and padding."""
        return self._column("word_ids", None, None, None)

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 for the first text, 1 for the second, None for special tokens and padding."""
        edge = [None] if self.special_tokens else []
        second = [] if self.second is None else [1] * len(self.second.ids) + edge
        texts = edge + [0] * len(self.first.ids) + edge + second
        return [None] * self.left_padding + texts + [None] * self.right_padding

    @property
    def type_ids(self) -> list[int]:
        """Token types: 0 for [CLS] first [SEP] and padding, 1 for second [SEP]."""
        edge = 1 if self.special_tokens else 0
        second = 0 if self.second is None else len(self.second.ids) + edge
        return [0] * (self.left_padding + len(self.first.ids) + 2 * edge) + [1] * second + [0] * self.right_padding

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 for special tokens and padding, 0 for tokens of the texts."""
        return [int(sequence is None) for sequence in self.sequence_ids]

    @property
    def attention_mask(self) -> list[int]:
        """1 for tokens, 0 for padding."""
        left, right = self.left_padding, self.right_padding
        return [0] * left + [1] * (len(self) - left - right) + [0] * right

    def _column(self, name: str, cls: T, sep: T, pad: T) -> list[T]:
        """A field of the tokenised texts, with its values for [CLS], [SEP] and padding around it."""
        first = getattr(self.first, name)
        second = [] if self.second is None else getattr(self.second, name)
        if self.special_tokens is None:
            column = [*first, *second]
        else:
            column = [cls, *first, sep] if self.second is None else [cls, *first, sep, *second, sep]
        if self.left_padding or self.right_padding:
            return [pad] * self.left_padding + column + [pad] * self.right_padding
        return column
