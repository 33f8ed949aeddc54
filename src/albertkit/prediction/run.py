"""A run: files in, answers out, and on again from where it was cut off."""

import functools
import hashlib
import itertools
import json
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from albertkit import __version__, hub, processors
from albertkit.errors import ConfigError, InputError, Interrupted, few
from albertkit.inference import record_files, vector_files
from albertkit.ordered_map import Processes
from albertkit.pipelines import Pipeline, pipeline
from albertkit.prediction import columns, cutting, journal, labelling, limits, outputs, sources
from albertkit.prediction.answering import Answerer, Answering, Finished
from albertkit.prediction.cutting import Block
from albertkit.prediction.journal import Journal, Output
from albertkit.prediction.labelling import Condition, Labelling
from albertkit.prediction.sources import Source
from albertkit.prediction.totals import Totals
from albertkit.prediction.workers import make_answerer
from albertkit.storage.commit import MODEL_FILE
from albertkit.typing import Record

MANY_BYTES = 2**24
"""Of files whose rows are answered by several processes: these begin in some seconds."""
PART_ROWS = 500_000
"""Rows of a part of a folder, unless others are asked for."""

_FEWER = (
    "Run the same command again with fewer --workers, or a smaller --max-batch-tokens: it goes on where this one "
    "stopped."
)

Answers = Iterator[tuple[Block, Finished]]
Engine = Callable[[Answering, Iterator[Block], Pipeline], Answers]
"""What answers blocks, in their order."""
ReportProgress = Callable[[int, int, Totals], None]
"""Is told the bytes of all inputs, how many of them are read, and what is counted."""


@dataclass(frozen=True)
class Request:
    """What a run is to do."""

    model: Record
    """The arguments of `pipelines.pipeline`."""
    files: Sequence[str]
    """Files, folders and patterns."""
    output: Path
    """A file of `outputs.FORMATS`, or a folder."""
    data: Record = field(default_factory=dict)
    """Options of the task's data."""
    calls: Record = field(default_factory=dict)
    """Options of a call."""
    skips: bool = False
    label_field: str | None = None
    score_field: str | None = None
    filter_by: Sequence[str] = ()
    replaces_fields: bool = False
    left_out: Path | None = None
    """Where rows go that no condition keeps."""
    folder_format: str = "jsonl"
    part_rows: int = PART_ROWS
    overwrite: bool = False
    workers: int | None = None
    """Processes; None: one a core for files of many rows, on a CPU."""
    threads: int | None = None
    """Of each process; None: the cores, shared by the processes. The last bits of float32 differ by it."""


class Plan(NamedTuple):
    """A run that can be carried out by any engine."""

    answering: Answering
    targets: list[Output]
    settings: Record
    """What it is bound to."""
    pipeline: Pipeline
    workers: int
    """Processes that answer, unless another engine does."""
    empty: Sequence[str]
    """Files without a row, which are passed over."""


def is_folder(output: Path) -> bool:
    """Whether an output is a folder of parts: one that is there, or a name without an ending."""
    return output.is_dir() or not output.suffix


def targets(request: Request) -> list[Output]:
    """Where answers go. InputError for a format that is none, and for outputs that are there already."""
    output = request.output
    if is_folder(output):
        found = [Output(output, outputs.require_format(request.folder_format), request.part_rows)]
    else:
        form = outputs.format_of(output)
        if form is None:
            known = ", ".join((*outputs.FORMATS, ".csv", ".tsv"))
            raise InputError(f"An output file must end in one of {known}. Received: {output}.")
        found = [Output(output, outputs.require_format(form))]
    if request.left_out:
        form = outputs.format_of(request.left_out)
        if form not in outputs.LINES:
            raise InputError(
                f"Rows that are left out go to a file of {', '.join(outputs.LINES)}. Received: {request.left_out}."
            )
        if request.left_out.resolve() == output.resolve():
            raise InputError(
                f"Rows that are left out need a file of their own. Received: {output} for --output and --left-out. "
                "Name another for one of them."
            )
        found.append(Output(request.left_out, outputs.require_format(form), spool="left-out"))
    for target in found:
        _require_new(target, found[0], request.overwrite)
        for file in request.files:
            record_files.require_other(target.path, file)
    return found


def _require_new(target: Output, first: Output, overwrite: bool) -> None:
    if not overwrite and journal.is_begun(first):
        return  # what is there then, it was begun beside
    if target.part_rows is None:
        record_files.require_new(target.path, overwrite)
    elif not overwrite and target.path.is_dir() and (held := journal.foreign(target.path)):
        name = held[0]
        raise InputError(
            f"Parts go into a new or empty folder. {target.path} holds {name}. Give another --output, or pass "
            "--overwrite to replace answers."
        )


def _require_apart(found: Sequence[Output], paths: Sequence[str]) -> None:
    """InputError where answers would stand among the inputs: these would be replaced, or answers read the next time."""
    inputs = [Path(path).resolve() for path in paths]
    for target in found:
        place = target.path.resolve()
        if held := next((path for path in inputs if place in (path, *path.parents)), None):
            raise InputError(
                f"Answers must not stand among the texts that they are for. Received: {target.path}, and the input "
                f"{held} there. Name another output, or inputs without it."
            )


def plan(request: Request) -> Plan:
    """All that is decided before the first row is answered.

    InputError for inputs, outputs and conditions that cannot be; other errors as of `pipelines.pipeline`.
    """
    found = targets(request)
    limits.share_machine()
    if request.threads:
        limits.limit(request.threads)
    loaded = pipeline(**request.model)
    paths = sources.find(loaded, request.files)
    _require_apart(found, paths)
    files, empty = sources.with_rows(loaded, paths, {**request.data, "skip_bad_rows": request.skips})
    calls = {**loaded.call_options(request.data), **request.calls}
    labels, kinds = _labels(request, loaded, calls)
    added = columns.of_answers(kinds, labels)
    schema = None
    if found[0].form == outputs.PARQUET:
        schema = columns.schema(loaded, files, labels, added)
    elif found[0].form in outputs.VECTORS:
        schema = _width(found[0], loaded, kinds)
    left_out_form = found[1].form if len(found) > 1 else None
    model = {**request.model, "task": loaded.task.name}
    workers = request.workers or _processes(model, files)
    count = request.threads or limits.of_each(workers)
    answering = Answering(
        model, files, calls, request.skips, labels, found[0].form, left_out_form, schema, added, count
    )
    return Plan(answering, found, _settings(request, answering, found), loaded, workers, empty)


def _width(target: Output, loaded: Pipeline, kinds: Record) -> int:
    """How many numbers each vector has. InputError for answers that are no vectors."""
    if vector_files.COLUMN not in kinds:
        raise InputError(
            f"A file of NumPy holds vectors: those of sentence-embedding. Received: {target.path} for answers of "
            f"{loaded.task.name}. Write to .jsonl or .parquet in its place."
        )
    return loaded.config.hidden_size


def _processes(model: Record, files: Sequence[Source]) -> int:
    """A process a core where PyTorch or NumPy computes on a CPU, for so many rows that they make up for their start."""
    is_long = sum(source.size for source in files) >= MANY_BYTES
    if not is_long or model.get("framework") not in (None, "auto", "torch", "numpy"):
        return 1
    device = model.get("device")
    on_cpu = device in ("cpu", -1) or (device is None and not has_gpu())
    return processors.count() if on_cpu else 1


def has_gpu() -> bool:
    """Whether PyTorch is here, and sees a GPU."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_available())


def _labels(request: Request, loaded: Pipeline, calls: Record) -> tuple[Labelling, Record]:
    """What is added to rows, and what the parts of an answer are."""
    kinds = loaded.task.answer_kinds(loaded.config, **calls)
    names = list(kinds["scores"]) if isinstance(kinds.get("scores"), dict) else []
    conditions = tuple(Condition.of_text(text, names) for text in request.filter_by)
    labels = Labelling(request.label_field, request.score_field, conditions, request.replaces_fields)
    if labels.fields or labels.conditions:
        labelling.require_labels(kinds, labels, loaded.task.name)
    if request.left_out and not conditions:
        raise InputError(
            f"Rows are left out by --filter-by. Received: --left-out {request.left_out} without it. Add a condition, "
            "such as score>=0.5."
        )
    if labels.label_field and labels.label_field == labels.score_field:
        raise InputError(f"A label and its score need two fields. Received: {labels.label_field!r} for both.")
    return labels, kinds


def _settings(request: Request, answering: Answering, found: Sequence[Output]) -> Record:
    """What a run is bound to, as JSON has it."""
    model = {name: value for name, value in answering.model.items() if name != "model" and value is not None}
    settings = {
        "albertkit": __version__,
        "model": model_digest(str(request.model["model"])),
        "answers": {**model, **answering.calls},
        "threads": answering.threads,
        "labels": asdict(answering.labels),
        "outputs": [{"file": str(one.path), "format": one.form, "part_rows": one.part_rows} for one in found],
        "inputs": [_bound(source) for source in answering.sources],
        "skip_bad_rows": request.skips,
        "overwrite": request.overwrite,
        journal.CHANGED: {source.path: source.changed for source in answering.sources},
    }
    return json.loads(json.dumps(settings, default=str))


def _bound(source: Source) -> Record:
    found = source.settings()
    return {**found, "options": {name: value for name, value in found["options"].items() if name != "skip_bad_rows"}}


def model_digest(name: str) -> str:
    """What tells the files of a model from those of another."""
    folder = hub.fetch(name, ["config.json"])
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        is_export = len(inside) == 2 and (folder / "export.json").is_file()
        if not path.is_file() or not (is_export or (len(inside) == 1 and _decides(path.name))):
            continue
        digest.update(f"{inside}".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _decides(name: str) -> bool:
    """Whether a file of a model decides its answers."""
    return name == "config.json" or (
        MODEL_FILE.fullmatch(name) is not None and not name.startswith(("figure", "curves"))
    )


def run(
    request: Request,
    note: Callable[[str], None] = lambda text: None,
    progress: ReportProgress = lambda total, done, totals: None,
    engine: Engine | None = None,
) -> tuple[Totals, Pipeline]:
    """Answer for all rows, or go on with the run that was cut off there. Returns what was counted, and the pipeline.

    The output is the same to the last byte whatever the number of processes, and however often it was cut off.

    InputError for inputs that cannot be read and rows that cannot be used; ConfigError where the run was begun with
    other settings; CheckpointError where writing fails or another process works on it; TrainingError where processes
    die; Interrupted at Ctrl-C, which says what is kept.
    """
    made = plan(request)
    if made.empty:
        note(f"passed over, for they hold no row: {few(made.empty)}")
    if request.overwrite:
        journal.clear(made.targets)
    with Journal.opened(made.targets, made.settings, made.answering.schema) as book:
        try:
            _carry_out(made, book, engine or in_processes(made.workers), note, progress)
        except KeyboardInterrupt as stopped:
            told = f"{book.totals.answers:,} answers are kept: run the same command again and it goes on behind them."
            raise Interrupted.of(
                stopped, f"Stopped. {told if book.blocks else f'{request.output} was not written.'}"
            ) from None
        return book.totals, made.pipeline


def _carry_out(
    made: Plan, book: Journal, engine: Engine, note: Callable[[str], None], progress: ReportProgress
) -> None:
    files, total = made.answering.sources, sum(source.size for source in made.answering.sources)
    if book.blocks:
        note(f"going on behind {book.totals.answers:,} answers")
        _require_unchanged(made, book, note)
    progress(total, book.done, book.totals)
    if not book.is_complete:
        blocks = cutting.blocks(files, made.pipeline, book.next, book.blocks)
        told: set[str] = set()
        for block, found in engine(made.answering, blocks, made.pipeline):
            for sentence in found.notes:
                if sentence not in told:
                    told.add(sentence)
                    note(sentence)
            book.commit(block, found)
            progress(total, book.done, book.totals)
    if not book.totals.answers:
        reason = book.totals.describe_left_out() or "Name another."
        raise InputError(
            f"Data must hold at least one row to use. {few([file.path for file in files])}: none is there. {reason}"
        )
    book.finish()


def _require_unchanged(made: Plan, book: Journal, note: Callable[[str], None]) -> None:
    """ConfigError where what was read has changed. Where a file was written since, all of it is read and compared."""
    then, now = book.begun[journal.CHANGED], made.settings[journal.CHANGED]
    read = [source.path for source in made.answering.sources[: book.next.file + 1]]
    if changed := [path for path in read if then.get(path) != now[path]]:
        note(f"{changed[0]} was written since: what was read is compared with what it holds now")
        again = itertools.islice(cutting.blocks(made.answering.sources, made.pipeline), book.blocks)
        for block, digest in itertools.zip_longest(again, book.digests):
            if block is None or block.digest != digest:
                path = made.answering.sources[block.start.file if block else 0].path
                raise ConfigError(
                    f"A run goes on only with the rows that it has answered. {path} holds others now. Begin anew with "
                    "--overwrite, or give another --output."
                )
    book.rebind(made.settings)


def in_processes(count: int) -> Engine:
    """An engine of so many processes; one is this process itself."""

    def answers(settings: Answering, blocks: Iterator[Block], loaded: Pipeline) -> Answers:
        if count == 1:
            answer = Answerer(settings, loaded)
            for block in blocks:
                yield block, answer(block)
            return
        make = functools.partial(make_answerer, pickle.dumps(settings), settings.threads)
        with Processes(count, _FEWER, imports_ahead=False).map(make, ((block, block) for block in blocks)) as found:
            yield from found

    return answers
