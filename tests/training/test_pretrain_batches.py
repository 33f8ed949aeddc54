"""The rows of a step: their order, their cuts over parts and processes, and the thread that makes them ahead."""

import threading

import numpy as np
import pytest

from albertkit.corpus.shards import Corpus
from albertkit.errors import InputError
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.training.pretrain_batches import Rows
from training import pretraining


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = pretraining.corpus(tmp_path_factory.mktemp("rows") / "corpus", count=120)
    return PretrainingExamples(Corpus.open(folder), length=32, objective="mlm+sop", seed=3)


def joined(parts):
    return np.concatenate([part.input_ids for part in parts])


def same(one, other):
    for parts, others in zip(one, other, strict=True):
        for part, twin in zip(parts, others, strict=True):
            assert all(np.array_equal(part[name], twin[name]) for name in part)


@pytest.mark.parametrize("epoch", [0, 2])
def test_an_epoch_holds_every_row_once_in_an_order_and_with_masks_of_its_own(examples, epoch):
    rows = Rows(examples, 8)
    assert len(rows) == len(examples) // 8
    batches = [joined(parts) for parts in rows.epoch(epoch)]
    assert len(batches) == len(rows)
    order = examples.order(epoch)
    assert sorted(order) == list(range(len(examples)))
    assert not np.array_equal(order, examples.order(1))
    for number, batch in enumerate(batches):
        np.testing.assert_array_equal(batch, examples.batch(epoch, order[number * 8 : number * 8 + 8]).input_ids)


def test_from_any_batch_on_it_is_the_same_epoch(examples):
    rows = Rows(examples, 8)
    whole = list(rows.epoch(2, parts=3))
    same(whole[5:], list(rows.epoch(2, 5, parts=3)))
    assert [len(parts) for parts in whole] == [3] * len(rows)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_and_parts_share_out_the_same_batch(examples, processes):
    whole = joined(next(Rows(examples, 8).epoch(1)))
    shares = [joined(next(Rows(examples, 8, number, processes).epoch(1, parts=2))) for number in range(processes)]
    np.testing.assert_array_equal(np.concatenate(shares), whole)


def test_a_corpus_smaller_than_a_batch_fills_it_with_repeats(examples):
    rows = Rows(examples, 3 * len(examples))
    assert len(rows) == 1
    batch = joined(next(rows.epoch(0)))
    assert len(batch) == 3 * len(examples)
    np.testing.assert_array_equal(batch[: len(examples)], batch[len(examples) : 2 * len(examples)])


def test_an_error_in_the_making_is_raised_where_the_batch_is_asked_for(examples, monkeypatch):
    def broken(self, epoch, rows):
        raise InputError("broken")

    monkeypatch.setattr(PretrainingExamples, "batch", broken)
    with pytest.raises(InputError, match="broken"):
        next(Rows(examples, 8).epoch(0))


def test_the_thread_ends_with_whoever_stops_asking(examples):
    before = threading.active_count()
    asking = Rows(examples, 8).epoch(0)
    next(asking)
    asking.close()
    assert threading.active_count() == before
