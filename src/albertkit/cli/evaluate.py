"""albertkit evaluate: score a trained model on a data file."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options
from albertkit.typing import Record

if TYPE_CHECKING:
    from albertkit.pipelines import Pipeline


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    data: Annotated[
        str, Argument(help="Labelled data: .csv, .tsv, .json, .jsonl or .parquet, or the folder of a GLUE task.")
    ] = "",
    hub_dataset: options.HubDataset = "",
    eval_split: options.EvalSplit = "",
    task: options.Task = "auto",
    task_name: options.TaskName = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    label_separator: Annotated[str | None, Option(help="Between several labels of one row.", show_default="|")] = None,
    label_map: Annotated[str | None, Option(help="Other names for labels: old=new,... or a JSON file.")] = None,
    missing_labels: Annotated[str | None, Option(help="Labels that mean that there is none, by commas.")] = None,
    header: options.Header = None,
    max_length: options.MaxLength = None,
    long: options.Long = None,
    doc_stride: options.DocStride = None,
    max_answer_length: options.MaxAnswerLength = None,
    n_best_size: options.NBestSize = None,
    null_threshold: options.NullThreshold = None,
    batch_size: options.AnswerBatchSize = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    skip_bad_rows: Annotated[
        bool, Option("--skip-bad-rows", help="Leave out, and count, rows that cannot be used.")
    ] = False,
    output_dir: options.OutputDir = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace such files in the folder.")] = False,
    settings: options.DataSettings = None,
) -> None:
    """Score a trained model on a data file. Prints JSON."""
    from albertkit.pipelines import pipeline

    columns = {"text_column": text_column, "pair_column": pair_column, "label_column": label_column}
    labels = {"label_separator": label_separator, "label_map": label_map}
    lengths = {"doc_stride": doc_stride, "max_answer_length": max_answer_length, "n_best_size": n_best_size}
    rows = {"header": options.split(header), "skip_bad_rows": skip_bad_rows or None, "long": long}
    missing = options.split(missing_labels)
    given = options.data_options(
        settings, task_name=task_name, missing_labels=missing, **columns, **labels, **lengths, **rows
    )
    answers: Record = {} if null_threshold is None else {"null_score_diff_threshold": null_threshold}
    answers |= {"device": options.device(device), "batch_size": batch_size, "precision": precision}
    answerer = pipeline(task, model, framework, max_length, **answers)
    with _file(data, hub_dataset, eval_split) as (path, place):
        scores = _scores(answerer, path, given, output_dir, overwrite, place)
    typer.echo(json.dumps(scores, indent=2))


@contextlib.contextmanager
def _file(data: str, named: str, split: str) -> Iterator[tuple[str, str]]:
    """The file to score on and where it comes from; that of a data set of the hub is there while the context lasts."""
    from albertkit.errors import InputError, few
    from albertkit.tasks import hub_datasets

    if bool(data) == bool(named) or (split and not named):
        received = ", ".join(filter(None, (data, named, split))) or "none"
        raise InputError(
            f"A model is scored on a file, or on a data set of the hub. Received: {received}. Name a file, or a data "
            "set with --hub-dataset and, where need be, its split."
        )
    if not named:
        yield data, data
        return
    with hub_datasets.files_of(named, {"eval": split}, lambda told: typer.echo(told, err=True)) as (dataset, files):
        if not files:
            raise InputError(
                f"The split to evaluate on must be known. {dataset} has {few(dataset.splits, 20)}, and none that is "
                "for validation. Name one with --eval-split."
            )
        yield files["eval"], f"{dataset}, {split or dataset.held_out}"


def _scores(
    answerer: "Pipeline", data: str, given: dict[str, object], folder: Path | None, overwrite: bool, place: str
) -> dict[str, object]:
    """The scores; written into a folder where one is given, with the files of the task's official scripts.

    `place` is where the data comes from.
    """
    from albertkit.cli.progress import RowProgress
    from albertkit.inference import result_files

    files: dict[str, dict[str, object]] = {}
    if folder:
        result_files.require_free(folder, [result_files.SCORES, *answerer.task.official_files], overwrite)
    with RowProgress() as progress:
        answerer.progress = progress.update
        scores = answerer.evaluate(data, files if folder else None, **given)
    if place != data:
        scores["data"] = place
    if folder:
        result_files.write(folder, {result_files.SCORES: scores, **files})
    return scores
