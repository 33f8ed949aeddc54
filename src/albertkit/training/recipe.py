"""Recipes: what a run is told. Typed, read from TOML, every value overridable, written next to the result."""

import dataclasses
import functools
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from albertkit import storage
from albertkit.backends import OptimizerSettings
from albertkit.errors import ConfigError, InputError, MissingDependency, did_you_mean
from albertkit.storage import encodings
from albertkit.tasks import registry
from albertkit.tasks.data_options import DataOptions
from albertkit.training import defaults, named_recipes, option_names
from albertkit.typing import Json, Record

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
    _STEPS: ClassVar[str] = "max_steps"
    """The key of the section `training` that says how many steps there are."""

    framework: Literal["auto", "torch", "tensorflow", "flax"] = "auto"
    """What computes; auto: the first of these that is installed."""
    seed: Count = 42
    """Decides new weights, the order of examples, dropout, and what is held out."""

    @classmethod
    def load(cls, path: str | Path | None, overrides: Mapping[str, Json], settings: Sequence[str] = ()) -> Self:
        """Read a TOML file, or a recipe of the package by its name, then apply `overrides`, then "key=value" texts.

        `overrides` are by dotted key, and None leaves a value alone.

        Raises ConfigError naming the key, the rule and the value for whatever does not fit.
        """
        content, keys = _read(named_recipes.find(path)) if path else {}, cls.keys()
        for key, value in _given(overrides, settings).items():
            _put(content, key, value, keys)
        return cls.of_content(content)

    @classmethod
    def of_content(cls, content: Mapping[str, Json]) -> Self:
        """A recipe of nested tables. Raises ConfigError as `load` does."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError(_explain(error, cls.keys())) from None

    def changed(self, section: str, **values: Json) -> Self:
        """A copy with some values of one section changed."""
        return self.model_copy(update={section: getattr(self, section).model_copy(update=values)})

    def save(self, path: Path) -> None:
        """Write as TOML."""
        storage.write_bytes(path, tomli_w.dumps(self.model_dump()).encode())

    @classmethod
    def keys(cls) -> list[str]:
        """Every dotted key."""
        return [".".join(key) for key in _walk(cls)]

    @property
    def steps(self) -> int:
        """How many steps there are; 0 where other keys say that."""
        return getattr(self.training, self._STEPS)  # type: ignore[attr-defined]  # each recipe has a section of its own

    def with_steps(self, steps: int) -> Self:
        """A copy for a run of so many steps."""
        return self.changed("training", **{self._STEPS: steps})

    def decisive(self) -> Record:
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
    """A checkpoint (folder or hub name), or a size for a newly initialised model."""
    tokenizer: str = ""
    """Folder, hub name or spiece.model; default: the checkpoint's own, or learned from the training texts."""
    vocab_size: Annotated[int, Field(ge=16)] = 8000
    """Size of a learned vocabulary; fewer where the texts cannot fill it."""
    config: Record = {}
    """Keys of AlbertConfig to override."""


class OptimizationSection(Section):
    """What fine-tuning and pre-training are told alike about steps and optimizer."""

    gradient_accumulation: Positive = 1
    """Parts in which a step's batch is computed, one after the other."""
    learning_rate: Amount = 0.0
    """Peak of the rate."""
    weight_decay: Amount = 0.01
    """Not applied to biases and norms."""
    beta1: Part = 0.9
    """Decay of the first moment."""
    beta2: Part = 0.999
    """Decay of the second moment."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-6
    """Added to the root of the second moment."""
    max_gradient_norm: Amount = 1.0
    """0: no clipping."""
    ema_decay: Part = 0.0
    """Decay of a moving average of the weights, which is evaluated and kept in their place; 0: none."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """What products are computed in; weights and optimizer stay float32."""
    evaluate_every: Count = 0
    """Steps between evaluations."""
    save_every: Count = 0
    """Steps between checkpoints to resume from; 0: after each evaluation, and every ten minutes."""
    keep_state: bool = True
    """Keep the best weights and the state of the last step, from which --extend-to goes on, in `checkpoints`."""

    def optimizer_settings(self, **others: Json) -> OptimizerSettings:
        """The settings of the optimizer; `others` are those that not all recipes have."""
        return OptimizerSettings(
            weight_decay=self.weight_decay,
            betas=(self.beta1, self.beta2),
            epsilon=self.epsilon,
            max_gradient_norm=self.max_gradient_norm,
            **others,
        )


class TrainingSection(OptimizationSection):
    """How to fine-tune. A rate of 0 is chosen by the width of the model and how it starts."""

    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the training data."""
    max_steps: Count = 0
    """Steps; 0: as many as the epochs take."""
    batch_size: Positive = 32
    """Examples a step."""
    per_device_batch_size: Count = 0
    """Examples of a part of a step in each process: `batch_size` is so many, times the parts, times the processes; 0:
    it is what it says."""
    eval_batch_size: Count = 0
    """Examples of an evaluation that are computed together at most; 0: as many as fill 8,192 tokens."""
    defaults: str = ""
    """A benchmark whose settings in the ALBERT paper fill in what is not given (cola, sst2, mrpc, ..., squad, squad_v2,
    race); default: that of `data.task_name`, if there is one."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Course of the rate after the warm-up."""
    warmup_ratio: Part = 0.1
    """Share of the steps in which the rate rises."""
    warmup_steps: Count = 0
    """Steps in which the rate rises; 0: by `warmup_ratio`."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What the rate is multiplied by from one block of weights to the one below it, from the head down; ALBERT's
    shared layers are one block."""
    head_learning_rate: Amount = 0.0
    """Peak of the rate of the head; 0: that of the encoder."""
    freeze_encoder: bool = False
    """Train the head alone, on what the encoder gives as it is."""
    freeze_word_embeddings: bool = False
    """Leave the vectors of the vocabulary as they are, which models of several tasks may share then."""
    label_smoothing: Part = 0.0
    """Share of each label that the training loss spreads over all classes alike; for labels that are one class."""
    word_dropout: Part = 0.0
    """Share of the tokens replaced by <unk> while training."""
    early_exit: bool = False
    """Train the classifier after every layer of the encoder, so that answers may stop early; see docs/early-exit.md."""
    patience: Count = 0
    """Stop after this many evaluations without a better score; 0: never."""
    metric: str = ""
    """Score that chooses the best weights; default: the task's."""


class FinetuneRecipe(BaseRecipe):
    """A whole run of fine-tuning. The data section has the options of its task."""

    task: str = "text-classification"
    """See `albertkit.tasks.registry`."""
    model: ModelSection = ModelSection()
    data: Section
    training: TrainingSection = TrainingSection()
    seeds: list[Count] = []
    """Seeds of several runs, each in a folder of its own, whose scores are put together; default: `seed` alone."""

    @property
    def benchmark(self) -> str:
        """The benchmark whose settings in the paper fill in what is not given, or nothing."""
        return self.training.defaults or getattr(self.data, "task_name", "")

    @classmethod
    def load(
        cls,
        path: str | Path | None,
        overrides: Mapping[str, Json],
        settings: Sequence[str] = (),
        task: str | None = None,
    ) -> Self:
        """As in `BaseRecipe.load`, with the data section of the task that is named.

        `task` is the one that is wanted: ConfigError where the recipe names another.
        """
        content = _read(named_recipes.find(path)) if path else {}
        given = _given(overrides, settings)
        name = given.get("task") or content.get("task") or task or cls.model_fields["task"].default
        if task is not None and name != task:
            raise ConfigError(
                f"`task`: the recipe must be one for {task}. Received: {name!r}. Give another recipe, or the command "
                "of its own task."
            )
        try:
            kind = of_task(str(name))
        except InputError as error:
            raise ConfigError(f"`task`: {error}") from None
        merged = {**_merged(content, given, kind.keys()), "task": name}
        return kind.of_content(defaults.filled_in(merged))  # type: ignore[return-value]  # a subclass, made for the task

    def options(self) -> DataOptions:
        """The options of the task's data."""
        return registry.get_trainable(self.task).options.of(self.data.model_dump())


@functools.cache
def of_task(name: str) -> type[FinetuneRecipe]:
    """The class of the recipes of a task. InputError where there is no such task."""
    options = registry.get_trainable(name).options
    hints, own = typing.get_type_hints(options), options.defaults()
    described: Record = {}
    annotations: Record = {}
    for one in dataclasses.fields(options):
        annotations[one.name] = hints[one.name]
        described[one.name] = Field(own[one.name], description=one.metadata["help"], **one.metadata["rules"])
    section = type("DataSection", (Section,), {**described, "__annotations__": annotations, "__module__": __name__})
    changed = {"task": name, "data": section(), "__annotations__": {"task": str, "data": section}}
    return type("FinetuneRecipe", (FinetuneRecipe,), {**changed, "__module__": __name__})


def _walk(section: type[BaseModel]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(name, *rest) for rest in _walk(kind)]
        else:
            found.append((name,))
    return found


def _given(overrides: Mapping[str, Json], settings: Sequence[str]) -> Record:
    """What a command line says, by key."""
    return {key: value for key, value in overrides.items() if value is not None} | dict(map(_parse, settings))


def _merged(content: Record, given: Mapping[str, Json], keys: Sequence[str]) -> Record:
    """The tables of a TOML file with what is given put in. Keys may have the names of `option_names`."""
    found: Record = {}
    for source in (dict(_entries(content)), given):
        names: dict[str, str] = {}
        for name, value in source.items():
            if (own := option_names.own_key(name, value, keys)) is None:
                continue
            if (other := names.setdefault(own[0], name)) != name and source[other] != value:
                raise ConfigError(
                    f"`{other}` and `{name}` are two names of one option, and must not differ. Received: "
                    f"{source[other]!r} and {value!r}. Leave one of them out."
                )
            _put(found, *own, keys)
    return found


def _entries(content: Record) -> Iterator[tuple[str, Json]]:
    """The keys of the tables of a recipe, and what they hold; an empty table is a key itself."""
    for name, section in content.items():
        if isinstance(section, dict) and section:
            yield from ((f"{name}.{key}", value) for key, value in section.items())
        else:
            yield name, section


def _put(content: Record, key: str, value: Json, keys: Sequence[str]) -> None:
    *sections, last = key.split(".")
    place = content
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise ConfigError(f"A recipe has no key `{key}`, for `{section}` is a value.{did_you_mean(key, keys)}")
    place[last] = value


def _read(path: Path) -> Record:
    storage.require_content(path, ConfigError)
    try:
        return tomllib.loads(encodings.decode(path.read_bytes()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"A recipe must be a TOML file. Reading {path} failed: {error}.") from error


def _parse(setting: str) -> tuple[str, Json]:
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
