"""albertkit predict: answers of a trained model, as JSON lines or in a file."""

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from typer import Argument, Option

from albertkit.cli import options

if TYPE_CHECKING:
    from albertkit.inference.record_files import Write
    from albertkit.pipelines import Pipeline
    from albertkit.tasks.examples import Examples


def command(
    model: Annotated[str, Argument(help="Folder of a trained model, or its name.")],
    texts: options.Texts = None,
    file: options.AnsweredFile = "",
    output: options.AnswerFile = None,
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
    device: options.Device = None,
    framework: options.AnsweringFramework = None,
    precision: options.Precision = None,
    pair: Annotated[str | None, Option(help="Second text of a pair, for one text given as an argument.")] = None,
    task: options.Task = "auto",
    top_k: options.TopK = None,
    abstain_below: options.AbstainBelow = None,
    settings: options.DataSettings = None,
) -> None:
    """Answer for texts: from arguments, a file, or lines of standard input, a record each, in their order.

    Files of any length are read and answered in pieces, and what else a row holds is passed on with its answer. A
    classifier gives its classes, a pre-trained model the best tokens for each [MASK] of a text.
    """
    from albertkit.inference import record_files
    from albertkit.inference.backends import for_texts
    from albertkit.pipelines import pipeline

    texts, file = inputs_of(texts or [], file, pair)
    if output:
        record_files.require_writable(output, overwrite)
    on = {"device": options.device(device), "batch_size": batch_size, "precision": precision}
    framework = for_texts(texts, model, framework, device=device, precision=precision)
    answerer = pipeline(task, model, framework, max_length, **on)
    columns = {"text_column": text_column, "pair_column": pair_column, "header": options.split(header)}
    lengths = {"doc_stride": doc_stride, "max_answer_length": max_answer_length, "n_best_size": n_best_size}
    given = options.data_options(settings, task_name=task_name, **columns, **lengths)
    _require_folder(given, output_dir)
    parts = parts_of(answerer, texts, file, pair, given)
    calls = {
        **answerer.call_options(given),
        **_given(null_threshold, top_k=top_k, abstain_below=abstain_below, long=long),
    }
    _answer(answerer, parts, output, output_dir, overwrite, given, calls)


def _answer(
    answerer: "Pipeline",
    parts: "Iterable[Examples]",
    output: Path | None,
    folder: Path | None,
    overwrite: bool,
    data: dict[str, object],
    calls: dict[str, object],
) -> None:
    """Write or print the answers to all parts, by options of the data and of a call, and say what was cut."""
    try:
        if folder:
            return _write_files(answerer, parts, output, folder, overwrite, data, calls)
        records = answerer.stream(parts, **calls)
        if output and output.suffix.lower() == ".tsv":
            records = answerer.submission(records, **data)
        write_all(records, output, overwrite)
    finally:
        tell(answerer)


def _given(null_threshold: float | None, **options: object) -> dict[str, object]:
    """The options of answers that are given. Who says when there is no answer asks that none may be given."""
    is_given = null_threshold is not None
    none = {"null_score_diff_threshold": null_threshold, "handle_impossible_answer": True} if is_given else {}
    return {name: value for name, value in {**options, **none}.items() if value is not None}


def _require_folder(data: dict[str, object], folder: Path | None) -> None:
    """InputError for a number of answers that only a file in a folder has."""
    from albertkit.errors import InputError

    if "n_best_size" in data and not folder:
        raise InputError(
            "--n-best-size is how many answers nbest_predictions.json has, in --output-dir. Received: "
            f"{data['n_best_size']} without it. Name a folder with --output-dir, or ask for several answers with "
            "--top-k."
        )


def tell(answerer: "Pipeline") -> None:
    """Say on standard error how many texts were cut, and how many the vocabulary does not know."""
    if answerer.truncated:
        told = f"{answerer.truncated} texts were longer than {answerer.max_length} tokens and were cut."
        typer.echo(told, err=True)
    if answerer.unknown.unreadable:
        typer.echo(answerer.unknown.describe(answerer.tokenizer), err=True)


def _write_files(
    answerer: "Pipeline",
    parts: "Iterable[Examples]",
    output: Path | None,
    folder: Path,
    overwrite: bool,
    data: dict[str, object],
    calls: dict[str, object],
) -> None:
    """What the task's official scripts read. InputError where a file is there already, or another is asked for."""
    from albertkit.errors import InputError
    from albertkit.inference import result_files

    if output:
        raise InputError("Answers go to a file or, for official scripts, into a folder. Received: both. Leave one out.")
    result_files.require_free(folder, answerer.task.official_files, overwrite)
    result_files.write(folder, answerer.files(parts, data, **calls))


def write_all(records: Iterator[dict[str, object]], output: Path | None, overwrite: bool) -> None:
    """Write or print every record. An interruption says what is there."""
    from albertkit.errors import Interrupted

    written = 0
    try:
        with _written(output, overwrite) as write:
            for record in records:
                write(record)
                written += 1
    except KeyboardInterrupt as stopped:
        kept = f"{written:,} answers were printed, those of the first texts." if output is None else ""
        raise Interrupted.of(stopped, f"Stopped. {kept or f'{output} was not written.'}") from None


def inputs_of(texts: list[str], file: str, pair: str | None) -> tuple[list[str], str]:
    """The texts or the file that are meant. InputError where both or neither are, or it is not clear."""
    from albertkit.errors import InputError

    if texts and file:
        raise InputError("Texts come from arguments or from a file. Received: both.")
    if pair is not None and (file or len(texts) != 1):
        raise InputError(f"--pair goes with one text given as an argument. Received: {len(texts)} texts.")
    if not texts and not file and sys.stdin is None:
        raise InputError("Texts come from arguments, a file or standard input. Received: none, and that is closed.")
    named = [text for text in texts if _is_path(text)]
    if not named:
        return texts, file
    one = named[0]
    if len(texts) > 1 or pair is not None or not Path(one).is_file() or not _is_data(one):
        is_there = "is a file" if Path(one).is_file() else "looks like a file, and there is none"
        raise InputError(
            f"A text must not be taken for a file, nor a file for a text. Received: {one!r}, which {is_there}. Pass a "
            "data file, such as .csv or .txt, with --file; texts that are called so by standard input, one a line."
        )
    typer.echo(f"{one} is a file: its texts are answered, not its name.", err=True)
    return [], one


def _is_path(text: str) -> bool:
    """Whether an argument is a file, or a single word with the ending of a data file."""
    with contextlib.suppress(OSError, ValueError):  # too long for a path, or with a zero byte
        return Path(text).is_file() or (_is_data(text) and not any(map(str.isspace, text)))
    return False


def _is_data(name: str) -> bool:
    from albertkit.inference import text_files
    from albertkit.tasks import tables

    return text_files.is_text(name) or tables.is_data(name)


def parts_of(
    answerer: "Pipeline", texts: list[str], file: str, pair: str | None, given: dict[str, object]
) -> "Iterable[Examples]":
    """The examples to answer, in parts."""
    from albertkit.errors import InputError
    from albertkit.inference import text_files

    of_calls = {*answerer.task.encode_options.values(), *answerer.task.answers_as_trained.values()}
    of_tables = [name for name in given if name not in of_calls]
    if of_tables and (not file or text_files.is_text(file)):
        raise InputError(
            f"Columns and headers are those of a --file that is a table. Received: {', '.join(of_tables)}. Leave them "
            "out."
        )
    if texts:
        return [answerer.task.examples(texts, *([] if pair is None else [[pair]]))[0]]
    found = answerer.file_options(file, **given) if file and not text_files.is_text(file) else answerer.data_options()
    if file and text_files.is_text(file):
        return text_files.stream(answerer.task, file, found)
    return answerer.task.stream(file or cast(io.BufferedReader, sys.stdin.buffer), found)


@contextlib.contextmanager
def _written(output: Path | None, overwrite: bool) -> Iterator["Write"]:
    """What takes a record: standard output or a file, with the count of them on standard error unless it disturbs."""
    from albertkit.cli.progress import CountOfTexts
    from albertkit.inference import record_files

    with contextlib.ExitStack() as stack:
        write: Write = print_record if output is None else stack.enter_context(record_files.opened(output, overwrite))
        if output is None and sys.stdout is not None and sys.stdout.isatty():
            yield write
            return
        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        counter = stack.enter_context(CountOfTexts(console))
        yield _counting(write, counter.count)


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
        line.encode(sys.stdout.encoding)
    except (AttributeError, UnicodeEncodeError):  # AttributeError: standard output is closed
        line = json.dumps(record, default=str)
    typer.echo(line)
