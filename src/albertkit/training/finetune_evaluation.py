"""Scores of the model in training on the examples that are held out."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from albertkit import arrays
from albertkit.backends import Outputs
from albertkit.batches import Batch, PretrainingBatch, split_rows
from albertkit.config import AlbertConfig
from albertkit.outputs import PER_TOKEN
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.figures import Figure
from albertkit.training.finetune_data import Side

EVALUATION_TOKENS = 8192


def scores(
    task: AnyTrainableTask,
    forward: Callable[[Batch], Outputs],
    side: Side,
    config: AlbertConfig,
    note: Callable[[Sequence[Figure]], None] = lambda figures: None,
) -> dict[str, float]:
    """The scores of the model in training, and its mean loss, which is NaN where an output is not finite.

    `note` is told what figures a person may want to see of them.
    """
    features = side.features
    found: list[Outputs] = [{} for _ in range(len(features))]
    total, items = 0.0, 0.0
    per_token = PER_TOKEN[task.head_for(config.architectures)]
    for rows in arrays.by_length(features.lengths(), EVALUATION_TOKENS, choices=features.choices()):
        part = features.take(rows)
        batch = task.collate(part, config.pad_token_id or 0)
        outputs = {**forward(batch)}
        loss, count = _summed_loss(batch, outputs)
        total, items = total + loss, items + count
        is_masked = isinstance(batch, PretrainingBatch)
        each = batch.split(outputs) if is_masked else split_rows(outputs, part.lengths(), per_token)
        for row, one in zip(rows, each, strict=True):
            found[row] = one
    if not _are_finite(found):
        return {"loss": math.nan}  # which the loop stops at
    note(task.figures(config, side.examples, features, found))
    return {"loss": total / max(items, 1), **task.score(config, side.examples, features, found)}


def _summed_loss(batch: Batch, outputs: Outputs) -> tuple[float, float]:
    """The loss over the items of a batch, added up and taken out of its outputs, and their number."""
    items = sum(batch.items().values())
    if isinstance(batch, PretrainingBatch):
        return float(outputs["mlm_losses"].sum(dtype=np.float64)), items
    loss = float(outputs.pop("loss"))
    return (loss * items if items else 0.0), items  # the mean over nothing is no number


def _are_finite(outputs: Iterable[Outputs]) -> bool:
    return all(np.isfinite(values).all() for row in outputs for values in row.values())
