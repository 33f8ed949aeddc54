"""A small data set and recipe on which training takes a second."""

import os
from pathlib import Path

from rich.console import Console

from albertkit.training import finetune
from albertkit.training.recipe import FinetuneRecipe

GOOD = ("good", "great", "lovely", "superb", "brilliant")
BAD = ("bad", "awful", "dull", "terrible", "boring")
THINGS = ("film", "story", "plot", "cast", "ending", "music")
TINY = {
    "embedding_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "initializer_range": 0.1,
    "classifier_dropout_prob": 0.0,
}


def reviews(path: Path, start: int = 0, step: int = 1) -> Path:
    rows = [
        (f"the {thing} was {'very ' * (i % 2)}{word}", label)
        for label, words in (("pos", GOOD), ("neg", BAD))
        for i, word in enumerate(words)
        for thing in THINGS
    ]
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows[start::step]))
    return path


def recipe(folder: Path, **changes) -> FinetuneRecipe:
    overrides = {
        "data.train": str(reviews(folder / "train.csv")),
        "data.eval": str(reviews(folder / "dev.csv", 1, 3)),
        "model.vocab_size": 80,
        "model.config": TINY,
        "training.epochs": 8,
        "training.batch_size": 8,
        "training.learning_rate": 1e-2,
        "data.max_length": 32,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return FinetuneRecipe.load(None, overrides)


def learnable(folder: Path, **changes) -> FinetuneRecipe:
    """A run that learns the reviews whatever the seed, by a vocabulary that has their words as pieces.

    What SentencePiece learns from so few patterns differs between its versions: words, or characters.
    """
    return recipe(folder, **{"model__tokenizer": "albertkit/small-en", "training__learning_rate": 5e-3, **changes})


def task_recipe(task: str, data: Path, **changes) -> FinetuneRecipe:
    """A run of any task on a file, of which a quarter is held out, with a vocabulary that is learned from it."""
    overrides = {
        "task": task,
        "data.train": str(data),
        "data.max_length": 32,
        "data.held_out": 0.25,
        "model.vocab_size": 90,
        "model.config": TINY,
        "training.epochs": 12,
        "training.batch_size": 8,
        "training.learning_rate": 1e-2,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return FinetuneRecipe.load(None, overrides)


def trained(recipe: FinetuneRecipe, output: Path) -> dict:
    """The results of a run that prints nothing."""
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  (a Console writes to a file object)
        return finetune.run(recipe, output, console=Console(file=nowhere))
