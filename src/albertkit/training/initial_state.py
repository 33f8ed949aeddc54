"""The initial state of a run: the tokenizer, the config and the weights that its recipe asks for."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from albertkit import hub, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import files, init, report
from albertkit.config import SIZES, AlbertConfig
from albertkit.errors import ConfigError
from albertkit.tasks.base import AnyTask
from albertkit.tokenization import train as trainer
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import defaults
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe
from albertkit.typing import Record


@dataclass(frozen=True)
class InitialState:
    """What training begins with. `provenance` says in words where each part comes from."""

    config: AlbertConfig
    tokenizer: AlbertTokenizerBase
    tensors: Tensors
    is_new: bool
    """Whether the encoder itself is newly initialised."""
    provenance: list[str]


def initial_state(recipe: FinetuneRecipe, task: AnyTask, keys: Record, texts: Sequence[str]) -> InitialState:
    """Build or read what the recipe names for a task, with `keys` (labels and problem type) in the config.

    A size makes a new model, whose tokenizer is the recipe's or is learned from `texts`; any other name is a
    checkpoint.
    """
    is_new = recipe.model.name in SIZES
    checkpoint = None if is_new else files.load(recipe.model.name)
    tokenizer, provenance = _tokenizer(recipe, texts, is_new)
    if checkpoint is None:
        config = getattr(AlbertConfig, recipe.model.name)(**{**of_tokenizer(tokenizer), **recipe.model.config})
        tensors = None
    else:
        config = checkpoint.config.changed(**recipe.model.config)
        head = task.head_for(config.changed(**keys).architectures)
        tensors, told_of_classes = _with_classes(recipe.model.name, head, checkpoint.tensors, config, keys)
        provenance += told_of_classes
    config = config.changed(**keys)
    length, settings = recipe.options().max_length, defaults.benchmark(recipe.benchmark)
    if settings and length == settings.max_length:
        length = min(length, config.max_position_embeddings)
    require_agreement(config, tokenizer, "data.max_length", length)
    head = task.head_for(config.architectures)
    chosen, told = initial_weights(recipe.model.name, head, config, tensors, recipe.seed)
    return InitialState(
        config, tokenizer, chosen, is_new, [*provenance, told, *(checkpoint.notes if checkpoint else ())]
    )


def _with_classes(
    name: str, head: str, tensors: Tensors, config: AlbertConfig, keys: Record
) -> tuple[Tensors, list[str]]:
    """The tensors of the checkpoint `name` for the classes in `keys`, and in words what becomes of its classifier.

    It is taken where it is of the same `head` and its classes are called the same, in the order of `keys`. It is left
    out where they are not, where numbers are wanted of classes or the other way round, and where it is of another
    head: all call it the same.
    """
    parts = [one for one in tensors if weight_table.part(one) == "classifier"]
    if not parts:
        return tensors, []
    rest = {one: tensor for one, tensor in tensors.items() if one not in parts}
    made_as = config.architectures or []
    if made_as and not any(one.endswith(head) for one in made_as):
        return rest, [f"The classifier is new: that of {name} is one of {made_as[0]}. The rest is taken."]
    wanted, own = keys.get("id2label"), config.id2label
    if wanted is None:
        return tensors, []
    before, after = list(own.values()), list(wanted.values())
    problems = {config.problem_type, keys.get("problem_type")} - {None}
    if sorted(before) != sorted(after) or len(problems) > 1 or any(len(tensors[one]) != len(after) for one in parts):
        shown = ", ".join(before[:8])
        return rest, [f"The classifier is new: that of {name} is for other classes ({shown}). The rest is taken."]
    order = [before.index(one) for one in after]
    taken = {one: np.ascontiguousarray(tensors[one][order]) for one in parts}
    return {**rest, **taken}, [f"The classifier of {name} is taken, too: its classes are called the same."]


def pretraining_state(recipe: PretrainRecipe, tokenizer: AlbertTokenizerBase, head: str) -> InitialState:
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
    chosen, told = initial_weights(name, head, config, tensors, recipe.seed)
    if recipe.model.attention_init == "local":
        chosen = init.with_local_attention(chosen, config)
    return InitialState(
        config, tokenizer, chosen, checkpoint is None, [told, *(checkpoint.notes if checkpoint else ())]
    )


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
            f"{recipe.model.name}'s tokens {len(moved):,} have another id there or none, such as {moved[0]!r}. Make "
            f"it with: albertkit corpus build --tokenizer {recipe.model.name}"
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


def initial_weights(
    name: str, head: str, config: AlbertConfig, tensors: Tensors | None, seed: int
) -> tuple[Tensors, str]:
    """The weights of `Albert{head}`, and in words where they come from.

    They are those of the checkpoint `name`, `tensors`, and new ones where it has none; all new where it is None.
    """
    wanted = weight_table.expected(config, head)
    if tensors is None:
        count = config.num_parameters(head)
        return init.initialize(
            wanted, config, seed
        ), f"A newly initialised model of {count:,} parameters, none of them trained."
    chosen, what = report.fit(f"Albert{head}", wanted, weight_table.tied(config), tensors, name)
    return chosen | init.initialize({missing: wanted[missing] for missing in what.missing}, config, seed), str(what)


def _tokenizer(recipe: FinetuneRecipe, texts: Sequence[str], is_new: bool) -> tuple[AlbertTokenizerBase, list[str]]:
    name = recipe.model.tokenizer or ("" if is_new else recipe.model.name)
    if not name:
        with tempfile.TemporaryDirectory() as folder:
            tokenizer = trainer.train(iter(texts), recipe.model.vocab_size, folder, exact=False)
        return tokenizer, [f"A vocabulary of {len(tokenizer):,} pieces was learned from the training texts."]
    if hub.local_path(name).is_file():
        return AlbertTokenizerFast(vocab_file=name), [f"Tokenizer from {name}."]
    return AlbertTokenizerFast.from_pretrained(name), [f"Tokenizer from {name}."]


def of_tokenizer(tokenizer: AlbertTokenizerBase) -> Record:
    """The keys of a config that a tokenizer decides."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }


def require_agreement(config: AlbertConfig, tokenizer: AlbertTokenizerBase, key: str, length: int) -> None:
    """ConfigError where a tokenizer is not the model's, or inputs of `length`, a `key` of the recipe, are too long."""
    if len(tokenizer) > config.vocab_size:
        raise ConfigError(
            f"A model needs an embedding for every token. Received: a tokenizer of {len(tokenizer)} tokens and a "
            f"model of `vocab_size` {config.vocab_size}. Use the tokenizer that belongs to the model, and leave its "
            "`vocab_size` as it is."
        )
    if tokenizer.pad_token_id != config.pad_token_id:
        raise ConfigError(
            f"Tokenizer and model must agree on the pad token. Received: ids {tokenizer.pad_token_id} and "
            f"{config.pad_token_id}. Use the tokenizer that belongs to the model."
        )
    if length > config.max_position_embeddings:
        raise ConfigError(
            f"`{key}` must not exceed the model's `max_position_embeddings`. Received: {length} and "
            f"{config.max_position_embeddings}."
        )
