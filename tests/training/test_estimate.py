"""The estimate of a run's time."""

import numpy as np
import pytest

pytest.importorskip("pydantic")

from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.training import estimate


class Batch:
    def __init__(self, tokens):
        self.tokens = tokens


@pytest.fixture
def machine(monkeypatch):
    """A machine that takes so many seconds for each token, and as many for a call."""
    now = [0.0]
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: now[0])

    def of(each, call=0.0):
        asked = []

        def forward(batch):
            asked.append(batch.tokens)
            now[0] += each * batch.tokens + call

        return forward, asked

    return of


def test_a_slow_machine_is_asked_once_and_with_little(machine):
    forward, asked = machine(0.01)
    assert estimate.seconds_per_token(forward, [Batch(512), Batch(8192)]) == pytest.approx(0.01)
    assert asked == [512]


def test_a_fast_machine_is_asked_with_more_so_that_what_a_call_costs_counts_little(machine):
    forward, asked = machine(1e-5, call=0.05)
    assert estimate.seconds_per_token(forward, [Batch(512), Batch(8192)]) == pytest.approx(1e-5 + 0.05 / 8192)
    assert asked == [512, 512, 8192, 8192], "the first of each size may compile"


def test_a_short_text_alone_is_no_measure_for_a_batch_unless_that_takes_too_long(machine):
    forward, asked = machine(0.001, call=0.3)
    assert estimate.seconds_per_token(forward, [Batch(12), Batch(400)]) == pytest.approx(0.001 + 0.3 / 400)
    forward, asked = machine(0.1, call=0.3)
    assert estimate.seconds_per_token(forward, [Batch(12), Batch(400)]) == pytest.approx(0.1 + 0.3 / 12)
    assert 400 not in asked


def test_the_estimate_says_that_it_is_one():
    told = estimate.in_a_sentence(0.001, 2**21, 2**21 * 125_000)
    assert told.startswith("An estimate from a short measurement: 24 years ")
    assert "6,291.5 s a step" in told
    assert "off by a factor of two" in told


def test_only_runs_that_take_a_while_get_one():
    rows, tiny = PaddedBatch(np.ones((1, 512), np.int64)), AlbertConfig.base(hidden_size=12, num_attention_heads=3)
    assert estimate.is_long(AlbertConfig.base(), rows, 4096 * 512 * 100)
    assert not estimate.is_long(tiny, rows, 10_000)
