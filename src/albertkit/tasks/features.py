"""What a model is given for examples, row by row, and a check of what it gives back.

Letters: N rows of features, L tokens of a row.
"""

from collections.abc import Mapping, Sequence
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
    """What a model is given, row by row and not padded yet: N rows, by default one an example."""

    input_ids: Sequence[Sequence[int]]
    token_type_ids: Sequence[Sequence[int]]
    labels: Mapping[str, Sequence[Json] | np.ndarray] = field(default_factory=dict)
    """By the name of the model's argument: an entry a row, where that is a list an entry a token."""
    positions: Sequence[Sequence[int]] | None = None
    """The places of each row at which scores over the vocabulary are asked for; None: outputs of the whole row are."""
    example: Sequence[int] | None = None
    """The example that each row is of, where an example may fill several; None: one row an example."""
    columns: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """What the task itself wants back with a row, such as offsets into the text; the model does not see it."""
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

    def with_ids(self, input_ids: Sequence[Sequence[int]]) -> "Features":
        """The same with other ids."""
        return replace(self, input_ids=input_ids)

    def lengths(self) -> list[int]:
        """L of each row."""
        return [len(row) for row in self.input_ids]

    def unknown(self, tokenizer: AlbertTokenizerBase, examples: int) -> UnknownCounts:
        """How much of each of so many examples the vocabulary knows; see `tasks.unknown`."""
        numbers = range(len(self)) if self.example is None else self.example
        return unknown.count(tokenizer, self.input_ids, numbers, examples)


def stacked(values: Sequence[Json] | np.ndarray) -> np.ndarray:
    """Values a row as one array; where they are lists, an entry a token, padded on the right by -100."""
    if isinstance(values, np.ndarray):
        return values
    if len(values) and isinstance(values[0], Sequence | np.ndarray):
        return pad(values, IGNORED)
    return np.asarray(values)


def require_finite(logits: np.ndarray) -> None:
    """InputError where a row of (N, ...) logits holds what is no number."""
    broken = int((~np.isfinite(logits)).any(axis=tuple(range(1, logits.ndim))).sum())
    if broken:
        raise InputError(
            f"A model must answer with finite numbers. Received: others for {broken} of {len(logits)} answers. See "
            "what its weights hold with `albertkit info`, or take another checkpoint."
        )
