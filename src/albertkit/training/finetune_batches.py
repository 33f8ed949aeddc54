"""The order of fine-tuning: which rows stand in which batch of which epoch, decided by (seed, epoch, row) alone.

So a resumed run sees what an uninterrupted one sees, and every framework gets the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.arrays import by_choices
from albertkit.batches import Batch
from albertkit.tasks.base import Augment
from albertkit.tasks.features import Features
from albertkit.typing import Json

POOL = 50
"""Batches whose rows are sorted by length together, so that a batch holds rows of nearly one length."""
_AUGMENT = 1
"""Behind (seed, epoch, row): no other draw of a row is the same."""


@dataclass(frozen=True)
class FinetuneBatches:
    """Batches of features, shuffled anew for every epoch.

    collate: features and a pad id -> one batch. word_dropout: share of the tokens, first and last excepted, replaced by
    `unknown_id`, drawn anew in every epoch. augment: what else changes rows anew, such as masks.
    """

    features: Features
    collate: Callable[[Features, int], Batch]
    batch_size: int
    seed: int
    pad_id: int
    unknown_id: int
    word_dropout: float = 0.0
    augment: Augment | None = None

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-len(self.features) // self.batch_size)

    def epoch(self, number: int, start: int = 0, parts: int = 1) -> Iterator[list[Batch]]:
        """The batches of an epoch from batch `start` on, each cut into at most `parts` for each number of choices."""
        choices = self.features.choices()
        for rows in self._order(number)[start:]:
            groups = by_choices(rows, choices)
            cuts = [cut for group in groups for cut in np.array_split(group, min(parts, len(group)))]
            parts_of_batch = [self.batch(cut, number) for cut in cuts]
            # The mean loss of a part in which nothing counts is no number; of a batch, the loop says so.
            yield [part for part in parts_of_batch if any(part.items().values())] or parts_of_batch

    def _order(self, epoch: int) -> list[np.ndarray]:
        rng = self._rng(epoch)
        lengths = np.array(self.features.lengths(), np.int64)
        rows = rng.permutation(len(lengths))
        size = self.batch_size * POOL
        pools = (rows[start : start + size] for start in range(0, len(rows), size))
        ordered = np.concatenate([pool[np.argsort(lengths[pool], kind="stable")] for pool in pools])
        batches = [ordered[start : start + self.batch_size] for start in range(0, len(ordered), self.batch_size)]
        return [batches[index] for index in rng.permutation(len(batches))]

    def batch(self, rows: np.ndarray, epoch: int) -> Batch:
        """Some rows as an epoch sees them."""
        features = self.features.take(rows)
        ids = [self._dropped(one, epoch, int(row)) for one, row in zip(features.input_ids, rows, strict=True)]
        features = features.with_ids(ids)
        if self.augment is not None:
            features = self.augment(features, [self._rng(epoch, int(row), _AUGMENT) for row in rows])
        return self.collate(features, self.pad_id)

    def _rng(self, *behind: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *behind])

    def _dropped(self, ids: Sequence[Json], epoch: int, row: int) -> Sequence[Json]:
        if not self.word_dropout:
            return ids
        rng = self._rng(epoch, row)
        if isinstance(ids[0], Sequence):
            return [self._without_words(choice, rng) for choice in ids]
        return self._without_words(ids, rng)

    def _without_words(self, ids: Sequence[int], rng: np.random.Generator) -> list[int]:
        dropped = rng.random(len(ids)) < self.word_dropout
        dropped[[0, -1]] = False
        return np.where(dropped, self.unknown_id, ids).tolist()
