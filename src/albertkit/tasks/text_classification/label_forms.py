"""The forms in which data files keep labels: names, several names in one text, lists of names, lists of zeros and ones.

Letters: C classes.
"""

import ast
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from albertkit.errors import InputError
from albertkit.typing import Json

logger = logging.getLogger(__name__)

_WHOLE = re.compile(r"(-?\d+)(\.0+)?")
_NUMBER = re.compile(r"-?\d*\.?\d+(e[-+]?\d+)?")
_DECIMAL_COMMA = re.compile(r"-?\d+(,\d+)?")
_LIST = re.compile(r"\s*[\[({].*[\])}]\s*", re.DOTALL)
_NUMPY = re.compile(r"\[[\d.\s]+\]")
_LONGEST_LIST = 10_000
"""Characters of a list that is written as text."""
_OTHER_SEPARATORS = ",;"


def split(label: Json, separator: str | None) -> list[str]:
    """The names in a label: of a list all, of a text the parts between `separator`, or the whole where that is None."""
    if isinstance(label, (list, tuple)):
        return [str(name).strip() for name in label]
    if separator is not None:
        return [name.strip() for name in str(label).split(separator) if name.strip()]
    return [str(label).strip()]


def is_whole(name: str) -> bool:
    """Whether a name is a whole number, be it with zeros behind a point."""
    return _WHOLE.fullmatch(name) is not None


def shortest(name: str) -> str:
    """A whole number without the zeros behind its point, which pandas writes where a column has gaps."""
    number = _WHOLE.fullmatch(name)
    return number[1] if number else name


def bit(value: Json) -> int | None:
    """0 or 1, also as a number with a point, as True or False, or as text; None for anything else."""
    if isinstance(value, str):
        return {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}.get(value.strip().lower())
    return int(value) if isinstance(value, (int, float)) and value in (0, 1) else None


def positions(labels: Sequence[Json]) -> int | None:
    """C where all labels are lists of C zeros and ones, C at least 2: one class a position. Else None.

    InputError for lists of numbers that are neither that nor names of classes, such as probabilities.
    """
    lists = [label for label in labels if isinstance(label, (list, tuple))]
    if len(lists) < len(labels) or not lists:
        return None
    values = [value for label in lists for value in label]
    lengths = set(map(len, lists))
    if any(isinstance(value, float) and value % 1 for value in values):
        raise InputError(
            "A list of numbers as a label must hold zeros and ones, one for each class. Received one with "
            f"{next(value for value in values if isinstance(value, float) and value % 1)}. Round probabilities first."
        )
    are_bits = all(bit(value) is not None for value in values)
    if are_bits and len(lengths) > 1 and any(len(set(map(bit, label))) < len(label) for label in lists):
        raise InputError(
            "Lists of zeros and ones as labels must have one length, a place for each class. Received lists of "
            f"{', '.join(map(str, sorted(lengths)[:5]))}. Fill them up, or give the names of the classes of each row."
        )
    return lengths.pop() if are_bits and len(lengths) == 1 and max(map(len, lists)) > 1 else None


def flaw(label: Json) -> str:
    """The rule that a label breaks whatever the others are, or nothing."""
    several = isinstance(label, (list, tuple))
    values = list(label) if several else [label]
    if any(isinstance(value, (dict, list, tuple, set, bytes)) for value in values):
        return "A label must be a name, a number, or a list of them."
    if not several:
        return ""
    if any(value is None or value != value for value in values):
        return "A list as a label must hold names or numbers, without gaps."
    numbers = [value for value in values if isinstance(value, (int, float))]
    if any(value < 0 for value in numbers):
        return "A list of numbers as a label must hold none below 0, such as -1 or -100 for what nobody labelled."
    if len({*numbers}) < len(numbers) and any(value % 1 == 0 and bit(value) is None for value in numbers):
        return "A list of numbers as a label must hold zeros and ones, or each class once."
    return ""


def listed(labels: Sequence[Json]) -> list[Json]:
    """Labels, of which texts such as "['a', 'b']", as a CSV keeps lists, are lists where all texts have that form."""
    texts = [label for label in labels if isinstance(label, str) and label.strip()]
    if not texts or not all(len(text) < _LONGEST_LIST and _LIST.fullmatch(text) for text in texts):
        return list(labels)
    try:
        found = {text: ast.literal_eval(_with_commas(text.strip())) for text in texts}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return list(labels)
    found = {text: sorted(value, key=str) if isinstance(value, set) else value for text, value in found.items()}
    if not all(isinstance(value, (dict, list, tuple)) and not any(map(_is_nested, value)) for value in found.values()):
        return list(labels)
    return [found.get(label, label) if isinstance(label, str) else label for label in labels]


def _with_commas(text: str) -> str:
    """A list of numbers as NumPy prints it, "[0 1 0]" or "[0. 1.]", as Python writes it; any other text as it is."""
    return ", ".join(text.split()).replace("[, ", "[").replace(", ]", "]") if _NUMPY.fullmatch(text) else text


def _is_nested(value: Json) -> bool:
    return isinstance(value, (list, tuple, dict, set))


def guess_several(labels: Sequence[Json], path: str, separator: str) -> str:
    """Whether texts of labels hold several each: "multi" where parts between `separator` come back, else "single".

    Either is logged where there is a separator, and another usual one is, where it seems to part labels.
    """
    names = {str(label).strip() for label in labels}
    joined = sorted(name for name in names if separator in name)
    if joined and _parts_return(names, separator):
        logger.warning(
            "%s has labels such as %r: each part between %r is taken for a class. To take them as one class each pass "
            '--problem single, in a recipe data.problem="single".',
            *(path, joined[0], separator),
        )
        return "multi"
    for other in (separator, *_OTHER_SEPARATORS):
        if (found := sorted(name for name in names if other in name)) and (
            other == separator or _parts_return(names, other)
        ):
            logger.warning(
                "%s has labels such as %r, which are taken for one class each. To part them pass --problem multi "
                "--label-separator %r, in a recipe data.problem and data.label_separator.",
                *(path, found[0], other),
            )
            break
    return "single"


def _parts_return(names: set[str], separator: str) -> bool:
    """Whether a part of a label with a separator stands in another label, too."""
    owners = defaultdict(set)
    for name in names:
        for part in split(name, separator):
            owners[part].add(name)
    return any(len(owners[part]) > 1 for name in names if separator in name for part in split(name, separator))


def require_decimal_points(labels: Sequence[Json], path: str) -> None:
    """InputError where labels are numbers with a comma in place of the point."""
    names = [str(label).strip() for label in labels]
    found = next((name for name in names if "," in name), None)
    if found and all(map(_DECIMAL_COMMA.fullmatch, names)):
        raise InputError(
            f"Numbers need a decimal point. {path} has labels such as {found!r}. Write them with a point. For "
            "several classes a row pass --problem multi --label-separator ',', for one class --problem single, in a "
            "recipe data.problem and data.label_separator."
        )


def tell_of_numbers(labels: Sequence[Json], path: str) -> None:
    """Log where most labels are numbers, some with a fraction, and others are none: all become classes."""
    names = [str(label).strip() for label in labels]
    numbers = [name for name in names if _NUMBER.fullmatch(name)]
    other = next((name for name in names if not _NUMBER.fullmatch(name)), None)
    if other and 2 * len(numbers) > len(names) and any(map(_is_fraction, numbers)):
        logger.warning(
            "%s has labels that are numbers, such as %r, and others, such as %r: each is taken for a class. To predict "
            "numbers pass --problem regression, and --missing-labels %r where that is no label.",
            *(path, next(filter(_is_fraction, numbers)), other, other),
        )


def renaming(unknown: Sequence[str], names: Sequence[str], labels: Iterable[Json] = ()) -> str:
    """A sentence on how to give labels that a model does not know the names of its classes.

    `labels` are all that there are: where they count from 1, each is another class than its number says.
    """
    if all(map(_is_fraction, unknown)):
        return ' For numbers a model has to be fine-tuned with data.problem="regression".'
    folded = {name.casefold(): name for name in names}
    numbers = {str(number): name for number, name in enumerate(names)}
    pairs = {label: folded[label.casefold()] for label in unknown if label.casefold() in folded}
    if not pairs and all(label in numbers for label in unknown):
        pairs = numbers
    counted = {str(number): name for number, name in enumerate(names, start=1)}
    if unknown and {shortest(str(label).strip()) for label in labels} == counted.keys():
        pairs = counted
    if not pairs:
        pairs = {unknown[0]: names[0]}
    shown = ",".join(f"{old}={new}" for old, new in list(pairs.items())[:4])
    return (
        f' If they are the same classes by other names, give these: --label-map "{shown}", in a recipe data.label_map.'
    )


def _is_fraction(name: str) -> bool:
    try:
        return bool(float(name) % 1)
    except ValueError:
        return False
