"""Labels of sequences: one class, several classes at once, or a number, and how each becomes numbers for a model.

Letters: N examples, C classes.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from albertkit.config import AlbertConfig
from albertkit.config_keys import PROBLEM_TYPES
from albertkit.config_labels import are_default
from albertkit.errors import InputError, UnusableRows, few
from albertkit.tasks import texts
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.tables import Table
from albertkit.tasks.text_classification import label_forms
from albertkit.tasks.text_classification.label_forms import shortest, split
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

REGRESSION, SINGLE, MULTI = PROBLEM_TYPES
KINDS = {"single": SINGLE, "multi": MULTI, **{kind: kind for kind in PROBLEM_TYPES}}
"""What `problem` may say, and the `problem_type` of a config that it means."""

_LISTED = 12
_MANY = 20
"""Classes of whole numbers from which on they may be numbers to predict."""


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

    @property
    def are_numbered(self) -> bool:
        """Whether the names are LABEL_0, LABEL_1, ..., which say no more than the number."""
        return are_default(dict(enumerate(self.names)))


Place = Callable[[Sequence[int], int], str]
"""(rows, how many at most) -> where labels stand, for a message."""


def schema(
    labels: Sequence[Json],
    path: str,
    problem: str = "auto",
    separator: str = "|",
    class_names: Sequence[str] = (),
) -> Schema:
    """What the labels of training examples, read from `path`, are.

    `problem` "auto": several labels a row where any label is a list, or where texts are parted by `separator` and their
    parts come back; a number to predict where all labels are numbers and any has a fraction; else one class a row. What
    is guessed so is logged where it may be meant otherwise.

    Lists of one length that hold zeros and ones alone have a class for each position. `class_names` are the classes in
    order: names for positions and for whole numbers from 0, or all names that labels may have. Without them classes are
    numbered by position, whole numbers are ordered as such and 1.0 is 1, and others are ordered by name.
    """
    is_guessed = problem == "auto"
    if is_guessed:
        problem = _guess(labels, path, separator)
    if problem not in KINDS:
        raise InputError(f"`problem` must be auto, single, multi or regression. Received: {problem!r}.")
    kind = KINDS[problem]
    if kind == REGRESSION:
        return Schema(REGRESSION, ("score",))
    if kind == MULTI and (count := label_forms.positions(labels)):
        return Schema(MULTI, _names_of_positions(count, path, class_names))
    stated = [split(label, separator if kind == MULTI else None) for label in labels]
    if class_names:
        return Schema(kind, _known_names(stated, path, class_names))
    names = _ordered({name for row in stated for name in row})
    if len(names) < (2 if kind == SINGLE else 1):
        raise InputError(
            f"Classification needs at least two classes, or one where a row may have several. {path} "
            f"has only {', '.join(names) or 'none'}. For numbers pass --problem regression, in a recipe "
            'data.problem="regression".'
        )
    _tell_of_names(names, path, is_guessed)
    return Schema(kind, names)


def as_numbers(
    labels: Sequence[Json], schema: Schema, separator: str, path: str, place: Place, by_number: bool = False
) -> np.ndarray:
    """Labels as numbers: (N,) int64 classes, (N, C) float32 zeros and ones, or (N,) float32 values.

    A whole number is the class of that number where `by_number` is set or the classes are called LABEL_0, LABEL_1, ...
    Lists of C zeros and ones have a class for each position. UnusableRows names the rows whose label is not one of the
    schema's, and how to give them its names.
    """
    unknown: dict[str, list[int]] = {}
    if schema.problem_type == REGRESSION:
        values = np.array([_number(label) for label in labels], np.float32)
        for row in np.flatnonzero(~np.isfinite(values)).tolist():
            unknown.setdefault(str(labels[row]), []).append(row)
    elif schema.problem_type == MULTI and (found := _by_position(labels, len(schema.names), path)) is not None:
        return found
    else:
        values = _classes(labels, schema, separator, unknown, by_number or schema.are_numbered)
        if schema.are_numbered and not unknown and {str(label).strip() for label in labels}.isdisjoint(schema.names):
            logger.warning("%s has numbers as labels: 0 is taken for %s, and so on.", path, schema.names[0])
    if unknown:
        known = "a finite number" if schema.problem_type == REGRESSION else f"one of {few(schema.names, _LISTED)}"
        rows = "; ".join(f"{name!r} ({place(rows, 3)})" for name, rows in list(unknown.items())[:5])
        advice = "" if schema.problem_type == REGRESSION else label_forms.renaming(list(unknown), schema.names, labels)
        rule = f"Every label must be {known}."
        rules = {row: rule for found in unknown.values() for row in found}
        raise UnusableRows(f"{rule} {path} has {len(unknown)} others: {rows}.{advice}", rules)
    return values


def _by_position(labels: Sequence[Json], count: int, path: str) -> np.ndarray | None:
    """(N, C) float32 of lists of C zeros and ones, or None for labels of another form.

    InputError for lists of another length that cannot be numbers of classes either, as they state one twice.
    """
    found = label_forms.positions(labels)
    if found not in (None, count) and any(len(set(map(label_forms.bit, label))) < len(label) for label in labels):
        raise InputError(
            f"Lists of zeros and ones as labels need a place for each class of the model: {count}. {path} has lists of "
            f"{found}. Check that it belongs to this model."
        )
    if found != count:
        return None
    return np.array([list(map(label_forms.bit, label)) for label in labels], np.float32)


def _classes(
    labels: Sequence[Json], schema: Schema, separator: str, unknown: dict[str, list[int]], by_number: bool
) -> np.ndarray:
    """The classes of labels; names that are none are put into `unknown` with their rows."""
    index = {name: number for number, name in enumerate(schema.names)}
    if by_number and not any(map(label_forms.is_whole, index)):
        index = {str(number): number for number in index.values()} | index
    several = schema.problem_type == MULTI
    values = np.zeros((len(labels), len(schema.names)), np.float32) if several else np.zeros(len(labels), np.int64)
    for row, label in enumerate(labels):
        found = split(label, separator if several else None)
        if not several and len(found) != 1:
            found = [str(label)]
        for name in found:
            name = name if name in index else shortest(name)
            if name not in index:
                unknown.setdefault(name, []).append(row)
            elif several:
                values[row, index[name]] = 1
            else:
                values[row] = index[name]
    return values


def counts(targets: np.ndarray, schema: Schema) -> dict[str, int]:
    """How many examples have each class, or a number in each fifth of the range: of what `as_numbers` gives."""
    if schema.problem_type == REGRESSION:
        numbers, bounds = np.histogram(targets, 5)
        names = [f"{low:.3g} to {high:.3g}" for low, high in pairwise(bounds)]
        return dict(zip(names, numbers.tolist(), strict=True))
    several = schema.problem_type == MULTI
    found = targets.sum(0).astype(int) if several else np.bincount(targets, minlength=len(schema.names))
    return dict(zip(schema.names, found.tolist(), strict=True))


def finite(labels: Sequence[Json], table: Table, bad: BadRows) -> list[Json]:
    """Labels of regression, None for what is there and is no finite number, which goes to `bad`."""
    wrong = {row for row, label in enumerate(labels) if not texts.is_empty(label) and not np.isfinite(_number(label))}
    first = f"The first is {labels[min(wrong)]!r:.60}." if wrong else ""
    places = [table.places([row]) for row in sorted(wrong)]
    bad.add_all(places, len(labels), "Every label must be a finite number.", first)
    return [None if row in wrong else label for row, label in enumerate(labels)]


def _number(label: Json) -> float:
    try:
        with np.errstate(over="ignore"):
            return float(np.float32(float(label)))
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _guess(labels: Sequence[Json], path: str, separator: str) -> str:
    if any(isinstance(label, (list, tuple)) for label in labels):
        return "multi"
    try:
        numbers = [float(label) for label in labels]
    except (TypeError, ValueError, OverflowError):
        label_forms.require_decimal_points(labels, path)
        label_forms.tell_of_numbers(labels, path)
        return label_forms.guess_several(labels, path, separator)
    return "regression" if any(number % 1 for number in numbers) else "single"


def _names_of_positions(count: int, path: str, class_names: Sequence[str]) -> tuple[str, ...]:
    if class_names and len(class_names) != count:
        raise InputError(
            f"Labels that are lists of zeros and ones need a name for each position. {path} has lists of {count}. "
            f"Received: {len(class_names)} names in `class_names`, {few(class_names, _LISTED)}. Give {count}."
        )
    if not class_names:
        logger.warning(
            "%s has lists of %d zeros and ones as labels: one class a position, called 0 to %d. Name them with "
            "--class-names, in a recipe data.class_names.",
            *(path, count, count - 1),
        )
    return tuple(class_names or map(str, range(count)))


def _known_names(stated: Sequence[Sequence[str]], path: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """`class_names`, if all labels are among them or are their numbers."""
    numbers = set() if any(map(label_forms.is_whole, class_names)) else set(map(str, range(len(class_names))))
    known = {*class_names}
    others = [{shortest(name) for name in row if name not in known} - numbers for row in stated]
    unknown = sorted(set().union(*others))
    if unknown or len(known) < len(class_names):
        listed = few(class_names, _LISTED)
        rule = f"Every label must be one of {listed}." if len(known) == len(class_names) else ""
        raise UnusableRows(
            f"`class_names` must name each class once: every label, or numbers from 0 by their order. Received: "
            f"{listed}. {path} has {few(unknown, _LISTED) or 'no others'}. Add what is missing, or give labels other "
            "names with --label-map.",
            {row: rule for row, found in enumerate(others) if found and rule},
        )
    return tuple(class_names)


def _ordered(found: set[str]) -> tuple[str, ...]:
    """Names by name, or where all are whole numbers, in their shortest form by size."""
    if not all(map(label_forms.is_whole, found)):
        return tuple(sorted(found))
    return tuple(sorted(set(map(shortest, found)), key=lambda name: (int(name), name)))


def _tell_of_names(names: Sequence[str], path: str, is_guessed: bool) -> None:
    """Log what is odd about the classes that were found."""
    alike = [name for name, count in Counter(name.casefold() for name in names).items() if count > 1]
    if alike:
        logger.warning(
            "%s has classes that differ in nothing but capital letters: %s. Make one of them with --label-map.",
            *(path, few([name for name in names if name.casefold() in alike], _LISTED)),
        )
    signs = [name for name in names if not any(map(str.isalnum, name))]
    if signs and len(signs) < len(names):
        logger.warning(
            "%s has classes without a letter or digit: %s. If they say that a label is missing, pass --missing-labels "
            "%r, in a recipe data.missing_labels.",
            *(path, few(signs, _LISTED), ",".join(signs[:_LISTED])),
        )
    if is_guessed and len(names) > _MANY and all(map(label_forms.is_whole, names)):
        logger.warning(
            "%s has %d whole numbers as labels, which are taken for as many classes. To predict numbers pass --problem "
            'regression, in a recipe data.problem="regression".',
            *(path, len(names)),
        )
