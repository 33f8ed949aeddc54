"""JAX on several devices and in several processes: the course of one device, whatever the cut."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("albertkit.flax", exc_type=ImportError)

import jax
from jax.sharding import PartitionSpec

from albertkit.errors import ConfigError
from albertkit.flax import devices, train
from frameworks import jax_process

pytestmark = pytest.mark.flax
SCRIPT = Path(jax_process.__file__)
HALF_WRITTEN = "Error reading persistent compilation cache entry"  # by another worker of these tests


def started(output, devices=1, **environment):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-W", f"ignore:{HALF_WRITTEN}", SCRIPT, output],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent), "XLA_FLAGS": flags, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(processes):
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said


@pytest.fixture(scope="module")
def expected():
    """The course on the one device of this process."""
    return jax_process.course(is_sharded=False)


@pytest.fixture(scope="module")
def of_processes(tmp_path_factory):
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    common = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2", "JAX_ENABLE_COMPILATION_CACHE": "0"}
    outputs = [folder / f"{number}.npz" for number in range(2)]
    finished([started(output, **common, JAX_PROCESS_ID=str(number)) for number, output in enumerate(outputs)])
    return [np.load(output) for output in outputs]


@pytest.fixture(scope="module")
def of_devices(tmp_path_factory):
    """What one process found on two devices."""
    output = tmp_path_factory.mktemp("devices") / "two.npz"
    finished([started(output, devices=2)])
    return np.load(output)


def the_way(found, way):
    return {name.removeprefix(f"{way}/"): found[name] for name in found if name.startswith(f"{way}/")}


def assert_same_course(found, expected):
    assert set(found) == set(expected)
    for name in set(expected) - {"rank", "world_size", "devices", "spread"}:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("way", ["whole", "sharded"])
def test_two_processes_go_the_course_of_one(of_processes, expected, way):
    for number, each in enumerate(of_processes):
        found = the_way(each, way)
        assert (found["rank"], found["world_size"], found["devices"]) == (number, 2, 2)
        assert found["broadcast"] == 7
        assert (found["spread"] > 20) == (way == "sharded")
        assert_same_course(found, expected)


@pytest.mark.parametrize("way", ["whole", "sharded"])
def test_two_devices_of_one_process_go_the_course_of_one(of_devices, expected, way):
    found = the_way(of_devices, way)
    assert (found["rank"], found["world_size"], found["devices"]) == (0, 1, 2)
    assert (found["spread"] > 20) == (way == "sharded")
    assert_same_course(found, expected)


def test_a_process_that_knows_too_little_says_what_it_needs(monkeypatch):
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ConfigError, match="JAX_NUM_PROCESSES=None"):
        train.init_processes()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"SLURM_STEP_NODELIST": "a", "SLURM_NTASKS": "2"}, True),
        ({"SLURM_STEP_NODELIST": "a", "SLURM_NTASKS": "1"}, False),
        ({"SLURM_NTASKS": "2"}, False),  # a batch script, in which srun has started nothing yet
        ({"OMPI_COMM_WORLD_SIZE": "2"}, True),
        ({"OMPI_COMM_WORLD_SIZE": "1"}, False),
    ],
)
def test_launchers_are_known_by_what_they_set(monkeypatch, environment, expected):
    for name in ("SLURM_STEP_NODELIST", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "JOB_COMPLETION_INDEX"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert devices.are_launched() is expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((6, devices.LARGE), (None, "data")),
        ((devices.LARGE, 6), ("data",)),
        ((6, devices.LARGE + 1), ("data",)),  # the longest does not divide
        ((7, devices.LARGE + 1), ()),
        ((devices.LARGE - 2,), ()),
    ],
)
def test_large_weights_are_spread_along_their_longest_axis_that_divides(shape, expected):
    layout = devices.Layout(jax.sharding.AbstractMesh((2,), ("data",)), is_sharded=True)
    value = jax.ShapeDtypeStruct(shape, np.float32)
    assert layout.of(value).spec == PartitionSpec(*expected)
    assert devices.Layout(layout.mesh, is_sharded=False).of(value).spec == PartitionSpec()
