"""albertkit predict: answers of a trained model, as JSON lines."""

import io
import json
import sys
from typing import Annotated, cast

import typer
from typer import Argument, Option


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    texts: Annotated[list[str] | None, Argument(help="Texts; default: the file, or lines of standard input.")] = None,
    file: Annotated[str, Option(help="Data file: .csv, .tsv, .jsonl or .parquet.")] = "",
    text_column: Annotated[str, Option(help="Column of the text in the file; default: by the usual names.")] = "",
    pair_column: Annotated[str, Option(help="Column of the second text of a pair.")] = "",
    header: Annotated[str, Option(help="Comma-separated column names of a file without a header.")] = "",
    max_length: Annotated[int | None, Option(help="Longest input in tokens; default: that of training.", min=4)] = None,
    framework: Annotated[str, Option(help="torch, tensorflow, flax, or auto: the first that is installed.")] = "auto",
    pair: Annotated[str | None, Option(help="Second text of a pair, for one text given as an argument.")] = None,
    task: Annotated[
        str, Option(help="text-classification, fill-mask, or auto: what the model was trained for.")
    ] = "auto",
    top_k: Annotated[int, Option(help="Answers for each [MASK].", min=1)] = 5,
) -> None:
    """Answer for texts: from arguments, a file, or lines of standard input. Prints a JSON line each, in their order.

    Files and standard input of any length are read and answered in pieces, which are printed as they are ready.

    A classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit import pipelines
    from albertkit.errors import InputError
    from albertkit.tasks import fill_mask, tables
    from albertkit.tasks.text_classification import Columns
    from albertkit.tasks.text_classification import texts as examples

    if bool(texts) and bool(file):
        raise InputError("Texts come from arguments or from a file. Received: both.")
    if pair is not None and (file or len(texts or ()) != 1):
        raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts or ())} texts.")
    columns = Columns("text", "" if pair is None else "pair")
    if file:
        columns = Columns(text_column, pair_column)
        pieces = tables.pieces(file, [name.strip() for name in header.split(",") if name.strip()])
    elif texts:
        pieces = [tables.Table("", {"text": texts, "pair": [pair]}, list(range(1, len(texts) + 1)))]
    elif sys.stdin is None:
        raise InputError("Texts come from arguments, a file or standard input. Received: none, and that is closed.")
    else:
        pieces = tables.lines(cast(io.BufferedReader, sys.stdin.buffer))
    task = pipelines.task_of(model) if task == "auto" else task
    answerer = pipelines.pipeline(task, model, framework, max_length)
    options = {"top_k": top_k} if task == fill_mask.NAME else {}
    try:
        for text, answer in answerer.stream(examples(pieces, columns), **options):
            typer.echo(_line({"text": text, **answer}))
    finally:
        if answerer.truncated:
            told = f"{answerer.truncated} texts were longer than {answerer.max_length} tokens and were cut."
            typer.echo(told, err=True)


def _line(answer: dict[str, object]) -> str:
    """JSON with its characters as they are, or escaped where what is printed to has no such characters."""
    line = json.dumps(answer, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding)
    except (AttributeError, UnicodeEncodeError):  # AttributeError: standard output is closed
        return json.dumps(answer)
    return line
