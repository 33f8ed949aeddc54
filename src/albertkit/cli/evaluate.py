"""albertkit evaluate: score a trained model on a data file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import hub_file, options
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
    max_batch_tokens: options.MaxBatchTokens = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    trust_program: options.TrustProgram = False,
    patience: options.Patience = None,
    regression_threshold: options.RegressionThreshold = None,
    skip_bad_rows: options.SkipBadRows = False,
    output_dir: options.OutputDir = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace such files in the folder.")] = False,
    settings: options.DataSettings = None,
) -> None:
    """Score a trained model on a data file. Prints JSON."""
    from albertkit.pipelines import pipeline

    columns = {"text_column": text_column, "pair_column": pair_column, "label_column": label_column}
    labels = {"label_separator": label_separator, "label_map": label_map}
    lengths = {"doc_stride": doc_stride, "max_answer_length": max_answer_length, "n_best_size": n_best_size}
    missing = options.split(missing_labels)
    rows = {"header": options.split(header), "skip_bad_rows": skip_bad_rows or None, "missing_labels": missing}
    given = options.data_options(settings, task_name=task_name, long=long, **columns, **labels, **lengths, **rows)
    answers: Record = {} if null_threshold is None else {"null_score_diff_threshold": null_threshold}
    answers |= options.computing(
        device, batch_size, max_batch_tokens, precision, patience, regression_threshold, trust_program
    )
    answerer = pipeline(task, model, framework, max_length, **answers)
    with hub_file.of(data, hub_dataset, eval_split, "is scored on") as (path, place):
        scores = _scores(answerer, path, given, output_dir, overwrite, place)
    typer.echo(json.dumps(scores, indent=2))


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
