"""The columns of Parquet, known before the first row: those of the input, and those of the answers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from albertkit.errors import InputError, few
from albertkit.inference.input_parts import WARNING
from albertkit.pipelines import Pipeline
from albertkit.prediction import outputs
from albertkit.prediction.answering import JSON_KINDS, RECORD
from albertkit.prediction.labelling import Labelling
from albertkit.prediction.sources import PARQUET, WHOLE, Source
from albertkit.tasks import tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.typing import Json, Record

_OWN = ("id", "question", "text")
"""What is shown of a row of JSON by a column of its own."""


def of_answers(answers: Record, labels: Labelling) -> Record:
    """The kinds of what is added to each row, where `answers` are those of the task."""
    if not labels.fields:
        return {**answers, WARNING: str}
    label = next(answers[name] for name in ("label", "labels", "value", "answer") if name in answers)
    kinds = {labels.label_field: label, labels.score_field: [float] if "labels" in answers else float}
    return {name: kind for name, kind in kinds.items() if name}


def schema(pipeline: Pipeline, sources: Sequence[Source], labels: Labelling, added: Record) -> Json:
    """The schema of Arrow for rows of some files. InputError where these have different columns."""
    found = [_of_source(pipeline, source, labels, added) for source in sources]
    for source, columns in zip(sources, found, strict=True):
        if columns != found[0]:
            other = [f"{name} {kind}" for name, kind in columns.items() if found[0].get(name) != kind]
            names = few(other or list(found[0]))
            raise InputError(
                f"All files that are written to one table must have the columns of {sources[0].path}. {source.path} "
                f"differs in {names}. Write to .jsonl in its place, or a file at a time."
            )
    return outputs.schema(found[0], added)


def _of_source(pipeline: Pipeline, source: Source, labels: Labelling, added: Record) -> Record:
    """The columns of a file with their types of Arrow, under the names that they are written with."""
    import pyarrow
    from pyarrow import parquet

    text = pyarrow.string()
    types: Record = {}
    if source.kind == PARQUET:
        types = {column.name: column.type for column in parquet.read_schema(source.path)}
    if labels.fields:
        if source.kind in JSON_KINDS:
            return {RECORD: text}
        names = [name for name in source.header if name] or ["text"]
        labels.require_free(names, source.path)
        return {name: types.get(name, text) for name in names if name not in labels.fields}
    shown = _shown(pipeline, source)
    if source.kind in JSON_KINDS:
        own = [name for name in _OWN if name in shown]
        own = ["text"] if "text" in own else own
        return {**dict.fromkeys(own, text), RECORD: text}
    return {
        f"input_{name}" if name in added else name: types.get(name, types.get(name.removeprefix("input_"), text))
        for name in shown
    }


def _shown(pipeline: Pipeline, source: Source) -> list[str]:
    """What the task shows of the first row."""
    if source.kind == WHOLE:
        parts = pipeline.task.stream(source.path, replace(source.options, skip_bad_rows=True))
        return next((list(part.shown(0)) for part in parts if len(part)), ["text"])
    if not source.header:
        return ["text"]
    options = source.options
    header = options.header
    for table in tables.pieces(Path(source.path), header, BadRows(source.path, skip=True)):
        for part in pipeline.task.stream(table, options):
            if len(part):
                return list(part.shown(0))
    return ["text"]
