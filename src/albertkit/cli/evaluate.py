"""albertkit evaluate: score a trained model on a data file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options

if TYPE_CHECKING:
    from albertkit.pipelines import Pipeline


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    data: Annotated[
        str, Argument(help="Labelled data: .csv, .tsv, .json, .jsonl or .parquet, or the folder of a GLUE task.")
    ],
    task: options.Task = "auto",
    task_name: options.TaskName = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: Annotated[
        str | None, Option(help="Column of the label, or one for each class.", show_default="by the usual names")
    ] = None,
    label_separator: Annotated[str | None, Option(help="Between several labels of one row.", show_default="|")] = None,
    label_map: Annotated[str | None, Option(help="Other names for labels: old=new,... or a JSON file.")] = None,
    missing_labels: Annotated[str | None, Option(help="Labels that mean that there is none, by commas.")] = None,
    header: options.Header = None,
    max_length: options.MaxLength = None,
    long: options.Long = None,
    batch_size: options.AnswerBatchSize = None,
    device: options.Device = None,
    framework: options.Framework = None,
    skip_bad_rows: Annotated[
        bool, Option("--skip-bad-rows", help="Leave out, and count, rows that cannot be used.")
    ] = False,
    output_dir: options.OutputDir = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace such files in the folder.")] = False,
    settings: options.DataSettings = None,
) -> None:
    """Score a trained model on a data file. Prints JSON."""
    from albertkit.pipelines import pipeline

    given = options.data_options(
        settings,
        task_name=task_name,
        long=long,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        label_separator=label_separator,
        label_map=label_map,
        missing_labels=options.split(missing_labels),
        header=options.split(header),
        skip_bad_rows=skip_bad_rows or None,
    )
    answerer = pipeline(task, model, framework, max_length, device=options.device(device), batch_size=batch_size)
    typer.echo(json.dumps(_scores(answerer, data, given, output_dir, overwrite), indent=2))


def _scores(
    answerer: "Pipeline", data: str, given: dict[str, object], folder: Path | None, overwrite: bool
) -> dict[str, object]:
    """The scores; written into a folder where one is given, with the files of the task's official scripts."""
    from albertkit.cli.progress import RowProgress
    from albertkit.inference import result_files

    files: dict[str, dict[str, object]] = {}
    if folder:
        result_files.require_free(folder, [result_files.SCORES, *answerer.task.official_files], overwrite)
    with RowProgress() as progress:
        answerer.progress = progress.update
        scores = answerer.evaluate(data, files if folder else None, **given)
    if folder:
        result_files.write(folder, {result_files.SCORES: scores, **files})
    return scores
