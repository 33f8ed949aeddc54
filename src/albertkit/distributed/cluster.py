"""A Ray cluster: one that is there, or one of this machine for as long as it is needed."""

import contextlib
import logging
import math
import os
import pkgutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from albertkit import __version__
from albertkit.errors import AlbertkitError, ConfigError, MissingDependency, TrainingError
from albertkit.typing import Json

REACHED_WITHIN = 10.0
"""Seconds in which the address of a cluster must answer. Ray itself would try for two minutes and die."""
READY_WITHIN = 600.0
"""Seconds in which the first worker must be ready: a cluster that grows starts a machine for it."""
TRIES = 3
"""How often a block is done again whose worker has died: one that kills every worker must end."""
_LONGEST = 200
_HERE = "local"
_VARIABLE = "RAY_ADDRESS"


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and what of it is used."""

    address: str = ""
    """host:port, auto for one that this machine belongs to, local for one of its own; by default RAY_ADDRESS, or else
    local."""
    workers: int = 0
    """How many; 0: as many as the cluster has cores for."""
    cpus: float = 1
    """Cores of each."""
    gpus: float = 0
    """GPUs of each, or a part of one."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"--workers must be at least 1. Received: {self.workers}.")
        if self.cpus <= 0:
            raise ConfigError(f"--cpus-per-worker must be more than 0. Received: {self.cpus}.")
        if self.gpus < 0:
            raise ConfigError(f"--gpus-per-worker must not be negative. Received: {self.gpus}.")
        if self.address.startswith("ray://"):
            raise ConfigError(
                f"The command must run on a machine of the cluster, for it reads and writes files. Received: --address "
                f"{self.address}, that of a client outside. Run it there with `ray job submit -- albertkit ...`, and "
                "without --address."
            )

    @property
    def threads(self) -> int:
        """Those in which a worker computes."""
        return max(int(self.cpus), 1)

    @property
    def resources(self) -> dict[str, float]:
        """Of a worker, as Ray takes them."""
        return {"num_cpus": self.cpus, "num_gpus": self.gpus}

    @contextlib.contextmanager
    def connected(self, beside: int = 0) -> Iterator[int]:
        """Connect while the context lasts, and give how many workers there are to be.

        `beside` cores are left, or in a local cluster added, for what runs beside the workers. A cluster that this
        process is connected to already is used as it is. MissingDependency without Ray; ConfigError where the cluster
        cannot be reached, has too little, or where its machines lack this release of albertkit.
        """
        ray = require()
        if ray.is_initialized():
            yield self._usable(ray, beside)
            return
        address = self.address or os.environ.get(_VARIABLE, "") or _HERE
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent that nobody has asked for
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what its own code in C++ prints about itself
        quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address == _HERE:
            ray.init(address=_HERE, include_dashboard=False, **self._of_this_machine(beside), **quiet)
        else:
            _require_reachable(address)
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, RuntimeError) as error:
                raise _unreachable(address, str(error).split("\n")[0]) from error
        try:
            yield self._usable(ray, beside)
        finally:
            ray.shutdown()

    def _of_this_machine(self, beside: int) -> dict[str, int]:
        """What a cluster of this machine is told to have: what the workers need, or all that there is."""
        if not self.workers:
            return {}
        gpus = {"num_gpus": math.ceil(self.workers * self.gpus)} if self.gpus else {}
        return {"num_cpus": max(math.ceil(self.workers * self.cpus) + beside, 1), **gpus}

    def _usable(self, ray: Json, beside: int) -> int:
        """How many workers; see `connected`."""
        there = ray.cluster_resources()
        cores = there.get("CPU", 0) - beside
        count = self.workers or max(int(cores // self.cpus), 1)
        if self.gpus and not self.workers:
            count = max(min(count, int(there.get("GPU", 0) // self.gpus)), 1)
        release = ray.remote(pkgutil.resolve_name).options(**self.resources)
        try:
            found = ray.get(release.remote("albertkit:__version__"), timeout=READY_WITHIN)
        except ray.exceptions.GetTimeoutError:
            raise too_small(self, there) from None
        except Exception as error:
            if "albertkit" not in str(error):
                raise TrainingError(f"The cluster must do work. It answered: {last_line(error)}.") from error
            found = "none"
        if found != __version__:
            raise ConfigError(
                f"The machines of a cluster need albertkit {__version__}, as this one. Received: {found}. Install it "
                "on all of them, or start them from the same image."
            )
        return count


def require() -> Json:
    """Ray itself. MissingDependency where it is not installed."""
    try:
        import ray
    except ImportError:
        raise MissingDependency("--engine ray", "Ray", "ray") from None
    return ray


def too_small(cluster: Cluster, there: Json) -> ConfigError:
    """The error of a cluster in which no worker became ready."""
    wanted = f"{cluster.cpus:g} cores and {cluster.gpus:g} GPUs"
    has = f"{there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} GPUs"
    return ConfigError(
        f"A worker must fit into the cluster. None was ready in {READY_WITHIN:g} seconds. Received: workers of "
        f"{wanted} each; the cluster has {has}. Ask for less of --cpus-per-worker and --gpus-per-worker."
    )


def own_error(error: BaseException) -> AlbertkitError:
    """What a worker has met, as this process would have met it."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, AlbertkitError):
        return cause
    return TrainingError(
        f"A worker must do its work. It died or failed {TRIES + 1} times at the same block: {last_line(error)}. Where "
        "it was for lack of memory, pass fewer --workers, or more --cpus-per-worker. What is written stays: run the "
        "same command again."
    )


def last_line(error: BaseException) -> str:
    """What an error of Ray says in the end: before it stand traces of several processes."""
    line = ([line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1]
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _require_reachable(address: str) -> None:
    """ConfigError for what is no address, and where nobody listens there."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(
            f"The address of a cluster must be host:port, auto or local. Received: {address}. The port is that of "
            "`ray start --head`, 6379 by default."
        )
    try:
        socket.create_connection((host, int(port)), REACHED_WITHIN).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, str(error)) from error


def _unreachable(address: str, why: str) -> ConfigError:
    return ConfigError(
        f"A Ray cluster must be there to be used. Received: {address}, and reaching it failed: {why}. Start one with "
        "`ray start --head`, check the address and the token (RAY_AUTH_TOKEN), or leave --address out for a cluster of "
        "this machine."
    )
