"""albertkit data: what a data set holds, and what is wrong with it."""

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer import Argument, Option

from albertkit.cli import options
from albertkit.cli.script_options import CheckCommand
from albertkit.errors import InputError, few

if TYPE_CHECKING:
    from albertkit.data_check.report import FileReport, Report

app = typer.Typer(help="Look at data before training on it.", no_args_is_help=True)
_STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}


@app.callback()
def group() -> None:
    """Look at data before training on it."""


@app.command("check", cls=CheckCommand)
def check(
    task: Annotated[str, Argument(help="What the data is for, such as text-classification or ner.")],
    data: Annotated[
        str, Option("--data", "--train", help="Training data, or the folder of a task of GLUE.", show_default=False)
    ] = "",
    held_out: Annotated[str, Option("--eval", help="Evaluation data.", show_default=False)] = "",
    hub_dataset: options.HubDataset = "",
    train_split: Annotated[str, Option(help="Its split to train on.")] = "train",
    eval_split: options.EvalSplit = "",
    model: Annotated[str, Option(help="A model, or its vocabulary, whose tokens are counted.")] = "albertkit/small-en",
    max_length: Annotated[
        int | None, Option(help="Longest input in tokens.", show_default="that of the task", min=4)
    ] = None,
    header: options.Header = None,
    settings: options.DataSettings = None,
    rows: Annotated[int, Option(help="Rows that are named of each finding.", min=0)] = 5,
    as_json: Annotated[bool, Option("--json", help="Print JSON.")] = False,
    strict: Annotated[bool, Option("--strict", help="Exit with 1 for warnings, too.")] = False,
) -> None:
    """Labels, lengths, what is cut, repeats, leaks between the files, rows that cannot be used. Exit 1: errors."""
    from albertkit.data_check.check import check as look
    from albertkit.tasks import registry

    registry.get(task)  # a file that is named in its place must not be told that there is none
    given = options.data_options(settings, max_length=max_length, header=options.split(header))
    with _files(data, held_out, hub_dataset, train_split, eval_split) as (one, other):
        report = look(task, one, other, model, given)
    if as_json:
        typer.echo(json.dumps(report.as_record(rows), indent=2, ensure_ascii=False))
    else:
        _print(report, rows)
    raise typer.Exit(int(bool(report.of("error", *(("warning",) if strict else ())))))


@contextlib.contextmanager
def _files(data: str, held_out: str, named: str, train: str, evaluated: str) -> Iterator[tuple[str, str]]:
    """The files of both sides; splits of a data set of the hub are files as long as the context lasts."""
    from albertkit.tasks import hub_datasets

    if bool(data) == bool(named) or (named and held_out) or (evaluated and not named):
        received = ", ".join(filter(None, (data, held_out, named, evaluated))) or "none"
        raise InputError(
            f"Data comes from files or from a data set of the hub. Received: {received}. Name files with --data and "
            "--eval, or a data set with --hub-dataset and, where need be, its splits."
        )
    if not named:
        yield data, held_out
        return
    splits = {"train": train, "eval": evaluated}
    with hub_datasets.files_of(named, splits, lambda told: typer.echo(told, err=True)) as (_, found):
        yield found["train"], found.get("eval", "")


def _print(report: "Report", rows: int) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(f"{report.task}, tokens of {report.model}, at most {report.max_length} an input")
    for file in report.files:
        _print_file(console, file)
    for found in report.of("error", "warning", "note"):
        counted = f"{found.count:,}: " if found.count else ""
        places = f" ({few(found.rows, rows)})" if found.rows and rows else ""
        line = Text(f"{found.level}  ", style=_STYLES[found.level])
        console.print(line.append(f"{found.path}  {counted}{found.message}{places}", style="default"), soft_wrap=True)
    counts = [
        f"{count} {level}{'s' * (count != 1)}"
        for level in ("error", "warning", "note")
        for count in [len(report.of(level))]
    ]
    console.print(", ".join(counts))


def _print_file(console: Console, file: "FileReport") -> None:
    windows = f" in {file.inputs:,} inputs" if file.inputs != file.rows else ""
    console.print(f"\n{file.path}: {file.rows:,} rows{windows}, {file.left_out:,} left out", soft_wrap=True)
    table = _table("empty", "characters p50", "p95", "max", "tokens p50", "p95", "max", "unknown", head="text")
    for column in file.columns:
        shown = (*_lengths(column.characters), *_lengths(column.tokens))
        table.add_row(column.name, f"{column.empty:,}", *shown, f"{column.unknown:.2%}")
    table.add_row("an input", "", "", "", "", *_lengths(file.lengths), "", style="bold")
    console.print(table)
    total = sum(file.labels.values())
    if total:
        labels = _table("count", "share", "", head="label")
        for name, count in list(file.labels.items())[:40]:
            labels.add_row(name, f"{count:,}", f"{count / total:.1%}", "█" * round(40 * count / total))
        console.print(labels)
    if len(file.labels) > 40:
        console.print(f"and {len(file.labels) - 40} labels more")
    console.print(f"cut: {file.truncated:,} of {file.rows:,} rows ({file.truncated / max(file.rows, 1):.1%})")
    console.print("scripts: " + ", ".join(f"{name} {share:.1%}" for name, share in file.scripts.items()))


def _table(*columns: str, head: str) -> Table:
    """A table that 80 characters are enough for, so that names and numbers stand whole."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column(head, no_wrap=True)
    for column in columns:
        table.add_column(column)
    return table


def _lengths(found: dict[str, int]) -> list[str]:
    """The length that half of all have at most, that of 95 %, and the largest."""
    return [f"{found[name]:,}" if found else "" for name in ("p50", "p95", "max")]
