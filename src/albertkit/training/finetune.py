"""Fine-tuning any task: data files and a recipe in, a folder with the trained model and its results out."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from albertkit import arrays, backends
from albertkit.backends import Outputs, TrainBackend
from albertkit.batches import Batch
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError, did_you_mean
from albertkit.tasks import registry, trained_on
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.examples import Examples, few_to_score, repeated
from albertkit.tasks.features import Features
from albertkit.training import finetune_evaluation, loop, model_card, reporter, run_folder
from albertkit.training.backends import train_backend
from albertkit.training.finetune_batches import FinetuneBatches
from albertkit.training.initial_state import InitialState, initial_state
from albertkit.training.recipe import FinetuneRecipe, default_learning_rate
from albertkit.training.schedule import Schedule, described_change
from albertkit.typing import Record


@dataclass(frozen=True)
class _Side:
    """One side of the data, ready for the model."""

    examples: Examples
    features: Features

    def __len__(self) -> int:
        return len(self.examples)


def run(
    requested: FinetuneRecipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    extend_to: int | None = None,
    console: Console | None = None,
) -> Record:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`, and a finished one with `extend_to`, up to so many steps. A folder
    that holds what a run writes is only replaced with `overwrite`, and not before there is data to train on. Raises
    ConfigError, InputError, CheckpointError or TrainingError, and Interrupted at Ctrl-C; see `albertkit.errors`.
    """
    console = console or Console(highlight=False, soft_wrap=True, markup=False)
    requested = requested.model_copy(update={"framework": backends.resolve(requested.framework)})
    backend = _backend(requested.framework)
    requested, extended = run_folder.agreed(requested, output, resume=resume, overwrite=overwrite, extend_to=extend_to)
    run_folder.require_usable(requested, output, resume, overwrite or bool(extend_to))
    task = registry.get_trainable(requested.task)
    train_examples, eval_examples, keys, options = _read(task, requested, console)
    start = initial_state(requested, task.head, keys, list(train_examples.texts()))
    start = replace(start, config=trained_on.write(start.config, task, options))
    if start.provenance:
        console.print("\n".join(start.provenance))
    trained = _weighted(task, start, options, _encoded(task, start, options, train_examples, console))
    evaluated = _encoded(task, start, options, eval_examples, console)
    given = options, start.config, start.is_new, len(trained.features)
    recipe = _resolved(task, requested, *given)
    earlier = extended and _resolved(task, extended, *given)
    batches, plan = _planned(task, backend, recipe, start, trained, options)
    plan = replace(plan, is_resumed=resume, extends=_fingerprint(earlier, trained.features) if earlier else "")
    if extend_to and earlier:
        console.print(described_change(_schedule(earlier), plan.schedule))

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return finetune_evaluation.scores(task, forward, evaluated.examples, evaluated.features, start.config)

    with run_folder.locked(requested, output, resume or bool(extend_to)):
        with reporter.Reporter(output, console, plan.schedule.steps) as callback:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, callback)
        counted = {"examples": len(evaluated), "data": eval_examples.path}
        counted["epoch"] = round(course.best_step / len(batches), 3)
        results = {**course.best_evaluation(), **counted}
        names = list(start.config.id2label.values()) if "id2label" in keys else []
        card = model_card.model_card(recipe, results, len(trained), names, start.provenance)
        start.tokenizer.model_max_length = options.max_length
        run_folder.finish(output, requested, recipe, plan, start, tensors, results, card)
    return results


def _backend(framework: str) -> TrainBackend:
    """The backend of a framework. ConfigError where a launcher has started several processes."""
    backend = train_backend(framework)
    backend.init_processes()
    if (count := backend.world_size()) > 1:
        raise ConfigError(
            f"Fine-tuning runs in one process. Received: {count}. Start it without torchrun, or as one task of Slurm; "
            "several are for `albertkit pretrain`."
        )
    return backend


def _read(
    task: AnyTrainableTask, recipe: FinetuneRecipe, console: Console
) -> tuple[Examples, Examples, Record, DataOptions]:
    """Training and evaluation examples, what they decide in the config, and the options with what was found."""
    options = recipe.options()
    if not options.train:
        raise InputError("Training needs data. Name a file with --train, in a recipe data.train.")
    examples, options = task.read(options.train, options)
    held_out = task.read(options.eval, options)[0] if options.eval else None
    keys = task.config_keys(examples, options)
    described = AlbertConfig(**keys)
    left_out = examples.left_out + (held_out.left_out if held_out else 0)
    if held_out is None:
        classes = task.classes(examples, options, described)
        examples, held_out = _split(examples, classes, options.held_out, recipe.seed, options.train)
    console.print(
        f"{len(examples):,} training and {len(held_out):,} evaluation examples from {options.train} and "
        f"{options.eval or 'the same file'}: {task.describe(options, described)}."
        + (f" Found: {examples.found}." if examples.found else "")
        + (f" {left_out:,} rows without text or label were left out." if left_out else ""),
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


def _split(
    examples: Examples, classes: np.ndarray | None, share: float, seed: int, path: str
) -> tuple[Examples, Examples]:
    """Hold a share out, drawn by the seed; where there are classes, at least one example of each stays."""
    size = max(round(len(examples) * share), 1)
    order = np.random.default_rng(seed).permutation(len(examples))
    if classes is not None:
        _, firsts = np.unique(classes[order], return_index=True)
        order = np.concatenate([np.delete(order, firsts), order[firsts]])
        size = min(size, len(order) - len(firsts))
    if not 0 < size < len(examples):
        raise InputError(f"Holding out a part needs more rows. {path} has {len(examples)}. Give an --eval file.")
    return examples.take(sorted(order[size:])), examples.take(sorted(order[:size]))


def _encoded(
    task: AnyTrainableTask, start: InitialState, options: DataOptions, examples: Examples, console: Console
) -> _Side:
    features = task.encode(start.tokenizer, start.config, examples, options, labelled=True)
    if features.truncated:
        console.print(
            f"{features.truncated:,} of {len(examples):,} texts of {examples.path} are longer than "
            f"{options.max_length} tokens and were cut.",
        )
    unknown = features.unknown(start.tokenizer, len(examples)).totals()
    if unknown.is_large:
        console.print(f"{examples.path}: {unknown.describe(start.tokenizer)}")
    return _Side(examples, features)


def _weighted(task: AnyTrainableTask, start: InitialState, options: DataOptions, side: _Side) -> _Side:
    """Training data with the weights that the task gives its rows, if any."""
    weights = task.row_weights(side.examples, options, start.config)
    if weights is None:
        return side
    return _Side(side.examples, replace(side.features, labels={**side.features.labels, "row_weights": weights}))


def _resolved(
    task: AnyTrainableTask,
    recipe: FinetuneRecipe,
    options: DataOptions,
    config: AlbertConfig,
    is_new: bool,
    rows: int,
) -> FinetuneRecipe:
    """The recipe with its open choices made."""
    training = recipe.training
    per_epoch = math.ceil(rows / training.batch_size)
    known = ("loss", *task.metrics(config))
    metric = training.metric or known[1]
    if metric not in known:
        raise ConfigError(
            f"`training.metric` must be one of {', '.join(known)} for {task.name}. Received: "
            f"{metric!r}.{did_you_mean(metric, known)}"
        )
    found = {one: getattr(options, one) for one in options.defaults()}
    return recipe.changed("data", **found).changed(
        "training",
        learning_rate=training.learning_rate or default_learning_rate(config, is_new),
        max_steps=training.max_steps or max(round(per_epoch * training.epochs), 1),
        evaluate_every=training.evaluate_every or per_epoch,
        metric=metric,
    )


def _schedule(recipe: FinetuneRecipe) -> Schedule:
    training = recipe.training
    warmup = round(training.warmup_ratio * training.max_steps)
    return Schedule(training.learning_rate, training.max_steps, warmup, training.schedule)


def _planned(
    task: AnyTrainableTask,
    backend: TrainBackend,
    recipe: FinetuneRecipe,
    start: InitialState,
    side: _Side,
    options: DataOptions,
) -> tuple[FinetuneBatches, loop.Plan]:
    training, tokenizer, features = recipe.training, start.tokenizer, side.features
    batches = FinetuneBatches(
        features,
        task.collate,
        training.batch_size,
        recipe.seed,
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        training.word_dropout,
        task.augmentation(tokenizer, options),
    )
    lengths, choices = features.lengths(), features.choices()
    alike = arrays.by_choices(np.arange(len(features)), choices)[0]
    plan = loop.Plan(
        backend=backend,
        config=start.config.with_named_results(),
        head=task.head,
        tensors=start.tensors,
        optimizer=training.optimizer_settings(),
        precision=training.precision,
        schedule=_schedule(recipe),
        seed=recipe.seed,
        gradient_accumulation=training.gradient_accumulation,
        ema_decay=training.ema_decay,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        keep_state=training.keep_state,
        patience=training.patience,
        metric=training.metric,
        lower_is_better=training.metric in task.lower_is_better,
        fingerprint=_fingerprint(recipe, features),
        samples=[batches.batch(alike[:rows], 0) for rows in (1, training.batch_size)],
        tokens=round(training.batch_size * float(np.dot(lengths, choices or [1] * len(lengths))) / len(lengths)),
    )
    return batches, plan


def _fingerprint(recipe: FinetuneRecipe, features: Features) -> str:
    digest = hashlib.sha256(json.dumps(recipe.decisive(), sort_keys=True).encode())
    is_single = features.choices() is None
    for row in features.input_ids:
        for ids in [row] if is_single else row:
            digest.update(np.asarray(ids, np.int32).tobytes())
    for name, values in features.labels.items():
        digest.update(name.encode())
        for value in values:
            digest.update(np.asarray(value).tobytes())
    return digest.hexdigest()
