"""Masking against its formulas."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.masking.ngrams import draw_ngrams, find_words, mask_words
from corpus import corpora

SHARES = [6 / 11, 3 / 11, 2 / 11]
V = 1000


def laid(*segments):
    """Rows of [CLS] A [SEP] (B [SEP]) and a pad place: ids and numbers of sequences. A segment is a list of ids."""
    ids, sequence = [], []
    for number, parts in enumerate(segments, start=1):
        one = [2, *(index for part in parts for index in [*part, 3])]
        ids += one
        sequence += [number] * len(one)
    return np.array([*ids, 0]), np.array([*sequence, 0])


def continued(*ids, size=V):
    """Pieces of which those with these ids go on with a word."""
    return corpora.vocabulary(size, ~np.isin(np.arange(size) + corpora.SPECIAL, ids))


def masked(ids, sequence, vocabulary, seed=0, **options):
    options = {"ngram": 3, "masked_lm_prob": 0.15, "replacement": "piece"} | options
    return mask_words(ids, sequence, vocabulary, rng=np.random.default_rng(seed), **options)


def test_words_are_found_and_parted_by_special_tokens():
    #            cls  [a    b b] [c] sep [b]  [c]  unk  [b   b]  sep  pad
    ids = np.array([2, 10, 11, 11, 12, 3, 11, 12, 1, 11, 11, 3, 0])
    found = find_words(ids, continued(11))
    assert found.starts.tolist() == [1, 4, 6, 7, 9]
    assert found.ends.tolist() == [4, 5, 7, 8, 11]
    assert found.words_left.tolist() == [2, 1, 2, 1, 1]


def test_a_row_without_words_is_left_alone():
    ids, sequence = laid([[1, 1], [1]])
    result = masked(ids, sequence, corpora.vocabulary(V))
    assert [len(array) for array in result] == [0, 0, 0]


def first_sizes(length, budget, ngram, draws, seed=0):
    """How many words the first n-gram of a segment holds, and where it begins."""
    rng = np.random.default_rng(seed)
    ids, sequence = laid([range(10, 10 + length)])
    found = find_words(ids, corpora.vocabulary(V))
    owner = sequence[found.starts]
    return np.array([draw_ngrams(found, owner, np.array([budget]), ngram, rng)[0] for _ in range(draws)])


@pytest.mark.parametrize(("ngram", "shares"), [(1, [1]), (2, [2 / 3, 1 / 3]), (3, SHARES), (4, [12, 6, 4, 3])])
def test_the_length_of_an_ngram_is_as_likely_as_one_over_it(ngram, shares):
    word, size = first_sizes(60, 10, ngram, 6000).T
    inside = size[word <= 60 - ngram]
    counts = np.bincount(inside, minlength=ngram + 1)[1:]
    assert corpora.fits(counts, shares)
    if ngram > 1:
        assert not corpora.fits(counts, shares[::-1])


def test_near_the_end_the_lengths_that_fit_share_the_chance():
    word, size = first_sizes(6, 3, 3, 12_000).T
    assert corpora.fits(np.bincount(word), np.ones(6))
    assert corpora.fits(np.bincount(size[word <= 3])[1:], SHARES)
    assert corpora.fits(np.bincount(size[word == 4])[1:], [2 / 3, 1 / 3])
    assert set(size[word == 5]) == {1}


def test_over_budget_the_next_shorter_length_is_taken():
    _, size = first_sizes(60, 2, 3, 6000).T
    assert corpora.fits(np.bincount(size)[1:], [6 / 11, 5 / 11])
    assert set(first_sizes(60, 1, 3, 100)[:, 1]) == {1}


def test_an_ngram_that_meets_a_masked_word_is_left_out():
    ids, sequence = laid([range(10, 40)])
    found = find_words(ids, corpora.vocabulary(V))
    left_out = 0
    for seed in range(300):
        taken = draw_ngrams(found, sequence[found.starts], np.array([20]), 3, np.random.default_rng(seed))
        covered = np.zeros(30, int)
        for word, size in taken:
            covered[word : word + size] += 1
        assert covered.max() == 1
        left_out += covered.sum() < 20
    assert left_out < 3


def test_the_budget_is_kept_to_the_piece():
    for length in [1, 2, 3, 7, 16, 17, 27, 60, 124]:
        ids, sequence = laid([range(10, 10 + length)], [range(200, 230), range(230, 240)])
        for seed in range(20):
            positions, _, _ = masked(ids, sequence, corpora.vocabulary(V), seed)
            counts = np.bincount(sequence[positions], minlength=3)
            assert counts.tolist() == [0, max(1, round((length + 2) * 0.15)), round(43 * 0.15)]


def test_all_places_are_as_likely():
    ids, sequence = laid([range(10, 50), range(60, 100)])
    counts = np.zeros(len(ids))
    for seed in range(4000):
        counts[masked(ids, sequence, corpora.vocabulary(V), seed, ngram=1).positions] += 1
    inside = counts[(ids > 4)]
    assert counts.sum() == inside.sum()
    assert corpora.fits(inside, np.ones(len(inside)))


@pytest.mark.parametrize("replacement", ["piece", "span"])
def test_of_a_hundred_pieces_eighty_are_hidden_and_ten_stay(replacement):
    ids, sequence = laid([range(10, 210)], [range(210, 300), range(300, 400)])
    counts, of, stood_in = Counter(), 0, []
    for seed in range(300):
        positions, labels, inputs = masked(ids, sequence, corpora.vocabulary(V), seed, replacement=replacement)
        assert (labels == ids[positions]).all()
        of += len(positions)
        counts["mask"] += (inputs == 4).sum()
        counts["same"] += (inputs == labels).sum()
        stood_in += inputs[(inputs != 4) & (inputs != labels)].tolist()
    slack = 4.5 if replacement == "piece" else 9.0  # pieces of a span are drawn together
    assert corpora.near(counts["mask"], of, 0.8, slack)
    assert corpora.near(counts["same"], of, 0.1 + 0.1 / V, slack)
    assert min(stood_in) >= corpora.SPECIAL
    assert corpora.fits(np.histogram(stood_in, bins=20, range=(corpora.SPECIAL, corpora.SPECIAL + V))[0], np.ones(20))


def test_a_span_shares_its_draw_and_pieces_do_not():
    ids, sequence = laid([range(10, 200)])
    vocabulary = continued(*range(11, 200, 2))  # words of two pieces
    mixed = {}
    for replacement in ("piece", "span"):
        pairs = []
        for seed in range(200):
            positions, labels, inputs = masked(ids, sequence, vocabulary, seed, ngram=1, replacement=replacement)
            fate = np.where(inputs == 4, 0, np.where(inputs == labels, 1, 2)).reshape(-1, 2)
            assert (np.diff(positions.reshape(-1, 2)) == 1).all()
            pairs.append(fate)
        fates = np.concatenate(pairs)
        mixed[replacement] = (int((fates[:, 0] != fates[:, 1]).sum()), len(fates))
    # Each piece by itself: 1 - (0.64 + 0.01 + 0.01). By spans: only where a random piece is the true one by chance.
    assert corpora.near(*mixed["piece"], 0.34)
    assert mixed["span"][0] <= 3


ROWS = st.lists(
    st.lists(st.lists(st.integers(0, V - 1), min_size=1, max_size=20), min_size=1, max_size=2), min_size=1, max_size=4
)


@given(
    ROWS,
    st.sets(st.integers(5, V)),
    st.integers(1, 5),
    st.floats(0.01, 0.99),
    st.sampled_from(["piece", "span"]),
    st.integers(0, 99),
)
def test_whole_words_within_the_budget_and_nothing_else(segments, rest, ngram, budget, replacement, seed):
    ids, sequence = laid(*segments)
    vocabulary = continued(*rest)
    before = ids.copy()
    positions, labels, inputs = masked(
        ids, sequence, vocabulary, seed, ngram=ngram, masked_lm_prob=budget, replacement=replacement
    )
    assert (ids == before).all()
    assert (np.diff(positions) > 0).all()
    assert (labels == ids[positions]).all()
    assert (labels >= corpora.SPECIAL).all()
    assert ((inputs == 4) | (inputs >= corpora.SPECIAL)).all()
    assert (sequence[positions] > 0).all()
    lengths = np.bincount(sequence)[1:]
    budgets = [max(1, round(length * budget)) for length in lengths.tolist()]
    counts = np.bincount(sequence[positions], minlength=len(budgets) + 1)[1:]
    assert (counts <= budgets).all()
    hidden = np.zeros(len(ids), bool)
    hidden[positions] = True
    joined = [~vocabulary.is_word_start[ids[b]] and ids[a] >= 5 and ids[b] >= 5 for a, b in pairwise(range(len(ids)))]
    assert all(hidden[place] == hidden[place + 1] for place in np.flatnonzero(joined))
    if ngram == 1:  # Without n-grams nothing is left out, so a word that is not masked has no room.
        found = find_words(ids, vocabulary)
        for begin, end in zip(found.starts, found.ends, strict=True):
            number = sequence[begin] - 1
            assert hidden[begin] or counts[number] + end - begin > budgets[number]
