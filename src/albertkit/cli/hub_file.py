"""The data that a command is given: a file, or a split of a data set of the hub as a file for as long as it lasts."""

import contextlib
from collections.abc import Iterator

import typer


@contextlib.contextmanager
def of(data: str, named: str, split: str, purpose: str) -> Iterator[tuple[str, str]]:
    """The file, and where its rows come from. InputError where both or neither are named; `purpose` says what for."""
    from albertkit.errors import InputError, few
    from albertkit.tasks import hub_datasets

    if bool(data) == bool(named) or (split and not named):
        received = ", ".join(filter(None, (data, named, split))) or "none"
        raise InputError(
            f"A model {purpose} a file, or a data set of the hub. Received: {received}. Name a file, or a data set "
            "with --hub-dataset and, where need be, its split with --eval-split."
        )
    if not named:
        yield data, data
        return
    with hub_datasets.files_of(named, {"eval": split}, lambda told: typer.echo(told, err=True)) as (dataset, files):
        if not files:
            raise InputError(
                f"The split must be known. {dataset} has {few(dataset.splits, 20)}, and none that is for validation. "
                "Name one with --eval-split."
            )
        yield files["eval"], f"{dataset}, {split or dataset.held_out}"
