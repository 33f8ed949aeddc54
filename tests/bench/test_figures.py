"""Figures from given readings: rates, percentiles, and what is noise."""

import pytest

from albertkit.bench import figures
from albertkit.bench.candidates import Candidate
from albertkit.bench.measure import Measured, Readings

FP32, INT8, PEER = Candidate("torch", "fp32"), Candidate("torch", "int8"), Candidate("transformers", "fp32")


def readings(candidate, seconds, **others):
    return Readings(candidate, 1.0, seconds=list(seconds), **others)


def test_rates_are_those_of_the_median_round_and_spread_is_that_of_all_rounds():
    taken = readings(FP32, [2.0, 4.0, 2.5], latencies={16: [0.010] * 19 + [0.030]}, memory=7)
    [found] = figures.of_all(Measured([taken], rows=10, rounds=3), tokens=500)
    assert (found.texts_per_second, found.tokens_per_second) == (4, 200)
    assert found.spread == pytest.approx(0.8)
    assert (found.slowest, found.fastest) == (125, 250)
    assert (found.name, found.memory, found.load_seconds) == ("torch fp32", 7, 1)
    assert found.latency[16]["p50"] == pytest.approx(10)
    assert found.comparison is None


def test_a_percentile_is_given_where_there_is_a_text_beyond_it():
    assert figures.percentiles([0.001] * 19) == {"p50": pytest.approx(1), "p95": None, "p99": None}
    found = figures.percentiles([number / 1000 for number in range(1, 102)])
    assert found == {"p50": pytest.approx(51), "p95": pytest.approx(96), "p99": pytest.approx(100)}


def test_others_are_compared_with_the_peer_round_by_round():
    taken = [readings(INT8, [1.0, 2.0, 1.5]), readings(PEER, [4.0, 4.0, 4.5])]
    ours, peer = figures.of_all(Measured(taken, rows=1, rounds=3), tokens=1)
    assert peer.comparison is None
    assert (ours.comparison.median, ours.comparison.lowest, ours.comparison.highest) == (3, 2, 4)
    assert not ours.comparison.is_noise
    assert ours.record()["comparison"]["is_noise"] is False


@pytest.mark.parametrize(
    ("base", "seconds"), [([1.0, 1.0, 1.0], [0.9, 1.1, 0.8]), ([1.0, 1.0], [0.1, 0.1])], ids=["disagree", "too few"]
)
def test_a_difference_that_rounds_do_not_agree_on_is_noise(base, seconds):
    assert figures.compare(base, seconds).is_noise


def test_a_candidate_that_failed_has_no_figures_and_is_no_baseline():
    failed = Readings(PEER, error="it was not there")
    [found] = figures.of_all(Measured([failed, readings(FP32, [1.0])], rows=1, rounds=1), tokens=1)
    assert found.name == "torch fp32"
    assert found.spread is None
