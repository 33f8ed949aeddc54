"""albertkit export: a model in the format of another runtime, tried against the model itself."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    model: Annotated[str, Argument(help="Folder of a model, or its name.")],
    format: Annotated[str, Option(help="onnx, openvino, torch-export, saved-model, litert or stablehlo.")] = "onnx",
    precision: Annotated[
        str | None, Option(help="fp32, fp16, int8 or uint8, as the format has them.", show_default="fp32")
    ] = None,
    output: Annotated[
        Path | None, Option(help="A new folder, or the model's own.", show_default="MODEL-FORMAT-PRECISION")
    ] = None,
    task: options.Task = "auto",
    calibrate: Annotated[
        Path | None,
        Option(help="Data that the export is tried on, and measured by in int8.", show_default="built-in texts"),
    ] = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    header: options.Header = None,
    skip_bad_rows: options.SkipBadRows = False,
    settings: options.DataSettings = None,
    max_length: options.MaxLength = None,
    max_difference: Annotated[
        float | None,
        Option(help="Difference that passes, as a part of the largest number.", show_default="0.001", min=0),
    ] = None,
    min_agreement: Annotated[
        float, Option(help="Share of answers, and cosine of vectors, that must stay in int8.", min=0, max=1)
    ] = 0.9,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace such an export that is there.")] = False,
) -> None:
    """Write a model in another format, with its tokenizer, and try it: figures are printed and kept as export.json."""
    from albertkit.exporting import export

    name = "-".join(filter(None, (Path(model).name, format, precision)))
    folder = output or Path(name)
    entry = export(
        model,
        folder,
        format,
        precision,
        task=task,
        calibrate=calibrate,
        data=options.file_options(settings, text_column, pair_column, header, skip_bad_rows),
        max_length=max_length,
        overwrite=overwrite,
        max_difference=max_difference,
        min_agreement=min_agreement,
    )
    typer.echo(f"{folder}: {entry.describe()}")
