"""The labels of a table: one column of them, or one column of zeros and ones for each class.

What stands for no label becomes None here, and labels get the names that `label_map` gives them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from albertkit.errors import InputError, abbreviate
from albertkit.storage import encodings
from albertkit.tasks import tables, texts
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import option
from albertkit.tasks.tables import Table
from albertkit.tasks.text_classification import label_forms
from albertkit.tasks.text_classification.labels import MULTI, Schema
from albertkit.tasks.texts import TextOptions
from albertkit.typing import Json

# Names under which data sets keep this column, first found first taken.
_LABEL = (
    *("label", "labels", "score", "target", "class", "category", "rating", "sentiment", "stars", "intent", "topic"),
    *("emotion", "is_duplicate", "gold_label", "entailment_judgment", "relatedness_score", "similarity_score"),
)
_MISSING = ["NA", "N/A", "#N/A", "<NA>", "NaN", "null"]
"""What programs write where a value is missing. "None" is not among them: it is a class of many data sets."""
_SEARCHED = 1000
"""Rows by which a column is known as one of zeros and ones."""


@dataclass(frozen=True)
class LabelOptions(TextOptions):
    """Which columns hold texts and labels, and what labels are called."""

    label_column: str = option(
        "",
        "Column of the label, or with commas columns of 0 and 1, one for each class; default: by the usual names.",
        is_kept=True,
    )
    label_separator: str = option("|", "Between several labels of one row.", is_kept=True, min_length=1)
    label_map: str = option(
        "", "Other names for labels: old=new,... or a JSON file with an object of them.", is_kept=True
    )
    class_names: list[str] = option(
        [],
        "Comma-separated classes in order: names for lists of 0 and 1, for whole numbers, or all that labels name.",
        is_kept=True,
    )
    missing_labels: list[str] = option(
        _MISSING, 'Comma-separated labels that mean that there is none; "": no text does.', is_kept=True
    )


OptionsT = TypeVar("OptionsT", bound=LabelOptions)


def read(
    table: Table, options: OptionsT, schema: Schema | None = None, bad: BadRows | None = None
) -> tuple[list[Json], OptionsT]:
    """(N,) labels, None where there is none, and the options with the column, or the classes, that were found.

    `schema` is that of a trained model: where there is a column for each class its order is the model's. Several
    columns give lists of zeros and ones. InputError where there is no such column; rows in which it holds something
    else go to `bad`.
    """
    bad = bad or BadRows(table.path)
    options = _with_column(table, options, schema)
    renamed = read_map(options.label_map)
    missing = {name.casefold() for name in options.missing_labels} - {*(schema.names if schema else ())}
    if len(columns := class_columns(table, options)) > 1:
        return _of_class_columns(table, columns, options, schema, renamed, missing, bad)
    values = _usable(table, options.label_column, label_forms.listed(table.column(options.label_column, "label")), bad)
    values = _renamed(values, table.path, options.label_separator, renamed)
    known = schema.names if schema else ()
    return [None if _is_missing(value, missing) and value not in known else value for value in values], options


def _usable(table: Table, name: str, values: list[Json], bad: BadRows) -> list[Json]:
    """The values, None for those that `label_forms.flaw` finds fault with, which are bad rows."""
    found: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if flaw := label_forms.flaw(value):
            found.setdefault(flaw, []).append(row)
    for rule, rows in found.items():
        more = f"It has {abbreviate(values[rows[0]], 60)} in {name!r}: write it so, or name another column."
        bad.add_all([table.places([row]) for row in rows], len(table), rule, more)
    wrong = {row for rows in found.values() for row in rows}
    return [None if row in wrong else value for row, value in enumerate(values)]


def class_columns(table: Table, options: LabelOptions) -> list[str]:
    """The columns that `label_column` names: one, unless none is called so and it has commas."""
    name = options.label_column
    if name in table.columns or "," not in name:
        return [name]
    return [one.strip() for one in name.split(",") if one.strip()]


def missing_words(table: Table, options: LabelOptions) -> str:
    """A sentence on labels that are texts and count as none, with how many, or nothing."""
    columns = class_columns(table, options)
    missing = {name.casefold() for name in options.missing_labels}
    found = [value.strip() for value in table.column(columns[0], "label") if isinstance(value, str)]
    words = [value for value in found if value.casefold() in missing]
    if len(columns) > 1 or not words:
        return ""
    return (
        f" {len(words)} of the labels are {' or '.join(map(repr, sorted(set(words))))}, which count as none. If that "
        'is a class, pass --missing-labels "", in a recipe data.missing_labels=[].'
    )


def read_map(stated: str) -> dict[str, str]:
    """Names by the ones that they replace: of old=new pairs with commas between them, or of a JSON file."""
    if stated.lower().endswith(".json"):
        return _map_of_file(stated)
    renamed = {}
    for pair in filter(str.strip, stated.split(",")):
        old, equals, new = (part.strip() for part in pair.partition("="))
        if not (old and equals and new) or renamed.setdefault(old, new) != new:
            raise InputError(
                f"`label_map` must be pairs such as 0=negative,1=positive, each old name once, or the name of a .json "
                f"file. Received: {stated[:80]!r}."
            )
    return renamed


def _map_of_file(path: str) -> dict[str, str]:
    rule = '`label_map` must be a JSON file with one object of names, such as {"0": "negative", "1": "positive"}.'
    try:
        content = json.loads(encodings.decode(Path(path).read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{rule} Reading {path} failed: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(new, (str, int)) for new in content.values()):
        raise InputError(f"{rule} {path} holds something else.")
    return {old: str(new) for old, new in content.items()}


def _renamed(values: list[Json], path: str, separator: str, renamed: Mapping[str, str]) -> list[Json]:
    """Labels by their new names. InputError where none has an old or a new one."""
    if not renamed:
        return values
    if label_forms.positions([value for value in values if value is not None]):
        raise InputError(
            f"Lists of zeros and ones have no names that `label_map` could replace. {path} has such labels. Leave it "
            "out; `class_names` are the names of the positions."
        )
    names = {name for value in values for name in label_forms.split(value, separator)} | {
        str(v).strip() for v in values
    }
    if not names & {*renamed, *renamed.values()} and not {*map(label_forms.shortest, names)} & {*renamed}:
        raise InputError(
            f"`label_map` must name labels of the file. {path} has none of {', '.join(list(renamed)[:12])}. Its labels "
            f"are such as {', '.join(sorted(names)[:5])}."
        )
    return [_new_name(value, separator, renamed) for value in values]


def _new_name(value: Json, separator: str, renamed: Mapping[str, str]) -> Json:
    if value is None or value != value:
        return value
    if isinstance(value, (list, tuple)):
        return [_new_name(one, separator, renamed) for one in value]
    name = str(value).strip()
    for form in (name, label_forms.shortest(name)):
        if form in renamed:
            return renamed[form]
    parts = label_forms.split(value, separator)
    if len(parts) > 1 and {*parts} & {*renamed}:
        return separator.join(renamed.get(part, part) for part in parts)
    return value


def _is_missing(value: Json, missing: set[str]) -> bool:
    is_stated = isinstance(value, (str, int, float)) and label_forms.shortest(str(value).strip()).casefold() in missing
    return tables.is_missing(value) or is_stated


def _of_class_columns(
    table: Table,
    columns: Sequence[str],
    options: OptionsT,
    schema: Schema | None,
    renamed: Mapping[str, str],
    missing: set[str],
    bad: BadRows,
) -> tuple[list[Json], OptionsT]:
    names = [renamed.get(column, column) for column in columns]
    if len({*names}) < len(names):
        raise InputError(
            f"The columns of classes must be different ones. Received: {', '.join(names)}. Name each once with "
            "--label-column, and give no two of them one name with --label-map."
        )
    if schema is None:
        if options.class_names and len(options.class_names) != len(columns):
            raise InputError(
                f"`class_names` must name each column of a class. Received: {len(options.class_names)} names for the "
                f"{len(columns)} columns {', '.join(columns)}."
            )
        options = replace(options, class_names=options.class_names or names)
    else:
        if schema.problem_type == MULTI and len(options.class_names) == len(columns):
            names = options.class_names
        if schema.problem_type != MULTI or set(names) != set(schema.names):
            raise InputError(
                f"A column for each class needs a model of these classes, several to a row. {table.path} has "
                f"{', '.join(names)}, the model {', '.join(schema.names)}. Name all of its classes as columns; give "
                "columns other names with --label-map."
            )
        columns = [columns[names.index(name)] for name in schema.names]
    rows = zip(*(_bits(table, column, missing, bad) for column in columns), strict=True)
    return [None if None in row else list(row) for row in rows], options


def _bits(table: Table, column: str, missing: set[str], bad: BadRows) -> list[int | None]:
    """(N,) the zeros and ones of a column, None where there is no value."""
    values = [
        None if texts.is_empty(one) or _is_missing(one, missing) else one for one in table.column(column, "label")
    ]
    wrong = [row for row, value in enumerate(values) if value is not None and label_forms.bit(value) is None]
    if wrong:
        more = f"It has {values[wrong[0]]!r} in {column!r}: round probabilities, take rows out that nobody labelled."
        places = [table.places([row]) for row in wrong]
        bad.add_all(places, len(table), "The column of a class must hold 0 and 1.", more)
    return [None if value is None else label_forms.bit(value) for value in values]


def _with_column(table: Table, options: OptionsT, schema: Schema | None) -> OptionsT:
    """The options with the label's column, or columns. InputError where there is none."""
    if options.label_column:
        return options
    names = texts.usual_names(table)
    found = next((names[name] for name in _LABEL if name in names), None)
    if (
        found is None
        and schema
        and schema.problem_type == MULTI
        and all(name in table.columns for name in schema.names)
    ):
        found = ",".join(schema.names)
    if found is None:
        told = _told_of_bits(table, options) or table.advice("--label-column")
        raise InputError(f"The label column must be known. {table.contents}, and none of the usual names.{told}")
    return replace(options, label_column=found)


def _told_of_bits(table: Table, options: LabelOptions) -> str:
    missing = {name.casefold() for name in options.missing_labels}
    found = []
    for name in table.columns:
        values = [v for v in table.columns[name][:_SEARCHED] if not (texts.is_empty(v) or _is_missing(v, missing))]
        if values and all(label_forms.bit(value) is not None for value in values):
            found.append(name)
    if len(found) < 2:
        return ""
    return f" Name it with --label-column, or columns of 0 and 1 for a class each: --label-column {','.join(found)}"
