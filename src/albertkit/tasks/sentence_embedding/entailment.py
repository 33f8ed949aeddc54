"""Pairs of premise and hypothesis -> what contrastive learning takes: what follows, and what contradicts.

As SimCSE (arXiv 2104.08821, section 4) makes them of SNLI and MNLI.
"""

from collections.abc import Sequence
from typing import NamedTuple

from albertkit.typing import Json

_CLASSES = frozenset({"entailment", "neutral", "contradiction"})


class Found(NamedTuple):
    """Sentences of each example, the row that each is of, and what was done in words."""

    sentences: list[list[str]]
    rows: list[int]
    told: str


def is_of_classes(values: Sequence[Json]) -> bool:
    """Whether values are classes of entailment in words; rows without an agreed class, "-", may be among them."""
    names = {str(value).strip().lower() for value in values}
    return "entailment" in names and names <= _CLASSES | {"-", ""}


def of_rows(premises: Sequence[str], hypotheses: Sequence[str], classes: Sequence[Json]) -> Found:
    """Triplets (premise, what follows from it, what contradicts it); pairs without the last where no premise has both.

    Each hypothesis that follows stands in one example; of several contradictions the first ones are taken.
    """
    followed: dict[str, list[int]] = {}
    contradicted: dict[str, list[str]] = {}
    for row, (premise, hypothesis, name) in enumerate(zip(premises, hypotheses, classes, strict=True)):
        if not premise.strip() or not hypothesis.strip():
            continue
        kind = str(name).strip().lower()
        if kind == "entailment":
            followed.setdefault(premise, []).append(row)
        elif kind == "contradiction":
            contradicted.setdefault(premise, []).append(hypothesis)
    both = [premise for premise in followed if premise in contradicted]
    sentences, rows = [], []
    for premise in both or followed:
        for number, row in enumerate(followed[premise]):
            negatives = contradicted.get(premise, [])
            negative = [negatives[number % len(negatives)]] if both else []
            sentences.append([premise, hypotheses[row], *negative])
            rows.append(row)
    told = (
        f"{len(rows):,} examples of {3 if both else 2} sentences from {len(premises):,} rows of classes of entailment"
    )
    return Found(sentences, rows, told)
