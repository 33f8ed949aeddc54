"""Files of any size to a file or a folder: with a bar, and on again from where a run was cut off."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from albertkit.cli import engines, hub_file
from albertkit.cli.answer_inputs import Source

if TYPE_CHECKING:
    from albertkit.distributed.cluster import Cluster
    from albertkit.pipelines import Pipeline
    from albertkit.prediction.records import Answers
    from albertkit.prediction.totals import Totals
    from albertkit.typing import Record


def writes(output: Path | None) -> bool:
    """Whether an output is one of those that a run goes on with: lines of JSON, Parquet, or a folder."""
    from albertkit.prediction import outputs, run

    return output is not None and (run.is_folder(output) or outputs.format_of(output) is not None)


def is_meant(source: Source, output: Path | None, scale: "Record") -> bool:
    """Whether rows of a file go to such an output. InputError for options of one without it."""
    from albertkit.errors import InputError

    if _has_rows(source) and writes(output):
        require_folder(scale, output)
        return True
    require_none(scale, source, output)
    if output is not None and writes(output) and output.suffix not in (".jsonl", ".parquet"):
        raise InputError(
            f"Texts that are not in a file go to .jsonl, .csv or .parquet. Received: {output}. Name a file of texts, "
            "or another output."
        )
    return False


def require_folder(scale: "Record", output: Path | None) -> None:
    """InputError for options of the parts of a folder where a file is written."""
    from albertkit.errors import InputError
    from albertkit.prediction import run

    named = {"folder_format": "--output-format", "part_rows": "--part-rows"}
    given = [option for name, option in named.items() if name in scale]
    if given and output is not None and not run.is_folder(output):
        raise InputError(
            f"{given[0]} is for the parts of a folder. Received: --output {output}, which is a file. Leave it out, "
            "or name an output without an ending."
        )


def _has_rows(source: Source) -> bool:
    return bool(source.file or source.hub_dataset or source.split)


def require_none(scale: "Record", source: Source, output: Path | None) -> None:
    """InputError for options of a run where there is none."""
    from albertkit.errors import InputError

    if scale:
        named = "no --output" if output is None else f"--output {output}"
        received = named if _has_rows(source) else "no file"
        option = f"--{next(iter(scale)).replace('_', '-').replace('replaces', 'replace').replace('folder', 'output')}"
        raise InputError(
            f"{option} is for the rows of a file that go to .jsonl, .jsonl.gz, .jsonl.zst, .parquet, .npy or .npz, or "
            f"to a folder. Received: {received}. Name both with --file "
            "and --output."
        )


def answer(
    source: Source,
    output: Path | None,
    model: "Record",
    data: "Record",
    calls: "Record",
    skips: bool,
    overwrite: bool,
    scale: "Record",
    cluster: "Cluster | None" = None,
) -> None:
    """Answer for all rows, and say how many there are, what was cut, and what was left out."""
    from albertkit.cli.progress import PredictionProgress
    from albertkit.prediction import run

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    given: Any = {"data": data, "calls": calls, "skips": skips, "overwrite": overwrite, **scale}
    with hub_file.of(source.file, source.hub_dataset, source.split, "answers for") as (path, _):
        request = run.Request(model, [path, *source.more], output or Path(), **given)
        with PredictionProgress(console) as bar:
            totals, answerer = run.run(request, bar.print, bar.update, engines.answering(cluster))
    _tell(totals, answerer, output)


def told_cut(count: int, answerer: "Pipeline | Answers") -> str:
    """How many texts were cut."""
    what = "text was" if count == 1 else "texts were"
    return f"{count:,} {what} longer than {answerer.max_length} tokens and cut."


def _tell(totals: "Totals", answerer: "Pipeline", output: Path | None) -> None:
    if told := totals.describe_left_out():
        typer.echo(told, err=True)
    if totals.truncated:
        typer.echo(told_cut(totals.truncated, answerer), err=True)
    if totals.unknown.unreadable:
        typer.echo(totals.unknown.describe(answerer.tokenizer), err=True)
    kept = totals.answers - totals.filtered
    if totals.filtered:
        typer.echo(f"{totals.filtered:,} of {totals.answers:,} rows are not kept by --filter-by.", err=True)
    typer.echo(f"{kept:,} {'answer is' if kept == 1 else 'answers are'} in {output}.", err=True)
