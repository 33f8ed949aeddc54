"""Rows of many requests are computed together, each is answered by itself, and nobody waits for long ones."""

import threading
import time

import pytest

from albertkit.serving.scheduler import Cancelled, DeadlinePassed, QueueFull, Scheduler, Stopping
from albertkit.tasks.features import Features

LATER = float("inf")


def rows(*ids):
    return Features([list(one) for one in ids], [[0] * len(one) for one in ids])


class Model:
    """Gives back for each row its ids; each batch waits until it is let go."""

    def __init__(self, is_free=True):
        self.batches, self.gate, self.entered = [], threading.Event(), threading.Event()
        if is_free:
            self.gate.set()

    def run(self, features, most):
        self.batches.append([tuple(one) for one in features.input_ids])
        self.entered.set()
        assert self.gate.wait(10)
        if any(13 in one for one in features.input_ids):
            raise ValueError("a row that cannot be computed")
        return [{"ids": tuple(one)} for one in features.input_ids]


def started(budget=8, waiting=100, **options):
    """A model that computes a row and stands still, so that whatever comes now waits."""
    model, scheduler = Model(is_free=False), Scheduler(budget, waiting, **options)
    first = scheduler.submit(model.run, rows([1]), LATER)
    assert model.entered.wait(10)
    return model, scheduler, first


def ids(job):
    return [one["ids"] for one in job.future.result(10)]


def test_what_waits_is_computed_together_and_each_request_gets_its_own():
    model, scheduler, first = started()
    jobs = [scheduler.submit(model.run, rows([n, n]), LATER) for n in (2, 3, 4)]
    model.gate.set()
    assert ids(first) == [(1,)]
    assert [ids(job) for job in jobs] == [[(2, 2)], [(3, 3)], [(4, 4)]]
    assert model.batches == [[(1,)], [(2, 2), (3, 3), (4, 4)]]


def test_a_request_of_many_rows_gives_one_in_its_turn():
    model, scheduler, _ = started()
    long = scheduler.submit(model.run, rows(*([n, n, n] for n in range(20, 26))), LATER)
    short = scheduler.submit(model.run, rows([5]), LATER)
    model.gate.set()
    assert ids(short) == [(5,)]
    assert ids(long) == [(n, n, n) for n in range(20, 26)]
    assert (5,) in model.batches[1]
    assert all(sum(map(len, batch)) <= 8 for batch in model.batches)


def test_a_row_beyond_the_budget_is_computed_alone():
    model, scheduler, _ = started(budget=4)
    long = scheduler.submit(model.run, rows([7] * 9), LATER)
    short = scheduler.submit(model.run, rows([5]), LATER)
    model.gate.set()
    assert ids(long) == [tuple([7] * 9)]
    assert ids(short) == [(5,)]
    assert model.batches[1:] == [[tuple([7] * 9)], [(5,)]]


def test_models_take_turns_and_are_never_mixed():
    model, scheduler, _ = started()
    other = Model()
    jobs = [scheduler.submit(one.run, rows([n]), LATER) for one, n in [(model, 2), (other, 3), (model, 4), (other, 5)]]
    model.gate.set()
    assert [ids(job) for job in jobs] == [[(2,)], [(3,)], [(4,)], [(5,)]]
    assert model.batches == [[(1,)], [(2,), (4,)]]
    assert other.batches == [[(3,), (5,)]]


def test_one_bad_row_fails_its_own_request_alone():
    model, scheduler, _ = started()
    jobs = [scheduler.submit(model.run, rows(*one), LATER) for one in ([[2]], [[3], [13]], [[4]])]
    model.gate.set()
    assert [ids(jobs[0]), ids(jobs[2])] == [[(2,)], [(4,)]]
    with pytest.raises(ValueError, match="cannot be computed"):
        jobs[1].future.result(10)
    assert scheduler.waiting_tokens == 0


def test_when_too_much_waits_more_is_refused_and_one_request_of_any_size_is_taken():
    model, scheduler, _ = started(waiting=5)
    big = scheduler.submit(model.run, rows([2] * 9), LATER)
    with pytest.raises(QueueFull):
        scheduler.submit(model.run, rows([3]), LATER)
    assert scheduler.waiting_requests == 1
    model.gate.set()
    assert len(ids(big)) == 1
    assert ids(scheduler.submit(model.run, rows([3]), LATER)) == [(3,)]


def test_what_nobody_waits_for_is_not_computed():
    model, scheduler, _ = started()
    gone = scheduler.submit(model.run, rows([6], [7]), LATER)
    late = scheduler.submit(model.run, rows([8]), time.monotonic() - 1)
    kept = scheduler.submit(model.run, rows([9]), LATER)
    gone.cancel()
    model.gate.set()
    assert ids(kept) == [(9,)]
    for job, error in [(gone, Cancelled), (late, DeadlinePassed)]:
        with pytest.raises(error):
            job.future.result(10)
    assert model.batches == [[(1,)], [(9,)]]
    assert scheduler.waiting_tokens == 0


def test_a_stop_computes_what_was_taken_and_takes_no_more():
    model, scheduler, first = started()
    waiting = [scheduler.submit(model.run, rows([n]), LATER) for n in (2, 3)]
    threading.Timer(0.05, model.gate.set).start()
    scheduler.stop()
    assert [ids(job) for job in (first, *waiting)] == [[(1,)], [(2,)], [(3,)]]
    with pytest.raises(Stopping):
        scheduler.submit(model.run, rows([4]), LATER)


def test_each_batch_is_told_with_its_tokens_and_time():
    seen = []
    model, scheduler, _ = started(seen=lambda batch, seconds: seen.append((batch.tokens, seconds >= 0)))
    job = scheduler.submit(model.run, rows([2, 2], [3]), LATER)
    model.gate.set()
    assert ids(job) == [(2, 2), (3,)]
    scheduler.stop()
    assert seen == [(1, True), (3, True)]


def test_a_request_without_rows_is_answered_at_once():
    model, scheduler, _ = started()
    assert scheduler.submit(model.run, rows(), LATER).future.result(1) == []
    model.gate.set()
