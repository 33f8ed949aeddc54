"""Rows of token ids through a backend's forward pass, batched by length so that little padding is computed.

Knows no text. Letters: B rows of a batch, L their length, P positions, V vocabulary.
"""

import math
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np

from albertkit import arrays
from albertkit.backends import Forward, InferBackend, InferPrecision, Outputs
from albertkit.batches import MaskedBatch, PaddedBatch, split_rows
from albertkit.checkpoint.files import Checkpoint
from albertkit.config import AlbertConfig
from albertkit.outputs import PER_TOKEN
from albertkit.tasks.base import Task
from albertkit.tasks.features import Features

ROWS, POSITIONS, BATCHES = 4096, 1024, 8
"""Rows that are sorted by length at a time; positions whose scores, and batches whose states, are held at a time."""


class Engine:
    """A model ready to answer: rows in, outputs of each row in the order of the rows."""

    def __init__(self, forward: Forward, config: AlbertConfig, head: str, tokens: int = Task.batch_tokens) -> None:
        """`head` is a key of weight_table.PARTS, `tokens` a batch's size."""
        self.config, self.head, self._forward, self._tokens = config, head, forward, tokens

    @classmethod
    def load(
        cls,
        backend: InferBackend,
        checkpoint: Checkpoint,
        head: str,
        tokens: int = Task.batch_tokens,
        device: str | None = None,
        precision: InferPrecision | None = None,
    ) -> Self:
        """The engine of a checkpoint, by default in the precision that it was made for: int8 once quantised.

        WeightMismatch where the head is missing, InputError for a device or a precision that there is none of.
        """
        config, source = checkpoint.config.with_named_results(), str(checkpoint.source)
        tensors, known = checkpoint.tensors, checkpoint.quantization
        forward = backend.compile(config, head, tensors, source, device, precision, known)
        return cls(forward, checkpoint.config, head, tokens)

    def run(
        self,
        features: Features,
        rows: int | None = None,
        tokens: int | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Iterator[Outputs]:
        """The outputs of each row, by name, in the order of the rows and in bounded memory; equal rows are run once.

        `rows` is the most rows of a batch; without it only tokens count. `tokens` are the most of a batch, with their
        padding; default: those that the engine was made for. A row that is longer is a batch of its own. `progress` is
        told after every batch how many rows are done, and how many there are.

        Those of a sequence have no axis of rows; those of tokens have the row's own length in front, without padding.
        Of features with positions the `logits` (P, V) at these, and nothing else.
        """
        tokens = tokens or self._tokens
        for window in self._windows(features, tokens):
            part = features.take(window)
            distinct, like = part.distinct()
            part = part.take(distinct)
            found: list[Outputs] = [{}] * len(part)
            done = window.stop - len(part)
            for batch in arrays.by_length(part.lengths(), tokens, rows, part.choices()):
                for row, outputs in zip(batch, self._answers(part.take(batch)), strict=True):
                    found[row] = outputs
                progress(done := done + len(batch), len(features))
            yield from (dict(found[row]) for row in like)

    def _answers(self, features: Features) -> Iterator[Outputs]:
        """The outputs of each row of one batch."""
        pad_id = self.config.pad_token_id or 0
        if features.positions is None:
            outputs = self._forward(PaddedBatch.of_rows(features.input_ids, features.token_type_ids, pad_id))
            return split_rows(outputs, features.lengths(), PER_TOKEN[self.head])
        pairs = [(row, column) for row, columns in enumerate(features.positions) for column in columns]
        positions = np.array(pairs, np.int64).reshape(-1, 2)
        batch = MaskedBatch.of_rows(features.input_ids, features.token_type_ids, pad_id, positions=positions)
        logits = self._forward(batch)["logits"]
        ends = np.cumsum([len(columns) for columns in features.positions])
        return ({"logits": part} for part in np.split(logits, ends[:-1]))

    def _windows(self, features: Features, tokens: int) -> Iterator[range]:
        """Runs of rows of bounded outputs. A row with more positions than fit stands alone."""
        if features.positions is not None:
            counts, most = [len(columns) for columns in features.positions], min(POSITIONS, tokens)
        else:
            counts, most = features.lengths(), BATCHES * tokens if PER_TOKEN[self.head] else math.inf
        start, count = 0, 0
        for row, size in enumerate(counts):
            if row > start and (count + size > most or row - start == ROWS):
                yield range(start, row)
                start, count = row, 0
            count += size
        if start < len(features):
            yield range(start, len(features))
