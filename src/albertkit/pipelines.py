"""Text -> answer, for any task: a tokenizer, an engine and a task put together. Wiring only."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from io import BufferedReader
from typing import NamedTuple

from albertkit import loading
from albertkit.backends import InferPrecision, Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, few
from albertkit.inference import evaluation, input_parts, parts, text_files
from albertkit.inference.encoder import Encoder
from albertkit.inference.engine import Engine
from albertkit.inference.evaluation import Labelled
from albertkit.inference.pipeline_options import PipelineOptions
from albertkit.inference.settings import Settings, renamed
from albertkit.tasks import calibration
from albertkit.tasks import inputs as task_inputs
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.base import Answer, AnyTask, AnyTrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, first, usable
from albertkit.tasks.features import Features
from albertkit.tasks.unknown import UnknownTotals
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Model, Record

logger = logging.getLogger(__name__)

Name = str | os.PathLike[str]


def pipeline(
    task: str | None = None,
    model: Model = None,
    framework: str | None = None,
    max_length: int | None = None,
    *,
    tokenizer: AlbertTokenizerBase | Name | None = None,
    device: Model = None,
    batch_size: int | None = None,
    max_batch_tokens: int | None = None,
    truncation: bool | str | None = True,
    precision: InferPrecision | None = None,
    trust_program: bool = False,
    language: str | None = None,
    **options: Json,
) -> "Pipeline":
    """The pipeline of a task with a model: of a folder, of the hub, or one that is loaded.

    task
        A name of `tasks.registry`, such as text-classification (or sentiment-analysis), token-classification (or ner),
        question-answering, multiple-choice, sentence-embedding, feature-extraction or fill-mask; default, or auto: what
        the model was made for.
    model
        A name or folder, or a model of this package, which then answers as it is at each call and needs a `tokenizer`.
        Without one a small model that comes with albertkit answers, which is told; docs/models.md says how well.
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
    max_batch_tokens
        Tokens that are computed together at most, with their padding: memory goes with them, and answers do not. A row
        that is longer is computed alone. Default: that of the task, 4,096 for most.
    precision
        What the encoder computes in, in PyTorch: fp32, bf16 or int8 (the latter on a CPU), or auto, the fastest of the
        machine; default: int8 for a folder that `albertkit quantize` made, and else fp32. Of a folder of exports one
        that it holds; default: the latest.
    trust_program
        Whether an export may be loaded that can do more than compute, one of torch.export, SavedModel or StableHLO: for
        those of people whom you trust.
    language
        Without a model that of the texts, two letters; default: en.
    options
        Those of the task's calls, such as `top_k`, and those that load a model of the hub, such as `revision`.

    Raises InputError for a task, option or device that there is none for, and CheckpointError where the model lacks the
    task's head.
    """
    model = parts.chosen_model(task, model, language)
    fetching = loading.options(options, reads_weights=True)
    loaded = parts.load(task, model, framework, device, tokenizer, fetching, options, precision, trust_program)
    for name in loaded.task.model_options:
        options.pop(name, None)
    sizes = {"max_length": max_length, "batch_size": batch_size, "max_batch_tokens": max_batch_tokens}
    return Pipeline(*loaded, truncation=truncation, **sizes, **options)


class Call(NamedTuple):
    """The inputs of one call of a pipeline, ready to be computed."""

    features: Features
    """What the model is given."""
    finish: Callable[[Iterable[Outputs]], Json]
    """The outputs of each row of the features, in their order -> the answer."""
    doubts: dict[str, int]
    """How many of the inputs were `truncated`, are `empty`, mostly `unknown` to the vocabulary, or `unlike_training`;
    of these names only those that any input is."""


class Answered(NamedTuple):
    """The answer for an example."""

    examples: Examples
    number: int
    """Of the example among these."""
    answer: Json
    warning: str | None
    """What is said of an example that is empty or mostly unknown to the vocabulary."""


class Pipeline:
    """A model with its tokenizer, ready to answer for a task."""

    def __init__(self, task: AnyTask, engine: Engine, tokenizer: AlbertTokenizerBase, **options: Json) -> None:
        """`options` are what a call takes; those given here are the defaults of every call."""
        self.task, self.config, self.tokenizer = task, engine.config, tokenizer
        self._engine = engine
        self._options = PipelineOptions(task, self.config, tokenizer.model_max_length, options)
        self._encoder = Encoder(task, tokenizer, self._options)
        self.progress: Callable[[int, int], None] = lambda done, total: None
        """Told after each batch how many rows are computed of those at hand, and how many these are."""

    @property
    def max_length(self) -> int:
        """The longest input in tokens: that of training, unless another was asked for."""
        return self._options.max_length

    @property
    def truncated(self) -> int:
        """How many examples of the last call were longer than the model and were cut."""
        return self._encoder.truncated

    @property
    def unknown(self) -> UnknownTotals:
        """How much of the last call's examples the vocabulary does not know."""
        return self._encoder.unknown

    @property
    def left_out(self) -> list[BadRow]:
        """Rows that the last `stream` or `files` has left out."""
        return self._encoder.left_out

    def __call__(self, *inputs: Json, **options: Json) -> Json:
        """The answer for each input, or one for a single input: what the task's `examples` takes and `decode` gives.

        For a generator or a data set an iterator of the answers: inputs are taken from it a few at a time. Inputs may
        be called `inputs`, and second texts `text_pair`. InputError for inputs that the task cannot answer, and for an
        option that it does not have.
        """
        options = renamed(options)
        inputs = (*inputs, *(options.pop(name) for name in self.task.input_names if name in options))
        settings, chosen = self._options.split(self.config, options)
        if len(inputs) == 1 and (stream := task_inputs.stream(inputs[0])) is not None:
            return self._plain(input_parts.of_stream(self.task, stream, settings.batch_size), settings, chosen)
        call = self.prepare(*inputs, **options)
        answer = call.finish(self._run(call.features, settings))
        self._encoder.warn_of_unknown()
        return answer

    def prepare(self, *inputs: Json, **options: Json) -> "Call":
        """What the model is given for the inputs of a call, and what makes its answer; errors as in a call.

        For whoever computes several calls together: see `run`.
        """
        if not inputs:
            raise InputError("A pipeline answers for inputs. Received: none. Pass a text or a list of texts.")
        config, task = self.config, self.task
        settings, chosen = self._options.split(config, options)
        examples, is_single = task.examples(*inputs)
        features, counts = self._encoder.features(config, examples, settings)

        def finish(outputs: Iterable[Outputs]) -> Json:
            answers = list(task.decode(self.tokenizer, config, examples, features, outputs, **chosen))
            return task.arranged(answers, is_single, inputs[0], options)

        unlike = len(examples) if task.unlike_training(config, examples) else 0
        doubts = {"truncated": features.truncated, **counts.doubts(), "unlike_training": unlike}
        return Call(features, finish, {name: count for name, count in doubts.items() if count})

    def run(self, features: Features, max_batch_tokens: int | None = None) -> Iterator[Outputs]:
        """What the model gives back for each row: what `finish` of the call that it is of takes.

        `max_batch_tokens` are computed together at most, by default as many as the pipeline was told.
        """
        settings, _ = self._options.split(self.config, {})
        return self._run(features, replace(settings, max_batch_tokens=max_batch_tokens or settings.max_batch_tokens))

    def features(self, examples: Examples) -> Features:
        """What the model is given for examples."""
        return self._encoder.features(self.config, examples, self._options.split(self.config, {})[0])[0]

    def outputs(self, *inputs: Json) -> Iterator[Outputs]:
        """What the model itself gives back for each row that the inputs make, such as `logits`, float32."""
        features = self.features(self.task.examples(*inputs)[0])
        self._encoder.warn_of_unknown()
        return self._run(features, self._options.split(self.config, {})[0])

    def stream(self, parts: Iterable[Examples], *, skip_bad_rows: bool = False, **options: Json) -> Iterator[Record]:
        """A record for each example, with its answer, in their order: ready for JSON, and any number passes through.

        A record has a `warning` where its example is empty or mostly unknown to the vocabulary. `options` are those of
        a call; `truncated` and `unknown` count over all parts so far. InputError, saying where it stands, for the first
        example that cannot be answered; those before it were given out. With `skip_bad_rows` examples that the model
        cannot be given have no record, and stand in `left_out`, as do those that the parts were read without.
        """
        answers = self.answers(parts, skip_bad_rows=skip_bad_rows, **options)
        return (self.record(one) for one in answers)

    def record(self, one: Answered) -> Record:
        """An example and its answer, for JSON. That a column gets another name is said once."""
        return input_parts.beside(one.examples.shown(one.number), one.answer, one.warning, self._encoder.tell)

    def answers(self, parts: Iterable[Examples], *, skip_bad_rows: bool = False, **options: Json) -> Iterator[Answered]:
        """The same, each answer with the example that it is for."""
        settings, chosen = self._options.split(self.config, options)
        return self._each(parts, replace(settings, skips=skip_bad_rows), chosen, as_records=True)

    def files(
        self, parts: Iterable[Examples], data: Mapping[str, Json] | None = None, **options: Json
    ) -> dict[str, Record]:
        """What the task's official scripts want of the answers: by name of a file its content, for all examples.

        `options` are those of a call, and `data` options of the task's data by which answers are made, such as
        `max_answer_length`; its `skip_bad_rows` is as in `stream`. InputError where the task has no such files, or an
        example cannot be answered.
        """
        settings, _ = self._options.split(self.config, options)
        given = {**(data or {})}
        skips = bool(given.pop("skip_bad_rows", False))
        settings = replace(settings, data={**settings.data, **given}, skips=skips)
        if not self.task.official_files:
            raise InputError(f"No official script asks for files of {self.task.name}. Take its answers as they are.")
        config, found = self._options.decided(self.config, options), dict[str, Record]()
        for whole in self._encoder.noted(parts):
            part, features, _ = self._encoder.usable(self.config, whole, settings)
            outputs = self._run(features, settings)
            for name, content in self.task.files(config, part, features, outputs).items():
                if twice := found.get(name, {}).keys() & content.keys():
                    raise InputError(f"A file of answers by id needs ids that differ. Twice: {few(sorted(twice))}.")
                found.setdefault(name, {}).update(content)
        return found

    def submission(self, records: Iterable[Record], **options: Json) -> Iterator[Record]:
        """The records of `stream` as the rows of the .tsv that the server of a benchmark, such as GLUE, takes.

        `options` are those of the task's data. InputError where the task or the model has no such form.
        """
        return self.task.submission(self.config, self._options.of_trained_data(options), records)

    def evaluate(self, path: Name, official: dict[str, Record] | None = None, **options: Json) -> Record:
        """Scores on the labelled examples of a file; `options` are those of the task's data, such as `text_column`.

        Of a folder of data they are those of its validation file, or where it has several a mapping of each of them.
        `official` is filled with what the task's official scripts want of the answers, if anything: see `Task.files`.
        InputError where a label is not one of the model's, or the task has no scores.
        """
        task = evaluation.require_trainable(self.task)
        files = evaluation.files(task, path, self._options.of_trained_data(options))
        return evaluation.together({name: self._evaluate(task, one, official, options) for name, one in files.items()})

    def calibrate(
        self, path: Name, target_accuracy: float | None = None, **options: Json
    ) -> tuple[Calibration, Record]:
        """What fits the confidence of answers to the labelled examples of a file, and how it does.

        From then on this pipeline answers with it. `target_accuracy` is what answers that do not abstain should reach;
        without it none abstains. `options` are those of the task's data. InputError where nothing can be fitted.
        """
        task = evaluation.require_trainable(self.task)
        file = next(iter(evaluation.files(task, path, self._options.of_trained_data(options)).values()))
        found, results = task.calibrate(self.config, *self._labelled(task, file, options), target_accuracy)
        present = getattr(self.config, calibration.TRAINED, None)
        entry = calibration.entry(present, task.name, found, task.fitted(results))
        self.config = AlbertConfig.from_dict({**self.config.to_dict(), calibration.TRAINED: entry})
        return found, results

    def _evaluate(
        self, task: AnyTrainableTask, path: Name, official: dict[str, Record] | None, options: Record
    ) -> Record:
        """The scores on a file."""
        labelled = self._labelled(task, path, options)
        scores = evaluation.scores(task, self._options.decided(self.config, {}), labelled, official)
        counted = {"left_out": len(labelled.examples.left_out), "truncated": self.truncated}
        counted["unreadable"] = self.unknown.unreadable
        return {**scores, "examples": len(labelled.examples), **counted, "data": str(path)}

    def _labelled(self, task: AnyTrainableTask, path: Name, options: Record) -> Labelled:
        """The examples of a file with their labels, and what the model gives for each row."""
        settings, _ = self._options.split(self.config, {})
        examples, found = task.read(str(path), self._options.of_scored_file(path, settings, options), self.config)
        examples = first(examples, found.max_eval_samples)

        def encoded(some: Examples) -> Features:
            return self._encoder.features(self.config, some, settings, found, labelled=True)[0]

        examples, features = usable(examples, encoded, found.skip_bad_rows)
        evaluation.warn(examples)
        if self.unknown.is_large:
            logger.warning(f"{path}: {self.unknown.describe(self.tokenizer)}")
        return Labelled(examples, features, self._run(features, settings))

    def read(self, source: Name | BufferedReader, **options: Json) -> Iterator[Examples]:
        """The examples of a data file, or of lines of text, without labels and in parts: what `stream` takes.

        `options` are those of the task's data; `skip_bad_rows` leaves out rows that cannot be read. InputError for a
        file that cannot be used, and for columns of what is no table.
        """
        if not isinstance(source, (str, os.PathLike)):
            return self.task.stream(source, self._options.of_lines(options))
        if text_files.is_lines(self.task, str(source)):
            return text_files.stream(self.task, str(source), self._options.of_lines(options))
        return self.task.stream(str(source), self._options.of_file(source, options))

    def encoded(self, parts: Iterable[Examples], *, skip_bad_rows: bool = False) -> Iterator[tuple[Examples, Features]]:
        """What the model is given for the examples of each part, with these; bad rows as in `stream`."""
        settings = replace(self._options.split(self.config, {})[0], skips=skip_bad_rows)
        for part in self._encoder.noted(parts):
            examples, features, _ = self._encoder.usable(self.config, part, settings)
            if len(examples):
                yield examples, features

    def file_options(self, path: Name, **options: Json) -> DataOptions:
        """The options for a data file: those given, and those by which the data of training was read, if they fit it.

        InputError as in `data_options`.
        """
        return self._options.of_file(path, options)

    def data_options(self, **options: Json) -> DataOptions:
        """The options of the task's data, by name, for the model's length.

        InputError for a name that is none, for a value of another kind, and for what only training is told.
        """
        return self._options.of_data(options)

    def text_options(self, **options: Json) -> DataOptions:
        """The same for texts that stand in no table. InputError for options of one, such as columns, too."""
        return self._options.of_lines(options)

    def call_options(self, data: Record) -> Record:
        """What options of the data say of answers, under the names that they have in a call."""
        return self._options.in_calls(data)

    def _each(
        self, parts: Iterable[Examples], settings: Settings, options: Record, as_records: bool = False
    ) -> Iterator[Answered]:
        """The answer for each example of all parts. One that cannot be answered is found by halving its part."""
        truncated, unknown, number = 0, UnknownTotals(), 0
        for whole in self._encoder.noted(parts):
            waiting = [whole]
            while waiting:
                part = waiting.pop()
                try:
                    part, features, counts = self._encoder.usable(self.config, part, settings)
                    answers = self._decode(part, features, settings, options, as_records) if len(part) else []
                except InputError as error:
                    self._encoder.truncated, self._encoder.unknown = truncated, unknown
                    if len(part) == 1:
                        raise input_parts.refusal(part, number, error) from error
                    middle = len(part) // 2
                    waiting += [part.take(range(middle, len(part))), part.take(range(middle))]
                    continue
                truncated, unknown, number = truncated + self.truncated, unknown + self.unknown, number + len(part)
                self._encoder.truncated, self._encoder.unknown = truncated, unknown
                for row, answer in enumerate(answers):
                    yield Answered(part, row, answer, counts.warning(row))

    def _plain(self, parts: Iterable[Examples], settings: Settings, options: Record) -> Iterator[Json]:
        """The answers alone."""
        for one in self._each(parts, settings, options):
            yield one.answer
        self._encoder.warn_of_unknown()

    def _run(self, features: Features, settings: Settings) -> Iterator[Outputs]:
        return self._engine.run(features, settings.batch_size, settings.max_batch_tokens, self.progress)

    def _decode(
        self, examples: Examples, features: Features, settings: Settings, options: Record, as_records: bool = False
    ) -> list[Answer]:
        decode = self.task.records if as_records else self.task.decode
        outputs = self._run(features, settings)
        return list(decode(self.tokenizer, self.config, examples, features, outputs, **options))
