"""albertkit embed: vectors of texts, as JSON lines or in a file, and the texts that are nearest to a query."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from albertkit.cli import engines, long_run, options
from albertkit.cli.answer_inputs import Source
from albertkit.cli.predict import print_record, tell, write_all

if TYPE_CHECKING:
    from albertkit.inference.record_files import Write
    from albertkit.pipelines import Pipeline
    from albertkit.prediction.records import Answers
    from albertkit.typing import Record


def command(
    model: Annotated[str, Argument(help="Folder of a model, or its name.")],
    texts: Annotated[list[str] | None, Argument(help="Texts.", show_default="those of --data, or lines")] = None,
    data: Annotated[
        list[str] | None,
        Option(
            "--data",
            "--file",
            help="Data: .csv, .tsv, .json, .jsonl, .parquet, lines of .txt, or vectors of .npy or .npz to search; "
            "repeatable for an output file.",
            show_default="lines of standard input",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        Option(
            help="Write to this file: .npy, .npz, .parquet, .jsonl, .jsonl.gz or .csv; or into this folder.",
            show_default="JSON lines",
        ),
    ] = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace the output file if it is there.")] = False,
    query: Annotated[list[str] | None, Option(help="Print the texts that are nearest to this one; repeatable.")] = None,
    top_k: Annotated[int, Option(help="How many texts for each query.", min=1)] = 5,
    long: Annotated[str, Option(help="Long texts: truncate, or windows, averaged by their tokens.")] = "truncate",
    pooling: Annotated[str | None, Option(help="mean, cls or max.", show_default="as the model has it")] = None,
    normalize: Annotated[bool | None, Option(help="Vectors of length 1.", show_default="as the model has it")] = None,
    text_column: options.TextColumn = None,
    header: options.Header = None,
    skip_bad_rows: options.SkipBadRows = False,
    max_length: options.MaxLength = None,
    batch_size: options.AnswerBatchSize = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    trust_program: options.TrustProgram = False,
    output_format: options.FolderFormat = None,
    part_rows: options.PartRows = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    engine: engines.Engine = "local",
    address: engines.Address = None,
    cpus_per_worker: engines.CpusPerWorker = None,
    gpus_per_worker: engines.GpusPerWorker = None,
) -> None:
    """Make a vector of each text, of those of a file, or of the lines of standard input, in their order.

    With --query print the texts that are nearest to it by the cosine of their vectors, nearest first. Files of any
    length are read, answered and searched in pieces; with --output the same command goes on where it was cut off.
    """
    from albertkit.inference import record_files, vector_files
    from albertkit.pipelines import pipeline

    source = Source.of(texts or [], data or [])
    cluster = engines.cluster(engine, address, workers, cpus_per_worker, gpus_per_worker)
    for name in (source.file, *source.more):
        _require_one_way(output, query, name)
    if cluster:
        _require_for_cluster(source.file, query)
    parts = {"folder_format": output_format, "part_rows": part_rows, "workers": workers, "threads": threads}
    is_run = not query and bool(source.file) and long_run.writes(output)
    if is_run:
        long_run.require_folder(options.given(**parts), output)
    else:
        long_run.require_none(options.given(**{**parts, "workers": None if cluster else workers}), source, output)
        source.require_one()
    if output and not is_run:
        record_files.require_other(output, source.file)
        vector_files.require_writable(output, overwrite)
    given = options.computing(device, batch_size, max_batch_tokens, precision, trust_program=trust_program)
    asked = {"pooling": pooling, "long": long, "normalize": normalize}
    made = {"model": model, "framework": framework, "max_length": max_length, **given, **asked}
    columns = options.data_options(None, text_column=text_column, header=options.split(header))
    if is_run:
        on = {"workers": 1, "threads": threads or cluster.threads} if cluster else {}
        model_of = {**made, "task": "sentence-embedding"}
        scale = {**options.given(**parts), **on}
        return long_run.answer(source, output, model_of, columns, {}, skip_bad_rows, overwrite, scale, cluster)
    answerer = pipeline("sentence-embedding", **made)
    if cluster:
        found = engines.records(cluster, answerer, made, source.file, columns, skip_bad_rows)
        return _write(*found, output, overwrite)
    vectors = _vectors(answerer, source, columns, skip_bad_rows)
    if query:
        return _search(answerer, query, vectors, top_k)
    return _write(answerer, vectors, output, overwrite)


def _require_one_way(output: Path | None, query: list[str] | None, data: str) -> None:
    """InputError for vectors that are asked for and searched at once, or made of vectors."""
    from albertkit.errors import InputError
    from albertkit.inference import similarity_search

    if output and query:
        raise InputError("A search prints its answers. Received: --query and --output. Leave one out.")
    if similarity_search.holds_vectors(data) and not query:
        raise InputError(
            f"Vectors are searched with --query. Received: --data {data} without one. Name a file of texts."
        )


def _require_for_cluster(data: str, query: list[str] | None) -> None:
    """InputError for what a cluster does not do."""
    from albertkit.errors import InputError
    from albertkit.inference import similarity_search

    if query or not data or similarity_search.holds_vectors(data):
        raise InputError(
            f"A cluster makes vectors of the texts of a file. Received: --engine ray and {data or 'no file'}"
            f"{' with --query' if query else ''}. Name a file of texts with --data, and search its vectors afterwards."
        )


def _vectors(answerer: "Pipeline", source: Source, columns: "Record", skips: bool) -> "Iterator[Record]":
    """A record for each text, with its vector."""
    from albertkit.inference import similarity_search

    if similarity_search.holds_vectors(source.file):
        yield from similarity_search.kept_vectors(source.file, answerer.config.hidden_size)
        return
    with source.parts(answerer, columns, skips) as parts:
        yield from answerer.stream(parts, skip_bad_rows=skips)


def _search(answerer: "Pipeline", queries: list[str], vectors: "Iterable[Record]", top_k: int) -> None:
    from albertkit.inference import similarity_search

    asked = answerer(queries)
    found = similarity_search.search(asked, vectors, top_k)
    tell(answerer)
    for name in similarity_search.OWN:
        if any(f"input_{name}" in record for nearest in found for record in nearest):
            typer.echo(f"The column {name!r} of the input is written as {f'input_{name}'!r}.", err=True)
    for text, nearest in zip(queries, found, strict=True):
        for record in nearest:
            print_record({"query": text, **record})


def _write(answerer: "Pipeline | Answers", vectors: "Iterator[Record]", output: Path | None, overwrite: bool) -> None:
    """Print or write every record, and say what was cut or left out."""
    try:
        write_all(answerer, vectors, output, overwrite, _opened)
    finally:
        tell(answerer)


@contextlib.contextmanager
def _opened(output: Path, overwrite: bool) -> "Iterator[Write]":
    """What takes a record with a vector for a file."""
    import numpy as np

    from albertkit.inference import vector_files

    with vector_files.opened(output, overwrite) as write:
        yield lambda record: write({**record, vector_files.COLUMN: np.array(record[vector_files.COLUMN], np.float32)})
