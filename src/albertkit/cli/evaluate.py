"""albertkit evaluate: score a trained model on a data file."""

import json
from typing import Annotated

import typer
from typer import Argument, Option


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    data: Annotated[str, Argument(help="Labelled data: .csv, .tsv, .jsonl or .parquet.")],
    text_column: Annotated[str, Option(help="Column of the text; default: by the usual names.")] = "",
    pair_column: Annotated[str, Option(help="Column of the second text of a pair.")] = "",
    label_column: Annotated[str, Option(help="Column of the label; default: by the usual names.")] = "",
    label_separator: Annotated[str, Option(help="Between several labels of one row.")] = "|",
    header: Annotated[str, Option(help="Comma-separated column names of a file without a header.")] = "",
    max_length: Annotated[int | None, Option(help="Longest input in tokens; default: that of training.", min=4)] = None,
    framework: Annotated[str, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")] = "auto",
    skip_empty: Annotated[bool, Option("--skip-empty", help="Leave out rows without text or label.")] = False,
) -> None:
    """Score a trained model on a data file. Prints JSON."""
    from albertkit.pipelines import pipeline
    from albertkit.tasks.text_classification import NAME, Columns

    columns = Columns(text_column, pair_column, label_column, label_separator)
    names = [name.strip() for name in header.split(",") if name.strip()]
    typer.echo(
        json.dumps(pipeline(NAME, model, framework, max_length).evaluate(data, columns, names, skip_empty), indent=2)
    )
