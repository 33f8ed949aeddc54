"""albertkit predict: answers of a trained model, as JSON lines."""

import json
import sys
from typing import Annotated

import typer
from typer import Argument, Option


def command(
    model: Annotated[str, Argument(help="Folder of a trained model.")],
    texts: Annotated[list[str] | None, Argument(help="Texts; default: the file, or lines of standard input.")] = None,
    file: Annotated[str, Option(help="Data file: .csv, .tsv, .jsonl or .parquet.")] = "",
    text_column: Annotated[str, Option(help="Column of the text in the file; default: by the usual names.")] = "",
    pair_column: Annotated[str, Option(help="Column of the second text of a pair.")] = "",
    header: Annotated[str, Option(help="Comma-separated column names of a file without a header.")] = "",
    max_length: Annotated[int | None, Option(help="Longest input in tokens; default: that of training.", min=4)] = None,
    framework: Annotated[str, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")] = "auto",
    pair: Annotated[str | None, Option(help="Second text of a pair, for one text given as an argument.")] = None,
) -> None:
    """Answer for texts: from arguments, a file, or lines of standard input. Prints a JSON line each, in their order."""
    from albertkit import pipelines
    from albertkit.errors import InputError
    from albertkit.tasks import tables
    from albertkit.tasks.text_classification import NAME, Columns, read

    if bool(texts) and bool(file):
        raise InputError("Texts come from arguments or from a file. Received: both.")
    pairs = None
    if file:
        columns = Columns(text_column, pair_column)
        names = [name.strip() for name in header.split(",") if name.strip()]
        examples, _ = read(tables.read(file, names), columns, labelled=False)
        texts, pairs = examples.texts, examples.pairs
    elif not texts:
        texts = [line.rstrip("\r\n") for line in sys.stdin]
    if pair is not None:
        if file or len(texts) != 1:
            raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts)} texts.")
        pairs = [pair]
    classify = pipelines.pipeline(NAME, model, framework, max_length)
    for text, answer in zip(texts, classify(texts, pairs), strict=True):
        typer.echo(json.dumps({"text": text, **answer}, ensure_ascii=False))
    if classify.truncated:
        typer.echo(f"{classify.truncated} texts were longer than {classify.max_length} tokens and were cut.", err=True)
