"""Text -> answer: a tokenizer, an engine and a task put together. Wiring only."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, overload

import numpy as np

from albertkit.checkpoint import files
from albertkit.errors import InputError, did_you_mean
from albertkit.inference import engine
from albertkit.tasks import fill_mask, tables
from albertkit.tasks import text_classification as task
from albertkit.tokenization.fast import AlbertTokenizerFast

Name = str | os.PathLike[str]


@overload
def pipeline(
    name: Literal["text-classification"], model: Name, framework: str = ..., max_length: int | None = ...
) -> "TextClassification": ...
@overload
def pipeline(
    name: Literal["fill-mask"], model: Name, framework: str = ..., max_length: int | None = ...
) -> "FillMask": ...
@overload
def pipeline(name: str, model: Name, framework: str = ..., max_length: int | None = ...) -> Any: ...
def pipeline(name: str, model: Name, framework: str = "auto", max_length: int | None = None) -> Any:
    """The pipeline of a task ("text-classification", "fill-mask") with the model of a folder or of the hub.

    `framework` is torch, tensorflow or flax, or auto for the first that is installed; texts are cut at `max_length`
    tokens, by default where they were cut in training. Raises InputError for a task that there is none for, and
    CheckpointError where the model lacks the task's head.
    """
    if name not in TASKS:
        near = did_you_mean(name, TASKS)
        raise InputError(f"A pipeline's task must be one of {', '.join(TASKS)}. Received: {name!r}.{near}")
    return TASKS[name](model, framework, max_length)


def task_of(model: Name) -> str:
    """The task that a model answers, by the class that its config names; classification where it names none."""
    classes = files.load(model).config.architectures or ()
    return fill_mask.NAME if any(name.endswith(fill_mask.HEADS) for name in classes) else task.NAME


class _Pipeline:
    """A model with its tokenizer, ready to answer for one head."""

    head: ClassVar[str]
    tokens: ClassVar[int] = engine.TOKENS

    def __init__(self, model: Name, framework: str = "auto", max_length: int | None = None) -> None:
        checkpoint = files.load(model)
        self.config = checkpoint.config
        self.tokenizer = AlbertTokenizerFast.from_pretrained(model)
        longest = checkpoint.config.max_position_embeddings
        self.max_length = min(max_length or self.tokenizer.model_max_length, longest)
        """The longest input in tokens: that of training, unless another was asked for."""
        self.truncated = 0
        """How many texts of the last call were longer than the model and were cut."""
        self._engine = engine.Engine(checkpoint, self.head, framework, self.tokens)

    def _answers(self, part: task.Examples, options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """An object for each example, ready for JSON."""
        raise NotImplementedError

    def stream(self, parts: Iterable[task.Examples], **options: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each text with its answer, in their order and a part at a time, so that any number of them passes through.

        `options` are those of a call, and `truncated` counts over all parts so far. InputError, saying where it stands,
        for the first example that cannot be answered; those before it were given out.
        """
        truncated = 0
        for whole in parts:
            waiting = [whole]
            while waiting:
                part = waiting.pop()
                try:
                    answers = self._answers(part, options)
                except InputError as error:
                    self.truncated = truncated
                    if len(part) == 1:
                        path, place = part.table.path, part.table.places(part.rows)
                        raise InputError(f"{path}, {place}: {error}" if path else str(error)) from error
                    middle = len(part) // 2
                    waiting += [part.take(range(middle, len(part))), part.take(range(middle))]
                    continue
                truncated += self.truncated
                self.truncated = truncated
                yield from zip(part.texts, answers, strict=True)


class TextClassification(_Pipeline):
    """Classes, several classes at once, or a number, for texts or pairs of texts."""

    head = task.HEAD

    @property
    def schema(self) -> task.Schema:
        """What the answers are."""
        return task.Schema.of(self.config)

    def __call__(self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None) -> Any:
        """An answer for each text or pair, or one for a single text; see `decode` in tasks.text_classification."""
        if isinstance(texts, str):
            return self([texts], None if pairs is None else [str(pairs)])[0]
        if isinstance(pairs, str):
            raise InputError(f"A list of texts goes with a list of pairs. Received: {len(texts)} texts and one string.")
        return task.decode(self.logits(texts, pairs), self.schema)

    def _answers(self, part: task.Examples, options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        return self(part.texts, part.pairs, **options)

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


class FillMask(_Pipeline):
    """The best tokens for each [MASK] of a text, by the head that masked-language-model pre-training made."""

    head = fill_mask.HEAD
    tokens = 1024  # each may be a mask, and have scores for the whole vocabulary

    def __call__(
        self, texts: str | Sequence[str], *, top_k: int = 5, targets: str | Sequence[str] | None = None
    ) -> Any:
        """The `top_k` best answers for each text, or for a single one; see `decode` in tasks.fill_mask.

        With `targets` only these words are answered. InputError for a text without a mask, and for a target that is no
        single piece of the vocabulary.
        """
        if isinstance(texts, str):
            return self([texts], top_k=top_k, targets=targets)[0]
        size = min(len(self.tokenizer), self.config.vocab_size)
        allowed = range(size) if targets is None else fill_mask.targets(self.tokenizer, targets)
        features = fill_mask.encode(self.tokenizer, texts, self.max_length)
        self.truncated = features.truncated
        answers: list[Any] = [None] * len(texts)
        found = self._engine.scores_at(self.tokenizer.mask_token_id, features.input_ids, features.token_type_ids)
        for rows, columns, logits in found:
            scores, ids = fill_mask.best(logits, allowed, top_k)
            for row in np.unique(rows):
                own = rows == row
                answer = columns[own].tolist(), scores[own], ids[own]
                answers[row] = fill_mask.decode(self.tokenizer, features.input_ids[row], *answer)
        return answers

    def _answers(self, part: task.Examples, options: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if part.pairs is not None:
            raise InputError("A mask is filled in one text. Received: a pair. Join its texts, or leave one out.")
        return [{"answers": answer} for answer in self(part.texts, **options)]


TASKS = {task.NAME: TextClassification, fill_mask.NAME: FillMask}
