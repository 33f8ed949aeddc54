"""albertkit quantize: make a model ready to answer in int8, if its answers stay as they are."""

import json
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    calibrate: Annotated[
        str, Option(help="Texts such as the model will meet: a data file, or lines of .txt.", show_default=False)
    ],
    output: Annotated[
        Path | None, Option(help="Folder for a copy of the model with it.", show_default="the model's own")
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace what the output folder holds.")] = False,
    min_agreement: Annotated[float, Option(help="Share of answers that must stay the same.", min=0, max=1)] = 0.99,
    min_row_agreement: Annotated[
        float, Option(help="Share of rows all of whose answers must, such as all words of a sentence.", min=0, max=1)
    ] = 0.0,
    max_rows: Annotated[int, Option(help="Rows of texts to take: half to fit, half to measure.", min=16)] = 1024,
    task: options.Task = "auto",
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
    header: options.Header = None,
    max_length: options.MaxLength = None,
    skip_bad_rows: options.SkipBadRows = False,
    settings: options.DataSettings = None,
) -> None:
    """Fit the scales of int8 to texts, measure how many answers stay the same, and keep the scales with the model.

    Commands and pipelines answer in int8 with it from then on. Weights stay as they are, and other programs read the
    folder as before. Prints what was measured, as JSON.
    """
    from albertkit.quantizing.quantize import quantize

    columns = {"text_column": text_column, "pair_column": pair_column, "label_column": label_column}
    rows = {"header": options.split(header), "skip_bad_rows": skip_bad_rows or None}
    given = options.data_options(settings, **rows, **columns)
    found = quantize(
        model,
        calibrate,
        output,
        task=task,
        min_agreement=min_agreement,
        min_row_agreement=min_row_agreement,
        max_rows=max_rows,
        max_length=max_length,
        overwrite=overwrite,
        told=lambda line: typer.echo(line, err=True),
        **given,
    )
    typer.echo(json.dumps(found.report, indent=2))
    typer.echo(f"Kept in {found.folder}.", err=True)
