"""Scores of pre-training on rows that were not trained on, during a run and of a finished model."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from albertkit import backends, weight_table
from albertkit.backends import Outputs
from albertkit.batches import Batch
from albertkit.checkpoint import files, report
from albertkit.corpus.shards import Corpus
from albertkit.errors import ConfigError, InputError
from albertkit.masking.vocabulary import MaskingVocabulary
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training.backends import train_backend
from albertkit.training.initial_state import require_agreement
from albertkit.training.pretrain_recipe import PretrainRecipe

HEAD = "ForPreTraining"
EVALUATION_TOKENS = 8192
EVALUATION_SEED = 0
"""All runs on a corpus are evaluated on the same rows, masked alike."""


def examples_of(
    recipe: PretrainRecipe, corpus: Corpus, tokenizer: AlbertTokenizerBase, seed: int
) -> PretrainingExamples:
    """The examples that a recipe makes of a corpus, masked and paired by a seed."""
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
            f"vocabularies differ. Make it with: albertkit corpus build --tokenizer {model}"
        )
    config = checkpoint.config
    require_agreement(config, tokenizer, "data.length", recipe.data.length)
    wanted = weight_table.expected(config, HEAD)
    tensors, what = report.fit(f"Albert{HEAD}", wanted, weight_table.tied(config), checkpoint.tensors, model)
    what.require_complete()
    backend = train_backend(backends.resolve(recipe.framework))
    state = backend.init_state(config.with_named_results(), HEAD, tensors, precision=recipe.training.precision)
    evaluated_on = examples_of(recipe, held_out, tokenizer, EVALUATION_SEED)
    return evaluated(lambda batch: backend.eval_step(state, batch), evaluated_on, recipe.training.evaluation_rows)
