"""Why a vocabulary may not know the pieces of a text: the likely cause, in words, and what to do about it."""

import itertools
import unicodedata

from albertkit.tokenization.base import AlbertTokenizerBase

REPORTED_SHARE = 0.1
"""The share of unknown pieces, or of texts that are mostly unknown, above which a corpus, a run or a score says so."""
SAMPLE = 100
"""Entries of a vocabulary that are tried."""


def likely_cause(tokenizer: AlbertTokenizerBase) -> str:
    """Why texts come out as unknown pieces, and the way out: one or two sentences.

    Either accents are taken off that the vocabulary itself has, as a Korean vocabulary of whole syllables has, or the
    vocabulary is that of another language.
    """
    lost = _unreachable(tokenizer)
    if not lost:
        return (
            "Likely, the vocabulary was learned from texts of another language: take a model of this one, or learn a "
            "vocabulary of your own with `albertkit tokenizer train` and pre-train with it."
        )
    return (
        f"Likely, accents are taken off that the vocabulary itself has: no text reaches its entries such as {lost!r}. "
        f"{tokenizer.keeping_accents}"
    )


def _unreachable(tokenizer: AlbertTokenizerBase) -> str:
    """An entry with accents that is no piece of its own text, or "" where most of those with accents are."""
    entries = (piece.removeprefix("▁").removeprefix("##") for piece in tokenizer.get_vocab())
    accented = (entry for entry in entries if unicodedata.normalize("NFD", entry) != entry)
    sample = list(itertools.islice(accented, SAMPLE))
    lost = [entry for entry in sample if tokenizer.unk_token_id in tokenizer.encode(entry, add_special_tokens=False)]
    return lost[0] if 2 * len(lost) > len(sample) else ""
