"""A small corpus and recipe on which pre-training takes a second."""

import random
import re
from pathlib import Path

from albertkit.corpus import shards
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from albertkit.training.pretrain_recipe import PretrainRecipe

NAMES = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hal")
PLACES = ("the mill", "a harbour", "the old bridge", "her garden", "this school", "the market")
TINY = {
    "embedding_size": 16,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.1,
    "hidden_dropout_prob": 0.1,
}


def documents(count: int, seed: int = 0) -> list[list[str]]:
    """Little stories, whose sentences tell by a word which comes first."""
    draw = random.Random(seed)
    return [
        [
            f"First {draw.choice(NAMES)} went to {draw.choice(PLACES)}.",
            *(f"Then {draw.choice(NAMES)} saw {draw.choice(PLACES)}." for _ in range(draw.randrange(1, 5))),
            f"At last {draw.choice(NAMES)} came home from {draw.choice(PLACES)}.",
        ]
        for _ in range(count)
    ]


def corpus(folder: Path, count: int = 400, seed: int = 0, tokenizer=None) -> Path:
    """A corpus of such stories in several shards; where no tokenizer is given, the words that occur are its tokens."""
    stories = documents(count, seed)
    if tokenizer is None:
        words = sorted({word for story in stories for text in story for word in re.findall(r"\w+|\.", text.lower())})
        random.Random(seed).shuffle(words)
        vocabulary = folder.with_name(f"{folder.name}-vocab.txt")
        vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]))
        tokenizer = AlbertWordPieceTokenizer(vocabulary)
    ids = [tokenizer(story, add_special_tokens=False)["input_ids"] for story in stories]
    shards.write(folder, tokenizer, ids, shard_tokens=1500)
    return folder


def recipe(folder: Path, **changes) -> PretrainRecipe:
    """A recipe over the corpus in a folder."""
    overrides = {
        "framework": "torch",
        "model.config": TINY,
        "data.corpus": str(folder),
        "data.length": 32,
        "data.held_out": 0.1,
        "training.steps": 12,
        "training.batch_size": 8,
        "training.learning_rate": 1e-2,
        "training.evaluate_every": 6,
        "training.evaluation_rows": 32,
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return PretrainRecipe.load(None, overrides)
