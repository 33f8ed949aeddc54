"""Pairs of premise and hypothesis -> what contrastive learning takes: what follows, and what contradicts.

As SimCSE (arXiv 2104.08821, section 4) makes them of SNLI and MNLI.
"""

from collections.abc import Sequence
from typing import NamedTuple

from albertkit.errors import InputError, few
from albertkit.typing import Json

ENTAILMENT, CONTRADICTION = "entailment", "contradiction"
_CLASSES = frozenset({ENTAILMENT, "neutral", CONTRADICTION})
_NONE = frozenset({"-", "", "-1"})
"""How data sets write that annotators agreed on no class."""


class Found(NamedTuple):
    """Sentences of each example, the row that each is of, and what was done in words."""

    sentences: list[list[str]]
    rows: list[int]
    told: str


def named(values: Sequence[Json], names: Sequence[str], path: str) -> list[Json]:
    """Classes by their names where they are numbers from 0; others stay as they are.

    InputError for names without entailment, and for a number that has none.
    """
    if not names:
        return list(values)
    names = [name.strip().lower() for name in names]
    if ENTAILMENT not in names:
        raise InputError(
            f"`class_names` must have entailment among them, in the order of the numbers. Received: {', '.join(names)}."
            " Give such as entailment,neutral,contradiction."
        )
    numbers = {str(number): name for number, name in enumerate(names)}
    found = [numbers.get(_plain(value), _plain(value)) for value in values]
    if others := sorted({one for one in found if one not in _CLASSES | _NONE}):
        raise InputError(
            f"Classes must be those of `class_names`, {', '.join(names)}, or their numbers from 0. {path} has "
            f"{few(others)}. Leave `class_names` out, or give a name for each number."
        )
    return found


def _plain(value: Json) -> str:
    """A class as it is compared: in lower case, and a whole number without a point."""
    if value is None or value != value:  # NaN
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip().lower()


def is_of_classes(values: Sequence[Json]) -> bool:
    """Whether values are classes of entailment in words; rows without an agreed class, "-", may be among them."""
    names = {_plain(value) for value in values}
    return not names.isdisjoint(_CLASSES) and names <= _CLASSES | _NONE


def of_rows(premises: Sequence[str], hypotheses: Sequence[str], classes: Sequence[Json]) -> Found:
    """Triplets (premise, what follows from it, what contradicts it); pairs without the last where no premise has both.

    Each hypothesis that follows stands in one example; of several contradictions the first ones are taken.
    """
    kinds = [_plain(value) for value in classes]
    followed: dict[str, list[int]] = {}
    contradicted: dict[str, list[int]] = {}
    for row, (premise, kind) in enumerate(zip(premises, kinds, strict=True)):
        if kind in (ENTAILMENT, CONTRADICTION):
            rows_of = followed if kind == ENTAILMENT else contradicted
            rows_of.setdefault(premise.strip(), []).append(row)
    both = [premise for premise in followed if premise in contradicted]
    sentences, rows, used = [], [], set[int]()
    for premise in both or followed:
        negatives = contradicted.get(premise, []) if both else []
        for number, row in enumerate(followed[premise]):
            taken = [row, *negatives[number % len(negatives) :][:1]] if negatives else [row]
            sentences.append([premise, *(hypotheses[one].strip() for one in taken)])
            rows.append(row)
            used.update(taken)
    return Found(sentences, rows, _told(kinds, used, len(rows), 3 if both else 2))


def _told(kinds: Sequence[str], used: set[int], examples: int, width: int) -> str:
    """How many examples came of the rows, and how many rows of each kind are in none."""
    left = [kind for row, kind in enumerate(kinds) if row not in used]
    counts = {
        "neutral": left.count("neutral"),
        "of entailment whose premise nothing contradicts": left.count(ENTAILMENT),
        "of contradiction that no example takes": left.count(CONTRADICTION),
        "without a class": sum(kind in _NONE for kind in left),
    }
    listed = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    rest = f"; in none of them are {listed}" if listed else ""
    return f"{examples:,} examples of {width} sentences from {len(kinds):,} rows of classes of entailment{rest}"
