"""A seeded part of `make fuzz`: damaged files, random texts and killed saves."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("h5py")
pytest.importorskip("msgpack")
pytest.importorskip("psutil")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def fuzzing():
    """The parts of benchmarks/fuzz.py."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from fuzzing import kills, kinds, texts, workers

        yield {"kills": kills, "kinds": kinds, "texts": texts, "workers": workers}
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_damaged_files_do_no_harm_and_are_told(fuzzing):
    results = []
    with fuzzing["workers"].Worker(seed=1) as worker:
        for kind in fuzzing["kinds"].KINDS:
            results += worker.run(kind, range(8))
    assert [result for result in results if result.is_fault] == []
    assert sum(result.outcome == "refused" for result in results) > len(results) / 2


def test_random_strings_are_taken_by_every_tokenizer(fuzzing, tmp_path):
    assert fuzzing["texts"].faults(tmp_path, 300, seed=1) == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_saves_leave_a_whole_model(fuzzing):
    found, _ = fuzzing["kills"].faults(4, seed=1)
    assert found == []
