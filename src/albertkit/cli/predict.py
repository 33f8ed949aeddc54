"""albertkit predict: answers of a trained model, as JSON lines or in a file."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer import Argument, Option

from albertkit.cli import engines, long_run, options
from albertkit.cli.answer_inputs import Source

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from albertkit.cli.progress import CountOfTexts
    from albertkit.inference.record_files import Write
    from albertkit.pipelines import Pipeline
    from albertkit.prediction.records import Answers
    from albertkit.typing import Record


def command(
    model: Annotated[
        str, Argument(help="Folder of a trained model, its name, or a task: the model of the package for it.")
    ],
    texts: options.Texts = None,
    file: options.AnsweredFiles = None,
    hub_dataset: options.HubDataset = "",
    eval_split: options.AnsweredSplit = "",
    output: options.RowsFile = None,
    output_dir: options.OutputDir = None,
    overwrite: Annotated[bool, Option("--overwrite", help="Replace output files that are there.")] = False,
    task_name: options.TaskName = None,
    text_column: options.TextColumn = None,
    pair_column: options.PairColumn = None,
    header: options.Header = None,
    max_length: options.MaxLength = None,
    long: options.Long = None,
    doc_stride: options.DocStride = None,
    max_answer_length: options.MaxAnswerLength = None,
    n_best_size: options.NBestSize = None,
    null_threshold: options.NullThreshold = None,
    batch_size: options.AnswerBatchSize = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    trust_program: options.TrustProgram = False,
    patience: options.Patience = None,
    regression_threshold: options.RegressionThreshold = None,
    pair: Annotated[str | None, Option(help="Second text of a pair, for one text given as an argument.")] = None,
    task: options.Task = "auto",
    language: Annotated[
        str | None, Option(help="With a task in place of a model: en or ja.", show_default="en")
    ] = None,
    top_k: options.TopK = None,
    abstain_below: options.AbstainBelow = None,
    skip_bad_rows: options.SkipBadRows = False,
    label_field: options.LabelField = None,
    score_field: options.ScoreField = None,
    filter_by: options.FilterBy = None,
    left_out: options.LeftOut = None,
    replace_fields: Annotated[bool, Option("--replace-fields", help="Replace fields of these names.")] = False,
    output_format: options.FolderFormat = None,
    part_rows: options.PartRows = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    engine: engines.Engine = "local",
    address: engines.Address = None,
    cpus_per_worker: engines.CpusPerWorker = None,
    gpus_per_worker: engines.GpusPerWorker = None,
    settings: options.DataSettings = None,
) -> None:
    """Answer for texts: from arguments, a file, or lines of standard input, a record each, in their order.

    Files of any length are read and answered in pieces, and what else a row holds is passed on with its answer. A
    classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit.inference import parts as answering
    from albertkit.inference.backends import for_texts
    from albertkit.pipelines import pipeline

    model, task = answering.model_or_task(model, task, language)
    source = Source.of(texts or [], file or [], pair, hub_dataset, eval_split)
    labels = {"label_field": label_field, "score_field": score_field, "filter_by": filter_by, "left_out": left_out}
    parts = {"folder_format": output_format, "part_rows": part_rows, "workers": workers, "threads": threads}
    scale = options.given(**labels, **parts, replaces_fields=replace_fields or None)
    cluster = engines.cluster(engine, address, workers, cpus_per_worker, gpus_per_worker)
    if cluster:
        scale = {**scale, "workers": 1, "threads": threads or cluster.threads}
    named = {"task_name": task_name, "text_column": text_column, "pair_column": pair_column}
    lengths = {"doc_stride": doc_stride, "max_answer_length": max_answer_length, "n_best_size": n_best_size}
    given = options.data_options(settings, header=options.split(header), **named, **lengths)
    target = _Target(output, output_dir, overwrite, bool(given.pop("skip_bad_rows", skip_bad_rows)))
    target.require_usable(given, source.file)
    on = options.computing(
        device, batch_size, max_batch_tokens, precision, patience, regression_threshold, trust_program
    )
    if long_run.is_meant(source, output, {"engine": engine, **scale} if cluster else scale):
        made = {"task": task, "model": model, "framework": framework, "max_length": max_length, **on}
        calls = _given(null_threshold, top_k=top_k, abstain_below=abstain_below, long=long)
        long_run.answer(source, output, made, given, calls, target.skips, overwrite, scale, cluster)
        return
    source.require_one()
    answerer = pipeline(task, model, for_texts(source.texts, model, framework, **on), max_length, **on)
    asked = _given(null_threshold, top_k=top_k, abstain_below=abstain_below, long=long)
    _answer(answerer, source, target, given, {**answerer.call_options(given), **asked})


@dataclass(frozen=True)
class _Target:
    """Where answers go: standard output, a file, or files for official scripts in a folder."""

    output: Path | None
    folder: Path | None
    overwrite: bool
    skips: bool
    """Whether rows that cannot be used have no answer."""

    def require_usable(self, data: "Record", source: str) -> None:
        """InputError for what cannot be written there; `data` are the options of the data, read from `source`."""
        from albertkit.errors import InputError
        from albertkit.inference import record_files

        if self.output and not long_run.writes(self.output):
            record_files.require_other(self.output, source)
            record_files.require_writable(self.output, self.overwrite, (".jsonl.gz", ".jsonl.zst"))
        if self.output and self.folder:
            raise InputError(
                "Answers go to a file or, for official scripts, into a folder. Received: both. Leave one out."
            )
        if self.is_submission and self.skips:
            raise InputError(
                f"The server of a benchmark takes an answer for each row of its test. Received: {self.output} and "
                "--skip-bad-rows. Leave that out, or write to .jsonl, .csv or .parquet."
            )
        if "n_best_size" in data and not self.folder:
            raise InputError(
                "--n-best-size is how many answers nbest_predictions.json has, in --output-dir. Received: "
                f"{data['n_best_size']} without it. Name a folder with --output-dir, or ask for several answers with "
                "--top-k."
            )

    @property
    def is_submission(self) -> bool:
        """Whether the file is for the server of a benchmark."""
        return self.output is not None and self.output.suffix.lower() == ".tsv"


def _answer(answerer: "Pipeline", source: Source, target: _Target, data: "Record", calls: "Record") -> None:
    """Write or print the answers, by options of the data and of a call, and say what was cut or left out."""
    from albertkit.inference import result_files

    try:
        with source.parts(answerer, data, target.skips) as parts:
            if target.folder:
                result_files.require_free(target.folder, answerer.task.official_files, target.overwrite)
                with counter_of(answerer):
                    found = answerer.files(parts, {**data, "skip_bad_rows": target.skips}, **calls)
                return result_files.write(target.folder, found)
            records = answerer.stream(parts, skip_bad_rows=target.skips, **calls)
            if target.is_submission:
                records = answerer.submission(records, **data)
            write_all(answerer, records, target.output, target.overwrite)
    finally:
        tell(answerer)


def _given(null_threshold: float | None, **options: object) -> "Record":
    """The options of answers that are given. Who says when there is no answer asks that none may be given."""
    is_given = null_threshold is not None
    none = {"null_score_diff_threshold": null_threshold, "handle_impossible_answer": True} if is_given else {}
    return {name: value for name, value in {**options, **none}.items() if value is not None}


def tell(answerer: "Pipeline | Answers") -> None:
    """Say on standard error how many texts were left out or cut, and how many the vocabulary does not know."""
    from albertkit.tasks import bad_rows

    if told := bad_rows.told(answerer.left_out):
        typer.echo(told, err=True)
    if answerer.truncated:
        typer.echo(long_run.told_cut(answerer.truncated, answerer), err=True)
    if answerer.unknown.unreadable:
        typer.echo(answerer.unknown.describe(answerer.tokenizer), err=True)


def write_all(
    answerer: "Pipeline | Answers",
    records: "Iterator[Record]",
    output: Path | None,
    overwrite: bool,
    opened: "Callable[[Path, bool], AbstractContextManager[Write]] | None" = None,
) -> None:
    """Write or print every record. An interruption says what is there. `opened` makes a file that takes records."""
    from albertkit.errors import Interrupted

    written = 0
    file = None if output is None else (opened or _opened)(output, overwrite)
    try:
        with _written(answerer, file) as write:
            for record in records:
                write(record)
                written += 1
    except KeyboardInterrupt as stopped:
        kept = f"{written:,} answers were printed, those of the first texts." if output is None else ""
        raise Interrupted.of(stopped, f"Stopped. {kept or f'{output} was not written.'}") from None
    if output:
        typer.echo(f"{written:,} {'answer is' if written == 1 else 'answers are'} in {output}.", err=True)


def _opened(output: Path, overwrite: bool) -> "AbstractContextManager[Write]":
    """What takes a record for a file."""
    from albertkit.inference import record_files
    from albertkit.inference.input_parts import WARNING

    return record_files.opened(output, overwrite, (WARNING,))


@contextlib.contextmanager
def _written(answerer: "Pipeline | Answers", file: "AbstractContextManager[Write] | None") -> Iterator["Write"]:
    """What takes a record: standard output or a file, with the count of them on standard error unless it disturbs."""
    with contextlib.ExitStack() as stack:
        write: Write = print_record if file is None else stack.enter_context(file)
        if file is None and sys.stdout is not None and sys.stdout.isatty():
            yield write
            return
        yield _counting(write, stack.enter_context(counter_of(answerer)).count)


def counter_of(answerer: "Pipeline | Answers") -> "CountOfTexts":
    """What says on standard error how many texts are answered, and how far those at hand are."""
    from albertkit.cli.progress import CountOfTexts

    counter = CountOfTexts(Console(stderr=True, highlight=False, markup=False, emoji=False))
    answerer.progress = counter.computed
    return counter


def _counting(write: "Write", count: Callable[[], None]) -> "Write":
    def write_and_count(record: dict[str, object]) -> None:
        write(record)
        count()

    return write_and_count


def print_record(record: dict[str, object]) -> None:
    """A line of JSON with its characters as they are, or escaped where what is printed to has no such characters."""
    import json

    from albertkit.inference.record_files import json_line

    line = json_line(record)
    try:
        line.encode(sys.stdout.encoding or "utf-8")  # None where it was replaced by a StringIO
    except (AttributeError, UnicodeEncodeError):  # AttributeError: standard output is closed
        line = json.dumps(record, default=str)
    typer.echo(line)
