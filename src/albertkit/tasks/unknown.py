"""How much of each text a vocabulary knows, counted from the ids that were made of it: no text is cut a second time.

Letters: N examples.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.unknown import REPORTED_SHARE, likely_cause


@dataclass(frozen=True)
class UnknownTotals:
    """How many pieces some texts have, how many are unknown, and how many of the texts are empty or mostly unknown."""

    pieces: int = 0
    unknown: int = 0
    texts: int = 0
    unreadable: int = 0

    def __add__(self, other: "UnknownTotals") -> "UnknownTotals":
        pieces, unknown = self.pieces + other.pieces, self.unknown + other.unknown
        return UnknownTotals(pieces, unknown, self.texts + other.texts, self.unreadable + other.unreadable)

    @property
    def is_large(self) -> bool:
        """Whether the share of unknown pieces, or of texts that are mostly unknown, is above REPORTED_SHARE."""
        return max(self.unknown / max(self.pieces, 1), self.unreadable / max(self.texts, 1)) > REPORTED_SHARE

    def describe(self, tokenizer: AlbertTokenizerBase) -> str:
        """The counts in words, with the likely cause."""
        cause = f" {likely_cause(tokenizer)}" if self.unknown else ""
        return (
            f"{self.unknown:,} of {self.pieces:,} pieces are unknown to the vocabulary, and {self.unreadable:,} of "
            f"{self.texts:,} texts are empty or mostly unknown: to the model these are alike.{cause}"
        )


@dataclass(frozen=True)
class UnknownCounts:
    """Pieces of each of N examples, (N,) int64, and how many of them are unknown, (N,) int64."""

    pieces: np.ndarray
    unknown: np.ndarray

    @property
    def unreadable(self) -> np.ndarray:
        """(N,) bool: which examples have no pieces, or more unknown ones than others."""
        return (self.pieces == 0) | (2 * self.unknown > self.pieces)

    def doubts(self) -> dict[str, int]:
        """How many examples are `empty`, and how many others mostly `unknown`."""
        empty = int((self.pieces == 0).sum())
        return {"empty": empty, "unknown": int(self.unreadable.sum()) - empty}

    def totals(self) -> UnknownTotals:
        """The sums."""
        pieces, unknown = int(self.pieces.sum()), int(self.unknown.sum())
        return UnknownTotals(pieces, unknown, len(self.pieces), int(self.unreadable.sum()))

    def warning(self, number: int) -> str | None:
        """What is said beside the answer for an example, or None where it can be read."""
        if not self.unreadable[number]:
            return None
        if not self.pieces[number]:
            return "the text is empty: the answer says nothing of it"
        return (
            f"{self.unknown[number]} of {self.pieces[number]} pieces of the text are unknown to the vocabulary: the "
            "answer says next to nothing of it"
        )


def count(
    tokenizer: AlbertTokenizerBase, rows: Sequence[Sequence[int]], example: Iterable[int], examples: int
) -> UnknownCounts:
    """Count the pieces of rows of ids, each of which is of the example of the same place in `example`.

    Not counted are the special tokens around a text, and the sign of a space where that stands alone. In a row with
    unknown pieces a known one counts only if it has a letter and is no special token: digits, punctuation and
    masks are alike in all languages.
    """
    unknown_id = tokenizer.unk_token_id
    frame = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.find("▁")} - {None}
    counts = np.zeros((2, examples), np.int64)
    for number, row in zip(example, rows, strict=True):
        ids = list(row)
        if unknown := ids.count(unknown_id):
            unread = {*frame, *tokenizer.all_special_ids}
            known = tokenizer.convert_ids_to_tokens([one for one in ids if one not in unread])
            pieces = unknown + sum(any(map(str.isalpha, piece)) for piece in known)
        else:
            pieces = len(ids) - sum(map(ids.count, frame))
        counts[:, number] += pieces, unknown
    return UnknownCounts(*counts)
