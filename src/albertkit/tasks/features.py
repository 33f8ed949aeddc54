"""What a model is given for examples, row by row, and a check of what it gives back.

Letters: N rows of features, L tokens of a row.
"""

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from albertkit.arrays import pad
from albertkit.errors import InputError
from albertkit.rules import IGNORED
from albertkit.tasks import unknown
from albertkit.tasks.unknown import UnknownCounts
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json


@dataclass(frozen=True)
class Features:
    """What a model is given, row by row and not padded yet: N rows, by default one an example.

    A row is a sequence of tokens, or in multiple choice a list of such sequences.
    """

    input_ids: Sequence[Sequence[Json]]
    token_type_ids: Sequence[Sequence[Json]]
    labels: Mapping[str, Sequence[Json] | np.ndarray] = field(default_factory=dict)
    """By the name of the field of a batch: an entry a row, where that is a list an entry a token."""
    positions: Sequence[Sequence[int]] | None = None
    """The places of each row at which scores over the vocabulary are asked for; None: outputs of the whole row are."""
    example: Sequence[int] | None = None
    """The example that each row is of, where an example may fill several; None: one row an example."""
    columns: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """What the task itself wants back with a row, such as offsets into the text; the model does not see it."""
    whole: Sequence[Sequence[Json]] | None = None
    """The ids of each example or of each of its texts, where rows share some of them; None: those of its rows."""
    truncated: int = 0
    """How many examples were cut to the longest input."""

    def __len__(self) -> int:
        return len(self.input_ids)

    def take(self, rows: Sequence[int] | np.ndarray) -> "Features":
        """Some of the rows."""

        def taken(values: Json) -> Json:
            return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]

        return Features(
            taken(self.input_ids),
            taken(self.token_type_ids),
            {name: taken(values) for name, values in self.labels.items()},
            None if self.positions is None else taken(self.positions),
            None if self.example is None else taken(self.example),
            {name: taken(values) for name, values in self.columns.items()},
        )

    def joined(self, *others: "Features") -> "Features":
        """These rows and then those of others, as a model is given them: without labels and what a task wants back."""
        parts = (self, *others)
        positions = [one.positions for one in parts if one.positions is not None]
        return Features(
            list(itertools.chain.from_iterable(one.input_ids for one in parts)),
            list(itertools.chain.from_iterable(one.token_type_ids for one in parts)),
            positions=list(itertools.chain.from_iterable(positions)) if len(positions) == len(parts) else None,
        )

    def distinct(self) -> tuple[list[int], list[int]]:
        """The rows of which no earlier one gives a model the same, and for each row which of these it is like."""
        firsts: dict[Hashable, int] = {}
        rows, like = [], []
        positions = itertools.repeat(()) if self.positions is None else self.positions
        for row, given in enumerate(zip(self.input_ids, self.token_type_ids, positions, strict=False)):
            place = firsts.setdefault(tuple(map(_key, given)), len(firsts))
            rows += [row] if place == len(rows) else []
            like.append(place)
        return rows, like

    def with_ids(self, input_ids: Sequence[Sequence[Json]]) -> "Features":
        """The same with other ids."""
        return replace(self, input_ids=input_ids)

    def lengths(self) -> list[int]:
        """L of each row, of choices that of the longest."""
        return [len(row) if _is_flat(row) else max(map(len, row)) for row in self.input_ids]

    def choices(self) -> list[int] | None:
        """How many choices each row has, or None where rows are single sequences."""
        return None if all(map(_is_flat, self.input_ids)) else [len(row) for row in self.input_ids]

    def unknown(self, tokenizer: AlbertTokenizerBase, examples: int) -> UnknownCounts:
        """How much of each of so many examples the vocabulary knows; see `tasks.unknown`."""
        rows = self.input_ids if self.whole is None else self.whole
        numbers = range(len(rows)) if self.example is None or self.whole is not None else self.example
        parts = [(n, part) for n, row in zip(numbers, rows, strict=True) for part in ([row] if _is_flat(row) else row)]
        return unknown.count(tokenizer, [part for _, part in parts], [number for number, _ in parts], examples)


def _is_flat(row: Sequence[Json]) -> bool:
    return not len(row) or not isinstance(row[0], Sequence | np.ndarray)


def _key(row: Sequence[Json]) -> Hashable:
    return tuple(row) if _is_flat(row) else tuple(map(tuple, row))


def stacked(values: Sequence[Json] | np.ndarray) -> np.ndarray:
    """Values a row as one array; where they are lists, an entry a token, padded on the right by -100."""
    if isinstance(values, np.ndarray):
        return values
    if len(values) and isinstance(values[0], Sequence | np.ndarray):
        return pad(values, IGNORED)
    return np.asarray(values)


def require_finite(logits: np.ndarray) -> None:
    """InputError where a row of (N, ...) logits holds what is no number; it names the first such row."""
    broken = np.flatnonzero((~np.isfinite(logits)).any(axis=tuple(range(1, logits.ndim))))
    if len(broken):
        first = f", the first of them number {broken[0] + 1}" if len(logits) > 1 else ""
        raise not_finite(f"{len(broken)} of {len(logits)} answers{first}")


def not_finite(which: str) -> InputError:
    """The error for answers that are no numbers; `which` says which they are."""
    return InputError(
        f"A model must answer with finite numbers. Received: others for {which}. See what its weights hold with "
        "`albertkit info`, or take another checkpoint."
    )
