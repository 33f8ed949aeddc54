"""Pre-training: a corpus and a recipe in, a folder with the trained model, its tokenizer and its results out."""

import contextlib
import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from albertkit import arrays, frameworks, weight_table
from albertkit.checkpoint import files, init, report
from albertkit.config import SIZES, AlbertConfig
from albertkit.corpus.shards import Corpus
from albertkit.errors import ConfigError, InputError
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.pretraining.masking_vocabulary import MaskingVocabulary
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import loop, model_card, progress, run_folder
from albertkit.training.initial_state import Start, of_tokenizer, require_agreement, weights
from albertkit.training.pretrain_batches import Rows
from albertkit.training.pretrain_recipe import PretrainRecipe

HEAD = "ForPreTraining"
EVALUATIONS = 50
"""Evaluations of a run whose recipe does not say how often."""
EVALUATION_TOKENS = 8192
EVALUATION_SEED = 0
"""All runs on a corpus are judged on the same rows, masked alike."""
RATE, RATE_TOKENS = 0.00176, 4096 * 512
"""Peak rate of the original and the tokens of its step; see `_settled`."""


def run(
    asked: PretrainRecipe,
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
    asked = asked.model_copy(update={"framework": frameworks.chosen(asked.framework)})
    room = frameworks.room(asked.framework, "train")
    room.begin_processes()
    number, count = room.processes()
    console = console or Console(highlight=False, soft_wrap=True, markup=False, quiet=number > 0)
    if number == 0:
        run_folder.require_room(asked, output, resume, overwrite)
    _require_rows_for_all(asked, count)
    corpus, held_out = _read(asked)
    tokenizer = corpus.tokenizer()
    beginning = _start(asked, tokenizer)
    recipe = _settled(asked)
    training = _examples(recipe, corpus, tokenizer, recipe.seed)
    judged = _examples(recipe, held_out, tokenizer, EVALUATION_SEED)
    rows = Rows(training, recipe.training.batch_size, number, count)
    for line in (*_told(recipe, corpus, held_out, rows), *([] if resume else beginning.story)):
        console.print(line)
    plan = _planned(recipe, beginning, corpus, held_out)

    def evaluate(forward: Any) -> dict[str, float]:
        return evaluated(forward, judged, recipe.training.evaluation_rows)

    with contextlib.nullcontext() if number else run_folder.held(asked, output, resume):
        log = None if number else output
        with progress.Reporter(log, console, plan.schedule.steps, count, tensorboard=True) as reporter:
            tensors, course = loop.train(plan, rows, evaluate, output / run_folder.CHECKPOINTS, reporter)
        results = {
            **next(e for e in course.evaluations if e["step"] == course.best_step),
            "epoch": round(course.best_step / len(rows), 3),
            "rows": min(recipe.training.evaluation_rows, len(judged)),
            "tokens_held_out": held_out.tokens,
            "left_out": course.left_out,
        }
        if number == 0:
            card = model_card.pretraining_card(recipe, results, corpus.tokens, beginning.story)
            tokenizer.model_max_length = beginning.config.max_position_embeddings
            run_folder.finish(output, asked, recipe, plan, beginning.config, tensors, tokenizer, results, card)
    return results


def evaluated(forward: Any, examples: PretrainingExamples, most: int) -> dict[str, float]:
    """Scores on `most` rows, drawn from all: of the masked pieces, and of the order of texts where there is any.

    loss: the sum of the two losses. pseudo_perplexity: e to the loss of a masked piece.
    """
    step = max(EVALUATION_TOKENS // examples.length, 1)
    chosen = np.sort(examples.order(0)[:most])
    found: dict[str, list[np.ndarray]] = {}
    for start in range(0, len(chosen), step):
        batch = examples.batch(0, chosen[start : start + step])
        outputs = forward(batch)
        for name in arrays.counts(batch):
            is_asked = batch[f"{name}_labels"] >= 0
            for key in (f"{name}_losses", f"{name}_hits"):
                found.setdefault(key, []).append(outputs[key][is_asked])
    items = {key: np.concatenate(values) for key, values in found.items()}
    if not len(items["mlm_losses"]):
        raise InputError(
            f"Rows to evaluate on must hold pieces that can be masked. Received: {len(chosen)} rows of nothing but "
            "special and unknown tokens, and of words too long for what is masked of a row. Take other text, or more "
            "by a larger `data.held_out` or `training.evaluation_rows`."
        )
    means = {key: float(values.mean(dtype=np.float64)) for key, values in items.items() if len(values)}
    scores = {"loss": means["mlm_losses"], "mlm_loss": means["mlm_losses"], "mlm_accuracy": means["mlm_hits"]}
    scores["pseudo_perplexity"] = math.exp(min(scores["mlm_loss"], 700.0))
    if "sop_losses" in means:
        scores["loss"] += means["sop_losses"]
        scores |= {"sop_loss": means["sop_losses"], "sop_accuracy": means["sop_hits"]}
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
    room = frameworks.room(frameworks.chosen(recipe.framework), "train")
    state = room.init_state(config.with_named_results(), HEAD, tensors, precision=recipe.training.precision)
    judged = _examples(recipe, held_out, tokenizer, EVALUATION_SEED)
    return evaluated(lambda batch: room.eval_step(state, batch), judged, recipe.training.evaluation_rows)


# ------------------------------------------------------------------------------------------------------------ beginning


def _require_rows_for_all(recipe: PretrainRecipe, processes: int) -> None:
    rows, parts = recipe.training.batch_size, recipe.training.accumulation
    if rows < parts * processes:
        raise ConfigError(
            "`training.batch_size` must hold a row for each of the parts, `training.accumulation`, in every process. "
            f"Received: {rows}, and {parts} parts in {processes} processes."
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


def _start(recipe: PretrainRecipe, tokenizer: AlbertTokenizerBase) -> Start:
    """A fresh model with the corpus' vocabulary, or a checkpoint whose vocabulary that is or begins with."""
    name, keys = recipe.model.name, of_tokenizer(tokenizer)
    checkpoint = None if name in SIZES else files.load(name)
    if checkpoint is None:
        config = getattr(AlbertConfig, name)(**{**keys, **recipe.model.config})
    elif recipe.model.attention != "drawn":
        raise ConfigError(
            "`model.attention` is how that of a fresh model begins, and a checkpoint has its own. Received: "
            f"{recipe.model.attention!r} with {name}. Leave it out."
        )
    else:
        keys["vocab_size"] = max(keys["vocab_size"], checkpoint.config.vocab_size)  # which may have been rounded up
        config = checkpoint.config.changed(**{**keys, **recipe.model.config})
    require_agreement(config, tokenizer, "data.length", recipe.data.length)
    tensors = None if checkpoint is None else _extended(checkpoint, config, recipe, tokenizer)
    chosen, told = weights(name, HEAD, config, tensors, recipe.seed)
    if recipe.model.attention == "local":
        chosen = init.local(chosen, config)
    return Start(config, tokenizer, chosen, checkpoint is None, [told])


def _extended(
    checkpoint: files.Checkpoint, config: AlbertConfig, recipe: PretrainRecipe, tokenizer: AlbertTokenizerBase
) -> report.Tensors:
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


# ------------------------------------------------------------------------------------------------------------- planning


def _settled(recipe: PretrainRecipe) -> PretrainRecipe:
    """The recipe with its open choices made.

    The rate grows with the root of the tokens of a step (arXiv 1904.00962, section 4), from the original's.
    """
    training = recipe.training
    rate = loop.scaled_learning_rate(RATE, training.batch_size * recipe.data.length, RATE_TOKENS)
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
        masked_lm_prob=data.masked,
        replacement=data.replacement,
    )


def _planned(recipe: PretrainRecipe, beginning: Start, corpus: Corpus, held_out: Corpus) -> loop.Plan:
    training = recipe.training
    described = beginning.config.changed(architectures=[f"Albert{HEAD}"])

    def companions(place: Path) -> None:
        described.save_pretrained(place)
        beginning.tokenizer.write(place)

    covered = json.dumps([recipe.decisive(), corpus.fingerprint, held_out.fingerprint], sort_keys=True)
    return loop.Plan(
        framework=recipe.framework,
        config=beginning.config.with_named_results().changed(gradient_checkpointing=training.checkpointing),
        head=HEAD,
        tensors=beginning.tensors,
        optimizer={
            "optimizer": training.optimizer,
            "weight_decay": training.weight_decay,
            "betas": (training.beta1, training.beta2),
            "epsilon": training.epsilon,
            "bias_correction": {"auto": None, "on": True, "off": False}[training.bias_correction],
            "max_gradient_norm": training.max_gradient_norm,
            "precision": training.precision,
            "is_sharded": training.sharded,
            "unreached": ("pooler", "sop_classifier") if recipe.data.objective == "mlm" else (),
        },
        schedule=loop.Schedule(
            training.learning_rate,
            training.steps,
            round(training.warmup * training.steps),
            training.schedule,
            training.power,
            training.clock == "start",
        ),
        seed=recipe.seed,
        parts=training.accumulation,
        averaging=training.averaging,
        evaluate_every=training.evaluate_every,
        save_every=training.save_every,
        patience=0,
        metric="loss",
        is_error=True,
        fingerprint=hashlib.sha256(covered.encode()).hexdigest(),
        spike=training.spike,
        forgiven=training.forgiven,
        companions=companions,
    )


def _told(recipe: PretrainRecipe, corpus: Corpus, held_out: Corpus, rows: Rows) -> list[str]:
    training, epochs = recipe.training, recipe.training.steps / len(rows)
    there = len(rows.examples)
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
