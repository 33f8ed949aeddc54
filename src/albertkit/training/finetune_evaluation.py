"""Scores of the model in training on the examples that are held out."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from albertkit import arrays
from albertkit.backends import Outputs
from albertkit.batches import Batch
from albertkit.config import AlbertConfig
from albertkit.outputs import PER_TOKEN
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.collapse import AnswersSeen
from albertkit.tasks.figures import Figure
from albertkit.training.finetune_data import Side
from albertkit.typing import Record

EVALUATION_TOKENS = 8192
COLLAPSED = "collapsed"
"""Among the scores of an evaluation in which all answers were alike."""
WAY_OUT = (
    "A run that stays so has failed, whatever its scores. What helps: a lower --learning-rate, a longer warm-up "
    "(training.warmup_ratio), another --seed, more --epochs, and weights of classes where one is rare."
)


def scores(
    task: AnyTrainableTask,
    forward: Callable[[Batch], Outputs],
    side: Side,
    config: AlbertConfig,
    tell: Callable[[str], object],
    note: Callable[[Sequence[Figure]], object] = lambda figures: None,
    most_rows: int = 0,
) -> dict[str, float]:
    """The scores of the model in training, and its mean loss, which is NaN where an output is not finite.

    `tell` is told where all answers are alike, and then `COLLAPSED` is among the scores; `note`, what figures a person
    may want to see. `most_rows` are computed together at most; 0: as many as fill EVALUATION_TOKENS.
    """
    features = side.features
    found: list[Outputs] = [{} for _ in range(len(features))]
    total, items = 0.0, 0.0
    per_token = PER_TOKEN[task.head_for(config.architectures)]
    for rows in arrays.by_length(features.lengths(), EVALUATION_TOKENS, most_rows or None, choices=features.choices()):
        part = features.take(rows)
        batch = task.collate(part, config.pad_token_id or 0)
        outputs = forward(batch)
        loss, count = batch.summed_loss(outputs)
        total, items = total + loss, items + count
        for row, one in zip(rows, batch.split(outputs, part.lengths(), per_token), strict=True):
            found[row] = one
    if not _are_finite(found):
        return {"loss": math.nan}  # which the loop stops at
    seen = AnswersSeen(features, config)
    scored = {"loss": total / max(items, 1), **task.score(config, side.examples, features, seen.watched(found))}
    note(task.figures(config, side.examples, features, found))
    if told := seen.told():
        tell(f"{told} {WAY_OUT}")
    return scored | ({COLLAPSED: 1} if told else {})


def with_warning(results: Record) -> Record:
    """The results of a run with a sentence in the place of the mark of a collapse."""
    others = {name: value for name, value in results.items() if name != COLLAPSED}
    return others | ({"warning": f"All answers of the evaluation are alike. {WAY_OUT}"} if COLLAPSED in results else {})


def _are_finite(outputs: Iterable[Outputs]) -> bool:
    return all(np.isfinite(values).all() for row in outputs for values in row.values())
