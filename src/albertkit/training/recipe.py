"""Recipes: what a run is told. Typed, read from TOML, every value overridable, written next to the result."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from albertkit import storage
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, MissingDependency, did_you_mean

try:
    import tomli_w
    from pydantic import BaseModel, ConfigDict, Field, ValidationError
except ImportError as missing:
    raise MissingDependency("Training", missing.name or "pydantic", "train") from None


Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Amount = Annotated[float, Field(ge=0)]
Part = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """A table of a recipe."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


class BaseRecipe(Section):
    """What the recipes of all runs share: the sections differ, and each has one `model`, `data` and `training`."""

    _FREE: ClassVar[frozenset[tuple[str, ...]]] = frozenset()
    """Keys that may be others where a run goes on."""

    framework: Literal["auto", "torch", "tensorflow", "flax"] = "auto"
    """What computes; auto: the first of these that is installed."""
    seed: Count = 42
    """Decides fresh weights, the order of examples, dropout, and what is held out."""

    @classmethod
    def load(cls, path: str | Path | None, overrides: Mapping[str, Any], settings: Sequence[str] = ()) -> Self:
        """Read a TOML file, then apply `overrides` by dotted key (None leaves a value alone), then "key=value" texts.

        Raises ConfigError naming the key, the rule and the value for whatever does not fit.
        """
        content = _read(Path(path)) if path else {}
        given = {key: value for key, value in overrides.items() if value is not None}
        for key, value in {**given, **dict(map(_parse, settings))}.items():
            *sections, last = key.split(".")
            place = content
            for section in sections:
                place = place.setdefault(section, {})
                if not isinstance(place, dict):
                    raise ConfigError(
                        f"A recipe has no key `{key}`, for `{section}` is a value.{did_you_mean(key, cls.keys())}"
                    )
            place[last] = value
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError(_explain(error, cls.keys())) from None

    def changed(self, section: str, **values: Any) -> Self:
        """A copy with some values of one section changed."""
        return self.model_copy(update={section: getattr(self, section).model_copy(update=values)})

    def save(self, path: Path) -> None:
        """Write as TOML."""
        storage.write_bytes(path, tomli_w.dumps(self.model_dump()).encode())

    @classmethod
    def keys(cls) -> list[str]:
        """Every dotted key."""
        return [".".join(key) for key in _walk(cls)]

    def decisive(self) -> dict[str, Any]:
        """What decides the course of a run, without defaults: a release with more keys can go on with an older run."""
        found = self.model_dump(exclude_defaults=True)
        for section, name in self._FREE:
            found.get(section, {}).pop(name, None)
        return found

    def differences(self, other: Self) -> list[str]:
        """The dotted keys in which two recipes may not differ and do, with both values, for a person."""
        found = []
        for path in _walk(type(self)):
            if path in self._FREE:
                continue
            first, second = self, other
            for name in path:
                first, second = getattr(first, name), getattr(second, name)
            if first != second:
                found.append(f"`{'.'.join(path)}` {first!r} and {second!r}")
        return found


class ModelSection(Section):
    """Which model to start from."""

    name: str = "base"
    """A checkpoint (folder or hub name), or a size for a fresh model."""
    tokenizer: str = ""
    """Folder, hub name or spiece.model; default: the checkpoint's own, or learned from the training texts."""
    vocab_size: Annotated[int, Field(ge=16)] = 8000
    """Size of a learned vocabulary; fewer where the texts cannot fill it."""
    config: dict[str, Any] = {}
    """Keys of AlbertConfig to override."""


class DataSection(Section):
    """Which data, and what its columns are."""

    train: str = ""
    """Training file: .csv, .tsv, .jsonl or .parquet."""
    eval: str = ""
    """Evaluation file; default: a part of the training file is held out."""
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Part of the training file that is held out without an evaluation file."""
    header: list[str] = []
    """Column names of a CSV or TSV without a header line."""
    text_column: str = ""
    """Default: found by the usual names, as is the label's."""
    pair_column: str = ""
    """Second text of a pair."""
    label_column: str = ""
    label_separator: Annotated[str, Field(min_length=1)] = "|"
    """Between several labels of one row."""
    problem: Literal["auto", "single", "multi", "regression"] = "auto"
    """What a label is: one class, several classes, or a number."""
    max_length: Annotated[int, Field(ge=4)] = 128
    """Longest input in tokens; what is beyond is cut off and counted."""
    skip_empty: bool = False
    """Leave out rows without text or label instead of stopping."""


class TrainingSection(Section):
    """How to train."""

    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the training data."""
    max_steps: Count = 0
    """Steps; 0: as many as the epochs take."""
    batch_size: Positive = 32
    """Examples a step, over all parts."""
    accumulation: Positive = 1
    """Parts in which a step's batch is computed."""
    learning_rate: Amount = 0.0
    """Peak of the rate; 0: by the width of the model and how it starts."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Course of the rate after the warm-up."""
    warmup: Part = 0.1
    """Part of the steps in which the rate rises."""
    weight_decay: Amount = 0.01
    """Not applied to biases and norms."""
    beta1: Part = 0.9
    beta2: Part = 0.999
    epsilon: Annotated[float, Field(gt=0)] = 1e-6
    max_gradient_norm: Amount = 1.0
    """0: no clipping."""
    word_dropout: Part = 0.0
    """Part of the tokens replaced by <unk> while training."""
    averaging: Part = 0.0
    """Decay of the running mean of the weights, which is evaluated and kept in their place; 0: none."""
    precision: Literal["fp32", "bf16"] = "fp32"
    evaluate_every: Count = 0
    """Steps between evaluations; 0: after each epoch."""
    save_every: Count = 0
    """Steps between checkpoints to resume from; 0: after each evaluation."""
    patience: Count = 0
    """Stop after this many evaluations without a better score; 0: never."""
    metric: str = ""
    """Score that chooses the best weights; default: the task's."""


class Recipe(BaseRecipe):
    """A whole run of fine-tuning."""

    task: Literal["text-classification"] = "text-classification"
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()


def default_learning_rate(config: AlbertConfig, fresh: bool) -> float:
    """A peak rate by how the model starts and by its width: the wider, the smaller.

    For published checkpoints it lies among those of table 14 of the paper: 2e-5 for base, 1e-5 for large and above.
    """
    if fresh:
        return 1e-3 if config.hidden_size <= 256 else 1e-4 if config.hidden_size <= 1024 else 3e-5
    return 1e-4 if config.hidden_size < 512 else 2e-5 if config.hidden_size <= 768 else 1e-5


def _walk(section: type[BaseModel]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(name, *rest) for rest in _walk(kind)]
        else:
            found.append((name,))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"A recipe must be a TOML file. Received: {path}, where there is none.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"A recipe must be a TOML file. Reading {path} failed: {error}.") from error


def _parse(setting: str) -> tuple[str, Any]:
    """The key and value of a text such as "training.epochs=4"; what is not a TOML value is text."""
    key, equals, value = setting.partition("=")
    if not equals:
        raise ConfigError(f"A setting has the form key=value. Received: {setting!r}.")
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value


def _explain(error: ValidationError, keys: Sequence[str]) -> str:
    found, problems = error.errors(), []
    of_another_task = [problem for problem in found if problem["loc"] == ("task",)]  # whose other keys are others, too
    for problem in of_another_task or found:
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] == "extra_forbidden":
            alike = [known for known in keys if known.rpartition(".")[2] == key.rpartition(".")[2]]
            problems.append(f"A recipe has no key `{key}`.{did_you_mean(alike[0] if alike else key, keys)}")
        else:
            problems.append(f"`{key}`: {problem['msg']}. Received: {problem['input']!r}.")
    return " ".join(problems)
