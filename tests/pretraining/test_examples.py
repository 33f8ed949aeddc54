"""Batches: their layout, what decides them, what an epoch covers, and that tiny corpora do no harm."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.corpus import shards
from albertkit.errors import InputError
from albertkit.pretraining.examples import _OFFSET, _ORDER, PretrainingExamples
from albertkit.pretraining.segments import OBJECTIVES
from albertkit.rules import IGNORED
from albertkit.tokenization.fast import AlbertTokenizerFast
from corpus import corpora

PLACES = ["input_ids", "token_type_ids", "position_ids", "sequence"]
KEYS = [*PLACES, "mlm_positions", "mlm_labels", "cls_positions", "sop_labels"]
CORPORA = st.lists(
    st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=6), min_size=1, max_size=3
)


def examples(corpus, length=32, objective="mlm+sop", seed=0, starts=None, **options):
    vocabulary = corpora.vocabulary(corpus.tokens, starts)
    return PretrainingExamples(corpus, vocabulary, length=length, objective=objective, seed=seed, **options)


def prose(documents=30, sentences=60, longest=45, seed=0):
    rng = np.random.default_rng(seed)
    return corpora.corpus(
        *[[rng.integers(3, longest, sentences).tolist() for _ in range(documents // 2)] for _ in range(2)]
    )


def true_ids(batch):
    """input_ids without masks."""
    ids = batch.input_ids.copy()
    ids.reshape(-1)[batch.mlm_positions] = batch.mlm_labels
    return ids


def sequences(batch):
    """The sequences of a batch as (A, B, label, row), read from its arrays alone."""
    ids, types, number = true_ids(batch).ravel(), batch.token_type_ids.ravel(), batch.sequence.ravel()
    length = batch.input_ids.shape[1]
    for start, label in zip(batch.cls_positions.tolist(), batch.sop_labels.tolist(), strict=True):
        row_end = (start // length + 1) * length
        end = start + int((number[start:row_end] == number[start]).sum())
        one, kind = ids[start:end], types[start:end]
        yield one[kind == 0][1:-1] - corpora.SPECIAL, one[kind == 1][:-1] - corpora.SPECIAL, label, start // length


def same(one, other):
    first, second = one.arrays(), other.arrays()
    return first.keys() == second.keys() and all(
        array.dtype == second[key].dtype and array.tobytes() == second[key].tobytes() for key, array in first.items()
    )


@given(
    CORPORA,
    st.integers(5, 80),
    st.sampled_from(OBJECTIVES),
    st.sampled_from(["piece", "span"]),
    st.floats(0, 1),
    st.integers(0, 9),
    st.data(),
)
def test_what_holds_of_every_batch(corpus, length, objective, replacement, short, epoch, data):
    corpus = corpora.corpus(*corpus)
    if objective == "mlm+nsp" and sum(len(shard.documents) - 1 for shard in corpus.shards) == 1:
        return
    starts = data.draw(st.lists(st.booleans(), min_size=corpus.tokens, max_size=corpus.tokens))
    made = examples(corpus, length, objective, starts=starts, replacement=replacement, short_seq_prob=short)
    rows = data.draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=4))
    batch = made.batch(epoch, rows)
    assert list(batch.arrays()) == KEYS
    assert {array.dtype for array in batch.arrays().values()} == {np.dtype(np.int32)}
    ids, number = true_ids(batch), batch.sequence
    assert ids.shape == number.shape == batch.token_type_ids.shape == (len(rows), length)
    flat, places = number.ravel(), np.arange(number.size)
    for key in ("mlm_positions", "cls_positions"):
        assert (np.diff(getattr(batch, key)) > 0).all()
    starts_here = np.flatnonzero((number > 0) & (np.diff(number, prepend=0) != 0))
    assert batch.cls_positions.tolist() == starts_here.tolist()
    assert (np.diff(number, axis=1)[number[:, 1:] > 0] >= 0).all()  # numbers ascend, and pad stands at the end
    assert (number[:, 0] == 1).all()
    assert (ids.ravel()[starts_here] == 2).all()
    begun = np.repeat(starts_here, np.diff(np.append(starts_here, number.size)))
    assert (batch.position_ids.ravel() == np.where(flat > 0, places - begun, 0)).all()
    assert (ids[number == 0] == 0).all()
    assert (batch.token_type_ids[number == 0] == 0).all()
    assert (flat[batch.mlm_positions] > 0).all()
    assert (batch.mlm_labels >= corpora.SPECIAL).all()
    special = (ids < corpora.SPECIAL).ravel()
    for first, second, label, _ in sequences(batch):
        assert len(first)
        assert min([*first, *second]) >= 0
        assert label in ((IGNORED,) if objective == "mlm" or not len(second) else (0, 1))
    # [CLS], [SEP], and a second [SEP] where there is a second segment; nothing else that is special.
    seconds = sum(bool(len(second)) for _, second, _, _ in sequences(batch))
    assert special[flat > 0].sum() == 2 * len(starts_here) + seconds
    types = np.diff(batch.token_type_ids.ravel(), prepend=0)
    assert (ids.ravel()[np.flatnonzero(types == 1) - 1] == 3).all()


def test_a_batch_as_it_is_written_down():
    corpus = corpora.corpus([[2, 3], [4]])
    batch = examples(corpus, 16, "mlm", short_seq_prob=0.0).batch(0, [0])
    starts = batch.cls_positions.tolist()
    rows = {2: [2, 5, 6, 3, 7, 8, 9, 3], 1: [2, 10, 11, 12, 13, 3]}
    order = [2, 1] if true_ids(batch)[0, 1] == 5 else [1, 2]
    assert true_ids(batch)[0].tolist() == rows[order[0]] + rows[order[1]] + [0, 0]
    assert starts == [0, len(rows[order[0]])]
    assert batch.sequence[0].tolist() == [1] * len(rows[order[0]]) + [2] * len(rows[order[1]]) + [0, 0]
    assert len(batch.mlm_positions) == 2
    assert batch.sop_labels.tolist() == [IGNORED, IGNORED]


def test_masks_keep_the_budget_of_every_sequence():
    batch = examples(prose(), 128).batch(0, range(60))
    numbers = batch.sequence + np.arange(60)[:, None] * 1000
    for key, size in zip(*np.unique(numbers[batch.sequence > 0], return_counts=True), strict=True):
        masked = (numbers.ravel()[batch.mlm_positions] == key).sum()
        assert masked == max(1, round(int(size) * 0.15))


def test_no_rows_are_a_batch_too():
    batch = examples(prose()).batch(0, [])
    assert batch.input_ids.shape == (0, 32)
    assert all(not len(getattr(batch, key)) for key in KEYS)


def test_seed_epoch_and_row_decide_a_row_whatever_is_made_beside_it():
    made = examples(prose(), 64)
    whole = made.batch(3, [5, 9, 2])
    assert same(whole, examples(prose(), 64).batch(3, np.array([5, 9, 2])))
    for index, row in enumerate([5, 9, 2]):
        alone = made.batch(3, [row])
        assert all((getattr(alone, key)[0] == getattr(whole, key)[index]).all() for key in PLACES)
        inside = whole.mlm_positions // 64 == index
        assert (alone.mlm_positions == whole.mlm_positions[inside] - index * 64).all()
        assert (alone.mlm_labels == whole.mlm_labels[inside]).all()
        inside = whole.cls_positions // 64 == index
        assert (alone.sop_labels == whole.sop_labels[inside]).all()


def test_epochs_seeds_and_rows_differ():
    made = examples(prose(), 64)
    kinds = [made.batch(0, [0]), made.batch(1, [0]), made.batch(0, [1]), examples(prose(), 64, seed=1).batch(0, [0])]
    assert len({batch.input_ids.tobytes() for batch in kinds}) == 4


def test_epochs_are_cut_in_other_places():
    corpus = corpora.corpus([[3] * 50_000])
    made = examples(corpus, 65, "mlm", short_seq_prob=0.0)
    begins = [next(sequences(made.batch(epoch, [0])))[0][0] for epoch in range(8)]
    assert np.std(begins) > 0.1 * corpus.tokens
    assert len({int(begin) // 3 * 3 % 62 for begin in begins}) > 4  # not whole rows apart


def test_what_an_epoch_draws_no_row_draws_again():
    made = examples(prose())
    drawn = [made._rng(2, *behind).random() for behind in (_OFFSET, _ORDER, (0,), (1,), (2,))]
    assert len(set(drawn)) == len(drawn)


def test_the_order_of_an_epoch_holds_every_row_once():
    made = examples(prose())
    orders = [made.order(0), made.order(0), made.order(1), examples(prose(), seed=1).order(0)]
    assert all(sorted(order) == list(range(len(made))) for order in orders)
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert (orders[0] != orders[3]).any()


def test_examples_travel_between_processes(tmp_path, data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    rng = np.random.default_rng(0)
    documents = [[rng.integers(5, 600, 9).tolist() for _ in range(20)] for _ in range(9)]
    corpus = shards.write(tmp_path, tokenizer, documents, shard_tokens=500)
    made = PretrainingExamples(
        corpus, length=64, objective="mlm+nsp", seed=7, ngram=2, replacement="span", short_seq_prob=0.5
    )
    made.batch(0, [0])
    packed = pickle.dumps(made)
    assert len(packed) < 8000  # not the tokens
    again = pickle.loads(packed)  # noqa: S301
    assert same(again.batch(2, again.order(2)), made.batch(2, made.order(2)))
    assert len(corpus.shards) > 1


@pytest.mark.parametrize("objective", ["mlm+sop", "mlm+nsp"])
def test_labels_mean_what_the_text_says(objective):
    corpus = prose()
    document, _ = corpora.bounds(corpus)
    made = examples(corpus, 128, objective)
    counts = np.zeros(2, int)
    for first, second, label, _ in sequences(made.batch(0, range(len(made)))):
        if document[first[0]] != document[second[0]]:
            assert (objective, label) == ("mlm+nsp", 1)
        else:
            assert label == int(second[0] < first[0])
            assert label == 0 or objective == "mlm+sop"
        counts[label] += 1
    assert corpora.near(counts[1], counts.sum(), 0.5)


@pytest.mark.parametrize(("length", "unseen", "twice"), [(128, 0.15, 0.15), (512, 0.05, 0.05)])
def test_an_epoch_shows_nearly_every_token_about_once(length, unseen, twice):
    corpus = prose(60, 120)
    for epoch in range(2):
        seen = np.zeros(corpus.tokens, int)
        made = examples(corpus, length)
        for first, second, *_ in sequences(made.batch(epoch, range(len(made)))):
            seen[first] += 1
            seen[second] += 1
        assert seen.mean() == pytest.approx(1, abs=0.02)
        assert (seen == 0).mean() < unseen
        assert (seen > 1).mean() < twice


def test_an_epoch_reaches_all_of_sentences_longer_than_rows():
    corpus = corpora.corpus([[5000], [3000, 4, 2000]])
    made = examples(corpus, 64)
    seen = np.zeros(corpus.tokens, int)
    for first, second, *_ in sequences(made.batch(0, range(len(made)))):
        seen[first] += 1
        seen[second] += 1
    assert (seen == 0).mean() < 0.1


def test_statistics_count_what_a_batch_holds():
    rng = np.random.default_rng(0)
    corpus = corpora.corpus([rng.integers(1, 20, rng.integers(1, 4)).tolist() for _ in range(300)])
    made = examples(corpus, 64)
    rows = range(len(made))
    batch, counts = made.batch(1, rows), made.statistics(1, rows)
    assert counts["positions"] == batch.input_ids.size
    assert counts["tokens"] == (batch.sequence > 0).sum()
    assert counts["sequences"] == len(batch.cls_positions)
    assert counts["unpaired"] == (batch.sop_labels == IGNORED).sum() > 0
    assert counts["truncated"] > 0
    roomy = examples(corpora.corpus([[4, 4]]), 64)
    assert roomy.statistics(0, [0]) == {"positions": 64, "tokens": 11, "sequences": 1, "unpaired": 0, "truncated": 0}


@pytest.mark.parametrize("length", [5, 6, 9, 64, 512])
@pytest.mark.parametrize("documents", [[[1]], [[2]], [[1, 1]], [[1], [1]], [[900]], [[900, 1]], [[1, 900, 1], [1]]])
def test_tiny_corpora_and_huge_sentences_do_no_harm(documents, length):
    corpus = corpora.corpus(documents)
    for objective in OBJECTIVES[: 2 + (len(documents) > 1)]:
        made = examples(corpus, length, objective, short_seq_prob=0.5)
        for epoch in range(3):
            batch = made.batch(epoch, made.order(epoch))
            assert len(batch.input_ids) == len(made) == -(-corpus.tokens // (length - 3))
            assert len(batch.mlm_positions)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "mlm+spo"}, "Received: 'mlm\\+spo'. Did you mean `mlm\\+sop`"),
        ({"objective": "sop"}, "must be one of mlm, mlm\\+sop, mlm\\+nsp"),
        ({"replacement": "spans"}, "Did you mean `span`"),
        ({"length": 4}, "`length` must be at least 5. Received: 4"),
        ({"ngram": 0}, "`ngram` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"masked_lm_prob": 0.0}, "`masked_lm_prob` must lie between 0 and 1"),
        ({"masked_lm_prob": 15}, "Received: 15"),
        ({"short_seq_prob": 1.1}, "`short_seq_prob` must lie in 0..1"),
    ],
)
def test_options_out_of_bounds_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        examples(prose(), **options)


def test_what_cannot_be_made_is_refused():
    with pytest.raises(InputError, match=r"one document\. .* mlm\+sop; .* larger `data\.held_out`"):
        examples(corpora.corpus([[3, 3]]), objective="mlm+nsp")
    made = examples(prose())
    for row in (-1, len(made)):
        with pytest.raises(InputError, match=f"Received: {row}"):
            made.batch(0, [row])
