"""N-gram masking of whole words (ALBERT, arXiv 1909.11942, section 4.1). Knows ids and which of them start a word.

The words of a sequence are gone through in random order. From each, an n-gram of n = 1..N words is drawn, with p(n)
proportional to 1/n among the lengths that stay within its segment: for N = 3 these are 6/11, 3/11 and 2/11. It is
shortened where it would go over the sequence's budget, and left out where it meets a masked word. So as many pieces are
masked as the budget says, and fewer only where the words that are left are too long for the rest of it, or too few.

Budget and replacements are BERT's (arXiv 1810.04805, section 3.1): 15 % of the pieces, of which 80 % become [MASK],
10 % stay and 10 % become a random piece. There is no upper bound such as max_predictions_per_seq of its data script.

Letters: L length of a row, W words, S sequences, M masked pieces.
"""

from typing import NamedTuple

import numpy as np

from albertkit.masking.vocabulary import MaskingVocabulary

REPLACEMENTS = ("piece", "span")
_MASK_BELOW, _KEEP_BELOW = 0.8, 0.9
"""Of the draws from 0 to 1, those below the first become [MASK], those below the second stay, the rest is random."""


class WordSpans(NamedTuple):
    """The W words of a row that may be masked, in order."""

    starts: np.ndarray
    """(W,) int64: the first position of each word."""
    ends: np.ndarray
    """(W,) int64: the position after its last."""
    words_left: np.ndarray
    """(W,) int64: how many words there are from each one to the end of its segment, itself included."""


class MaskedPieces(NamedTuple):
    """What is to be predicted in a row."""

    positions: np.ndarray
    """(M,) int64, ascending."""
    labels: np.ndarray
    """(M,) the true ids."""
    inputs: np.ndarray
    """(M,) the ids that stand there now."""


def find_words(ids: np.ndarray, vocabulary: MaskingVocabulary) -> WordSpans:
    """The words of a row of ids (L,). Special tokens part them, and are in none.

    The first piece of a segment starts a word also where the word's own beginning was cut off.
    """
    is_usable = ~vocabulary.is_special[ids]
    is_start = is_usable.copy()
    is_start[1:] &= vocabulary.is_word_start[ids[1:]] | ~is_usable[:-1]
    # A word ends where the next one starts or a special token stands.
    bounds = np.flatnonzero(is_start | ~is_usable)
    is_word = is_start[bounds]
    starts, ends = bounds[is_word], np.append(bounds[1:], len(ids))[is_word]
    # An n-gram must not reach over a special token: the words of a run touch, and the last of the run tells how many
    # are left from each of them on.
    number = np.arange(len(starts))
    is_last = np.append(starts[1:] != ends[:-1], True)[: len(starts)]
    last = number[is_last][np.cumsum(is_last) - is_last]
    return WordSpans(starts, ends, last - number + 1)


def draw_ngrams(
    words: WordSpans, sequence: np.ndarray, budgets: np.ndarray, ngram: int, rng: np.random.Generator
) -> np.ndarray:
    """The n-grams to mask, as (first word, number of words) in the order drawn: (n-grams, 2) int64.

    sequence (W,): the number of each word's sequence, ascending from 1. budgets (S,): pieces to mask in each sequence,
    by its number less 1. ngram: words of an n-gram at most.
    """
    order_keys, draws = rng.random((2, len(sequence)))
    starts, ends = words.starts.tolist(), words.ends.tolist()
    sizes = _draw_sizes(words.words_left, ngram, draws).tolist()
    left = [0, *budgets.tolist()]
    covered = bytearray(len(starts))
    ngrams = []
    order = np.lexsort((order_keys, sequence))  # at random within each sequence
    for word, number in zip(order.tolist(), sequence[order].tolist(), strict=True):
        room = left[number]
        if not room:
            continue
        start, size = starts[word], sizes[word]
        # Shortened rather than left out, as in ALBERT's create_pretraining_data.py: what is left of a budget is used
        # whatever length was drawn.
        while size and ends[word + size - 1] - start > room:
            size -= 1
        if not size or 1 in covered[word : word + size]:
            continue
        covered[word : word + size] = b"\1" * size
        left[number] = room - (ends[word + size - 1] - start)
        ngrams.append((word, size))
    return np.array(ngrams, np.int64).reshape(-1, 2)


def _draw_sizes(words_left: np.ndarray, ngram: int, draws: np.ndarray) -> np.ndarray:
    """Words of the n-gram that begins at each word (W,), p(n) proportional to 1/n, from draws (W,) in [0, 1).

    Only lengths that fit into the segment are drawn from, as in ALBERT's create_pretraining_data.py: to cut longer ones
    instead would favour the longest n-gram that fits.
    """
    harmonic = np.cumsum(1 / np.arange(1, ngram + 1))
    longest = np.minimum(words_left, ngram)
    sizes = np.searchsorted(harmonic, draws * harmonic[longest - 1], side="right") + 1
    return np.minimum(sizes, longest)  # rounding may carry a draw just below 1 over the last bound


def mask_words(
    ids: np.ndarray,
    sequence: np.ndarray,
    vocabulary: MaskingVocabulary,
    *,
    ngram: int,
    masked_lm_prob: float,
    replacement: str,
    rng: np.random.Generator,
) -> MaskedPieces:
    """What is masked in a row: ids (L,), and the number of each position's sequence (L,) from 1, 0 where there is none.

    A sequence's budget is `masked_lm_prob` of its length, special tokens counted as in BERT, and at least one piece.
    80 of 100 pieces become [MASK], 10 stay, 10 become any piece that is not special: drawn for each "piece", or once
    for each "span", as `replacement` says. `ids` are left as they are.
    """
    words = find_words(ids, vocabulary)
    lengths = np.bincount(sequence)[1:]
    budgets = np.maximum(np.rint(lengths * masked_lm_prob), 1).astype(np.int64)
    ngrams = draw_ngrams(words, sequence[words.starts], budgets, ngram, rng)
    first, size = ngrams[np.argsort(ngrams[:, 0])].T
    starts, ends = words.starts[first], words.ends[first + size - 1]
    widths = ends - starts
    # Of each masked piece the number of its n-gram; its position is its own number, shifted by where that one begins.
    span = np.repeat(np.arange(len(starts)), widths)
    positions = np.arange(len(span)) + (starts - (np.cumsum(widths) - widths))[span]
    labels = ids[positions]
    draws = rng.random(len(starts))[span] if replacement == "span" else rng.random(len(positions))
    # A random piece is drawn for every position, though few are used, so that the draws are the same in number.
    random = vocabulary.ordinary_ids[rng.integers(len(vocabulary.ordinary_ids), size=len(positions))]
    inputs = np.where(draws < _MASK_BELOW, vocabulary.mask_id, np.where(draws < _KEEP_BELOW, labels, random))
    return MaskedPieces(positions, labels, inputs)
