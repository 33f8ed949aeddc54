"""The texts and the labels of a table, and what each of its rows must have."""

from collections.abc import Sequence
from dataclasses import replace

from albertkit.errors import InputError
from albertkit.tasks import tables, texts
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.tables import Table
from albertkit.tasks.text_classification import label_columns, labels
from albertkit.tasks.text_classification.labels import KINDS, MULTI, REGRESSION, Schema
from albertkit.tasks.text_classification.options import ClassificationOptions
from albertkit.tasks.texts import TextExamples
from albertkit.typing import Json

_COMPLETE = "Every row needs a text, both texts of a pair, and a label."


def of_table(
    table: Table, options: ClassificationOptions, schema: Schema | None, bad: BadRows
) -> tuple[TextExamples, ClassificationOptions]:
    """The examples of a table, and the columns they were found in. `schema` is that of a model with known labels.

    InputError names the rows that lack a text or a label, unless `bad` leaves them out.
    """
    asked, options = options, texts.with_columns(table, options)
    values, options = label_columns.read(table, options, schema, bad)
    (texts.tell_of_pair if asked.text_column else texts.tell_of_others)(table, options)
    _require_kind(table, options)
    kind = schema.problem_type if schema else KINDS.get(options.problem)
    if kind == REGRESSION:
        values = labels.finite(values, table, bad)
    is_unlabelled = tables.is_missing if kind == MULTI else texts.is_empty
    examples = texts.taken(table, options, values, bad)
    second, known = examples.second or [None] * len(table), {row.place for row in bad.found}
    incomplete = [
        place
        for row, (one, other) in enumerate(zip(examples.first, second, strict=True))
        if texts.is_empty(one) or (examples.second and texts.is_empty(other)) or is_unlabelled(values[row])
        if (place := table.places([row])) not in known
    ]
    bad.add_all(incomplete, len(table), _COMPLETE, "" if bad.skip else _on_incomplete(table, options, values))
    without = {row.place for row in bad.found}
    kept = examples.take(row for row in examples.rows if table.places([row]) not in without)
    bad.require_rest(len(kept))
    return replace(kept, left_out=bad.found), options


def _require_kind(table: Table, options: ClassificationOptions) -> None:
    """InputError where columns of classes are taken for something else than several classes at once."""
    if len(label_columns.class_columns(table, options)) > 1 and KINDS.get(options.problem, MULTI) != MULTI:
        raise InputError(
            f"A column for each class is for several classes at once. Received: the problem {options.problem!r} and "
            f"the columns {options.label_column}. Leave --problem out, or name one column."
        )


def _on_incomplete(table: Table, options: ClassificationOptions, values: Sequence[Json]) -> str:
    """What a person may do about rows that lack something, beside leaving them out."""
    told = label_columns.missing_words(table, options)
    if all(map(texts.is_empty, values)):
        told += " A file without labels, such as that of a test, is answered with `albertkit predict`."
    separator = options.label_separator
    if options.problem == "auto" and any(isinstance(value, str) and separator in value for value in values):
        told += " Where a row may have several labels, an empty one is that of no class: `problem` multi says so."
    return told.strip()
