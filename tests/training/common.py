"""A small data set and recipe on which training takes a second."""

from pathlib import Path

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
