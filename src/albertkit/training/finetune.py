"""Fine-tuning any task: data files and a recipe in, a folder with the trained model and its results out."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from albertkit import arrays, backends
from albertkit.backends import Outputs, TrainBackend
from albertkit.batches import Batch
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, did_you_mean
from albertkit.tasks import registry, trained_on
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.features import Features
from albertkit.training import finetune_data, finetune_evaluation, loop, model_card, reporter, run_folder
from albertkit.training.backends import train_backend
from albertkit.training.finetune_batches import FinetuneBatches
from albertkit.training.finetune_data import Side
from albertkit.training.initial_state import InitialState, initial_state
from albertkit.training.recipe import FinetuneRecipe, default_learning_rate
from albertkit.training.schedule import Schedule, described_change
from albertkit.typing import Record


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
    train_examples, eval_examples, keys, options = finetune_data.read(task, requested, console)
    start = initial_state(requested, task.head, keys, list(train_examples.texts()))
    start = replace(start, config=trained_on.write(start.config, task, options))
    if start.provenance:
        console.print("\n".join(start.provenance))
    trained = finetune_data.weighted(
        task, start, options, finetune_data.encoded(task, start, options, train_examples, console)
    )
    evaluated = finetune_data.encoded(task, start, options, eval_examples, console)
    given = options, start.config, start.is_new, len(trained.features)
    recipe = _resolved(task, requested, *given)
    earlier = extended and _resolved(task, extended, *given)
    batches, plan = _planned(task, backend, recipe, start, trained)
    plan = replace(plan, is_resumed=resume, extends=_fingerprint(earlier, trained.features) if earlier else "")
    if extend_to and earlier:
        console.print(described_change(_schedule(earlier), plan.schedule))

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return finetune_evaluation.scores(task, forward, evaluated, start.config)

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
    task: AnyTrainableTask, backend: TrainBackend, recipe: FinetuneRecipe, start: InitialState, side: Side
) -> tuple[FinetuneBatches, loop.Plan]:
    training, tokenizer, features = recipe.training, start.tokenizer, side.features
    pad_id = tokenizer.pad_token_id
    batches = FinetuneBatches(
        features,
        task.collate,
        training.batch_size,
        recipe.seed,
        pad_id,
        tokenizer.unk_token_id,
        training.word_dropout,
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
        samples=[task.collate(features.take(alike[:rows]), pad_id) for rows in (1, training.batch_size)],
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
