"""What a run of fine-tuning will do: its recipe with the open choices made, its batches and its plan for the loop."""

import hashlib
import json
import math
from collections.abc import Callable
from typing import cast

import numpy as np

from albertkit import arrays
from albertkit.backends import TrainBackend
from albertkit.batches import Batch, PaddedBatch
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, did_you_mean
from albertkit.tasks.base import AnyTrainableTask
from albertkit.tasks.data_options import DataOptions
from albertkit.tasks.features import Features
from albertkit.training import defaults, loop, rates
from albertkit.training.finetune_batches import FinetuneBatches
from albertkit.training.finetune_data import Side
from albertkit.training.initial_state import InitialState
from albertkit.training.recipe import FinetuneRecipe
from albertkit.training.schedule import Schedule


def resolved(
    task: AnyTrainableTask,
    recipe: FinetuneRecipe,
    options: DataOptions,
    config: AlbertConfig,
    is_new: bool,
    rows: int,
    processes: int = 1,
) -> FinetuneRecipe:
    """The recipe with its open choices made, for so many rows of features and so many processes."""
    training = recipe.training
    batch_size = training.per_device_batch_size * training.gradient_accumulation * processes or training.batch_size
    per_epoch = math.ceil(rows / batch_size)
    if training.label_smoothing and not task.has_one_class(config):
        raise ConfigError(
            "`training.label_smoothing` spreads a part of a label over the other classes, so each label must be one of "
            f"several classes. Received: {training.label_smoothing} for {task.name}"
            f"{f' ({config.problem_type})' if config.problem_type else ''}. Leave it out."
        )
    known = ("loss", *task.metrics(config))
    metric = training.metric or known[1]
    if metric not in known:
        raise ConfigError(
            f"`training.metric` must be one of {', '.join(known)} for {task.name}. Received: "
            f"{metric!r}.{did_you_mean(metric, known)}"
        )
    require_early_exit(task, recipe)
    found = {one: getattr(options, one) for one in options.defaults()}
    return recipe.changed("data", **found).changed(
        "training",
        batch_size=batch_size,
        learning_rate=training.learning_rate or defaults.learning_rate(task.name, recipe.benchmark, config, is_new),
        max_steps=training.max_steps or max(round(per_epoch * training.epochs), 1),
        evaluate_every=training.evaluate_every or per_epoch,
        metric=metric,
    )


def require_early_exit(task: AnyTrainableTask, recipe: FinetuneRecipe) -> None:
    """ConfigError where a classifier cannot be trained after every layer, and is to be."""
    if not recipe.training.early_exit:
        return
    rule = "`training.early_exit` trains the classifier of texts after every layer, in PyTorch. Received it"
    if not task.can_exit_early:
        raise ConfigError(f"{rule} for {task.name}. Leave it out.")
    if recipe.framework != "torch":
        raise ConfigError(f"{rule} for {recipe.framework}. Choose framework=torch, or leave it out.")
    if recipe.training.label_smoothing or getattr(recipe.data, "class_weights", ""):
        raise ConfigError(f"{rule} with `training.label_smoothing` or `data.class_weights`. Leave one of them out.")


def schedule_of(recipe: FinetuneRecipe) -> Schedule:
    """The learning rate of a recipe whose open choices are made."""
    training = recipe.training
    warmup = training.warmup_steps or round(training.warmup_ratio * training.max_steps)
    if warmup > training.max_steps:
        raise ConfigError(
            f"`training.warmup_steps` must not be more than the steps of the run. Received: {warmup:,}, and "
            f"{training.max_steps:,} steps."
        )
    return Schedule(training.learning_rate, training.max_steps, warmup, training.schedule)


def planned(
    task: AnyTrainableTask, backend: TrainBackend, recipe: FinetuneRecipe, start: InitialState, side: Side
) -> tuple[FinetuneBatches, loop.Plan]:
    """The batches of the training side, and the plan of the whole run over them."""
    training, tokenizer, features = recipe.training, start.tokenizer, side.features
    batches = FinetuneBatches(
        features,
        _collate(task, recipe, start.config, side),
        training.batch_size,
        recipe.seed,
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        training.word_dropout,
        task.augmentation(tokenizer, recipe.options()),
    )
    lengths, choices = features.lengths(), features.choices()
    alike = arrays.by_choices(np.arange(len(features)), choices)[0]
    plan = loop.Plan(
        backend=backend,
        config=start.config.with_named_results(),
        head=task.head_for(start.config.architectures),
        tensors=start.tensors,
        optimizer=training.optimizer_settings(rates=rates.of(start.config, training, start.is_new)),
        precision=training.precision,
        schedule=schedule_of(recipe),
        seed=recipe.seed,
        gradient_accumulation=training.gradient_accumulation,
        ema_decay=training.ema_decay,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        keep_state=training.keep_state,
        patience=training.patience,
        metric=training.metric,
        lower_is_better=training.metric in task.lower_is_better,
        fingerprint=fingerprint(recipe, features),
        samples=[batches.batch(alike[:rows], 0) for rows in (1, training.batch_size)],
        tokens=round(training.batch_size * float(np.dot(lengths, choices or [1] * len(lengths))) / len(lengths)),
    )
    return batches, plan


def _collate(
    task: AnyTrainableTask, recipe: FinetuneRecipe, config: AlbertConfig, side: Side
) -> Callable[[Features, int], Batch]:
    """What makes a batch of rows: with class targets, where labels are smoothed or classes have weights."""
    smoothing = recipe.training.label_smoothing
    weights = task.class_weights(side.examples, recipe.options(), config)
    if not smoothing and weights is None:
        return task.collate

    def collate(features: Features, pad_id: int) -> Batch:
        batch = cast(PaddedBatch, task.collate(features, pad_id))  # one class each: see `has_one_class`
        return batch.with_class_targets(config.num_labels, smoothing, weights)

    return collate


def fingerprint(recipe: FinetuneRecipe, features: Features) -> str:
    """What tells runs apart that may not continue one another: all that decides the course of one."""
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
