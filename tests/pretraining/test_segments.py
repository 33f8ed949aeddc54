"""Rows from a corpus: where they begin, what their sequences hold, how they are cut."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.pretraining.segments import MIN_LENGTH, OBJECTIVES, SegmentSampler, truncate_pair
from albertkit.pretraining.sentence_stream import SentenceStream
from albertkit.rules import IGNORED
from corpus import corpora

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)
CORPORA = st.lists(st.lists(LENGTHS, min_size=1, max_size=6), min_size=1, max_size=3)


def made(corpus, length, objective="mlm+sop", short_seq_prob=0.1):
    stream = SentenceStream(corpus.shards, max_length=length - 3)
    return stream, SegmentSampler(stream, length, objective, short_seq_prob)


def rows(corpus, length, number, objective="mlm+sop", seed=0, **options):
    """Rows from random places of a corpus."""
    stream, segments = made(corpus, length, objective, **options)
    positions = np.random.default_rng(seed).integers(stream.tokens, size=number)
    for index, position in enumerate(positions):
        yield segments.sample_row(int(position), np.random.default_rng([seed, index]))


def prose(documents=40, sentences=60, longest=40, seed=0):
    """Long documents of sentences of 3 tokens and more."""
    rng = np.random.default_rng(seed)
    return corpora.corpus([rng.integers(3, longest, sentences).tolist() for _ in range(documents)])


def is_run(ids):
    return (np.diff(ids.astype(int)) == 1).all()


def test_a_row_begins_at_the_first_sentence_at_or_after_its_place():
    stream, _ = made(corpora.corpus([[3, 2], [4]], [[2], [1, 5]]), 16)
    found = [stream.seek(position) for position in range(17)]
    assert [(position.shard, position.document, position.token) for position in found] == [
        (0, 0, 0),
        *[(0, 0, 3)] * 3,
        *[(0, 1, 5)] * 5,  # the last of its shard where none is left
        (1, 0, 0),
        *[(1, 1, 2)] * 2,
        *[(1, 1, 3)] * 5,
    ]


def test_a_sentence_longer_than_a_row_counts_as_several():
    stream, _ = made(corpora.corpus([[4, 13, 3], [9]]), 11)  # at most 8 tokens, or parts of 4
    assert [stream.seek(position).token for position in (4, 5, 8, 9, 13, 16, 17, 19)] == [4, 8, 8, 12, 16, 16, 17, 20]
    assert [stream.seek(position).token for position in (21, 25, 28)] == [24, 28, 28]
    position = stream.seek(5)
    assert stream.next_sentences(position, 8, 2) == ([8, 12, 16], position._replace(token=16))
    assert stream.next_sentences(position, 9, 2) == ([8, 12, 16, 17], position._replace(token=17))
    assert stream.next_sentences(position, 50, 2) == ([8, 12, 16, 17, 20], None)
    before = [stream.previous_sentence(position._replace(token=token)) for token in (0, 4, 8, 16, 17)]
    assert before == [None, 0, 4, 12, 16]


@given(CORPORA, st.integers(MIN_LENGTH, 20), st.integers(1, 30), st.integers(1, 2), st.data())
def test_reading_ahead_takes_sentences_until_there_is_enough(shards, length, tokens, least, data):
    corpus = corpora.corpus(*shards)
    stream, _ = made(corpus, length)
    position = stream.seek(data.draw(st.integers(0, corpus.tokens - 1)))
    bounds, behind = stream.next_sentences(position, tokens, least)
    shard = corpus.shards[position.shard]
    first, end = shard.sentences[shard.documents[position.document : position.document + 2]]
    assert bounds[0] == position.token
    assert first <= bounds[0] < bounds[-1] <= end
    assert (np.diff(bounds) > 0).all()
    assert (np.diff(bounds) <= length - 3).all()
    assert behind == (None if bounds[-1] == end else position._replace(token=bounds[-1]))
    assert behind is None or (len(bounds) > least and bounds[-1] - bounds[0] >= tokens)
    assert len(bounds) - 1 <= least or bounds[-2] - bounds[0] < tokens
    if behind is not None:
        assert stream.previous_sentence(behind) == bounds[-2]


@given(
    CORPORA, st.integers(MIN_LENGTH, 40), st.sampled_from(OBJECTIVES), st.floats(0, 1), st.integers(0, 99), st.data()
)
def test_rows_hold_what_they_must(shards, length, objective, short, seed, data):
    corpus = corpora.corpus(*shards)
    document, _ = corpora.bounds(corpus)
    stream, segments = made(corpus, length, objective, short)
    if objective == "mlm+nsp" and stream.documents == 1:
        return
    position = data.draw(st.integers(0, corpus.tokens - 1))
    row = segments.sample_row(position, np.random.default_rng(seed))
    sizes = Counter(document.tolist())
    assert row
    assert sum(sequence.length for sequence in row) <= length
    for sequence in row:
        first, second = sequence.tokens_a - corpora.SPECIAL, sequence.tokens_b - corpora.SPECIAL
        assert len(first)
        assert len(set(document[first])) == 1
        assert is_run(first)
        if not len(second):
            assert sequence.label == IGNORED
            assert len(first) + sequence.truncated == sizes[document[first[0]]]
            continue
        assert len(set(document[second])) == 1
        same = document[first[0]] == document[second[0]]
        if objective == "mlm":
            assert sequence.label == IGNORED
        if sequence.label == 1 and objective == "mlm+nsp":
            assert not same
            continue
        assert same
        earlier, later = (second, first) if sequence.label == 1 else (first, second)
        assert is_run(second)
        assert earlier[-1] < later[0]


@pytest.mark.parametrize("objective", ["mlm+sop", "mlm+nsp"])
def test_half_of_the_pairs_are_not_in_order(objective):
    labels = [sequence.label for row in rows(prose(), 64, 3000, objective) for sequence in row]
    assert set(labels) == {0, 1}
    assert corpora.near(sum(labels), len(labels), 0.5)


def test_pairs_of_sentence_order_are_of_one_document_in_a_corpus_of_short_ones():
    rng = np.random.default_rng(1)
    corpus = corpora.corpus(*[[rng.integers(1, 9, rng.integers(1, 3)).tolist() for _ in range(200)] for _ in range(3)])
    document, sentence = corpora.bounds(corpus)
    alone = np.bincount(document[np.unique(sentence, return_index=True)[1]]) == 1
    pairs = 0
    for row in rows(corpus, 48, 500):
        for sequence in row:
            ids = np.concatenate([sequence.tokens_a, sequence.tokens_b]) - corpora.SPECIAL
            assert len(set(document[ids])) == 1
            assert (sequence.label == IGNORED) == alone[document[ids[0]]] == (not len(sequence.tokens_b))
            pairs += sequence.label != IGNORED
        assert len(row) > 2
    assert pairs > 1000


def test_the_second_segment_of_a_negative_may_be_of_any_other_document():
    corpus = corpora.corpus([[9, 9]] * 5, [[9, 9]] * 4)
    document, sentence = corpora.bounds(corpus)
    found, starts = Counter(), Counter()
    for row in rows(corpus, 24, 4000, "mlm+nsp"):
        sequence = row[0]
        if sequence.label == 1:
            first, second = sequence.tokens_a[0] - corpora.SPECIAL, sequence.tokens_b - corpora.SPECIAL
            if document[first] == 3:
                found[int(document[second[0]])] += 1
            starts[int(sentence[second[-1]] % 2)] += 1
    assert sorted(found) == [0, 1, 2, 4, 5, 6, 7, 8]
    assert corpora.fits(list(found.values()), np.ones(8))
    assert corpora.near(starts[1], starts.total(), 0.5)


def test_where_the_first_segment_ends_is_uniform():
    corpus = corpora.corpus([[5] * 400] * 4)
    ends = Counter(len(row[0].tokens_a) // 5 for row in rows(corpus, 43, 8000, "mlm", short_seq_prob=0.0))
    assert sorted(ends) == [1, 2, 3, 4, 5, 6, 7]
    assert corpora.fits([ends[size] for size in range(1, 8)], np.ones(7))


def test_a_share_of_the_sequences_is_short_and_their_lengths_are_uniform():
    corpus = corpora.corpus([[3] * 20_000, [3] * 20_000])
    length, share = 40, 0.3
    lengths = [[sequence.length for sequence in row] for row in rows(corpus, length, 8000, short_seq_prob=share)]
    assert {sum(row) for row in lengths} == {length}
    short = [size for row in lengths for size in row if size < length]
    assert corpora.near(len(short) // 2, len(lengths), share / (2 - share))
    assert len(short) / sum(map(len, lengths)) == pytest.approx(share, abs=0.02)
    counts = Counter(row[0] for row in lengths if len(row) == 2)
    assert sorted(counts) == list(range(MIN_LENGTH, length - MIN_LENGTH + 1))
    assert corpora.fits(list(counts.values()), np.ones(len(counts)))


@pytest.mark.parametrize(("share", "sequences"), [(0.0, 1), (1.0, 2)])
def test_none_or_all_of_the_rows_are_cut(share, sequences):
    corpus = corpora.corpus([[3] * 3000, [3] * 3000])
    assert {len(row) for row in rows(corpus, 40, 100, short_seq_prob=share)} == {sequences}


def test_rows_of_short_documents_are_full_all_the_same():
    rng = np.random.default_rng(3)
    corpus = corpora.corpus([rng.integers(2, 20, 3).tolist() for _ in range(400)])
    sizes = [sum(sequence.length for sequence in row) for row in rows(corpus, 128, 300)]
    assert min(sizes) > 128 - MIN_LENGTH


def test_a_single_segment_fills_the_place_that_a_pair_would_part():
    corpus = corpora.corpus([[7], [8]])
    assert {sum(sequence.length for sequence in row) for row in rows(corpus, 16, 20)} == {16}


def test_no_document_is_begun_twice_in_a_row():
    corpus = corpora.corpus([[2, 2], [3]], [[1, 1, 1]])
    document, _ = corpora.bounds(corpus)
    for row in rows(corpus, 512, 60):
        assert len(row) == 3
        assert len({int(document[sequence.tokens_a[0] - corpora.SPECIAL]) for sequence in row}) == 3


def test_what_a_negative_leaves_unused_is_read_again():
    corpus = corpora.corpus([[3] * 2000, [3] * 2000])
    negatives = 0
    for before, after, *_ in rows(corpus, 64, 300, "mlm+nsp", short_seq_prob=1.0):
        if before.label == 1 and before.truncated == 0:
            negatives += 1
            assert 0 <= int(after.tokens_a[0]) - int(before.tokens_a[-1]) - 1 <= after.truncated <= 4
    assert negatives > 20


def test_a_sentence_alone_at_the_end_is_read_once_though_its_pair_is_a_negative():
    corpus = corpora.corpus([[3, 3], [3, 3], [3, 3]])
    document, _ = corpora.bounds(corpus)
    _, segments = made(corpus, 128, "mlm+nsp")
    for seed in range(60):
        row = segments.sample_row(3, np.random.default_rng(seed))
        assert row[0].tokens_a.tolist() == [5, 6, 7]
        assert 0 not in document[np.concatenate([sequence.tokens_a for sequence in row[1:]]) - corpora.SPECIAL]


def trimmed(first, second, room, rng):
    """Truncation as it is defined: one token after the other."""
    first, second, front = list(first), list(second), [0, 0]
    while len(first) + len(second) > room:
        side = int(len(first) <= len(second))
        at_front = rng.random() < 0.5
        front[side] += at_front
        (first, second)[side].pop(0 if at_front else -1)
    return len(first), len(second), *front


@given(st.integers(1, 30), st.integers(0, 30), st.integers(2, 60))
def test_truncation_cuts_the_longer_side_as_one_token_after_the_other_would(a, b, room):
    first, second = np.arange(a), np.arange(100, 100 + b)
    fitted = truncate_pair(first, second, 0, room, np.random.default_rng(0))
    assert (len(fitted.tokens_a), len(fitted.tokens_b)) == trimmed(first, second, room, np.random.default_rng(0))[:2]
    assert fitted.truncated == max(a + b - room, 0)
    assert is_run(fitted.tokens_a)
    assert is_run(fitted.tokens_b)


def test_front_and_back_are_cut_alike_and_token_by_token():
    rng = np.random.default_rng(0)
    fronts = np.array([truncate_pair(np.arange(30), np.arange(10), 0, 20, rng).tokens_a[0] for _ in range(4000)])
    reference = np.array([trimmed(range(30), range(10), 20, rng)[2] for _ in range(4000)])
    assert corpora.near(fronts.sum(), 20 * 4000, 0.5)
    assert fronts.std() == pytest.approx(reference.std(), rel=0.08)  # one draw for all tokens would give 10
