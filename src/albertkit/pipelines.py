"""Text -> answer, for any task: a tokenizer, an engine and a task put together. Wiring only."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from albertkit import loading
from albertkit.backends import InferPrecision, Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, UnusableRows, abbreviate, few
from albertkit.inference import input_parts, parts
from albertkit.inference.early_exit import LayersTaken
from albertkit.inference.engine import Engine
from albertkit.inference.settings import Settings, renamed, split
from albertkit.tasks import bad_rows, calibration, registry, trained_on
from albertkit.tasks import inputs as task_inputs
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.base import Answer, AnyTask, AnyTrainableTask, TrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.collapse import AnswersSeen
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, ExamplesT, few_to_score, first, usable
from albertkit.tasks.features import Features
from albertkit.tasks.unknown import UnknownCounts, UnknownTotals
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Model, Record

logger = logging.getLogger(__name__)

Name = str | os.PathLike[str]
_OF_TRAINING = {
    *("train", "eval", "held_out", "max_length", "max_train_samples"),
    *("hub_dataset", "hub_config", "train_split", "eval_split"),
}


def pipeline(
    task: str | None = None,
    model: Model = None,
    framework: str | None = None,
    max_length: int | None = None,
    *,
    tokenizer: AlbertTokenizerBase | Name | None = None,
    device: Model = None,
    batch_size: int | None = None,
    truncation: bool | str | None = True,
    precision: InferPrecision | None = None,
    trust_program: bool = False,
    **options: Json,
) -> "Pipeline":
    """The pipeline of a task with a model: of a folder, of the hub, or one that is loaded.

    task
        A name of `tasks.registry`, such as text-classification (or sentiment-analysis), token-classification (or ner),
        question-answering, multiple-choice, sentence-embedding, feature-extraction or fill-mask; default, or auto: what
        the model was made for.
    model
        A name or folder, or a model of this package, which then answers as it is at each call and needs a `tokenizer`.
    framework
        torch, tensorflow or flax, or a format that the model was exported to, such as onnx; default, or auto: the first
        that is installed, that of a loaded model, and of a folder of exports alone the format of the latest.
    max_length, truncation
        Texts are cut at so many tokens, by default where they were cut in training; with `truncation` False a longer
        one is an error.
    tokenizer
        One of this package, or its name or folder; default: the model's own.
    device
        "cpu" or -1, "cuda:0" or 0, a torch.device; default: the first GPU, and of a loaded model its own device.
    batch_size
        Rows that are computed together at most; default: as many as are fast.
    precision
        What the encoder computes in, in PyTorch: fp32, bf16 or int8 (the latter on a CPU), or auto, the fastest of the
        machine; default: int8 for a folder that `albertkit quantize` made, and else fp32. Of a folder of exports one
        that it holds; default: the latest.
    trust_program
        Whether an export may be loaded that can do more than compute, one of torch.export, SavedModel or StableHLO: for
        those of people whom you trust.
    options
        Those of the task's calls, such as `top_k`, and those that load a model of the hub, such as `revision`.

    Raises InputError for a task, option or device that there is none for, and CheckpointError where the model lacks the
    task's head.
    """
    fetching = loading.options(options, reads_weights=True)
    loaded = parts.load(task, model, framework, device, tokenizer, fetching, options, precision, trust_program)
    for name in loaded.task.model_options:
        options.pop(name, None)
    return Pipeline(*loaded, max_length=max_length, truncation=truncation, batch_size=batch_size, **options)


class Pipeline:
    """A model with its tokenizer, ready to answer for a task."""

    def __init__(
        self,
        task: AnyTask,
        engine: Engine,
        tokenizer: AlbertTokenizerBase,
        **options: Json,
    ) -> None:
        """`options` are what a call takes; those given here are the defaults of every call."""
        self.task, self.config, self.tokenizer = task, engine.config, tokenizer
        self._engine, self._options = engine, renamed(options)
        self._told: set[str] = set()
        self._trained = trained_on.kept(self.config, task)
        self.max_length = self._split({})[0].max_length
        """The longest input in tokens: that of training, unless another was asked for."""
        self.truncated = 0
        """How many examples of the last call were longer than the model and were cut."""
        self.progress: Callable[[int, int], None] = lambda done, total: None
        """Told by `evaluate`, after each row, how many are done and how many there are."""
        self.unknown = UnknownTotals()
        """How much of the last call's examples the vocabulary does not know."""
        self.left_out: list[BadRow] = []
        """Rows that the last `stream` or `files` has left out."""

    def __call__(self, *inputs: Json, **options: Json) -> Json:
        """The answer for each input, or one for a single input: what the task's `examples` takes and `decode` gives.

        For a generator or a data set an iterator of the answers: inputs are taken from it a few at a time. Inputs may
        be called `inputs`, and second texts `text_pair`. InputError for inputs that the task cannot answer, and for an
        option that it does not have.
        """
        options = renamed(options)
        inputs = (*inputs, *(options.pop(name) for name in self.task.input_names if name in options))
        if not inputs:
            raise InputError("A pipeline answers for inputs. Received: none. Pass a text or a list of texts.")
        settings, chosen = self._split(options)
        if len(inputs) == 1 and (stream := task_inputs.stream(inputs[0])) is not None:
            return self._each(input_parts.of_stream(self.task, stream, settings.batch_size), settings, chosen)
        examples, is_single = self.task.examples(*inputs)
        features, _ = self._features(examples, settings)
        answers = self._decode(examples, features, settings, chosen)
        self._warn_of_unknown()
        return self.task.arranged(answers, is_single, inputs[0], options)

    def features(self, examples: Examples) -> Features:
        """What the model is given for examples."""
        return self._features(examples, self._split({})[0])[0]

    def outputs(self, *inputs: Json) -> Iterator[Outputs]:
        """What the model itself gives back for each row that the inputs make, such as `logits`, float32."""
        features = self.features(self.task.examples(*inputs)[0])
        self._warn_of_unknown()
        return self._engine.run(features, self._split({})[0].batch_size)

    def stream(self, parts: Iterable[Examples], *, skip_bad_rows: bool = False, **options: Json) -> Iterator[Record]:
        """A record for each example, with its answer, in their order: ready for JSON, and any number passes through.

        A record has a `warning` where its example is empty or mostly unknown to the vocabulary. `options` are those of
        a call; `truncated` and `unknown` count over all parts so far. InputError, saying where it stands, for the first
        example that cannot be answered; those before it were given out. With `skip_bad_rows` examples that the model
        cannot be given have no record, and stand in `left_out`, as do those that the parts were read without.
        """
        settings, chosen = self._split(options)
        return self._each(parts, replace(settings, skips=skip_bad_rows), chosen, as_records=True)

    def files(
        self, parts: Iterable[Examples], data: Mapping[str, Json] | None = None, **options: Json
    ) -> dict[str, Record]:
        """What the task's official scripts want of the answers: by name of a file its content, for all examples.

        `options` are those of a call, and `data` options of the task's data by which answers are made, such as
        `max_answer_length`; its `skip_bad_rows` is as in `stream`. InputError where the task has no such files, or an
        example cannot be answered.
        """
        settings, _ = self._split(options)
        given = {**(data or {})}
        skips = bool(given.pop("skip_bad_rows", False))
        settings = replace(settings, data={**settings.data, **given}, skips=skips)
        if not self.task.official_files:
            raise InputError(f"No official script asks for files of {self.task.name}. Take its answers as they are.")
        config, found = self._decided(options), dict[str, Record]()
        for whole in self._noted(parts):
            part, features, _ = self._usable(whole, settings)
            outputs = self._engine.run(features, settings.batch_size)
            for name, content in self.task.files(config, part, features, outputs).items():
                if twice := found.get(name, {}).keys() & content.keys():
                    raise InputError(f"A file of answers by id needs ids that differ. Twice: {few(sorted(twice))}.")
                found.setdefault(name, {}).update(content)
        return found

    def submission(self, records: Iterable[Record], **options: Json) -> Iterator[Record]:
        """The records of `stream` as the rows of the .tsv that the server of a benchmark, such as GLUE, takes.

        `options` are those of the task's data. InputError where the task or the model has no such form.
        """
        return self.task.submission(self.config, self.data_options(**{**self._trained, **options}), records)

    def evaluate(self, path: Name, official: dict[str, Record] | None = None, **options: Json) -> Record:
        """Scores on the labelled examples of a file; `options` are those of the task's data, such as `text_column`.

        Of a folder of data they are those of its validation file, or where it has several a mapping of each of them.
        `official` is filled with what the task's official scripts want of the answers, if anything: see `Task.files`.
        InputError where a label is not one of the model's, or the task has no scores.
        """
        task = self._trainable()
        files = self._files(task, path, options)
        scores = {name: self._evaluate(task, file, official, options) for name, file in files.items()}
        several = {name: one for name, one in scores.items() if name != "validation"}
        return several if len(several) > 1 else next(iter(scores.values()))

    def calibrate(
        self, path: Name, target_accuracy: float | None = None, **options: Json
    ) -> tuple[Calibration, Record]:
        """What fits the confidence of answers to the labelled examples of a file, and how it does.

        From then on this pipeline answers with it. `target_accuracy` is what answers that do not abstain should reach;
        without it none abstains. `options` are those of the task's data. InputError where nothing can be fitted.
        """
        task = self._trainable()
        file = next(iter(self._files(task, path, options).values()))
        found, results = task.calibrate(self.config, *self._labelled(task, file, options), target_accuracy)
        present = getattr(self.config, calibration.TRAINED, None)
        entry = calibration.entry(present, task.name, found, task.fitted(results))
        self.config = AlbertConfig.from_dict({**self.config.to_dict(), calibration.TRAINED: entry})
        return found, results

    def _trainable(self) -> AnyTrainableTask:
        if isinstance(self.task, TrainableTask):
            return self.task
        raise InputError(
            f"A task to evaluate must have labels and scores. Received: {self.task.name!r}. Fine-tune the model, "
            f"or name another task: {', '.join(registry.trainable_names())}."
        )

    def _files(self, task: AnyTrainableTask, path: Name, options: Record) -> dict[str, Name]:
        """The files to score on by split. InputError for a folder of data that holds none."""
        splits = task.splits(str(path), self.data_options(**{**self._trained, **options}))
        files: dict[str, Name] = {name: file for name, file in splits.items() if name.startswith("validation")}
        if splits and not files:
            raise InputError(
                f"A folder to evaluate on must hold a file for it. {path} holds {', '.join(splits)} alone."
            )
        return files or {"": path}

    def _evaluate(
        self, task: AnyTrainableTask, path: Name, official: dict[str, Record] | None, options: Record
    ) -> Record:
        """The scores on a file."""
        examples, features, outputs = self._labelled(task, path, options)
        config = self._decided({})
        if official is not None:
            outputs = list(outputs)
            official.update(task.files(config, examples, features, outputs))
        seen = AnswersSeen(features, config)
        taken = LayersTaken()
        scores = task.score(config, examples, features, taken.watched(seen.watched(outputs)))
        if told := seen.told():
            logger.warning(told)
        counted = {"left_out": len(examples.left_out), "truncated": self.truncated}
        counted["unreadable"] = self.unknown.unreadable
        warned = {"warning": told} if told else {}
        return {**scores, **taken.found(), "examples": len(examples), **counted, "data": str(path), **warned}

    def _labelled(
        self, task: AnyTrainableTask, path: Name, options: Record
    ) -> tuple[Examples, Features, Iterable[Outputs]]:
        """The examples of a file with their labels, and what the model gives for each row."""
        settings, _ = self._split({})
        own = {name: value for name, value in settings.data.items() if value != self._trained.get(name)}
        examples, found = task.read(str(path), self.file_options(path, **{**own, **options}), self.config)
        examples = first(examples, found.max_eval_samples)
        examples, (features, _) = usable(
            examples, lambda some: self._features(some, settings, found, labelled=True), found.skip_bad_rows
        )
        for told in filter(None, (few_to_score(len(examples)), bad_rows.told(examples.left_out))):
            logger.warning(told)
        if self.unknown.is_large:
            logger.warning(f"{path}: {self.unknown.describe(self.tokenizer)}")
        return examples, features, self._watched(self._engine.run(features, settings.batch_size), len(features))

    def _watched(self, outputs: Iterable[Outputs], total: int) -> Iterator[Outputs]:
        for done, one in enumerate(outputs, start=1):
            self.progress(done, total)
            yield one

    def file_options(self, path: Name, **options: Json) -> DataOptions:
        """The options for a data file: those given, and those by which the data of training was read, if they fit it.

        InputError as in `data_options`.
        """
        self.data_options(**options)
        return self.data_options(**trained_on.for_file(str(path), self._trained, options))

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

    def call_options(self, data: Record) -> Record:
        """What options of the data say of answers, under the names that they have in a call."""
        names = {**self.task.encode_options, **self.task.answers_as_trained}
        return {name: data[option] for name, option in names.items() if option in data}

    def _as_trained(self) -> Record:
        """The options of answers that the model's own training decides."""
        as_trained = self.task.answers_as_trained
        found = {name: self._trained[option] for name, option in as_trained.items() if option in self._trained}
        return {**found, **trained_on.fitted(self.config, self.task)}

    def _decided(self, options: Record) -> AlbertConfig:
        """The config, where options of this pipeline or of a call stand in the place of what training had fitted."""
        given = {name: one for name, one in {**self._options, **options}.items() if name in self.task.scoring_options}
        config = trained_on.with_fitted(self.config, self.task, given)
        known = trained_on.fitted(config, self.task)
        for name, value in given.items():
            if known.get(name) != value:
                usual = self.task.answer_options[name]
                raise InputError(
                    f"`{name}` must be a {type(usual).__name__}, such as {usual}. Received: {abbreviate(value)}. Leave "
                    "it out for that of the model."
                )
        return config

    def _each(
        self, parts: Iterable[Examples], settings: Settings, options: Record, as_records: bool = False
    ) -> Iterator[Json]:
        """The answer for each example of all parts. One that cannot be answered is found by halving its part."""
        truncated, unknown, number = 0, UnknownTotals(), 0
        for whole in self._noted(parts):
            waiting = [whole]
            while waiting:
                part = waiting.pop()
                try:
                    part, features, counts = self._usable(part, settings)
                    answers = self._decode(part, features, settings, options, as_records) if len(part) else []
                except InputError as error:
                    self.truncated, self.unknown = truncated, unknown
                    if len(part) == 1:
                        raise input_parts.refusal(part, number, error) from error
                    middle = len(part) // 2
                    waiting += [part.take(range(middle, len(part))), part.take(range(middle))]
                    continue
                truncated, unknown, number = truncated + self.truncated, unknown + self.unknown, number + len(part)
                self.truncated, self.unknown = truncated, unknown
                for row, answer in enumerate(answers):
                    yield self._beside(part.shown(row), answer, counts.warning(row)) if as_records else answer
        if not as_records:
            self._warn_of_unknown()

    def _noted(self, parts: Iterable[ExamplesT]) -> Iterator[ExamplesT]:
        """Parts, without the rows that they were read without, which are noted."""
        self.left_out = []
        for part in parts:
            self.left_out += part.left_out
            yield replace(part, left_out=())

    def _usable(self, part: ExamplesT, settings: Settings) -> tuple[ExamplesT, Features, UnknownCounts]:
        """The examples of a part that a model can be given, and their features; others are noted, if they may be."""
        while len(part):
            try:
                return part, *self._features(part, settings)
            except UnusableRows as error:
                if not settings.skips:
                    raise
                part = part.without(error.rules)
                self.left_out += part.left_out
                part = replace(part, left_out=())
        none = Features([], [])
        self.truncated, self.unknown = 0, UnknownTotals()
        return part, none, none.unknown(self.tokenizer, 0)

    def _decode(
        self, examples: Examples, features: Features, settings: Settings, options: Record, as_records: bool = False
    ) -> list[Answer]:
        decode = self.task.records if as_records else self.task.decode
        outputs = self._engine.run(features, settings.batch_size)
        return list(decode(self.tokenizer, self.config, examples, features, outputs, **options))

    def _beside(self, shown: Record, answer: Record, warning: str | None) -> Record:
        """An input and its answer as one record. A column of the name of an answer gets another, which is said."""
        answer = answer if warning is None else {**answer, "warning": warning}
        for name in answer.keys() & shown.keys():
            self._tell(
                f"The column {name!r} of the input is written as {f'input_{name}'!r}, for {name!r} is an answer."
            )
        return {**{f"input_{name}" if name in answer else name: value for name, value in shown.items()}, **answer}

    def _tell(self, sentence: str) -> None:
        """Say something once."""
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning(sentence)

    def _features(
        self, examples: Examples, settings: Settings, options: DataOptions | None = None, labelled: bool = False
    ) -> tuple[Features, UnknownCounts]:
        """What the model is given, and how much of each example the vocabulary knows.

        That it is unlike what the model was trained on is said once.
        """
        if told := self.task.unlike_training(self.config, examples):
            self._tell(told)
        found = replace(
            options or self.task.options.of({**self._trained, **settings.data}), max_length=settings.encoded_length
        )
        features = self.task.encode(self.tokenizer, self.config, examples, found, labelled)
        settings.require_short(features)
        counts = features.unknown(self.tokenizer, len(examples))
        self.truncated, self.unknown = features.truncated, counts.totals()
        return features, counts

    def _warn_of_unknown(self) -> None:
        if self.unknown.unreadable:
            logger.warning(self.unknown.describe(self.tokenizer))

    def _split(self, options: Record) -> tuple[Settings, Record]:
        """The settings of a call and the task's own options. InputError for one that the task does not have."""
        encoding = self.task.encode_options
        known = {**self.task.answer_options, **self._as_trained(), **dict.fromkeys(encoding)}
        general, own = split({**self._options, **renamed(options)}, self.task.name, known)
        given = {option: own.pop(name) for name, option in encoding.items()}
        trained = {option: self._trained[option] for option in given if option in self._trained}
        settings = Settings.of(self.tokenizer.model_max_length, self.config.max_position_embeddings, **general)
        return replace(settings, data={**trained, **{name: one for name, one in given.items() if one is not None}}), own
