"""Text -> answer, for any task: a tokenizer, an engine and a task put together. Wiring only."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from albertkit import backends
from albertkit.backends import Outputs
from albertkit.checkpoint import files
from albertkit.checkpoint.files import Checkpoint
from albertkit.errors import InputError, did_you_mean
from albertkit.inference.backends import infer_backend
from albertkit.inference.engine import Engine
from albertkit.tasks import registry
from albertkit.tasks.base import Answer, AnyTask, TrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples
from albertkit.tasks.features import Features
from albertkit.tasks.unknown import UnknownCounts, UnknownTotals
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

Name = str | os.PathLike[str]
_OF_TRAINING = {"train", "eval", "held_out", "max_length"}


def pipeline(name: str, model: Name, framework: str = "auto", max_length: int | None = None) -> "Pipeline":
    """The pipeline of a task with the model of a folder or of the hub.

    `name` is that of a task ("text-classification", "fill-mask"), or auto for the one that the model was made for;
    `framework` is torch, tensorflow or flax, or auto for the first that is installed. Texts are cut at `max_length`
    tokens, by default where they were cut in training. Raises InputError for a task that there is none for, and
    CheckpointError where the model lacks the task's head.
    """
    if name == "auto":
        checkpoint = files.load(model)
        task = registry.of_model(checkpoint.config.architectures or ())
    else:
        task = registry.get(name)
        checkpoint = files.load(model)
    return Pipeline(task, checkpoint, AlbertTokenizerFast.from_pretrained(model), framework, max_length)


class Pipeline:
    """A model with its tokenizer, ready to answer for a task."""

    def __init__(
        self,
        task: AnyTask,
        checkpoint: Checkpoint,
        tokenizer: AlbertTokenizerFast,
        framework: str = "auto",
        max_length: int | None = None,
    ) -> None:
        self.task, self.config, self.tokenizer = task, checkpoint.config, tokenizer
        self.max_length = min(max_length or tokenizer.model_max_length, self.config.max_position_embeddings)
        """The longest input in tokens: that of training, unless another was asked for."""
        self.truncated = 0
        """How many examples of the last call were longer than the model and were cut."""
        self.unknown = UnknownTotals()
        """How much of the last call's examples the vocabulary does not know."""
        backend = infer_backend(backends.resolve(framework))
        self._engine = Engine(backend, checkpoint, task.head, task.batch_tokens)

    def __call__(self, *inputs: Json, **options: Json) -> Json:
        """The answer for each input, or one for a single input: what the task's `examples` takes and `decode` gives.

        InputError for inputs that the task cannot answer, and for an option that it does not have.
        """
        examples, is_single = self.task.examples(*inputs)
        answers, _ = self._answers(examples, self._checked(options))
        self._warn_of_unknown()
        return answers[0] if is_single else answers

    def outputs(self, *inputs: Json) -> Iterator[Outputs]:
        """What the model itself gives back for each row that the inputs make, such as `logits`, float32."""
        features, _ = self._features(self.task.examples(*inputs)[0], self.data_options())
        self._warn_of_unknown()
        return self._engine.run(features)

    def stream(self, parts: Iterable[Examples], **options: Json) -> Iterator[Record]:
        """A record for each example, with its answer, in their order: ready for JSON, and any number passes through.

        A record has a `warning` where its example is empty or mostly unknown to the vocabulary. `options` are those of
        a call; `truncated` and `unknown` count over all parts so far. InputError, saying where it stands, for the first
        example that cannot be answered; those before it were given out.
        """
        options, truncated, unknown = self._checked(options), 0, UnknownTotals()
        for whole in parts:
            waiting = [whole]
            while waiting:
                part = waiting.pop()
                try:
                    answers, counts = self._answers(part, options)
                except InputError as error:
                    self.truncated, self.unknown = truncated, unknown
                    if len(part) == 1:
                        place = part.where([0])
                        raise InputError(f"{place}: {error}" if place else str(error)) from error
                    middle = len(part) // 2
                    waiting += [part.take(range(middle, len(part))), part.take(range(middle))]
                    continue
                truncated, unknown = truncated + self.truncated, unknown + self.unknown
                self.truncated, self.unknown = truncated, unknown
                for number, answer in enumerate(answers):
                    warning = counts.warning(number)
                    record = {**part.shown(number), **self.task.record(answer)}
                    yield record if warning is None else {**record, "warning": warning}

    def evaluate(self, path: Name, **options: Json) -> Record:
        """Scores on the labelled examples of a file; `options` are those of the task's data, such as `text_column`.

        InputError where a label is not one of the model's, or the task has no scores.
        """
        if not isinstance(self.task, TrainableTask):
            raise InputError(
                f"A task to evaluate must have labels and scores. Received: {self.task.name!r}. Fine-tune the model, "
                f"or name another task: {', '.join(registry.trainable_names())}."
            )
        examples, found = self.task.read(str(path), self.data_options(**options), self.config)
        features, _ = self._features(examples, found, labelled=True)
        if self.unknown.is_large:
            logger.warning(f"{path}: {self.unknown.describe(self.tokenizer)}")
        scores = self.task.score(self.config, examples, features, self._engine.run(features))
        counted = {"truncated": self.truncated, "unreadable": self.unknown.unreadable}
        return {**scores, "examples": len(examples), **counted, "data": str(path)}

    def _answers(self, examples: Examples, options: Record) -> tuple[Sequence[Answer], UnknownCounts]:
        features, counts = self._features(examples, self.data_options())
        outputs = self._engine.run(features)
        return self.task.decode(self.tokenizer, self.config, examples, features, outputs, **options), counts

    def _features(
        self, examples: Examples, options: DataOptions, labelled: bool = False
    ) -> tuple[Features, UnknownCounts]:
        """What the model is given, and how much of each example the vocabulary knows."""
        features = self.task.encode(self.tokenizer, self.config, examples, options, labelled)
        counts = features.unknown(self.tokenizer, len(examples))
        self.truncated, self.unknown = features.truncated, counts.totals()
        return features, counts

    def _warn_of_unknown(self) -> None:
        if self.unknown.unreadable:
            logger.warning(self.unknown.describe(self.tokenizer))

    def data_options(self, **options: Json) -> DataOptions:
        """The options of the task's data, by name, for the model's length.

        InputError for a name that is none, for a value of another kind, and for what only training is told.
        """
        for name in _OF_TRAINING & options.keys():
            raise InputError(
                f"`{name}` is an option of training. Received it for data to answer or score. Leave it out; the "
                "longest input is said by the pipeline's `max_length`, on the command line --max-length."
            )
        return replace(self.task.options.of(options), max_length=self.max_length)

    def _checked(self, options: Record) -> Record:
        known = self.task.answer_options
        for name in options:
            if name not in known:
                rule = f"has the options {', '.join(known)}" if known else "answers without options"
                raise InputError(
                    f"{self.task.name} {rule}. Received: {name!r}. Leave it out.{did_you_mean(name, known)}"
                )
        return {**known, **options}
