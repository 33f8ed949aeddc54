"""Text -> answer: a tokenizer, an engine and a task put together. Wiring only."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from albertkit.checkpoint import files
from albertkit.errors import InputError, did_you_mean
from albertkit.inference.engine import Engine
from albertkit.tasks import tables
from albertkit.tasks import text_classification as task
from albertkit.tokenization.fast import AlbertTokenizerFast


def pipeline(
    name: str, model: str | os.PathLike[str], framework: str = "auto", max_length: int | None = None
) -> "TextClassification":
    """The pipeline of a task ("text-classification") with the model of a folder or of the hub.

    `framework` is torch, tensorflow or flax, or auto for the first that is installed; texts are cut at `max_length`
    tokens, by default where they were cut in training. Raises InputError for a task that there is none for, and
    CheckpointError where the model lacks the task's head.
    """
    if name not in TASKS:
        near = did_you_mean(name, TASKS)
        raise InputError(f"A pipeline's task must be one of {', '.join(TASKS)}. Received: {name!r}.{near}")
    return TASKS[name](model, framework, max_length)


class TextClassification:
    """Classes, several classes at once, or a number, for texts or pairs of texts."""

    def __init__(self, model: str | os.PathLike[str], framework: str = "auto", max_length: int | None = None) -> None:
        checkpoint = files.load(model)
        self.tokenizer = AlbertTokenizerFast.from_pretrained(model)
        self.schema = task.Schema.of(checkpoint.config)
        longest = checkpoint.config.max_position_embeddings
        self.max_length = min(max_length or self.tokenizer.model_max_length, longest)
        """The longest input in tokens: that of training, unless another was asked for."""
        self.truncated = 0
        """How many texts of the last call were longer than the model and were cut."""
        self._engine = Engine(checkpoint, task.HEAD, framework)

    def __call__(self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None) -> Any:
        """An answer for each text or pair, or one for a single text; see `decode` in tasks.text_classification."""
        if isinstance(texts, str):
            return self([texts], None if pairs is None else [str(pairs)])[0]
        if isinstance(pairs, str):
            raise InputError(f"A list of texts goes with a list of pairs. Received: {len(texts)} texts and one string.")
        return task.decode(self.logits(texts, pairs), self.schema)

    def logits(self, texts: Sequence[str], pairs: Any = None) -> np.ndarray:
        """(N, C) scores before softmax or sigmoid."""
        features = task.encode(self.tokenizer, texts, pairs, self.max_length)
        self.truncated = features.truncated
        if not texts:
            return np.zeros((0, len(self.schema.names)), np.float32)
        return self._engine.run(features.input_ids, features.token_type_ids)["logits"]

    def evaluate(
        self, path: str | os.PathLike[str], columns: task.Columns, header: Sequence[str] = (), skip_empty: bool = False
    ) -> dict[str, Any]:
        """Scores on the labelled rows of a file. InputError where a label is not one of the model's."""
        table = tables.read(str(path), header)
        problem = self.schema.problem_type
        examples, columns = task.read(table, columns, labelled=True, skip_empty=skip_empty, problem=problem)
        labels = task.targets(examples, self.schema, columns.separator)
        scores = task.score(self.logits(examples.texts, examples.pairs), labels, self.schema)
        return {**scores, "examples": len(examples), "truncated": self.truncated, "data": str(path)}


TASKS = {task.NAME: TextClassification}
