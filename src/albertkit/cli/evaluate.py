"""albertkit evaluate: score a trained model on a data file."""

import json
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    data: Annotated[str, Argument(help="Labelled data: .csv, .tsv, .json, .jsonl or .parquet.")],
    task: options.Task = "auto",
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
    batch_size: options.AnswerBatchSize = None,
    device: options.Device = None,
    framework: options.Framework = None,
    skip_empty: Annotated[bool, Option("--skip-empty", help="Leave out incomplete rows.")] = False,
    output_dir: Annotated[
        Path | None,
        Option(help="Folder for eval_results.json and the files of the task's official scripts.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace such files in the folder.")] = False,
    settings: options.DataSettings = None,
) -> None:
    """Score a trained model on a data file. Prints JSON."""
    from albertkit.cli.row_progress import RowProgress
    from albertkit.inference import result_files
    from albertkit.pipelines import pipeline

    given = options.data_options(
        settings,
        text_column=text_column,
        pair_column=pair_column,
        label_column=label_column,
        label_separator=label_separator,
        label_map=label_map,
        missing_labels=options.split(missing_labels),
        header=options.split(header),
        skip_empty=skip_empty or None,
    )
    answerer = pipeline(task, model, framework, max_length, device=options.device(device), batch_size=batch_size)
    files: dict[str, dict[str, object]] | None = None
    if output_dir:
        result_files.require_free(output_dir, [result_files.SCORES, *answerer.task.official_files], overwrite)
        files = {}
    with RowProgress() as progress:
        answerer.progress = progress.update
        scores = answerer.evaluate(data, files, **given)
    if output_dir:
        result_files.write(output_dir, {result_files.SCORES: scores, **(files or {})})
    typer.echo(json.dumps(scores, indent=2))
