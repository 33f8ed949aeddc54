"""Segmenter: what the tokenizer classes ask of a library that cuts text into tokens of one vocabulary.

A segmenter finds added tokens, normalizes the text and cuts it into pieces. It knows nothing of pairs, lengths or
padding.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from tokenizers import AddedToken

from albertkit.tokenization.added_vocabulary import AddedVocabulary
from albertkit.tokenization.encoding import TokenizedText


class Segmenter(Protocol):
    """What the tokenizer classes need of a library. S is the number of texts, T that of all their tokens."""

    vocab_size: int
    """Entries of the vocabulary, without added tokens."""
    fair: bool
    """How an odd place is shared between two texts; see truncation.Truncation."""
    random: bool
    """Whether the same text may be cut differently the next time."""
    added: AddedVocabulary
    """The added tokens, special ones among them."""
    threads: int
    """How many threads SentencePiece uses at once; -1: as many as there are cores."""

    def encode(self, texts: Sequence[str], align: bool, split_special_tokens: bool) -> list[TokenizedText]:
        """The tokens of each text; with their pieces, offsets and words where `align`.

        With `split_special_tokens` a special token in a text is text like any other. CheckpointError where the library
        fails over a text.
        """
        ...

    def encode_flat(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of texts as text only, one behind another (T,) int32, and how many each has (S,) int64."""
        ...

    def id_to_token(self, index: int) -> str | None:
        """The vocabulary's entry at `index`, or None beyond its end."""
        ...

    def token_to_id(self, piece: str) -> int | None:
        """Where the vocabulary holds `piece`, or None."""
        ...

    def decode_pieces(self, pieces: Sequence[str]) -> str:
        """The text that pieces stand for."""
        ...

    def add_tokens(self, tokens: Mapping[int, AddedToken]) -> None:
        """Take in added tokens under their ids. CheckpointError where the library cannot."""
        ...


def concatenate(rows: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids one behind another (T,) int32, and their lengths (S,) int64."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths
