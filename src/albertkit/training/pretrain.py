"""Pre-training: a corpus and a recipe in, a folder with the trained model, its tokenizer and its results out."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from albertkit import backends
from albertkit.backends import Outputs, TrainBackend
from albertkit.batches import Batch
from albertkit.corpus.shards import Corpus
from albertkit.errors import ConfigError
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.training import loop, model_card, reporter, run_folder
from albertkit.training.backends import train_backend
from albertkit.training.initial_state import InitialState, pretraining_state
from albertkit.training.pretrain_batches import PretrainBatches
from albertkit.training.pretrain_evaluation import (
    EVALUATION_SEED,
    EVALUATION_TOKENS,
    HEAD,
    evaluate,
    evaluated,
    examples_of,
)
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.run_checkpoints import Progress
from albertkit.training.schedule import Schedule, described_change, scaled_learning_rate
from albertkit.typing import Record

__all__ = ["evaluate", "run"]

EVALUATIONS = 50
"""Evaluations of a run whose recipe does not say how often."""
RATE, RATE_TOKENS = 0.00176, 4096 * 512
"""Peak rate of the original and the tokens of its step; see `_resolved`."""


def run(
    requested: PretrainRecipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    extend_to: int | None = None,
    console: Console | None = None,
) -> Record:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`, to the same weights as if it had not been, and a finished one with
    `extend_to`, up to so many steps. Raises ConfigError, InputError, CheckpointError or TrainingError, and Interrupted
    at Ctrl-C; see `albertkit.errors`.
    """
    requested = requested.model_copy(update={"framework": backends.resolve(requested.framework)})
    backend = train_backend(requested.framework)
    backend.init_processes()
    rank, world_size = backend.rank(), backend.world_size()
    console = console or Console(highlight=False, soft_wrap=True, markup=False, quiet=rank > 0)
    requested, extended = run_folder.agreed(requested, output, resume=resume, overwrite=overwrite, extend_to=extend_to)
    if rank == 0:
        run_folder.require_usable(requested, output, resume, overwrite or bool(extend_to))
    _require_rows_for_all(requested, world_size)
    corpus, held_out = _read(requested)
    tokenizer = corpus.tokenizer()
    start = pretraining_state(requested, tokenizer, HEAD)
    recipe, earlier = _resolved(requested), extended and _resolved(extended)
    training = examples_of(recipe, corpus, tokenizer, recipe.seed)
    evaluated_on = examples_of(recipe, held_out, tokenizer, EVALUATION_SEED)
    batches = PretrainBatches(training, recipe.training.batch_size, rank, world_size)
    provenance = [] if resume or earlier else start.provenance
    console.print("\n".join([*_described(recipe, corpus, held_out, batches), *provenance]))
    plan = _planned(recipe, backend, start, training, [corpus, held_out])
    plan = _going_on(plan, resume, earlier, [corpus, held_out], console if extend_to else None)

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return evaluated(forward, evaluated_on, recipe.training.evaluation_rows)

    with contextlib.nullcontext() if rank else run_folder.locked(requested, output, resume or bool(extend_to)):
        log = None if rank else output
        with reporter.Reporter(log, console, plan.schedule.steps, world_size, tensorboard=True) as callback:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, callback)
        rows = min(recipe.training.evaluation_rows, len(evaluated_on))
        results = _results(course, len(batches)) | {"rows": rows, "tokens_held_out": held_out.tokens}
        if rank == 0:
            card = model_card.pretraining_card(recipe, results, corpus.tokens, start.provenance)
            tokenizer.model_max_length = start.config.max_position_embeddings
            run_folder.finish(output, requested, recipe, plan, start, tensors, results, card)
    return results


def _going_on(
    plan: loop.Plan,
    is_resumed: bool,
    earlier: PretrainRecipe | None,
    corpora: Sequence[Corpus],
    console: Console | None,
) -> loop.Plan:
    """The plan of a run that is resumed, or goes on with a finished one; the console is told of the new schedule."""
    if earlier and console:
        console.print(described_change(_schedule(earlier), plan.schedule))
    extends = _fingerprint(earlier, *corpora) if earlier else ""
    return dataclasses.replace(plan, is_resumed=is_resumed, extends=extends)


def _results(course: Progress, batches: int) -> Record:
    """The best evaluation, the epoch that it stands in, and how many steps were skipped."""
    epoch = round(course.best_step / batches, 3)
    return {**course.best_evaluation(), "epoch": epoch, "skipped_steps": course.spikes.skipped}


def _require_rows_for_all(recipe: PretrainRecipe, processes: int) -> None:
    rows, parts = recipe.training.batch_size, recipe.training.gradient_accumulation
    if rows < parts * processes:
        raise ConfigError(
            "`training.batch_size` must hold a row for each of the parts, `training.gradient_accumulation`, in every "
            f"process. Received: {rows}, and {parts} parts in {processes} processes."
        )


def _read(recipe: PretrainRecipe) -> tuple[Corpus, Corpus]:
    if not recipe.data.corpus:
        raise ConfigError("Pre-training needs a corpus. Name its folder with --corpus or `data.corpus`.")
    corpus = Corpus.open(recipe.data.corpus)
    if not recipe.data.eval:
        return corpus.split(recipe.data.held_out)
    held_out = Corpus.open(recipe.data.eval)
    if held_out.fingerprint == corpus.fingerprint:
        raise ConfigError(
            "`data.eval` must be another corpus than `data.corpus`. Received: the same one, "
            f"{corpus.fingerprint}, as both. Leave `data.eval` out to hold a part of it out."
        )
    if held_out.tokenizer().get_vocab() != corpus.tokenizer().get_vocab():
        raise ConfigError(
            "`data.corpus` and `data.eval` must be built with the same tokenizer. Received: "
            f"{recipe.data.corpus} and {recipe.data.eval}, whose vocabularies differ."
        )
    return corpus, held_out


def _resolved(recipe: PretrainRecipe) -> PretrainRecipe:
    """The recipe with its open choices made.

    The rate grows with the root of the tokens of a step (arXiv 1904.00962, section 4), from the original's.
    """
    training = recipe.training
    rate = scaled_learning_rate(RATE, training.batch_size * recipe.data.length, RATE_TOKENS)
    return recipe.changed(
        "training",
        learning_rate=training.learning_rate or rate,
        evaluate_every=training.evaluate_every or max(training.steps // EVALUATIONS, 1),
    )


def _schedule(recipe: PretrainRecipe) -> Schedule:
    training = recipe.training
    warmup, is_from_zero = round(training.warmup_ratio * training.steps), training.decay_start == "zero"
    return Schedule(training.learning_rate, training.steps, warmup, training.schedule, training.power, is_from_zero)


def _fingerprint(recipe: PretrainRecipe, *corpora: Corpus) -> str:
    covered = json.dumps([recipe.decisive(), *(corpus.fingerprint for corpus in corpora)], sort_keys=True)
    return hashlib.sha256(covered.encode()).hexdigest()


def _planned(
    recipe: PretrainRecipe,
    backend: TrainBackend,
    start: InitialState,
    examples: PretrainingExamples,
    corpora: Sequence[Corpus],
) -> loop.Plan:
    training, rows = recipe.training, np.arange(len(examples))
    described = start.config.changed(architectures=[f"Albert{HEAD}"])

    def write_extra_files(place: Path) -> None:
        described.save_pretrained(place)
        start.tokenizer.write(place)

    return loop.Plan(
        backend=backend,
        config=start.config.with_named_results().changed(gradient_checkpointing=training.gradient_checkpointing),
        head=HEAD,
        tensors=start.tensors,
        optimizer=training.optimizer_settings(
            name=training.optimizer,
            bias_correction={"auto": None, "on": True, "off": False}[training.bias_correction],
            frozen=("pooler", "sop_classifier") if recipe.data.objective == "mlm" else (),
        ),
        precision=training.precision,
        is_sharded=training.sharded,
        schedule=_schedule(recipe),
        seed=recipe.seed,
        gradient_accumulation=training.gradient_accumulation,
        ema_decay=training.ema_decay,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        keep_state=training.keep_state,
        metric="loss",
        lower_is_better=True,
        fingerprint=_fingerprint(recipe, *corpora),
        loss_spike_factor=training.loss_spike_factor,
        max_skipped_steps=training.max_skipped_steps,
        write_extra_files=write_extra_files,
        samples=[examples.batch(0, rows[:count]) for count in (1, max(EVALUATION_TOKENS // examples.length, 1))],
        tokens=training.batch_size * examples.length,
    )


def _described(recipe: PretrainRecipe, corpus: Corpus, held_out: Corpus, batches: PretrainBatches) -> list[str]:
    training, epochs = recipe.training, recipe.training.steps / len(batches)
    there = len(batches.examples)
    repeats = (
        f"The corpus fills {there:,} rows, fewer than the {training.batch_size:,} of a step: each stands in every step "
        f"{training.batch_size / there:.1f} times. A smaller `training.batch_size` learns the same in less time."
    )
    return [
        f"{corpus.tokens:,} tokens of {corpus.documents:,} documents to train on, {held_out.tokens:,} of "
        f"{held_out.documents:,} held out.",
        f"{training.steps:,} steps of {training.batch_size:,} rows of {recipe.data.length} tokens: {epochs:.2f} "
        f"epochs of {recipe.data.objective}, peak rate {training.learning_rate:.2e}.",
        *([repeats] if there < training.batch_size else []),
    ]
