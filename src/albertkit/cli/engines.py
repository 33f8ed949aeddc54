"""Where a command computes: on this machine, or by workers of a Ray cluster."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from albertkit.distributed.cluster import Cluster
    from albertkit.pipelines import Pipeline
    from albertkit.prediction.records import Answers
    from albertkit.prediction.run import Engine as AnsweringEngine
    from albertkit.typing import Record

_PANEL = "Ray"

Engine = Annotated[str, Option(help="local: this machine; ray: workers of a Ray cluster.", rich_help_panel=_PANEL)]
Address = Annotated[
    str | None,
    Option(
        help="Cluster: host:port, auto for the one of this machine, or local for a new one.",
        show_default="RAY_ADDRESS, or local",
        rich_help_panel=_PANEL,
    ),
]
Workers = Annotated[
    int | None,
    Option(help="Workers of the cluster.", show_default="as many as it has cores for", rich_help_panel=_PANEL),
]
CpusPerWorker = Annotated[float | None, Option(help="Cores of each worker.", show_default="1", rich_help_panel=_PANEL)]
GpusPerWorker = Annotated[
    float | None, Option(help="GPUs of each worker, or a part of one.", show_default="0", rich_help_panel=_PANEL)
]


def cluster(
    engine: str, address: str | None, workers: int | None, cpus: float | None, gpus: float | None
) -> "Cluster | None":
    """The cluster that is asked for, or None for this machine. `workers` may be meant for either.

    ConfigError for an engine that there is none of, and for options of a cluster without one.
    """
    from albertkit.errors import ConfigError, did_you_mean

    if engine not in ("local", "ray"):
        raise ConfigError(f"--engine must be local or ray. Received: {engine}.{did_you_mean(engine, ['local', 'ray'])}")
    given = {"--address": address, "--cpus-per-worker": cpus, "--gpus-per-worker": gpus}
    if engine == "local":
        if named := [name for name, value in given.items() if value is not None]:
            raise ConfigError(
                f"{named[0]} is of a cluster. Received: it without one. Add --engine ray, or leave it out."
            )
        return None
    from albertkit.distributed import cluster

    cluster.require()
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1. Received: {workers}.")
    return cluster.Cluster(address or "", workers or 0, 1 if cpus is None else cpus, gpus or 0)


def answering(cluster: "Cluster | None") -> "AnsweringEngine | None":
    """What answers the blocks of files: the workers of a cluster, if there is one."""
    if cluster is None:
        return None
    from albertkit.distributed import answers

    return answers.by_workers(cluster)


def records(
    cluster: "Cluster", answerer: "Pipeline", model: "Record", path: str, data: "Record", skips: bool
) -> "tuple[Answers, Iterator[Record]]":
    """The answers for a file by workers of a cluster, and a record for each row; see `prediction.records`."""
    from albertkit.distributed import answers
    from albertkit.prediction.records import Answers, RecordAnswerer

    found = Answers(answerer, model, path, data, skips, cluster.threads)
    return found, found.records(answers.by_workers(cluster, RecordAnswerer))


def trained_by(run: "Callable[..., Record]", cluster: "Cluster | None") -> "Callable[..., Record]":
    """A run of training, or the same by the workers of a cluster, if there is one."""
    if cluster is None:
        return run
    from albertkit.distributed import training

    def by_workers(recipe: Any, output: Path, **how: Any) -> "Record":
        return training.run(run, recipe, output, cluster, tell=typer.echo, **how)

    return by_workers
