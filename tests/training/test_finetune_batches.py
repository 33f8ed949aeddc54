"""The order of training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.tasks.features import Features
from albertkit.tasks.text_classification.task import TextClassification
from albertkit.training.finetune_batches import FinetuneBatches

rows = st.lists(st.lists(st.integers(5, 50), min_size=2, max_size=12), min_size=1, max_size=80)


def make(ids, size=4, seed=0, **options):
    features = Features(ids, [[0] * len(row) for row in ids], {"labels": np.arange(len(ids))})
    return FinetuneBatches(features, TextClassification().collate, size, seed, pad_id=0, unknown_id=1, **options)


def contents(batch):
    return {name: array.tobytes() for name, array in batch.arguments().items()}


def labels(batches, epoch):
    return [[int(label) for part in batch for label in part.labels] for batch in batches.epoch(epoch)]


@given(rows, st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_holds_every_example_once(ids, size, epoch):
    batches = make(ids, size)
    found = labels(batches, epoch)
    assert len(found) == len(batches)
    assert sorted(label for batch in found for label in batch) == list(range(len(ids)))
    assert all(len(batch) <= size for batch in found)


@given(rows, st.integers(1, 9), st.integers(0, 5))
def test_starting_later_gives_the_rest_of_the_same_epoch(ids, size, start):
    whole = list(make(ids, size, word_dropout=0.3).epoch(2))
    rest = list(make(ids, size, word_dropout=0.3).epoch(2, start))
    for one, other in zip(whole[start:], rest, strict=True):
        for part, same in zip(one, other, strict=True):
            assert contents(part) == contents(same)


def test_seed_and_epoch_decide_the_order():
    ids = [[2, n, 3] for n in range(5, 45)]
    assert labels(make(ids), 0) == labels(make(ids), 0)
    assert labels(make(ids), 0) != labels(make(ids), 1)
    assert labels(make(ids), 0) != labels(make(ids, seed=1), 0)


@given(rows, st.integers(1, 9), st.integers(1, 4))
def test_parts_of_a_batch_together_are_the_batch(ids, size, parts):
    for whole, cut in zip(make(ids, size).epoch(0), make(ids, size).epoch(0, parts=parts), strict=True):
        assert len(cut) == min(parts, len(whole[0].labels))
        assert np.concatenate([part.labels for part in cut]).tolist() == whole[0].labels.tolist()


def test_rows_of_a_batch_have_nearly_one_length():
    rng = np.random.default_rng(0)
    ids = [[7] * int(n) for n in rng.integers(2, 60, 2000)]
    arrays = [batch[0].input_ids for batch in make(ids, 16).epoch(0)]
    padding = sum((array == 0).sum() for array in arrays) / sum(array.size for array in arrays)
    assert padding < 0.03


def test_inputs_are_padded_and_masked():
    ids = [[2, 9, 3], [2, 9, 9, 9, 3]]
    (batch,) = next(make(ids, 2).epoch(0))
    order = batch.labels.tolist()
    assert [row[: len(ids[i])] for row, i in zip(batch.input_ids.tolist(), order, strict=True)] == [
        ids[i] for i in order
    ]
    assert batch.attention_mask.sum(1).tolist() == [len(ids[i]) for i in order]
    assert (batch.input_ids[batch.attention_mask == 0] == 0).all()


def test_word_dropout_hides_its_share_anew_in_every_epoch_but_never_first_and_last():
    ids = [[2, *range(10, 60), 3] for _ in range(40)]
    batches = make(ids, 8, word_dropout=0.25)
    hidden = [np.concatenate([batch[0].input_ids for batch in batches.epoch(epoch)]) == 1 for epoch in (0, 1)]
    assert not hidden[0][:, [0, -1]].any()
    assert hidden[0][:, 1:-1].mean() == pytest.approx(0.25, abs=0.03)
    assert (hidden[0] != hidden[1]).any()


def test_parts_in_which_nothing_counts_are_left_out_of_their_step():
    ids = [[2, 9, 3]] * 4
    labels = [[-100] * 3, [-100, 1, -100], [-100] * 3, [-100] * 3]
    features = Features(ids, [[0] * 3] * 4, {"labels": labels})
    batches = FinetuneBatches(features, TextClassification().collate, 4, 0, pad_id=0, unknown_id=1)
    (parts,) = batches.epoch(0, parts=4)
    assert [part.labels.tolist() for part in parts] == [[[-100, 1, -100]]]
    nothing = FinetuneBatches(features.take([0, 2]), TextClassification().collate, 2, 0, pad_id=0, unknown_id=1)
    assert [len(parts) for parts in nothing.epoch(0, parts=2)] == [2]  # the loop says that its loss is no number
