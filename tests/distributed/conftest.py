"""One small cluster for all tests of this folder."""

import importlib.util
import logging
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ray():
    """Ray, connected to a cluster of this machine with two cores for workers and one for what reads."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("needs Ray")
    import ray

    own = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setenv("PYTHONPATH", own)  # workers import what the tests give them
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S", "2")  # Ray waits half a minute for dead ones
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False, "include_dashboard": False}
    ray.init(address="local", num_cpus=3, object_store_memory=150 * 2**20, **quiet)
    yield ray
    ray.shutdown()
    monkeypatch.undo()
