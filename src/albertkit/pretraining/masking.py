"""N-gram masking of whole words (paper, section 4.1). Knows ids and which of them start a word.

The words of a sequence are gone through in random order. From each, an n-gram of n = 1..N words is taken, with p(n)
proportional to 1/n among the lengths that stay within its segment: for N = 3 these are 6/11, 3/11 and 2/11. It is
shortened where it would go over the sequence's budget, and left out where it meets a masked word. So as many pieces are
masked as the budget says, and fewer only where the words that are left are too long for the rest of it, or too few.
"""

from typing import NamedTuple

import numpy as np

from albertkit.pretraining.words import Pieces

REPLACEMENTS = ("piece", "span")
_MASKED, _KEPT = 0.8, 0.9
"""Of the draws from 0 to 1, those below the first become [MASK], those below the second stay, the rest is random."""


class Words(NamedTuple):
    """The W words of a row that may be masked, in order."""

    begins: np.ndarray
    """(W,) the first place of each."""
    ends: np.ndarray
    """(W,) the place after its last."""
    following: np.ndarray
    """(W,) how many words go on without a break from each, itself included."""


class Masked(NamedTuple):
    """What is to be predicted in a row."""

    places: np.ndarray
    """(M,) ascending."""
    labels: np.ndarray
    """(M,) the true ids."""
    inputs: np.ndarray
    """(M,) the ids that stand there now."""


def words(ids: np.ndarray, pieces: Pieces) -> Words:
    """The words of a row of ids (L,). Special tokens part them, and are in none.

    The first piece of a segment begins a word also where its own beginning was cut off.
    """
    usable = ~pieces.special[ids]
    starts = usable.copy()
    starts[1:] &= pieces.starts[ids[1:]] | ~usable[:-1]
    bounds = np.flatnonzero(starts | ~usable)
    is_word = starts[bounds]
    begins, ends = bounds[is_word], np.append(bounds[1:], len(ids))[is_word]
    number = np.arange(len(begins))
    breaks = np.append(begins[1:] != ends[:-1], True)[: len(begins)]
    last = number[breaks][np.cumsum(breaks) - breaks]
    return Words(begins, ends, last - number + 1)


def spans(found: Words, owner: np.ndarray, budgets: np.ndarray, ngram: int, rng: np.random.Generator) -> np.ndarray:
    """The n-grams to mask, as (first word, number of words) in the order drawn: (spans, 2).

    owner (W,): the sequence of each word, ascending from 1. budgets (S,): pieces to mask in each sequence, by its
    number less 1.
    """
    harmonic = np.cumsum(1 / np.arange(1, ngram + 1))
    keys, draws = rng.random((2, len(owner)))
    longest = np.minimum(found.following, ngram)
    drawn = np.searchsorted(harmonic, draws * harmonic[longest - 1], side="right") + 1
    sizes = np.minimum(drawn, longest).tolist()
    begins, ends = found.begins.tolist(), found.ends.tolist()
    left = [0, *budgets.tolist()]
    covered = bytearray(len(begins))
    taken = []
    order = np.lexsort((keys, owner))
    for word, sequence in zip(order.tolist(), owner[order].tolist(), strict=True):
        room = left[sequence]
        if not room:
            continue
        begin, size = begins[word], sizes[word]
        while size and ends[word + size - 1] - begin > room:
            size -= 1
        if not size or 1 in covered[word : word + size]:
            continue
        covered[word : word + size] = b"\1" * size
        left[sequence] = room - (ends[word + size - 1] - begin)
        taken.append((word, size))
    return np.array(taken, np.int64).reshape(-1, 2)


def mask(
    ids: np.ndarray,
    sequence: np.ndarray,
    pieces: Pieces,
    *,
    ngram: int,
    budget: float,
    replacement: str,
    rng: np.random.Generator,
) -> Masked:
    """What is masked in a row: ids (L,), and the number of each place's sequence (L,) from 1, 0 where there is none.

    A sequence's budget is `budget` of its length, special tokens counted, and at least one piece. 80 of 100 pieces
    become [MASK], 10 stay, 10 become any piece that is not special: drawn for each piece, or once for each span.
    """
    found = words(ids, pieces)
    lengths = np.bincount(sequence)[1:]
    budgets = np.maximum(np.rint(lengths * budget), 1).astype(np.int64)
    taken = spans(found, sequence[found.begins], budgets, ngram, rng)
    first, size = taken[np.argsort(taken[:, 0])].T
    begins, ends = found.begins[first], found.ends[first + size - 1]
    widths = ends - begins
    number = np.repeat(np.arange(len(begins)), widths)
    places = np.arange(len(number)) + (begins - (np.cumsum(widths) - widths))[number]
    labels = ids[places]
    draws = rng.random(len(begins))[number] if replacement == "span" else rng.random(len(places))
    random = pieces.ordinary[rng.integers(len(pieces.ordinary), size=len(places))]
    inputs = np.where(draws < _MASKED, pieces.mask_id, np.where(draws < _KEPT, labels, random))
    return Masked(places, labels, inputs)
