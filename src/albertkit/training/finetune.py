"""Fine-tuning a task: data files and a recipe in, a folder with the trained model and its results out."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from albertkit import arrays, frameworks
from albertkit.errors import ConfigError, InputError, did_you_mean
from albertkit.tasks import tables
from albertkit.tasks import text_classification as task
from albertkit.training import loop, model_card, progress, run_folder
from albertkit.training.finetune_batches import Batches
from albertkit.training.initial_state import Start, start
from albertkit.training.recipe import Recipe, default_learning_rate

EVALUATION_TOKENS = 8192


@dataclass(frozen=True)
class _Part:
    """One side of the data, ready for the model."""

    features: task.Features
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)


def run(
    asked: Recipe, output: Path, *, resume: bool = False, overwrite: bool = False, console: Console | None = None
) -> dict[str, Any]:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`. A folder that holds what a run writes is only replaced with
    `overwrite`, and not before there is data to train on. Raises ConfigError, InputError, CheckpointError or
    TrainingError; see `albertkit.errors`.
    """
    console = console or Console(highlight=False, soft_wrap=True, markup=False)
    asked = asked.model_copy(update={"framework": frameworks.chosen(asked.framework)})
    _require_one_process(asked.framework)
    run_folder.require_room(asked, output, resume, overwrite)
    train_examples, eval_examples, schema, recipe = _read(asked, console)
    beginning = start(recipe, task.HEAD, schema.config(), _all_texts(train_examples))
    for line in beginning.story:
        console.print(line)
    train_part = _encoded(recipe, beginning, schema, train_examples, console)
    eval_part = _encoded(recipe, beginning, schema, eval_examples, console)
    recipe = _settled(recipe, beginning, schema, len(train_part))
    batches, plan = _planned(recipe, beginning, train_part)

    def evaluate(forward: Any) -> dict[str, float]:
        return _evaluated(forward, eval_part, schema, beginning.config.pad_token_id or 0)

    with run_folder.held(asked, output, resume):
        with progress.Reporter(output, console, plan.schedule.steps) as reporter:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, reporter)
        results = {
            **next(e for e in course.evaluations if e["step"] == course.best_step),
            "epoch": round(course.best_step / len(batches), 3),
            "examples": len(eval_part),
            "data": eval_examples.table.path,
        }
        card = model_card.model_card(recipe, results, len(train_part), schema.names, beginning.story)
        tokenizer = beginning.tokenizer
        tokenizer.model_max_length = recipe.data.max_length
        run_folder.finish(output, asked, recipe, plan, beginning.config, tensors, tokenizer, results, card)
    return results


def _require_one_process(framework: str) -> None:
    room = frameworks.room(framework, "train")
    room.begin_processes()
    if (count := room.processes()[1]) > 1:
        raise ConfigError(
            f"Fine-tuning runs in one process. Received: {count}. Start it without torchrun, or as one task of Slurm; "
            "several are for `albertkit pretrain`."
        )


# ----------------------------------------------------------------------------------------------------------------- data


def _read(recipe: Recipe, console: Console) -> tuple[task.Examples, task.Examples, task.Schema, Recipe]:
    data = recipe.data
    if not data.train:
        raise InputError("Training needs data. Name a file with --train or `data.train`.")
    columns = task.Columns(data.text_column, data.pair_column, data.label_column, data.label_separator)
    table = tables.read(data.train, data.header)
    examples, columns = task.read(table, columns, labelled=True, skip_empty=data.skip_empty, problem=data.problem)
    if data.eval:
        other = tables.read(data.eval, data.header)
        held_out, _ = task.read(other, columns, labelled=True, skip_empty=data.skip_empty, problem=data.problem)
        schema = task.schema(examples, data.problem, data.label_separator)
    else:
        schema = task.schema(examples, data.problem, data.label_separator)
        classes = task.targets(examples, schema, data.label_separator) if schema.problem_type == task.SINGLE else None
        examples, held_out = _split(examples, classes, data.held_out, recipe.seed)
    left_out = len(table) - len(examples) - (0 if data.eval else len(held_out))
    console.print(
        f"{len(examples):,} training and {len(held_out):,} evaluation examples from {data.train} and "
        f"{data.eval or 'the same file'}: text {columns.text!r}"
        + (f", pair {columns.pair!r}" if columns.pair else "")
        + f", label {columns.label!r} ({schema.problem_type}: {', '.join(schema.names[:12])})."
        + (f" {left_out:,} rows without text or label were left out." if left_out else ""),
    )
    found = {"text_column": columns.text, "pair_column": columns.pair, "label_column": columns.label}
    return examples, held_out, schema, recipe.changed("data", **found)


def _split(
    examples: task.Examples, classes: np.ndarray | None, part: float, seed: int
) -> tuple[task.Examples, task.Examples]:
    """Hold a part out, drawn by the seed; where there are classes, at least one example of each stays."""
    size = max(round(len(examples) * part), 1)
    order = np.random.default_rng(seed).permutation(len(examples))
    if classes is not None:
        _, firsts = np.unique(classes[order], return_index=True)
        order = np.concatenate([np.delete(order, firsts), order[firsts]])
        size = min(size, len(order) - len(firsts))
    if not 0 < size < len(examples):
        raise InputError(
            f"Holding out a part needs more rows. {examples.table.path} has {len(examples)}. Give an --eval file."
        )
    return examples.take(sorted(order[size:])), examples.take(sorted(order[:size]))


def _all_texts(examples: task.Examples) -> Sequence[str]:
    return [*examples.texts, *(examples.pairs or ())]


def _encoded(recipe: Recipe, beginning: Start, schema: task.Schema, examples: task.Examples, console: Console) -> _Part:
    features = task.encode(beginning.tokenizer, examples.texts, examples.pairs, recipe.data.max_length)
    if features.truncated:
        console.print(
            f"{features.truncated:,} of {len(examples):,} texts of {examples.table.path} are longer than "
            f"{recipe.data.max_length} tokens and were cut.",
        )
    return _Part(features, task.targets(examples, schema, recipe.data.label_separator))


# ------------------------------------------------------------------------------------------------------------- planning


def _settled(recipe: Recipe, beginning: Start, schema: task.Schema, examples: int) -> Recipe:
    """The recipe with its open choices made."""
    training = recipe.training
    per_epoch = math.ceil(examples / training.batch_size)
    known = ("loss", *task.SCORES[schema.problem_type])
    metric = training.metric or known[1]
    if metric not in known:
        raise ConfigError(
            f"`training.metric` must be one of {', '.join(known)} for {schema.problem_type}. Received: "
            f"{metric!r}.{did_you_mean(metric, known)}"
        )
    return recipe.changed(
        "training",
        learning_rate=training.learning_rate or default_learning_rate(beginning.config, beginning.fresh),
        max_steps=training.max_steps or max(round(per_epoch * training.epochs), 1),
        evaluate_every=training.evaluate_every or per_epoch,
        metric=metric,
    )


def _planned(recipe: Recipe, beginning: Start, part: _Part) -> tuple[Batches, loop.Plan]:
    training, tokenizer = recipe.training, beginning.tokenizer
    batches = Batches(
        part.features.input_ids,
        part.features.token_type_ids,
        part.targets,
        training.batch_size,
        recipe.seed,
        tokenizer.pad_token_id,
        tokenizer.unk_token_id,
        training.word_dropout,
    )
    plan = loop.Plan(
        framework=recipe.framework,
        config=beginning.config.with_named_results(),
        head=task.HEAD,
        tensors=beginning.tensors,
        optimizer={
            "weight_decay": training.weight_decay,
            "betas": (training.beta1, training.beta2),
            "epsilon": training.epsilon,
            "max_gradient_norm": training.max_gradient_norm,
            "precision": training.precision,
        },
        schedule=loop.Schedule(
            training.learning_rate, training.max_steps, round(training.warmup * training.max_steps), training.schedule
        ),
        seed=recipe.seed,
        parts=training.accumulation,
        averaging=training.averaging,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        patience=training.patience,
        metric=training.metric,
        is_error=training.metric in task.ERRORS,
        fingerprint=_fingerprint(recipe, part),
    )
    return batches, plan


def _fingerprint(recipe: Recipe, part: _Part) -> str:
    digest = hashlib.sha256(recipe.model_dump_json().encode())
    for ids in part.features.input_ids:
        digest.update(np.asarray(ids, np.int32).tobytes())
    digest.update(part.targets.tobytes())
    return digest.hexdigest()


def _evaluated(forward: Any, part: _Part, schema: task.Schema, pad_id: int) -> dict[str, float]:
    ids, types = part.features.input_ids, part.features.token_type_ids
    logits, loss = np.zeros((len(part), len(schema.names)), np.float32), 0.0
    for rows in arrays.by_length([len(row) for row in ids], EVALUATION_TOKENS):
        batch = arrays.model_inputs([ids[row] for row in rows], [types[row] for row in rows], pad_id)
        outputs = forward({**batch, "labels": part.targets[rows]})
        logits[rows] = outputs["logits"]
        loss += float(outputs["loss"]) * len(rows) / len(part)
    if not np.isfinite(logits).all():
        return {"loss": math.nan}  # which the loop stops at
    return {"loss": loss, **task.score(logits, part.targets, schema)}
