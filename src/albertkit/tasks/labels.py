"""Labels of sequences: one class, several classes at once, or a number, and how each becomes numbers for a model.

Letters: N examples, C classes.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.config import AlbertConfig
from albertkit.config_keys import PROBLEM_TYPES
from albertkit.errors import InputError
from albertkit.typing import Json, Record

REGRESSION, SINGLE, MULTI = PROBLEM_TYPES
KINDS = {"single": SINGLE, "multi": MULTI, **{kind: kind for kind in PROBLEM_TYPES}}
"""What `problem` may say, and the `problem_type` of a config that it means."""

_WHOLE = re.compile(r"(-?\d+)(\.0+)?")
_LISTED = 12


@dataclass(frozen=True)
class Schema:
    """What a label is: the kind of problem, and the names of the classes in the order of the logits."""

    problem_type: str
    names: tuple[str, ...]

    def config_keys(self) -> Record:
        """The keys of an AlbertConfig that say the same."""
        return {"problem_type": self.problem_type, "id2label": dict(enumerate(self.names))}

    @classmethod
    def of(cls, config: AlbertConfig) -> "Schema":
        """The schema that a config holds."""
        default = REGRESSION if config.num_labels == 1 else SINGLE
        return cls(config.problem_type or default, tuple(config.id2label[index] for index in range(config.num_labels)))


Place = Callable[[Sequence[int], int], str]
"""(rows, how many at most) -> where labels stand, for a message."""


def schema(labels: Sequence[Json], path: str, problem: str = "auto", separator: str = "|") -> Schema:
    """What the labels of training examples, read from `path`, are.

    `problem` "auto": several labels a row where any label is a list; a number to predict where all labels are numbers
    and any has a fraction; else one class a row. Where all classes are whole numbers, they are ordered as such and 1.0
    is 1; else by name.
    """
    if problem == "auto":
        problem = _guess(labels)
    if problem not in KINDS:
        raise InputError(f"`problem` must be auto, single, multi or regression. Received: {problem!r}.")
    kind = KINDS[problem]
    if kind == REGRESSION:
        return Schema(REGRESSION, ("score",))
    names = {name for label in labels for name in _names(label, separator if kind == MULTI else None)}
    whole = all(_WHOLE.fullmatch(name) for name in names)
    if whole:
        names = {_shortest(name) for name in names}
    if len(names) < (2 if kind == SINGLE else 1):
        raise InputError(
            f"Classification needs at least two classes, or one where a row may have several. {path} "
            f"has only {', '.join(names) or 'none'}. For numbers pass --problem regression."
        )
    ordered = sorted(names, key=(lambda name: (int(name), name)) if whole else None)
    return Schema(kind, tuple(ordered))


def as_numbers(labels: Sequence[Json], schema: Schema, separator: str, path: str, place: Place) -> np.ndarray:
    """Labels as numbers: (N,) int64 classes, (N, C) float32 zeros and ones, or (N,) float32 values.

    InputError names the rows whose label is not one of the schema's.
    """
    unknown: dict[str, list[int]] = {}
    if schema.problem_type == REGRESSION:
        values = np.array([_number(label) for label in labels], np.float32)
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            unknown.setdefault(str(labels[row]), []).append(row)
    else:
        values = _classes(labels, schema, separator, unknown)
    if unknown:
        known = "a finite number" if schema.problem_type == REGRESSION else f"one of {_listed(schema.names)}"
        rows = "; ".join(f"{name!r} ({place(rows, 3)})" for name, rows in list(unknown.items())[:5])
        numbers = schema.problem_type == SINGLE and all(map(_is_number, unknown))
        raise InputError(
            f"Every label must be {known}. {path} has {len(unknown)} others: {rows}."
            + (" To predict numbers, train with --problem regression." if numbers else "")
        )
    return values


def _classes(labels: Sequence[Json], schema: Schema, separator: str, unknown: dict[str, list[int]]) -> np.ndarray:
    """The classes of labels; names that are none are put into `unknown` with their rows."""
    index = {name: number for number, name in enumerate(schema.names)}
    several = schema.problem_type == MULTI
    values = np.zeros((len(labels), len(index)), np.float32) if several else np.zeros(len(labels), np.int64)
    for row, label in enumerate(labels):
        found = _names(label, separator if several else None)
        if not several and len(found) != 1:
            found = [str(label)]
        for name in found:
            name = name if name in index else _shortest(name)
            if name not in index:
                unknown.setdefault(name, []).append(row)
            elif several:
                values[row, index[name]] = 1
            else:
                values[row] = index[name]
    return values


def _number(label: Json) -> float:
    try:
        with np.errstate(over="ignore"):
            return float(np.float32(float(label)))
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _guess(labels: Sequence[Json]) -> str:
    if any(isinstance(label, (list, tuple)) for label in labels):
        return "multi"
    try:
        numbers = [float(label) for label in labels]
    except (TypeError, ValueError, OverflowError):
        return "single"
    return "regression" if any(number % 1 for number in numbers) else "single"


def _names(label: Json, separator: str | None) -> list[str]:
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
