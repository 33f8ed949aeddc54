"""The files of GLUE in the layouts that people have: of its download, of the sources, and of the copy on the hub."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from albertkit.errors import InputError, few
from albertkit.tasks import tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.tables import Table
from albertkit.tasks.text_classification import glue
from albertkit.tasks.text_classification.glue import GlueTask
from albertkit.tasks.text_classification.options import ClassificationOptions

_STEMS = {
    "train": ("train", "msr_paraphrase_train", "in_domain_train"),
    "validation": ("dev", "validation", "val", "in_domain_dev", "diagnostic-full"),
    "test": ("test", "msr_paraphrase_test", "diagnostic", "AX"),
}
"""What the files of each split are called, without their endings; of several the first is read."""
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})")
_MICROSOFT = re.compile(r"msr_paraphrase_\w+\.txt", re.IGNORECASE)
_NOT_LABELS = ("-", "-1", "hidden")
"""What stands in place of a label where there is none: in MNLI without a majority, and in tests."""


def splits(folder: str, task_name: str) -> dict[str, str]:
    """The files of a folder by split: train, validation, test; of MNLI validation_matched, ... behind the first.

    The folder is that of the task, or the one of all tasks. Where the task is evaluated on several files, `validation`
    is the first. InputError where it holds no such files, or is that of another task.
    """
    task = glue.get(task_name)
    suffixes = task.evaluated_on
    several, first = len(suffixes) > 1, suffixes[0]
    place = _of_task(Path(folder), task)
    files = {_stem(one): one for one in sorted(place.iterdir(), reverse=True) if _is_read(one)}
    found: dict[str, str] = {}
    for split, stems in _STEMS.items():
        for suffix in ("",) if split == "train" else suffixes:
            file = next((files[stem + suffix] for stem in stems if stem + suffix in files), None)
            if file is not None:
                found.setdefault(split, str(file))
                found |= {f"{split}{suffix}": str(file)} if several else {}
    if not found:
        raise InputError(
            f"The folder of {task.title} must hold files called such as train.tsv and dev{first}.tsv, or "
            f"train.parquet and validation{first}.parquet. {place} holds "
            f"{few(sorted(one.name for one in place.iterdir())) or 'nothing'}. Name the folder of this task, or a "
            "file."
        )
    return found


def _of_task(folder: Path, task: GlueTask) -> Path:
    """The folder of a task: this one, or one in it that is called as the task. InputError for that of another."""
    named = glue.TASKS.get(glue.plain(folder.name))
    if named is not None and named.title != task.title:
        raise InputError(
            f"A folder must be that of the task. Received: {task.title} and {folder}, which is called as "
            f"{named.title} is. Name the other task with --task-name {glue.plain(folder.name)}, or the other folder."
        )
    inside = [
        one for one in sorted(folder.iterdir()) if one.is_dir() and glue.plain(one.name) == glue.plain(task.title)
    ]
    return inside[0] if inside else folder


def _is_read(file: Path) -> bool:
    return file.is_file() and (tables.is_data(file.name) or kind(file.name) != "")


def _stem(file: Path) -> str:
    """The name of a file without endings and, of the only part of a split, its number."""
    stem = file.name.partition(".")[0]
    shard = _SHARD.fullmatch(stem)
    if shard is None:
        return stem
    if int(shard["count"]) > 1:
        raise InputError(
            f"A split must be one file. Received: {file}, one of {int(shard['count'])} parts. Join them, for example "
            "with pyarrow.dataset, and name the file that comes of it."
        )
    return shard["stem"]


def kind(path: str) -> str:
    """What a file is read as where its ending does not say it: the paraphrases of Microsoft are .tsv by content."""
    return ".tsv" if _MICROSOFT.fullmatch(Path(path).name) else ""


def completed(options: ClassificationOptions, path: str, needs_label: bool = True) -> ClassificationOptions:
    """The options by which a file of the task `task_name` is read: header and columns of its layout, and classes.

    What the options name themselves stays. InputError for a file that has no such columns.
    """
    task = glue.get(options.task_name)
    header = options.header or list(_header(path, task))
    first = next(tables.pieces(path, header, BadRows(path, options.skip_bad_rows), kind=kind(path)))
    names = {name.lower(): name for name in first.columns}
    found = (options.text_column, options.pair_column) if options.text_column else task.columns(names)
    label = options.label_column or next((names[name] for name in task.labels if name in names), "")
    if not found or (needs_label and not label):
        raise InputError(_told_of_columns(first, task, names, "label" if found else "text"))
    return replace(
        options.with_classes(),
        header=header,
        text_column=found[0],
        pair_column="".join(found[1:]),
        label_column=label,
        missing_labels=[*options.missing_labels, *_NOT_LABELS],
    )


def _header(path: str, task: GlueTask) -> Sequence[str]:
    if not (tables.is_grid(path) or kind(path)):
        return ()
    return task.header_of(tables.first_fields(path, kind(path)))


def _told_of_columns(table: Table, task: GlueTask, names: Mapping[str, str], role: str) -> str:
    wanted = [" and ".join(one) for one in task.texts] if role == "text" else list(task.labels)
    others = [title for title in glue.fitting(names) if title != task.title]
    told = f" They are those of {few(others)}." if others and role == "text" else ""
    if role == "label":
        told = " A file without labels, such as that of the test, is answered with `albertkit predict`."
    plain = "".join(f", or {len(one)} fields without a line of names" for one in task.headers)
    return (
        f"A file of {task.title} must have the {role} column{'s' * (role == 'text')} {' or '.join(wanted)}{plain}"
        f". {table.contents}.{told} Name what is meant with --{role}-column, or another file."
    )
