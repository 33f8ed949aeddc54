"""The check of a data set for any task: files and a vocabulary in, a report out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from albertkit import hub
from albertkit.config import AlbertConfig
from albertkit.data_check import repeats, texts
from albertkit.data_check.report import FileReport, Report
from albertkit.errors import InputError
from albertkit.tasks import registry
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, few_to_score, usable
from albertkit.tasks.features import Features
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.unknown import REPORTED_SHARE, likely_cause
from albertkit.typing import Json

MODEL = "albertkit/small-en"
"""The model whose vocabulary is taken unless another is named: the one that is always there."""
_CUT = 0.05
"""The share of rows that are cut from which on that is a warning, and not a note."""
_RARE, _UNEVEN = 5, 20
"""Rows below which a label is rare, and how many times as many the most frequent one has where labels are uneven."""


def check(
    task_name: str, data: str, held_out: str = "", model: str = MODEL, options: Mapping[str, Json] | None = None
) -> Report:
    """Look at training data, and at evaluation data if it is named, for a task.

    `options` are those of the task's data, and a folder is that of a task of GLUE. Rows that cannot be used, and files
    that cannot be read, are errors of the report. InputError for a task or an option that there is none of,
    CheckpointError for a model without a vocabulary.
    """
    task = registry.get_trainable(task_name)
    asked = task.options.of({**(options or {}), "train": data, "eval": held_out, "skip_bad_rows": True})
    is_file = hub.local_path(model).is_file()
    tokenizer = AlbertTokenizerFast(model) if is_file else AlbertTokenizerFast.from_pretrained(model)
    report = Report(task.name, model, asked.max_length)
    try:
        asked = task.with_files(asked)
    except InputError as error:
        report.add("error", data, str(error))
        return report
    found, held_out = _read(report, task, asked.train, asked), asked.eval
    if found is None:
        return report
    train, asked = found
    config = _config(report, task, train, asked)
    if config is not None:
        _look_at(report, task, tokenizer, config, train, asked)
    repeats.within(report, train)
    other = _read(report, task, held_out, replace(asked, train="")) if held_out else None
    if other is None:
        repeats.unsplit(report, train)
        return report
    evaluated, options_found = other
    if told := few_to_score(len(evaluated)):
        report.add("warning", held_out, told)
    if config is not None:
        _look_at(report, task, tokenizer, config, evaluated, options_found)
    repeats.within(report, evaluated)
    repeats.across(report, train, evaluated)
    return report


def _read(
    report: Report, task: AnyTrainableTask, path: str, options: DataOptions
) -> tuple[Examples, DataOptions] | None:
    """The examples of a file that can be used, None where there are none; notes what cannot."""
    try:
        examples, found = task.read(path, options)
    except InputError as error:
        report.add("error", path, str(error))
        return None
    _tell_of_bad_rows(report, path, examples.left_out)
    if examples.found:
        report.add("note", path, f"Found: {examples.found}.")
    return examples, found


def _tell_of_bad_rows(report: Report, path: str, found: Sequence[BadRow]) -> None:
    places: dict[str, list[str]] = {}
    for row in found:
        places.setdefault(row.rule, []).append(row.place)
    for rule, rows in places.items():
        report.add(
            "error", path, f"{rule} These do not follow it; training with --skip-bad-rows leaves them out.", rows
        )


def _config(report: Report, task: AnyTrainableTask, train: Examples, options: DataOptions) -> AlbertConfig | None:
    """The config that training examples decide, or None where no model can be made for them."""
    try:
        return AlbertConfig(**task.config_keys(train, options))
    except InputError as error:
        report.add("error", train.path, str(error))
        return None


def _look_at(
    report: Report,
    task: AnyTrainableTask,
    tokenizer: AlbertTokenizerBase,
    config: AlbertConfig,
    examples: Examples,
    options: DataOptions,
) -> None:
    """Add the figures of a file, and what they tell."""
    known = len(examples.left_out)
    try:
        examples, features = usable(
            examples, lambda some: task.encode(tokenizer, config, some, options, labelled=True), skip=True
        )
        labels = dict(task.label_counts(examples, options, config))
    except InputError as error:
        report.add("error", examples.path, str(error))
        return
    _tell_of_bad_rows(report, examples.path, examples.left_out[known:])
    columns = []
    for name, values in examples.parts().items():
        column, counts = texts.column(name, values, tokenizer)
        columns.append(column)
        if column.unknown > REPORTED_SHARE:
            worst = counts.unknown.argsort(kind="stable")[::-1]
            rows = [examples.place(number) for number in worst.tolist() if counts.unknown[number]]
            told = f"{column.unknown:.1%} of the pieces of {name!r} are unknown to the vocabulary of {report.model}."
            report.add("warning", examples.path, f"{told} {likely_cause(tokenizer)}", rows)
        if empty := [examples.place(number) for number, text in enumerate(values) if not text.strip()]:
            report.add("note", examples.path, f"The text of {name!r} is empty.", empty)
    _tell_of_labels(report, examples, labels)
    _tell_of_lengths(report, examples, features, options)
    for message, numbers in task.doubts(examples, features).items():
        if numbers:
            report.add("note", examples.path, message, [examples.place(number) for number in numbers])
    report.files.append(_figures(examples, features, labels, columns))


def _figures(examples: Examples, features: Features, labels: dict[str, int], columns: list[texts.Column]) -> FileReport:
    return FileReport(
        examples.path,
        len(examples),
        len(examples.left_out),
        labels,
        columns,
        texts.percentiles(features.lengths()),
        len(features),
        features.truncated,
        texts.scripts(text for values in examples.parts().values() for text in dict.fromkeys(values)),
    )


def _tell_of_labels(report: Report, examples: Examples, labels: dict[str, int]) -> None:
    """Note labels that are rare or missing, and such a majority that a model may learn nothing else."""
    total = sum(labels.values())
    if len(labels) < 2 or not total:
        return
    rare = [f"{name!r} ({count})" for name, count in labels.items() if count < _RARE]
    if rare and all(name.isidentifier() or not name[:1].isdigit() for name in labels):
        listed = ", ".join(rare[:12])
        report.add("note", examples.path, f"Labels with fewer than {_RARE} examples: {listed}.", count=len(rare))
    most, least = max(labels, key=labels.__getitem__), min(labels, key=labels.__getitem__)
    if labels[least] and labels[most] > _UNEVEN * labels[least]:
        told = f"Labels are uneven: {labels[most]:,} are {most!r}, {labels[least]:,} are {least!r}."
        report.add("warning", examples.path, f"{told} A model may learn to answer nothing but the frequent ones.")


def _tell_of_lengths(report: Report, examples: Examples, features: Features, options: DataOptions) -> None:
    """Note rows that are cut, the longest first."""
    if not features.truncated:
        return
    lengths = [sum(map(len, row)) for row in zip(*examples.parts().values(), strict=True)]
    longest = sorted(range(len(examples)), key=lambda number: -lengths[number])[: features.truncated]
    share = features.truncated / max(len(examples), 1)
    told = f"Rows are longer than {options.max_length} tokens, or than another bound, and are cut: {share:.2%} of all."
    level = "warning" if share > _CUT else "note"
    rows = [examples.place(number) for number in longest]
    report.add(level, examples.path, told, rows, features.truncated)
