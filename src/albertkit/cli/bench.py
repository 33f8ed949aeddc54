"""albertkit bench: how fast a model answers on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options

if TYPE_CHECKING:
    from albertkit.bench.figures import Figures
    from albertkit.bench.result import Result


def command(
    model: Annotated[str, Argument(help="Folder of a model, or its name.")],
    data: Annotated[
        str | None, Option(help="Texts: a data file, or lines of .txt.", show_default="ids and lengths drawn by seed")
    ] = None,
    backends: Annotated[
        str | None,
        Option(
            help="Comma-separated: torch, tensorflow, flax, numpy, onnx, openvino, transformers.", show_default="all"
        ),
    ] = None,
    precisions: Annotated[
        str | None, Option(help="Comma-separated: fp32, bf16, int8, auto.", show_default="all that a backend has")
    ] = None,
    lengths: Annotated[
        str | None, Option(help="Tokens of the single texts whose latency is taken.", show_default="16,128")
    ] = None,
    rows: Annotated[int, Option(help="Texts answered together, at most.", min=1)] = 256,
    seconds: Annotated[float, Option(help="About how long to measure, beside loading.", min=1)] = 60,
    threads: Annotated[int | None, Option(help="Threads.", show_default="the cores there are", min=1)] = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    header: options.Header = None,
    skip_bad_rows: options.SkipBadRows = False,
    settings: options.DataSettings = None,
    max_length: options.MaxLength = None,
    device: options.Device = None,
    trust_program: options.TrustProgram = False,
    seed: Annotated[int, Option(help="Seed of what is drawn.")] = 0,
    json_file: Annotated[Path | None, Option("--json", help="Write all figures to this file.")] = None,
    plot: Annotated[Path | None, Option(help="Draw them to this .png.")] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace files that are there.")] = False,
) -> None:
    """Measure speed, latency and memory of a model by backend and precision, against Transformers where installed.

    Each has a process of its own, and they take turns. Ctrl-C stops, and tells what was measured.
    """
    from rich.console import Console

    from albertkit.bench import candidates, result
    from albertkit.bench.run import bench
    from albertkit.inference.record_files import require_new

    for file in filter(None, (json_file, plot)):
        require_new(file, overwrite)
    if plot is not None:
        result.require_plots(plot)
    wanted = options.split(backends) or (), options.split(precisions) or ()
    chosen = candidates.find(model, *wanted)
    each = options.numbers(lengths, "--lengths") or []
    place = options.device(device)
    given = options.file_options(settings, text_column, pair_column, header, skip_bad_rows)
    with Console(stderr=True).status("reading the model") as status:
        on = (threads, max_length, place, seed)
        found = bench(model, chosen, data, each, rows, seconds, *on, status.update, given, trust_program)
    show(found, candidates.has_peer())
    _keep(found, json_file, plot)


def _keep(found: "Result", json_file: Path | None, plot: Path | None) -> None:
    """Write what was measured. Interrupted where it was stopped, InputError where there is nothing."""
    from albertkit import storage
    from albertkit.bench import result
    from albertkit.errors import InputError, Interrupted

    if found.figures and json_file is not None:
        storage.write_json(json_file, found.record())
    if found.figures and plot is not None:
        result.draw(found.figures, plot, f"{found.model}, {found.rows.task}: {found.machine}")
    if stopped := found.measured.stopped:
        raise Interrupted.of(stopped, f"Stopped. What is said above is of {found.measured.rounds} whole rounds.")
    if not found.figures:
        raise InputError("Nothing could be measured. What failed is said above. Leave it out with --backends.")


def show(found: "Result", has_peer: bool) -> None:
    """Print the table and the notes."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    if figures := found.figures:
        lengths = list(figures[0].latency)
        base = next((one.name for one in figures if one.comparison is None), "")
        heads = [f"ms for {length} tokens\np50 / p95 / p99" for length in lengths]
        table = Table()
        table.add_column("", no_wrap=True)  # else a narrow terminal shortens the names
        for head in ("texts/s", "tokens/s", "spread", f"x {base}", *heads, "peak MB", "load s"):
            table.add_column(head, justify="right")
        for one in figures:
            table.add_row(*cells(one))
        console.print(table)
    for line in found.notes(has_peer):
        typer.echo(line)


def cells(one: "Figures") -> list[str]:
    """A row of the table."""
    ratio = "1" if one.comparison is None else f"{'~' if one.comparison.is_noise else ''}{one.comparison.median:.2f}"
    times = [" / ".join("-" if ms is None else f"{ms:.1f}" for ms in taken.values()) for taken in one.latency.values()]
    return [
        one.name,
        f"{one.texts_per_second:,.1f}",
        f"{one.tokens_per_second:,.0f}",
        "-" if one.spread is None else f"{one.spread:.0%}",
        ratio,
        *times,
        "-" if one.memory is None else f"{one.memory / 1e6:,.0f}",
        "-" if one.load_seconds is None else f"{one.load_seconds:.1f}",
    ]
