"""The data set of the hub that a recipe names: its rows as files in the folder of the run, fetched once.

What is there stays: a run that goes on, another seed and another process read the same rows, without a network.
"""

import json
from pathlib import Path

from rich.console import Console

from albertkit import storage
from albertkit.backends import TrainBackend
from albertkit.errors import InputError
from albertkit.tasks import hub_datasets
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.hub_datasets import HubDataset
from albertkit.training.recipe import FinetuneRecipe
from albertkit.typing import Record

FOLDER, INDEX = "data", "hub_dataset.json"


def located(recipe: FinetuneRecipe, output: Path, backend: TrainBackend, console: Console) -> FinetuneRecipe:
    """The recipe with the files of its data set of the hub, if it names one; of several processes the first fetches.

    They lie in the folder `data` of the output.

    InputError where it names files to train on, too, or as from `hub_datasets`.
    """
    options, folder = recipe.options(), output / FOLDER
    _require_one_source(options)
    if not options.hub_dataset:
        return recipe
    asked = {name: getattr(options, name) for name in ("hub_dataset", "hub_config", "train_split", "eval_split")}
    asked |= {"most_train": _most(options), "most_eval": options.max_eval_samples, "eval": options.eval}
    if backend.rank() == 0 and _known(folder, asked) is None:
        _fetch(options, folder, asked, console)
    backend.broadcast(0)  # the others wait until the files are there
    files = _known(folder, asked)
    if files is None:
        raise InputError(f"All processes must see the rows that the first one fetched. There are none in {folder}.")
    console.print(f"Rows of {options.hub_dataset} in {folder}: delete that folder to have them fetched anew.")
    return recipe.changed("data", **files)


def _require_one_source(options: DataOptions) -> None:
    is_named, others = bool(options.hub_dataset), (options.hub_config, options.eval_split)
    if is_named and options.train:
        raise InputError(
            f"Data to train on comes from files or from the hub. Received: {options.train} and {options.hub_dataset}. "
            "Leave out --train or --hub-dataset."
        )
    if is_named and options.eval and options.eval_split:
        raise InputError(
            f"Data to evaluate on is a file or a split. Received: {options.eval} and {options.eval_split}. Leave out "
            "--eval or --eval-split."
        )
    if not is_named and (any(others) or options.train_split != options.defaults()["train_split"]):
        raise InputError(
            "Splits and configurations are those of a data set of the hub. Received them without one. Name it with "
            "--hub-dataset, or leave them out."
        )


def _most(options: DataOptions) -> int:
    """How many rows to train on are enough; 0: all. Some may be left out or held out of them."""
    is_as_it_is = not options.skip_bad_rows and (options.eval or options.eval_split)
    return options.max_train_samples if is_as_it_is else 0


def _known(folder: Path, asked: Record) -> Record | None:
    """The files of data that was fetched before as it is asked for now, or None."""
    try:
        content = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        own = {name: folder / file for name, file in content["files"].items() if file}
        is_there = content["asked"] == asked and all(file.is_file() for file in own.values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {name: str(file) for name, file in own.items()} if is_there else None


def _fetch(options: DataOptions, folder: Path, asked: Record, console: Console) -> None:
    dataset = HubDataset.open("/".join(filter(None, (options.hub_dataset, options.hub_config))))
    held_out = "" if options.eval else options.eval_split or dataset.held_out
    found = {"train": hub_datasets.fetched(dataset, options.train_split, folder, console.print, asked["most_train"])}
    if held_out:
        most = options.max_eval_samples
        found["eval"] = hub_datasets.fetched(dataset, held_out, folder, console.print, most)
    used = {options.train_split, held_out}
    if left := [one for one in dataset.splits if one not in used]:
        console.print(f"Splits of {dataset} that are not read: {', '.join(left)}.")
    files = {"train": found["train"].name, "eval": found["eval"].name if held_out else ""}
    storage.write_json(folder / INDEX, {"asked": asked, "files": files})
