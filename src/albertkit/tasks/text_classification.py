"""Text classification: one class, several classes at once, or a number, for a text or a pair of texts.

Letters: N examples, C classes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from albertkit.config_keys import PROBLEM_TYPES
from albertkit.errors import InputError
from albertkit.tasks.base import Features, require_finite
from albertkit.tasks.tables import Table

NAME: Final = "text-classification"
HEAD = "ForSequenceClassification"

REGRESSION, SINGLE, MULTI = PROBLEM_TYPES
SCORES = {
    SINGLE: ("accuracy", "f1", "matthews_correlation"),
    MULTI: ("f1_micro", "f1_macro", "exact_match"),
    REGRESSION: ("pearson", "spearman", "mse", "mae"),
}
"""What `score` gives. The first chooses the best checkpoint unless another is named."""

ERRORS = ("loss", "mse", "mae")
"""Scores of which less is better."""

# Names under which data sets keep these columns, first found first taken.
_TEXTS = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"), ("question", "sentence"))
_TEXT = ("text", "sentence", "review", "content", "sentence1", "premise", "question")
_LABEL = ("label", "labels", "score", "target", "class", "category", "rating")

_KINDS = {"single": SINGLE, "multi": MULTI, **{kind: kind for kind in PROBLEM_TYPES}}
_WHOLE = re.compile(r"(-?\d+)(\.0+)?")
_LISTED = 12


@dataclass(frozen=True)
class Columns:
    """Which columns hold what. An empty name means: find it by the usual names."""

    text: str = ""
    pair: str = ""
    label: str = ""
    separator: str = "|"
    """Between the labels of one row, where a row may have several."""


@dataclass(frozen=True)
class Schema:
    """What a label is: the kind of problem, and the names of the classes in the order of the logits."""

    problem_type: str
    names: tuple[str, ...]

    def config(self) -> dict[str, Any]:
        """The keys of an AlbertConfig that say the same."""
        return {"problem_type": self.problem_type, "id2label": dict(enumerate(self.names))}

    @classmethod
    def of(cls, config: Any) -> "Schema":
        """The schema that a config holds."""
        default = REGRESSION if config.num_labels == 1 else SINGLE
        return cls(config.problem_type or default, tuple(config.id2label[index] for index in range(config.num_labels)))


@dataclass(frozen=True)
class Examples:
    """Texts, their pairs and labels if any, and where they come from."""

    table: Table
    texts: list[str]
    pairs: list[str] | None
    labels: list[Any] | None
    rows: list[int]
    """The row of the table that each example is."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, chosen: Iterable[int]) -> "Examples":
        """Some of the examples, by number."""
        chosen = list(chosen)
        return Examples(
            self.table,
            [self.texts[i] for i in chosen],
            None if self.pairs is None else [self.pairs[i] for i in chosen],
            None if self.labels is None else [self.labels[i] for i in chosen],
            [self.rows[i] for i in chosen],
        )


def read(
    table: Table, columns: Columns, *, labelled: bool, skip_empty: bool = False, problem: str = "auto"
) -> tuple[Examples, Columns]:
    """Take texts and labels out of a table; also the columns they were found in.

    Where `labelled`, a row needs a text, both texts of a pair, and a label: InputError names the rows that lack one, or
    `skip_empty` leaves them out. With `problem` "multi" an empty label is that of a row without a class. Where not
    `labelled`, labels are taken only from a column that is named, and a text may be empty.
    """
    columns = _found(table, columns, labelled)
    texts = _texts(table, columns.text, "text")
    pairs = _texts(table, columns.pair, "pair") if columns.pair else None
    labels = table.column(columns.label, "label") if columns.label else None
    examples = Examples(table, texts, pairs, labels, list(range(len(table))))
    if not labelled:
        return examples, columns
    unlabelled = _is_missing if _KINDS.get(problem) == MULTI else _is_empty
    empty = [
        row
        for row in examples.rows
        if _is_empty(texts[row])
        or (pairs is not None and _is_empty(pairs[row]))
        or unlabelled(labels[row] if labels else None)
    ]
    if empty and not skip_empty:
        raise InputError(
            f"Every row needs a text and a label. {table.path} has {len(empty)} without: {table.places(empty)}. Fill "
            "or remove them, or leave them out with --skip-empty, in a recipe data.skip_empty=true."
        )
    if len(empty) == len(table):
        raise InputError(f"A data file must hold at least one row with text and label. {table.path} holds none.")
    without = set(empty)
    return examples.take(row for row in examples.rows if row not in without), columns


def texts(pieces: Iterable[Table], columns: Columns) -> Iterator[Examples]:
    """The texts of a table that comes in pieces, without labels; see `read`.

    InputError where a later piece has columns by which others would have been taken from the first on.
    """
    first = None
    for table in pieces:
        found = _found(table, columns, labelled=False)
        first = first or found
        if found != first:
            names = " and ".join(name for name in (found.text, found.pair) if name)
            raise InputError(
                f"The text must stand in the same columns from the first row on. {table.path} has {names} only after "
                f"line {table.lines[0] - 1}, and rows before it were read by {first.text!r} alone. Name what is meant "
                "with --text-column (and --pair-column for pairs)."
            )
        yield read(table, found, labelled=False)[0]


def _found(table: Table, columns: Columns, labelled: bool) -> Columns:
    names = {name.lower(): name for name in table.columns} | {name: name for name in table.columns}
    text, pair, label = columns.text, columns.pair, columns.label
    if not text:
        both = next(((a, b) for a, b in _TEXTS if a in names and b in names), None)
        first = both[0] if both else next((name for name in _TEXT if name in names), None)
        if first is None:
            raise InputError(
                f"The text column must be known. {table.contents}, and none of the usual names."
                f"{table.hint} Name it with --text-column (and --pair-column for pairs)."
            )
        text, pair = names[first], pair or (names[both[1]] if both else "")
    if not label and labelled:
        found = next((name for name in _LABEL if name in names), None)
        if found is None:
            raise InputError(
                f"The label column must be known. {table.contents}, and none of the usual names."
                f"{table.hint} Name it with --label-column."
            )
        label = names[found]
    return replace(columns, text=text, pair=pair, label=label)


def _texts(table: Table, name: str, role: str) -> list[str]:
    values = table.column(name, role)
    wrong = [row for row, value in enumerate(values) if isinstance(value, (dict, list, tuple, bytes))]
    if wrong:
        raise InputError(
            f"The {role} column must hold text. {table.path} has a {type(values[wrong[0]]).__name__} in {name!r}: "
            f"{table.places(wrong)}. Write it as text, or name another column."
        )
    return ["" if _is_missing(value) else str(value) for value in values]


def _is_missing(value: Any) -> bool:
    return value is None or value != value  # only NaN differs from itself


def _is_empty(value: Any) -> bool:
    return _is_missing(value) or (isinstance(value, str) and not value.strip())


# --------------------------------------------------------------------------------------------------------------- labels


def schema(examples: Examples, problem: str = "auto", separator: str = "|") -> Schema:
    """What the labels of training examples are.

    `problem` "auto": several labels a row where any label is a list; a number to predict where all labels are numbers
    and any has a fraction; else one class a row. Where all classes are whole numbers, they are ordered as such and 1.0
    is 1; else by name.
    """
    labels = examples.labels or []
    if problem == "auto":
        problem = _guess(labels)
    if problem not in _KINDS:
        raise InputError(f"`problem` must be auto, single, multi or regression. Received: {problem!r}.")
    kind = _KINDS[problem]
    if kind == REGRESSION:
        return Schema(REGRESSION, ("score",))
    names = {name for label in labels for name in _names(label, separator if kind == MULTI else None)}
    whole = all(_WHOLE.fullmatch(name) for name in names)
    if whole:
        names = {_shortest(name) for name in names}
    if len(names) < (2 if kind == SINGLE else 1):
        raise InputError(
            f"Classification needs at least two classes, or one where a row may have several. {examples.table.path} "
            f"has only {', '.join(names) or 'none'}. For numbers pass --problem regression."
        )
    ordered = sorted(names, key=(lambda name: (int(name), name)) if whole else None)
    return Schema(kind, tuple(ordered))


def _guess(labels: Sequence[Any]) -> str:
    if any(isinstance(label, (list, tuple)) for label in labels):
        return "multi"
    try:
        numbers = [float(label) for label in labels]
    except (TypeError, ValueError, OverflowError):
        return "single"
    return "regression" if any(number % 1 for number in numbers) else "single"


def _names(label: Any, separator: str | None) -> list[str]:
    if isinstance(label, (list, tuple)):
        return [str(name) for name in label]
    if separator is not None:
        return [name.strip() for name in str(label).split(separator) if name.strip()]
    return [str(label).strip()]


def _shortest(name: str) -> str:
    """A whole number without the zeros behind its point, which pandas writes where a column has gaps."""
    number = _WHOLE.fullmatch(name)
    return number[1] if number else name


def _listed(names: Sequence[str]) -> str:
    """Names for a message, of many the first and how many more."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def targets(examples: Examples, schema: Schema, separator: str = "|") -> np.ndarray:
    """Labels as numbers: (N,) int64 classes, (N, C) float32 zeros and ones, or (N,) float32 values.

    InputError names the rows whose label is not one of the schema's.
    """
    labels = examples.labels or []
    index = {name: number for number, name in enumerate(schema.names)}
    unknown: dict[str, list[int]] = {}
    values = np.zeros((len(labels), len(index)) if schema.problem_type == MULTI else len(labels), np.float32)
    for row, label in enumerate(labels):
        if schema.problem_type == REGRESSION:
            try:
                with np.errstate(over="ignore"):
                    values[row] = float(label)
            except (TypeError, ValueError, OverflowError):
                values[row] = np.nan
            if not np.isfinite(values[row]):
                unknown.setdefault(str(label), []).append(examples.rows[row])
            continue
        found = _names(label, separator if schema.problem_type == MULTI else None)
        if schema.problem_type == SINGLE and len(found) != 1:
            found = [str(label)]
        for name in found:
            name = name if name in index else _shortest(name)
            if name not in index:
                unknown.setdefault(name, []).append(examples.rows[row])
            elif schema.problem_type == MULTI:
                values[row, index[name]] = 1
            else:
                values[row] = index[name]
    if unknown:
        known = "a finite number" if schema.problem_type == REGRESSION else f"one of {_listed(schema.names)}"
        rows = "; ".join(f"{name!r} ({examples.table.places(rows, 3)})" for name, rows in list(unknown.items())[:5])
        numbers = schema.problem_type == SINGLE and all(map(_is_number, unknown))
        raise InputError(
            f"Every label must be {known}. {examples.table.path} has {len(unknown)} others: {rows}."
            + (" To predict numbers, train with --problem regression." if numbers else "")
        )
    return values.astype(np.int64) if schema.problem_type == SINGLE else values


# ------------------------------------------------------------------------------------------------- to and from a model


def encode(tokenizer: Any, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int) -> Features:
    """Texts or pairs -> ids and token types of at most `max_length` tokens. What is cut is counted."""
    encoded = tokenizer(list(texts), None if pairs is None else list(pairs), truncation=True, max_length=max_length)
    truncated = sum(count > 0 for count in encoded.truncated)
    return Features(encoded["input_ids"], encoded["token_type_ids"], truncated)


def decode(logits: np.ndarray, schema: Schema) -> list[dict[str, Any]]:
    """(N, C) logits -> an answer for each example.

    One class: {"label", "score", "scores"} with the softmax of all classes. Several: {"labels", "scores"}, labels those
    of probability above 1/2. A number: {"value"}. InputError where logits are not finite.
    """
    require_finite(logits)
    logits = logits.astype(np.float64)
    if schema.problem_type == REGRESSION:
        return [{"value": float(row[0])} for row in logits]
    if schema.problem_type == MULTI:
        rows = np.exp(-np.logaddexp(0, -logits))
        named: list[Mapping[str, float]] = [dict(zip(schema.names, map(float, row), strict=True)) for row in rows]
        return [{"labels": [name for name in row if row[name] > 0.5], "scores": row} for row in named]
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    rows = exponents / exponents.sum(axis=-1, keepdims=True)
    best = rows.argmax(axis=-1)
    return [
        {
            "label": schema.names[index],
            "score": float(row[index]),
            "scores": dict(zip(schema.names, map(float, row), strict=True)),
        }
        for row, index in zip(rows, best, strict=True)
    ]


def score(logits: np.ndarray, labels: np.ndarray, schema: Schema) -> dict[str, float]:
    """(N, C) logits and `targets` -> the scores of `tasks.metrics` for the kind of problem.

    InputError where logits are not finite.
    """
    from albertkit.tasks import metrics

    require_finite(logits)
    scorers = {SINGLE: metrics.single_label, MULTI: metrics.multi_label, REGRESSION: metrics.regression}
    return scorers[schema.problem_type](logits, labels)
