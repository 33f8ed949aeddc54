"""The contract of a task: what fine-tuning, evaluation and pipelines ask of it. They know no task by name.

A task reads its data, encodes examples for a model, and makes answers and scores of what the model gives back. NumPy
only: it knows no framework. Letters: N rows of features, L tokens of a row, C classes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from io import BufferedReader
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from albertkit.arrays import pad
from albertkit.backends import Outputs
from albertkit.batches import PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, did_you_mean
from albertkit.rules import IGNORED
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

Answer = Json
"""What a task answers for an example: of mappings, lists, texts and numbers, ready for JSON."""


def option(default: Json, help: str, **rules: Json) -> Any:
    """A field of `DataOptions`: its default, a line for `--help`, and rules such as ge, gt, lt and min_length."""
    metadata = {"help": help, "rules": rules}
    if isinstance(default, list):
        return field(default_factory=lambda: [*default], metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class DataOptions:
    """The options of the data section of a recipe that all tasks share; a task adds its own in a subclass."""

    train: str = option("", "Training data: .csv, .tsv, .jsonl or .parquet.")
    eval: str = option("", "Evaluation data; default: a part of the training data.")
    held_out: float = option(0.1, "Part of the training data held out without evaluation data.", gt=0, lt=1)
    header: list[str] = option([], "Comma-separated column names of a CSV or TSV without a header line.")
    max_length: int = option(128, "Longest input in tokens; what is beyond is cut off and counted.", ge=4)
    skip_empty: bool = option(False, "Leave out incomplete rows instead of stopping.")

    @classmethod
    def defaults(cls) -> Record:
        """Every option with its default."""
        return {one.name: one.default if one.default is not MISSING else [] for one in fields(cls)}

    @classmethod
    def of(cls, values: Mapping[str, Json]) -> Self:
        """Options by name. InputError for a name that is none."""
        known = cls.defaults()
        for name in values:
            if name not in known:
                raise InputError(f"The data has no option `{name}` for this task.{did_you_mean(name, known)}")
        return cls(**values)


class Examples(ABC):
    """What is read from a file or passed to a pipeline: inputs, and labels where there are any."""

    path: str
    """The file they come from; nothing where they were passed."""
    left_out: int = 0
    """Rows that were left out because they lack something, where that was allowed."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, chosen: Iterable[int]) -> Self:
        """Some of the examples, by number."""

    @abstractmethod
    def texts(self) -> Iterable[str]:
        """All texts, from which a vocabulary may be learned."""

    @abstractmethod
    def where(self, chosen: Sequence[int]) -> str:
        """Where examples stand, for a message: file and lines, or nothing where they come from no file."""

    @abstractmethod
    def shown(self, number: int) -> Record:
        """What is printed beside the answer of an example, for JSON."""


@dataclass(frozen=True)
class Features:
    """What a model is given, row by row and not padded yet: N rows, by default one an example."""

    input_ids: Sequence[Sequence[int]]
    token_type_ids: Sequence[Sequence[int]]
    labels: Mapping[str, Sequence[Json] | np.ndarray] = field(default_factory=dict)
    """By the name of the model's argument: an entry a row, where that is a list an entry a token."""
    positions: Sequence[Sequence[int]] | None = None
    """The places of each row at which scores over the vocabulary are asked for; None: outputs of the whole row are."""
    example: Sequence[int] | None = None
    """The example that each row is of, where an example may fill several; None: one row an example."""
    columns: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """What the task itself wants back with a row, such as offsets into the text; the model does not see it."""
    truncated: int = 0
    """How many examples were cut to the longest input."""

    def __len__(self) -> int:
        return len(self.input_ids)

    def take(self, rows: Sequence[int] | np.ndarray) -> "Features":
        """Some of the rows."""

        def taken(values: Json) -> Json:
            return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]

        return Features(
            taken(self.input_ids),
            taken(self.token_type_ids),
            {name: taken(values) for name, values in self.labels.items()},
            None if self.positions is None else taken(self.positions),
            None if self.example is None else taken(self.example),
            {name: taken(values) for name, values in self.columns.items()},
        )

    def with_ids(self, input_ids: Sequence[Sequence[int]]) -> "Features":
        """The same with other ids."""
        return replace(self, input_ids=input_ids)

    def lengths(self) -> list[int]:
        """L of each row."""
        return [len(row) for row in self.input_ids]


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
    batch_tokens: ClassVar[int] = 4096
    """Tokens in a batch of inference, with their padding."""
    lower_is_better: ClassVar[frozenset[str]] = frozenset({"loss"})
    """Metrics of which less is better."""

    @abstractmethod
    def examples(self, *inputs: Json) -> tuple[ExamplesT, bool]:
        """What a person passes to a pipeline, as examples, and whether it is a single one."""

    @abstractmethod
    def stream(self, source: str | BufferedReader, options: OptionsT) -> Iterator[ExamplesT]:
        """The examples of a file, by its name, or of lines of text, without labels and in parts of bounded size."""

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

        InputError names the rows that cannot be encoded, or whose label the model does not know.
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

    def collate(self, features: Features, pad_id: int) -> PaddedBatch:
        """Rows as one batch: all of them, padded on the right; labels of tokens by -100."""
        labels = {name: _array(values) for name, values in features.labels.items()}
        return PaddedBatch.of_rows(features.input_ids, features.token_type_ids, pad_id, **labels)

    def record(self, answer: Answer) -> Record:
        """An answer as a line of JSON has it."""
        return dict(answer) if isinstance(answer, Mapping) else {"answers": answer}


class TrainableTask(Task[ExamplesT, OptionsT]):
    """A task that can be fine-tuned and scored."""

    @abstractmethod
    def read(self, path: str, options: OptionsT, config: AlbertConfig | None = None) -> tuple[ExamplesT, OptionsT]:
        """The labelled examples of a file, and the options with what was found filled in, such as columns.

        `config` is that of a model whose labels are known. InputError names the rows that lack something, unless
        `options.skip_empty` leaves them out.
        """

    @abstractmethod
    def config_keys(self, examples: ExamplesT, options: OptionsT) -> Record:
        """What training examples decide in a config, such as `id2label` and `problem_type`."""

    @abstractmethod
    def score(
        self, config: AlbertConfig, examples: ExamplesT, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """The metrics, from the outputs of each row in turn. InputError where they are not finite."""

    @abstractmethod
    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """What `score` gives; the first chooses the best weights unless another is named."""

    def classes(self, examples: ExamplesT, options: OptionsT, config: AlbertConfig) -> np.ndarray | None:
        """(N,) a class for each example where each has one: of every class one is kept when a part is held out."""
        return None

    def describe(self, options: OptionsT, config: AlbertConfig) -> str:
        """What was found in the data, in a few words."""
        return f"{config.num_labels} classes"


AnyTask = Task[Any, Any]
"""A task, whatever its examples and options are."""
AnyTrainableTask = TrainableTask[Any, Any]
"""A task that can be trained, whatever its examples and options are."""


def require_finite(logits: np.ndarray) -> None:
    """InputError where a row of (N, ...) logits holds what is no number."""
    broken = int((~np.isfinite(logits)).any(axis=tuple(range(1, logits.ndim))).sum())
    if broken:
        raise InputError(
            f"A model must answer with finite numbers. Received: others for {broken} of {len(logits)} answers. See "
            "what its weights hold with `albertkit info`, or take another checkpoint."
        )


def _array(values: Sequence[Json] | np.ndarray) -> np.ndarray:
    if isinstance(values, np.ndarray):
        return values
    if len(values) and isinstance(values[0], Sequence | np.ndarray):
        return pad(values, IGNORED)
    return np.asarray(values)
