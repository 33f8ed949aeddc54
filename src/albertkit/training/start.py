"""Where a fine-tuning run starts: the tokenizer, the config and the weights that its recipe asks for."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albertkit.checkpoint import files, init, names, report
from albertkit.config import SIZES, AlbertConfig
from albertkit.errors import ConfigError
from albertkit.tokenization import train as vocabulary
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training.recipe import Recipe


@dataclass(frozen=True)
class Start:
    """What training begins with. `story` says in words where each part comes from."""

    config: AlbertConfig
    tokenizer: AlbertTokenizerBase
    tensors: report.Tensors
    fresh: bool
    """Whether the encoder itself is new."""
    story: list[str]


def start(recipe: Recipe, head: str, keys: dict[str, Any], texts: Sequence[str]) -> Start:
    """Build or read what the recipe names, with `keys` (labels and problem type) in the config.

    A size makes a fresh model, whose tokenizer is the recipe's or is learned from `texts`; any other name is a
    checkpoint.
    """
    fresh = recipe.model.name in SIZES
    checkpoint = None if fresh else files.load(recipe.model.name)
    tokenizer, story = _tokenizer(recipe, texts, fresh)
    if checkpoint is None:
        config = getattr(AlbertConfig, recipe.model.name)(**{**of_tokenizer(tokenizer), **recipe.model.config})
        tensors: report.Tensors = {}
    else:
        config = checkpoint.config.changed(**recipe.model.config)
        tensors = dict(checkpoint.tensors)
        if list(config.id2label.values()) != list(keys["id2label"].values()):
            tensors = {name: tensor for name, tensor in tensors.items() if names.part(name) != "classifier"}
    config = config.changed(**keys)
    _require_agreement(recipe, config, tokenizer)
    wanted = names.expected(config, head)
    if fresh:
        chosen = init.fresh(wanted, config, recipe.seed)
        count = config.num_parameters(head)
        story.append(f"A fresh model of {count:,} parameters, none of them trained.")
    else:
        chosen, what = report.fit(f"Albert{head}", wanted, names.tied(config), tensors, recipe.model.name)
        chosen |= init.fresh({name: wanted[name] for name in what.missing}, config, recipe.seed)
        story.append(str(what))
    return Start(config, tokenizer, chosen, fresh, story)


def _tokenizer(recipe: Recipe, texts: Sequence[str], fresh: bool) -> tuple[AlbertTokenizerBase, list[str]]:
    name = recipe.model.tokenizer or ("" if fresh else recipe.model.name)
    if not name:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = vocabulary.train(iter(texts), recipe.model.vocab_size, folder, exact=False)
        return tokenizer, [f"A vocabulary of {len(tokenizer):,} pieces was learned from the training texts."]
    if Path(name).is_file():
        return AlbertTokenizerFast(vocab_file=name), [f"Tokenizer from {name}."]
    return AlbertTokenizerFast.from_pretrained(name), [f"Tokenizer from {name}."]


def of_tokenizer(tokenizer: AlbertTokenizerBase) -> dict[str, Any]:
    """The keys of a config that a tokenizer decides."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }


def _require_agreement(recipe: Recipe, config: AlbertConfig, tokenizer: AlbertTokenizerBase) -> None:
    if len(tokenizer) > config.vocab_size:
        raise ConfigError(
            f"A model needs an embedding for every token. Received: a tokenizer of {len(tokenizer)} tokens and a "
            f"model of `vocab_size` {config.vocab_size}. Use the tokenizer that belongs to the model."
        )
    if tokenizer.pad_token_id != config.pad_token_id:
        raise ConfigError(
            f"Tokenizer and model must agree on the pad token. Received: ids {tokenizer.pad_token_id} and "
            f"{config.pad_token_id}. Use the tokenizer that belongs to the model."
        )
    if recipe.data.max_length > config.max_position_embeddings:
        raise ConfigError(
            "`data.max_length` must not exceed the model's `max_position_embeddings`. Received: "
            f"{recipe.data.max_length} and {config.max_position_embeddings}."
        )
