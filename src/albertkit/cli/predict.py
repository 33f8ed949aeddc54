"""albertkit predict: answers of a trained model, as JSON lines."""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

if TYPE_CHECKING:
    from albertkit.tasks.text_classification import Columns

ROWS = 4096
"""Rows that are read and answered at a time: enough to batch them by length."""
Piece = tuple[list[str], list[str] | None]


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

    A file of any length is read and answered in pieces, which are printed as they are ready.

    A classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit import pipelines
    from albertkit.errors import InputError
    from albertkit.tasks import fill_mask
    from albertkit.tasks.text_classification import Columns

    if bool(texts) and bool(file):
        raise InputError("Texts come from arguments or from a file. Received: both.")
    if pair is not None and (file or len(texts or ()) != 1):
        raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts or ())} texts.")
    if file:
        names = [name.strip() for name in header.split(",") if name.strip()]
        pieces = _of_file(file, Columns(text_column, pair_column), names)
    else:
        pieces = iter([(texts, pair and [pair])]) if texts else _of_lines(sys.stdin)
    task = pipelines.task_of(model) if task == "auto" else task
    answerer = pipelines.pipeline(task, model, framework, max_length)
    truncated = 0
    for some, pairs in pieces:
        if task == fill_mask.NAME:
            if pairs is not None:
                raise InputError("A mask is filled in one text. Received: a pair. Join its texts, or leave one out.")
            answers = [{"answers": answer} for answer in answerer(some, top_k=top_k)]
        else:
            answers = answerer(some, pairs)
        for text, answer in zip(some, answers, strict=True):
            typer.echo(json.dumps({"text": text, **answer}, ensure_ascii=False))
        truncated += answerer.truncated
    if truncated:
        typer.echo(f"{truncated} texts were longer than {answerer.max_length} tokens and were cut.", err=True)


def _of_file(path: str, columns: "Columns", names: list[str]) -> Iterator[Piece]:
    """Texts and pairs of a data file, by columns that are found once, in its first rows."""
    from albertkit.tasks import tables
    from albertkit.tasks.text_classification import read

    for table in tables.pieces(path, names, most=ROWS):
        examples, columns = read(table, columns, labelled=False)
        yield examples.texts, examples.pairs


def _of_lines(lines: Iterable[str]) -> Iterator[Piece]:
    """Lines as texts, few at first, so that who pipes them in slowly has answers early."""
    lines, most = iter(lines), 16
    while some := [line.rstrip("\r\n") for line in itertools.islice(lines, most)]:
        yield some, None
        most = min(2 * most, ROWS)
