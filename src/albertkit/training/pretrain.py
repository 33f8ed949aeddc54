"""Pre-training: a corpus and a recipe in, a folder with the trained model, its tokenizer and its results out."""

import contextlib
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from albertkit import backends, weight_table
from albertkit.arrays import Tensors
from albertkit.backends import Outputs
from albertkit.batches import Batch
from albertkit.checkpoint import files, init, report
from albertkit.config import SIZES, AlbertConfig
from albertkit.corpus.shards import Corpus
from albertkit.errors import ConfigError, InputError
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.pretraining.masking_vocabulary import MaskingVocabulary
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import loop, model_card, reporter, run_folder
from albertkit.training.backends import train_backend
from albertkit.training.initial_state import InitialState, initial_weights, of_tokenizer, require_agreement
from albertkit.training.pretrain_batches import PretrainBatches
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.schedule import Schedule, scaled_learning_rate

HEAD = "ForPreTraining"
EVALUATIONS = 50
"""Evaluations of a run whose recipe does not say how often."""
EVALUATION_TOKENS = 8192
EVALUATION_SEED = 0
"""All runs on a corpus are judged on the same rows, masked alike."""
RATE, RATE_TOKENS = 0.00176, 4096 * 512
"""Peak rate of the original and the tokens of its step; see `_resolved`."""


def run(
    requested: PretrainRecipe,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    console: Console | None = None,
) -> dict[str, Any]:
    """Train what the recipe says and write everything to `output`: returns the contents of its eval_results.json.

    A run that was cut off goes on with `resume`, to the same weights as if it had not been. Raises ConfigError,
    InputError, CheckpointError or TrainingError; see `albertkit.errors`.
    """
    requested = requested.model_copy(update={"framework": backends.resolve(requested.framework)})
    backend = train_backend(requested.framework)
    backend.init_processes()
    rank, world_size = backend.rank(), backend.world_size()
    console = console or Console(highlight=False, soft_wrap=True, markup=False, quiet=rank > 0)
    if rank == 0:
        run_folder.require_usable(requested, output, resume, overwrite)
    _require_rows_for_all(requested, world_size)
    corpus, held_out = _read(requested)
    tokenizer = corpus.tokenizer()
    start = _initial_state(requested, tokenizer)
    recipe = _resolved(requested)
    training = _examples(recipe, corpus, tokenizer, recipe.seed)
    evaluated_on = _examples(recipe, held_out, tokenizer, EVALUATION_SEED)
    batches = PretrainBatches(training, recipe.training.batch_size, rank, world_size)
    for line in (*_described(recipe, corpus, held_out, batches), *([] if resume else start.provenance)):
        console.print(line)
    plan = _planned(recipe, start, corpus, held_out)

    def evaluate(forward: Callable[[Batch], Outputs]) -> dict[str, float]:
        return evaluated(forward, evaluated_on, recipe.training.evaluation_rows)

    with contextlib.nullcontext() if rank else run_folder.locked(requested, output, resume):
        log = None if rank else output
        with reporter.Reporter(log, console, plan.schedule.steps, world_size, tensorboard=True) as callback:
            tensors, course = loop.train(plan, batches, evaluate, output / run_folder.CHECKPOINTS, callback)
        results = {
            **next(e for e in course.evaluations if e["step"] == course.best_step),
            "epoch": round(course.best_step / len(batches), 3),
            "rows": min(recipe.training.evaluation_rows, len(evaluated_on)),
            "tokens_held_out": held_out.tokens,
            "skipped_steps": course.spikes.skipped,
        }
        if rank == 0:
            card = model_card.pretraining_card(recipe, results, corpus.tokens, start.provenance)
            tokenizer.model_max_length = start.config.max_position_embeddings
            run_folder.finish(output, requested, recipe, plan, start, tensors, results, card)
    return results


def evaluated(forward: Callable[[Batch], Outputs], examples: PretrainingExamples, most: int) -> dict[str, float]:
    """Scores on `most` rows, drawn from all: of the masked pieces, and of the order of texts where there is any.

    loss: the sum of the two losses. pseudo_perplexity: e to the loss of a masked piece.
    """
    step = max(EVALUATION_TOKENS // examples.length, 1)
    chosen = np.sort(examples.order(0)[:most])
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(chosen), step):
        batch = examples.batch(0, chosen[start : start + step])
        outputs = forward(batch)
        for name, labels in (("mlm", batch.mlm_labels), ("sop", batch.sop_labels)):
            if labels is None:
                continue
            is_asked = labels >= 0
            for key in (f"{name}_losses", f"{name}_correct"):
                found.setdefault(key, []).append(outputs[key][is_asked])
    items = {key: np.concatenate(values) for key, values in found.items()}
    if not len(items["mlm_losses"]):
        raise InputError(
            f"Rows to evaluate on must hold pieces that can be masked. Received: {len(chosen)} rows of nothing but "
            "special and unknown tokens, and of words too long for what is masked of a row. Take other text, or more "
            "by a larger `data.held_out` or `training.evaluation_rows`."
        )
    means = {key: float(values.mean(dtype=np.float64)) for key, values in items.items() if len(values)}
    scores = {"loss": means["mlm_losses"], "mlm_loss": means["mlm_losses"], "mlm_accuracy": means["mlm_correct"]}
    scores["pseudo_perplexity"] = math.exp(min(scores["mlm_loss"], 700.0))
    if "sop_losses" in means:
        scores["loss"] += means["sop_losses"]
        scores |= {"sop_loss": means["sop_losses"], "sop_accuracy": means["sop_correct"]}
    return scores


def evaluate(model: str, corpus: Path, recipe: PretrainRecipe) -> dict[str, float]:
    """Scores of a pre-trained checkpoint on a corpus that was built with its tokenizer; see `evaluated`.

    What is asked, on how many rows and in which framework is the recipe's. ConfigError where the vocabularies differ,
    WeightMismatch where the checkpoint lacks a head.
    """
    checkpoint, held_out = files.load(model), Corpus.open(corpus)
    tokenizer = held_out.tokenizer()
    if tokenizer.get_vocab() != AlbertTokenizerFast.from_pretrained(model).get_vocab():
        raise ConfigError(
            f"A corpus to evaluate on must be built with the model's tokenizer. Received: {corpus} and {model}, whose "
            f"vocabularies differ. Build it with --tokenizer {model}."
        )
    config = checkpoint.config
    require_agreement(config, tokenizer, "data.length", recipe.data.length)
    wanted = weight_table.expected(config, HEAD)
    tensors, what = report.fit(f"Albert{HEAD}", wanted, weight_table.tied(config), checkpoint.tensors, model)
    what.require_complete()
    backend = train_backend(backends.resolve(recipe.framework))
    state = backend.init_state(config.with_named_results(), HEAD, tensors, precision=recipe.training.precision)
    evaluated_on = _examples(recipe, held_out, tokenizer, EVALUATION_SEED)
    return evaluated(lambda batch: backend.eval_step(state, batch), evaluated_on, recipe.training.evaluation_rows)


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


def _initial_state(recipe: PretrainRecipe, tokenizer: AlbertTokenizerBase) -> InitialState:
    """A new model with the corpus' vocabulary, or a checkpoint whose vocabulary that is or begins with."""
    name, keys = recipe.model.name, of_tokenizer(tokenizer)
    checkpoint = None if name in SIZES else files.load(name)
    if checkpoint is None:
        config = getattr(AlbertConfig, name)(**{**keys, **recipe.model.config})
    elif recipe.model.attention_init != "random":
        raise ConfigError(
            "`model.attention_init` is how attention of a new model begins, and a checkpoint has its own. Received: "
            f"{recipe.model.attention_init!r} with {name}. Leave it out."
        )
    else:
        keys["vocab_size"] = max(keys["vocab_size"], checkpoint.config.vocab_size)  # which may have been rounded up
        config = checkpoint.config.changed(**{**keys, **recipe.model.config})
    require_agreement(config, tokenizer, "data.length", recipe.data.length)
    tensors = None if checkpoint is None else _extended(checkpoint, config, recipe, tokenizer)
    chosen, told = initial_weights(name, HEAD, config, tensors, recipe.seed)
    if recipe.model.attention_init == "local":
        chosen = init.local(chosen, config)
    return InitialState(config, tokenizer, chosen, checkpoint is None, [told])


def _extended(
    checkpoint: files.Checkpoint, config: AlbertConfig, recipe: PretrainRecipe, tokenizer: AlbertTokenizerBase
) -> Tensors:
    """A checkpoint's tensors for a vocabulary that has every token of its own at the same place, and maybe more.

    Rows that no token has had until now, if its own was rounded up, are new for a token that gets one.
    """
    own = AlbertTokenizerFast.from_pretrained(recipe.model.name).get_vocab()
    vocabulary = tokenizer.get_vocab()
    moved = [token for token, index in own.items() if vocabulary.get(token) != index]
    if moved:
        raise ConfigError(
            "The corpus must be built with the tokenizer of the checkpoint, or with one that adds tokens to it. Of "
            f"{recipe.model.name}'s tokens {len(moved):,} have another id there or none, such as {moved[0]!r}. Build "
            f"the corpus with --tokenizer {recipe.model.name}."
        )
    extended = dict(checkpoint.tensors)
    if (len(vocabulary), config.vocab_size) == (len(own), checkpoint.config.vocab_size):
        return extended
    for name, tensor in checkpoint.tensors.items():
        kept = tensor[: len(own)]
        if name.endswith("word_embeddings.weight") or name == "predictions.decoder.weight":
            extended[name] = init.resized(kept, config.vocab_size, None, recipe.seed)
        elif name in ("predictions.bias", "predictions.decoder.bias"):
            lowest = np.full(config.vocab_size - len(kept), kept.min(), kept.dtype)
            extended[name] = np.concatenate([kept, lowest])
    return extended


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


def _examples(recipe: PretrainRecipe, corpus: Corpus, tokenizer: AlbertTokenizerBase, seed: int) -> PretrainingExamples:
    data = recipe.data
    return PretrainingExamples(
        corpus,
        MaskingVocabulary.from_tokenizer(tokenizer),
        length=data.length,
        objective=data.objective,
        seed=seed,
        short_seq_prob=data.short_seq_prob,
        ngram=data.ngram,
        masked_lm_prob=data.masked_lm_prob,
        replacement=data.replacement,
    )


def _planned(recipe: PretrainRecipe, start: InitialState, corpus: Corpus, held_out: Corpus) -> loop.Plan:
    training = recipe.training
    described = start.config.changed(architectures=[f"Albert{HEAD}"])

    def write_extra_files(place: Path) -> None:
        described.save_pretrained(place)
        start.tokenizer.write(place)

    covered = json.dumps([recipe.decisive(), corpus.fingerprint, held_out.fingerprint], sort_keys=True)
    return loop.Plan(
        backend=train_backend(recipe.framework),
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
        schedule=Schedule(
            training.learning_rate,
            training.steps,
            round(training.warmup_ratio * training.steps),
            training.schedule,
            training.power,
            training.decay_start == "zero",
        ),
        seed=recipe.seed,
        gradient_accumulation=training.gradient_accumulation,
        ema_decay=training.ema_decay,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        metric="loss",
        lower_is_better=True,
        fingerprint=hashlib.sha256(covered.encode()).hexdigest(),
        loss_spike_factor=training.loss_spike_factor,
        max_skipped_steps=training.max_skipped_steps,
        write_extra_files=write_extra_files,
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
