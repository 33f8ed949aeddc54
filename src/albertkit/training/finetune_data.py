"""The data of fine-tuning: files in, examples and features of both sides out, and what a person should know of them."""

from dataclasses import dataclass, replace

from rich.console import Console

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import bad_rows, trained_on
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, few_to_score, first, repeated, usable
from albertkit.tasks.features import Features
from albertkit.tasks.held_out import split
from albertkit.training import defaults
from albertkit.training.initial_state import InitialState, initial_state
from albertkit.training.recipe import FinetuneRecipe
from albertkit.typing import Record


@dataclass(frozen=True)
class Side:
    """One side of the data, ready for the model."""

    examples: Examples
    features: Features

    def __len__(self) -> int:
        return len(self.examples)


@dataclass(frozen=True)
class Prepared:
    """All that a run needs of its data, and what it starts from."""

    start: InitialState
    options: DataOptions
    """Those of the data, with what was found in it."""
    trained: Side
    evaluated: Side
    has_classes: bool
    """Whether the training examples decide what the model's classes are."""


def prepare(task: AnyTrainableTask, recipe: FinetuneRecipe, console: Console) -> Prepared:
    """Read both sides, make or load what the run starts from, and encode them for it. Says what was found."""
    train_examples, eval_examples, keys, options = _read(task, recipe, console)
    start = initial_state(recipe, task, keys, list(train_examples.texts()))
    start, options = _with_defaults(recipe, start, options, console)
    written = trained_on.write(start.config, task, options)
    start = replace(start, config=written.changed(early_exit=recipe.training.early_exit))
    if start.provenance:
        console.print("\n".join(start.provenance))
    trained = _encoded(task, start, options, train_examples, console)
    evaluated = _encoded(task, start, options, eval_examples, console)
    if told := bad_rows.told([*trained.examples.left_out, *evaluated.examples.left_out]):
        console.print(told)
    return Prepared(start, options, trained, evaluated, "id2label" in keys)


def _with_defaults(
    recipe: FinetuneRecipe, start: InitialState, options: DataOptions, console: Console
) -> tuple[InitialState, DataOptions]:
    """The dropout of the benchmark's settings, and their longest input where the model has room for it."""
    longest = start.config.max_position_embeddings
    if options.max_length > longest:  # which `initial_state` allows the settings of a benchmark alone
        console.print(f"The longest input is {longest} tokens, as the model's, and not {options.max_length}.")
        options = replace(options, max_length=longest)
    if start.is_new:
        return start, options
    config = defaults.with_dropout(start.config, recipe.benchmark, recipe.model.config)
    return replace(start, config=config), options


def _read(
    task: AnyTrainableTask, recipe: FinetuneRecipe, console: Console
) -> tuple[Examples, Examples, Record, DataOptions]:
    """Training and evaluation examples, what they decide in the config, and the options with what was found."""
    options = recipe.options()
    if not options.train:
        raise InputError(
            "Training needs data. Name a file with --train, in a recipe data.train, or a data set of the hub with "
            "--hub-dataset."
        )
    options = task.with_files(options)
    examples, options = task.read(options.train, options)
    held_out = task.read(options.eval, options)[0] if options.eval else None
    examples, keys = usable(examples, lambda some: task.config_keys(some, options), options.skip_bad_rows)
    described = AlbertConfig(**keys)
    if held_out is None:
        examples, classes = usable(examples, lambda some: task.classes(some, options, described), options.skip_bad_rows)
        parts = split(examples, classes, options.held_out, recipe.seed)
        held_out = replace(examples.take(parts.held_out), left_out=())  # they are those of the whole file
        examples = examples.take(parts.kept)
        if parts.told:
            console.print(parts.told)
    examples, held_out = first(examples, options.max_train_samples), first(held_out, options.max_eval_samples)
    console.print(
        f"{len(examples):,} training and {len(held_out):,} evaluation examples from {options.train} and "
        f"{options.eval or 'the same file'}: {task.describe(options, described)}."
        + (f" Found: {examples.found}." if examples.found else ""),
    )
    _tell_of_evaluation(examples, held_out, console)
    return examples, held_out, keys, options


def _tell_of_evaluation(examples: Examples, held_out: Examples, console: Console) -> None:
    """Say what makes scores worthless: too few examples, or such as were trained on."""
    if told := few_to_score(len(held_out)):
        console.print(f"{told} Name more with --eval, or hold more out with --held-out.")
    if alike := repeated(held_out, examples):
        console.print(
            f"{len(alike):,} of the {len(held_out):,} evaluation examples are training examples, too "
            f"({held_out.where(alike)}): scores on them say how well they were learned by heart."
        )


def _encoded(
    task: AnyTrainableTask, start: InitialState, options: DataOptions, examples: Examples, console: Console
) -> Side:
    """One side with its features.

    Says how many windows long texts fill, how many texts were cut, and how much of them the vocabulary does not know.
    """

    def encode(some: Examples) -> Features:
        return task.encode(start.tokenizer, start.config, some, options, labelled=True)

    examples, features = usable(examples, encode, options.skip_bad_rows)
    if len(features) > len(examples):
        console.print(
            f"The {len(examples):,} examples of {examples.path} fill {len(features):,} windows of at most "
            f"{options.max_length} tokens."
        )
    if features.truncated:
        console.print(
            f"{features.truncated:,} of {len(examples):,} texts of {examples.path} are longer than "
            f"{options.max_length} tokens, or than another bound, and were cut.",
        )
    unknown = features.unknown(start.tokenizer, len(examples)).totals()
    if unknown.is_large:
        console.print(f"{examples.path}: {unknown.describe(start.tokenizer)}")
    return Side(examples, features)
