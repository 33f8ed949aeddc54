"""Whether a model answers all rows alike although their labels differ: a run that failed, whatever its scores say.

It looks at what the model gave back and at the labels, and knows no task by name. Letters: L tokens, C classes.
"""

from collections.abc import Hashable, Iterable, Iterator

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.rules import IGNORED
from albertkit.tasks.features import Features
from albertkit.typing import Json

_FEW = 10
"""Answers from which on it says something that all are alike."""
_NARROW = 0.01
"""Numbers are alike whose spread is so small a share of that of the labels."""


class AnswersSeen:
    """Watches the outputs of an evaluation go by, and tells at the end whether they were all alike."""

    def __init__(self, features: Features, config: AlbertConfig) -> None:
        self._features, self._config = features, config
        self._answers: set[Hashable] = set()
        self._labels: set[Hashable] = set()
        self._numbers: list[tuple[float, float]] = []
        self._count = 0

    def watched(self, outputs: Iterable[Outputs]) -> Iterator[Outputs]:
        """The same outputs, in the order of the rows of the features."""
        for row, one in enumerate(outputs):
            for answer, label in self._pairs(row, one):
                self._count += 1
                self._answers.add(answer)
                self._labels.add(label)
            yield one

    def told(self) -> str:
        """A sentence where all answers are alike and the labels are not; else nothing."""
        if self._numbers:
            return self._told_of_numbers()
        if self._count < _FEW or len(self._answers) != 1 or len(self._labels) < 2:
            return ""
        return (
            f"All {self._count:,} answers are alike, {self._shown(next(iter(self._answers)))}, and the labels are of "
            f"{len(self._labels):,} kinds."
        )

    def _told_of_numbers(self) -> str:
        found, true = np.array(self._numbers).T
        if len(found) < _FEW or not true.std() or found.std() > _NARROW * true.std():
            return ""
        return f"All {len(found):,} answers are nearly alike, about {found.mean():.3g}, and the labels are not."

    def _pairs(self, row: int, outputs: Outputs) -> Iterator[tuple[Hashable, Hashable]]:
        """Each answer of a row with its label; none where the outputs are of another kind."""
        labels = self._features.labels
        if "start_positions" in labels and "start_logits" in outputs:
            bounds = tuple(int(outputs[name].argmax()) for name in ("start_logits", "end_logits"))
            yield bounds, (int(labels["start_positions"][row]), int(labels["end_positions"][row]))
        elif "labels" in labels and "logits" in outputs and self._features.positions is None:
            yield from self._classes(outputs["logits"], labels["labels"][row])

    def _classes(self, logits: np.ndarray, label: Json) -> Iterator[tuple[Hashable, Hashable]]:
        """(C,) or (L, C) logits of a row and its label."""
        label = np.asarray(label)
        if logits.ndim == 2 and label.shape == logits.shape[:1]:
            counted = label != IGNORED
            yield from zip(logits[counted].argmax(-1).tolist(), label[counted].tolist(), strict=True)
        elif logits.ndim == 1 and label.ndim == 1 and label.shape == logits.shape:  # several classes a row
            yield tuple((logits > 0).tolist()), tuple((label > 0.5).tolist())
        elif logits.shape == (1,) and label.ndim == 0 and label.dtype.kind == "f":
            self._numbers.append((float(logits[0]), float(label)))
        elif logits.ndim == 1 and label.ndim == 0:
            yield int(logits.argmax()), int(label)

    def _shown(self, answer: Hashable) -> str:
        """An answer for a person."""
        if isinstance(answer, int) and self._features.choices() is None:
            return repr(self._config.id2label.get(answer, answer))
        if isinstance(answer, int):
            return f"the choice {answer + 1}"
        if answer == (0, 0):
            return "that there is none"
        return f"from token {answer[0]} to {answer[1]}" if "start_positions" in self._features.labels else "one set"  # type: ignore[index]  # a pair
