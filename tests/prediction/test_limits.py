"""What a process may compute with."""

import pytest

from albertkit import processors
from albertkit.prediction import limits


@pytest.fixture
def environment(monkeypatch):
    found = {}
    monkeypatch.setattr(limits.os, "environ", found)
    return found


def test_threads_are_those_of_the_environment_or_the_cores_among_the_processes(environment, monkeypatch):
    monkeypatch.setattr(processors, "count", lambda: 6)
    assert [limits.of_each(workers) for workers in (1, 2, 4, 6, 9)] == [6, 3, 1, 1, 1]
    environment["OMP_NUM_THREADS"] = "5"
    assert [limits.of_each(workers) for workers in (1, 2)] == [5, 3]


def test_libraries_are_told_before_they_are_imported(environment, monkeypatch):
    monkeypatch.delitem(limits.sys.modules, "torch", raising=False)
    limits.limit(3)
    assert {environment[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "RAYON")} == {"3"}
    limits.share_machine()
    assert environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"
    environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "7"
    limits.share_machine()
    assert environment["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"


@pytest.mark.parametrize(("quota", "stated", "expected"), [(2.0, None, "2"), (None, None, None), (2.0, "5", "5")])
def test_in_a_container_with_a_share_of_the_processors_there_are_no_more_threads(
    environment, monkeypatch, quota, stated, expected
):
    monkeypatch.setattr(processors, "available", lambda: 64)
    monkeypatch.setattr(processors, "of_quota", lambda: quota)
    if stated:
        environment["OMP_NUM_THREADS"] = stated
    limits.share_machine()
    assert environment.get("OMP_NUM_THREADS") == expected
