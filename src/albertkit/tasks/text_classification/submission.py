"""The files that the server of GLUE takes: a line of names, then for each row of the test its number and the answer."""

import logging
from collections.abc import Iterable, Iterator

from albertkit.errors import InputError, abbreviate, few
from albertkit.tasks.text_classification import label_forms
from albertkit.tasks.text_classification.glue import GlueTask
from albertkit.tasks.text_classification.labels import Schema
from albertkit.typing import Record

logger = logging.getLogger(__name__)

_INDICES = ("index", "idx", "id")
"""Columns of the number of a row, first found first taken."""
_LOWEST, _HIGHEST = 0, 5
"""Bounds of the similarities of STS-B."""


def rows(task: GlueTask, schema: Schema, records: Iterable[Record]) -> Iterator[Record]:
    """{"index", "prediction"} of each record of `TextClassification.records`, in their order.

    The index is that of the file, or the number of the row from 0. Classes are named as the server names them, or
    numbered for the tasks in which it takes numbers; similarities lie within 0 to 5. Where there are not as many rows
    as in the test, that is logged at the end.

    InputError for a model of other classes, before anything is answered, and for an index that is no whole number.
    """
    if task.classes:
        names = task.classes if schema.are_numbered and len(schema.names) == len(task.classes) else schema.names
    else:
        names = schema.names if len(schema.names) == 1 else ()
    if (task.classes and {*names} != {*task.classes}) or not names:
        wanted = f"the classes {', '.join(task.classes)}" if task.classes else "a number"
        raise InputError(
            f"The answers for {task.title} need a model of {wanted}. The model has {few(schema.names)}. Train one with "
            "--task-name, or for its own test name the task that it was trained for."
        )
    return _rows(task, dict(zip(schema.names, names, strict=True)), records)


def _rows(task: GlueTask, names: dict[str, str], records: Iterable[Record]) -> Iterator[Record]:
    count = 0
    for count, record in enumerate(records, start=1):
        yield {"index": _index(record, count - 1), "prediction": _prediction(task, names, record)}
    if count not in task.test_rows.values():
        wanted = ", ".join(f"{rows:,} for {name}.tsv" for name, rows in task.test_rows.items())
        logger.warning("The server of GLUE takes an answer for each row of the test: %s. These are %d.", wanted, count)


def _index(record: Record, number: int) -> int:
    """The number of a row of the test. InputError where the file has something else in its place."""
    columns = {name.lower(): value for name, value in record.items()}
    stated = next((columns[name] for name in _INDICES if name in columns), number)
    if not label_forms.is_whole(str(stated)):
        raise InputError(
            f"The index of a row must be a whole number. Row {number + 1} has {abbreviate(stated, 60)}. Give the test "
            "file of GLUE, or one without a column called index, idx or id."
        )
    return int(float(stated))


def _prediction(task: GlueTask, names: dict[str, str], record: Record) -> str:
    if not task.classes:
        return f"{min(max(record['value'], _LOWEST), _HIGHEST):.3f}"
    name = names[record["label"]]
    return str(task.classes.index(name)) if task.answers_by_number else name
