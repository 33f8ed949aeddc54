"""albertkit predict: answers of a trained model, as JSON lines."""

import json
import sys
from typing import Annotated

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

    A classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit import pipelines
    from albertkit.errors import InputError
    from albertkit.tasks import fill_mask, tables
    from albertkit.tasks.text_classification import Columns, read

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
    task = pipelines.task_of(model) if task == "auto" else task
    answerer = pipelines.pipeline(task, model, framework, max_length)
    if task == fill_mask.NAME:
        if pairs is not None:
            raise InputError("A mask is filled in one text. Received: a pair. Join its texts, or leave one out.")
        answers = [{"answers": answer} for answer in answerer(texts, top_k=top_k)]
    else:
        answers = answerer(texts, pairs)
    for text, answer in zip(texts, answers, strict=True):
        typer.echo(json.dumps({"text": text, **answer}, ensure_ascii=False))
    if answerer.truncated:
        typer.echo(f"{answerer.truncated} texts were longer than {answerer.max_length} tokens and were cut.", err=True)
