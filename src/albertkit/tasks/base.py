"""The contract of a task: what fine-tuning, evaluation and pipelines ask of it. They know no task by name.

A task reads its data, encodes examples for a model, and makes answers and scores of what the model gives back. NumPy
only: it knows no framework. Letters: N rows of features, L tokens of a row, C classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from albertkit.arrays import Tensors
from albertkit.backends import Outputs
from albertkit.batches import Batch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples
from albertkit.tasks.features import Features, stacked
from albertkit.tasks.figures import Figure
from albertkit.tasks.tables import Table
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

Answer = Json
"""What a task answers for an example: of mappings, lists, texts and numbers, ready for JSON."""


Augment = Callable[[Features, Sequence[np.random.Generator]], Features]
"""Rows and a generator for each -> these rows as one epoch sees them."""

ExamplesT = TypeVar("ExamplesT", bound=Examples)
OptionsT = TypeVar("OptionsT", bound=DataOptions)


class Task(ABC, Generic[ExamplesT, OptionsT]):
    """A task. It has no state: what its labels are stands in the model's config."""

    name: ClassVar[str]
    head: ClassVar[str]
    """The model's head, a key of `weight_table.PARTS`."""
    heads: ClassVar[tuple[str, ...]]
    """Heads of models that answer this task: `head`, and larger ones that contain it."""
    options: ClassVar[type[DataOptions]] = DataOptions
    """The options of its data."""
    answer_options: ClassVar[Mapping[str, Json]] = {}
    """What `decode` may be told, with defaults."""
    encode_options: ClassVar[Mapping[str, str]] = {}
    """What a call of a pipeline may be told of `options`: the name in the call -> the name of the option."""
    answers_as_trained: ClassVar[Mapping[str, str]] = {}
    """Of `answer_options` those whose default is an option of the data that the model was trained on, by its name."""
    scoring_options: ClassVar[frozenset[str]] = frozenset()
    """Those of `answer_options` by which `score` and `files` go, too: they read them in `trained_on.fitted`."""
    model_options: ClassVar[Mapping[str, str]] = {}
    """Options of a pipeline that decide how its model is built, each with its key in the config."""
    input_names: ClassVar[tuple[str, ...]] = ("inputs", "text_pair")
    """Names under which the inputs of `examples` may be passed to a pipeline."""
    sample: ClassVar[Json] = "A text."
    """An input of `examples`, which the card of a trained model shows."""
    official_files: ClassVar[tuple[str, ...]] = ()
    """The names of what `files` may give."""
    batch_tokens: ClassVar[int] = 4096
    """Tokens in a batch of inference, with their padding."""
    reads_folders: ClassVar[bool] = False
    """Whether a folder may be one set of data, and not the files in it."""
    endings: ClassVar[tuple[str, ...]] = ()
    """Usual endings of files that it reads beside tables and .txt."""
    rows_together: ClassVar[int] = 4096
    """Rows of a file that are answered together at most: enough to batch them by length."""
    can_exit_early: ClassVar[bool] = False
    """Whether its head can learn to answer after every layer of the encoder."""
    plain_text_task: ClassVar[str | None] = None
    """The task that asks this one's head about any text, where its own texts must hold something, such as a mask."""
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"loss"})
    """Metrics of which less is better."""

    @abstractmethod
    def examples(self, *inputs: Json) -> tuple[ExamplesT, bool]:
        """What a person passes to a pipeline, as examples, and whether it is a single one."""

    @abstractmethod
    def stream(self, source: str | BufferedReader | Table, options: OptionsT) -> Iterator[ExamplesT]:
        """The examples of a file, by its name, or of lines of text, without labels and in parts of bounded size.

        Of a table they are those of its rows, by options that `located` has completed.
        """

    def is_table(self, path: str) -> bool:
        """Whether a file that `stream` reads is a table, of whose rows any run can be answered by itself."""
        return True

    def is_lines(self, path: str) -> bool:
        """Whether a file with the ending .txt holds a text a line, and nothing that `stream` reads in another form."""
        return True

    def located(self, path: str, options: OptionsT) -> OptionsT:
        """The options with what is found in the first rows of a table: header and columns. InputError for none."""
        return options

    @abstractmethod
    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: ExamplesT,
        options: OptionsT,
        labelled: bool = False,
    ) -> Features:
        """Inputs for a model, of at most `options.max_length` tokens, with labels where `labelled`.

        UnusableRows names the rows that cannot be encoded, or whose label the model does not know, for a caller that
        may leave them out.
        """

    @abstractmethod
    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: ExamplesT,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Answer]:
        """The answer for each example, from the outputs of each row in turn. InputError where they are not finite."""

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """What each part of an answer of `records` is, by name, for formats with columns of one kind.

        str, int, float, np.float32 or bool, [kind] for a list, {name: kind} for parts, and object for any of these.
        """
        return {"answers": object}

    def records(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: ExamplesT,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> Iterable[Record]:
        """The answer for each example as a line of JSON has it; else as `decode`."""
        for answer in self.decode(tokenizer, config, examples, features, outputs, **options):
            yield dict(answer) if isinstance(answer, Mapping) else {"answers": answer}

    def head_for(self, architectures: Sequence[str] | None) -> str:
        """The head with which a model of these classes answers: `head`, unless the task has several.

        `architectures` are as a config names them.
        """
        return self.head

    def files(
        self, config: AlbertConfig, examples: ExamplesT, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, Record]:
        """What the task's official scripts want of the answers: by name of a file of JSON its content, by example.

        Nothing where a task has no such scripts.
        """
        return {}

    def submission(self, config: AlbertConfig, options: OptionsT, records: Iterable[Record]) -> Iterator[Record]:
        """Records as the rows of the .tsv that the server of a benchmark takes. InputError where there is none."""
        raise InputError(
            f"A .tsv holds the answers that the server of a benchmark takes, and {self.name} has none here. Write to "
            ".jsonl, .csv or .parquet in its place."
        )

    def arranged(self, answers: list[Answer], is_single: bool, inputs: Json, options: Record) -> Answer:
        """The answers in the form that a call gives back: one for a single input, a list for a list of them.

        `inputs` are as they were passed, `options` those of this very call, without what the pipeline was made with.
        """
        return answers[0] if is_single else answers

    def unlike_training(self, config: AlbertConfig, examples: ExamplesT) -> str | None:
        """A sentence where examples are of another kind than those that the model was trained on, as far as known."""
        return None

    def about(self, config: AlbertConfig) -> Record:
        """What a reader of its answers must know of a model beside its labels, ready for JSON."""
        return {}

    def completed(self, config: AlbertConfig, tensors: Tensors) -> Tensors:
        """Tensors of a checkpoint with those that answers do without, where it lacks them."""
        return tensors

    def collate(self, features: Features, pad_id: int) -> Batch:
        """Rows as one batch for training: all of them, padded on the right; labels of tokens by -100."""
        labels = {name: stacked(values) for name, values in features.labels.items()}
        return PaddedBatch.of_rows(features.input_ids, features.token_type_ids, pad_id, **labels)


class TrainableTask(Task[ExamplesT, OptionsT]):
    """A task that can be fine-tuned and scored."""

    @abstractmethod
    def read(self, path: str, options: OptionsT, config: AlbertConfig | None = None) -> tuple[ExamplesT, OptionsT]:
        """The labelled examples of a file, and the options with what was found filled in, such as columns.

        `config` is that of a model whose labels are known. InputError names the rows that lack something, unless
        `options.skip_bad_rows` leaves them out.
        """

    def splits(self, path: str, options: OptionsT) -> Mapping[str, str]:
        """The files of a folder of data by split: train, validation, test and others that begin so.

        None where `path` is what `read` takes. InputError for a folder that cannot be one of data.
        """
        return {}

    def with_files(self, options: OptionsT) -> OptionsT:
        """The options with the files of a folder of data in its place. InputError where it holds none to train on."""
        splits = self.splits(options.train, options)
        if not splits:
            return options
        if "train" not in splits:
            raise InputError(
                f"A folder to train on must hold a file for it. {options.train} holds {', '.join(splits)} alone. Name "
                "a file with --train."
            )
        return replace(options, train=splits["train"], eval=options.eval or splits.get("validation", ""))

    @abstractmethod
    def config_keys(self, examples: ExamplesT, options: OptionsT) -> Record:
        """What training examples decide in a config, such as `id2label` and `problem_type`."""

    @abstractmethod
    def score(
        self, config: AlbertConfig, examples: ExamplesT, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """The metrics, from the outputs of each row in turn. InputError where they are not finite."""

    def calibrate(
        self,
        config: AlbertConfig,
        examples: ExamplesT,
        features: Features,
        outputs: Iterable[Outputs],
        target_accuracy: float | None = None,
    ) -> tuple[Calibration, Record]:
        """What fits the confidence of answers to labelled examples that training has not seen, and how it does.

        Of how it does `fitted` may take more for the model's answers. InputError where nothing can be fitted.
        """
        raise InputError(
            "Only answers that are right or wrong have a confidence to calibrate. Received: a model for "
            f"{self.name}. Take its scores as they are."
        )

    def fitted(self, scores: Mapping[str, float]) -> Record:
        """What scores on held-out examples decide for the model's answers: values of `answer_options`."""
        return {}

    @abstractmethod
    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """What `score` gives; the first chooses the best weights unless another is named."""

    def classes(self, examples: ExamplesT, options: OptionsT, config: AlbertConfig) -> np.ndarray | None:
        """(N,) a class for each example where each has one: of every class one is kept when a part is held out."""
        return None

    def has_one_class(self, config: AlbertConfig) -> bool:
        """Whether each label is one of several classes, whose loss is cross entropy: only such labels are smoothed."""
        return False

    def class_weights(self, examples: ExamplesT, options: OptionsT, config: AlbertConfig) -> np.ndarray | None:
        """(C,) float32 above 0, what each class counts in the training loss; None: all alike."""
        return None

    def augmentation(self, tokenizer: AlbertTokenizerBase, options: OptionsT) -> Augment | None:
        """What changes rows anew in every epoch of training, such as masks; None: nothing does.

        A row must depend on its features and its generator alone: so a resumed run sees what it would have seen.
        """
        return None

    def label_counts(self, examples: ExamplesT, options: OptionsT, config: AlbertConfig) -> Mapping[str, int]:
        """How often each label occurs, by name; nothing where a task has none that could be counted."""
        return {}

    def doubts(self, examples: ExamplesT, features: Features) -> Mapping[str, Sequence[int]]:
        """What is odd about labelled examples and yet can be trained on: sentences, with the numbers of the examples.

        `features` are those of the examples, with labels.
        """
        return {}

    def figures(
        self, config: AlbertConfig, examples: ExamplesT, features: Features, outputs: Sequence[Outputs]
    ) -> list[Figure]:
        """What a person may want to see of the scores, from what `score` is given: for pictures and the model card."""
        return []

    def describe(self, options: OptionsT, config: AlbertConfig) -> str:
        """What was found in the data, in a few words."""
        return f"{config.num_labels} classes"


AnyTask = Task[Any, Any]
"""A task, whatever its examples and options are."""
AnyTrainableTask = TrainableTask[Any, Any]
"""A task that can be trained, whatever its examples and options are."""
