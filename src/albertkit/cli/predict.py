"""albertkit predict: answers of a trained model, as JSON lines."""

import io
import json
import sys
from typing import Annotated, cast

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    texts: Annotated[list[str] | None, Argument(help="Texts; default: the file, or lines of standard input.")] = None,
    file: Annotated[str, Option(help="Data file: .csv, .tsv, .jsonl or .parquet.")] = "",
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    header: options.Header = None,
    max_length: options.MaxLength = None,
    framework: options.Framework = None,
    pair: Annotated[str | None, Option(help="Second text of a pair, for one text given as an argument.")] = None,
    task: Annotated[str, Option(help="A task, or auto: what the model was trained for.")] = "auto",
    top_k: Annotated[int | None, Option(help="Answers for each [MASK]; default: 5.", min=1)] = None,
    settings: options.DataSettings = None,
) -> None:
    """Answer for texts: from arguments, a file, or lines of standard input. Prints a JSON line each, in their order.

    Files and standard input of any length are read and answered in pieces, which are printed as they are ready.

    A classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit.errors import InputError
    from albertkit.pipelines import pipeline

    if bool(texts) and bool(file):
        raise InputError("Texts come from arguments or from a file. Received: both.")
    if pair is not None and (file or len(texts or ()) != 1):
        raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts or ())} texts.")
    if not texts and not file and sys.stdin is None:
        raise InputError("Texts come from arguments, a file or standard input. Received: none, and that is closed.")
    answerer = pipeline(task, model, framework or "auto", max_length)
    given = options.data_options(
        settings, text_column=text_column, pair_column=pair_column, header=options.split(header)
    )
    if given and not file:
        raise InputError(f"Columns and headers are those of a --file. Received: {', '.join(given)}. Leave them out.")
    if texts:
        parts = [answerer.task.examples(texts, *([] if pair is None else [[pair]]))[0]]
    else:
        parts = answerer.task.stream(file or cast(io.BufferedReader, sys.stdin.buffer), answerer.data_options(**given))
    try:
        for record in answerer.stream(parts, **({} if top_k is None else {"top_k": top_k})):
            typer.echo(_line(record))
    finally:
        if answerer.truncated:
            told = f"{answerer.truncated} texts were longer than {answerer.max_length} tokens and were cut."
            typer.echo(told, err=True)
        if answerer.unknown.unreadable:
            typer.echo(answerer.unknown.describe(answerer.tokenizer), err=True)


def _line(answer: dict[str, object]) -> str:
    """JSON with its characters as they are, or escaped where what is printed to has no such characters."""
    line = json.dumps(answer, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding)
    except (AttributeError, UnicodeEncodeError):  # AttributeError: standard output is closed
        return json.dumps(answer)
    return line
