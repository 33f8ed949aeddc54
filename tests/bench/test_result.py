"""What is told of a measurement beside its figures."""

from importlib.metadata import PackageNotFoundError

import pytest

from albertkit.bench import result
from albertkit.bench.candidates import Candidate
from albertkit.bench.measure import Measured, Readings
from albertkit.bench.result import Result
from albertkit.bench.rows import Rows
from albertkit.tasks.features import Features

INSTALLED = {"albertkit": "0.1", "tensorflow-cpu": "2.21", "jax": "0.10", "torch": "2.13"}


@pytest.mark.parametrize(
    ("backends", "told"),
    [
        (["tensorflow", "saved-model", "litert"], "albertkit 0.1, tensorflow-cpu 2.21"),
        (["stablehlo", "flax"], "albertkit 0.1, jax 0.10"),
        (["torch"], "albertkit 0.1, torch 2.13"),
    ],
)
def test_the_versions_of_what_answered_are_told_under_whatever_name_it_is_installed(backends, told, monkeypatch):
    def version(package):
        if package not in INSTALLED:
            raise PackageNotFoundError(package)
        return INSTALLED[package]

    monkeypatch.setattr(result.importlib.metadata, "version", version)
    readings = [Readings(Candidate(one, "fp32"), seconds=[1.0]) for one in backends]
    rows = Rows("text-classification", Features([[2, 3]], [[0, 0]]), {}, "a row")
    assert Result("model", rows, 1, Measured(readings, 1, 1)).machine.endswith(f" cores, {told}")
