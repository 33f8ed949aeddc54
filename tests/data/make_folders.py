"""Writes tests/data/folders: model folders as this release writes them, for later ones to read with the same outputs.

    PYTHONPATH=tests .venv/bin/python tests/data/make_folders.py

Made once, and not again when the code moves: what they hold is what people have on their disks.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from albertkit.tools.convert import convert
from albertkit.torch import models, weights
from albertkit.training import finetune
from frameworks.adapters import ADAPTERS
from frameworks.common import random_tensors, small
from training import common

FOLDER = Path(__file__).parent / "folders"
FILES = ("config.json", "model*", "*token*", "spiece.model", "vocab.txt")
"""What is kept of a folder."""


def saved(framework: str, head: str, folder: Path, **changes) -> None:
    """A model of random weights, saved by its framework's own method."""
    config = small(vocab_size=604, **changes)
    adapter = ADAPTERS[framework]()
    adapter.save(adapter.build(head, config, random_tensors(config, head)), folder)


def classifier(folder: Path) -> None:
    """Three named classes in shards, with a tokenizer of spiece.model."""
    config = small(
        vocab_size=604, id2label={0: "bad", 1: "fair", 2: "good"}, problem_type="single_label_classification"
    )
    model = models.AlbertForSequenceClassification(config)
    weights.load(model, "", config, random_tensors(config, "ForSequenceClassification"), "here")
    model.save_pretrained(folder, max_shard_size=16_000)
    AlbertTokenizerFast(FOLDER.parent / "spiece.model", model_max_length=16).save_pretrained(folder)


def groups(folder: Path) -> None:
    """Two groups of two layers, written by TensorFlow."""
    saved("tensorflow", "ForPreTraining", folder, num_hidden_groups=2, inner_group_num=2)


def untied(folder: Path) -> None:
    """A masked language model whose decoder is its own, written by JAX."""
    saved("flax", "ForMaskedLM", folder, tie_word_embeddings=False, hidden_act="relu")


def half(folder: Path) -> None:
    """A checkpoint of the original code, converted to bfloat16."""
    convert(FOLDER.parent / "legacy" / "original", folder, dtype="bfloat16")


def answers(folder: Path) -> None:
    """A bare encoder with a WordPiece tokenizer that knows a token more."""
    saved("torch", "Model", folder)
    (folder / "words.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n你\n好\nthe\ncat\n##s\n")
    tokenizer = AlbertWordPieceTokenizer(folder / "words.txt")
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)


def trained(folder: Path) -> None:
    """The result of a fine-tuning."""
    with tempfile.TemporaryDirectory() as place:
        finetune.run(common.recipe(Path(place), training__epochs=1), folder)


MADE = {"classifier": "ForSequenceClassification", "groups": "ForPreTraining", "untied": "ForMaskedLM"}
MADE |= {"half": "ForPreTraining", "answers": "Model", "trained": "ForSequenceClassification"}
"""The folders, and the class that each is of."""
TEXT = "The cat sat on 1,000 walls, 你好 <new>!"


def outputs(folder: Path, head: str) -> dict[str, np.ndarray]:
    """What a folder's model computes, by PyTorch, and the ids of a text where there is a tokenizer."""
    adapter = ADAPTERS["torch"]()
    model = adapter.evaluating(adapter.load(head, folder))
    ids = np.random.default_rng(0).integers(1, min(model.config.vocab_size, 500), (2, 7))
    named = adapter.outputs(model, {"input_ids": ids})
    found = {"input_ids": ids} | {name: value for name, value in named.items() if isinstance(value, np.ndarray)}
    if any(folder.glob("tokenizer_config.json")):
        found["ids_of_text"] = np.array(AlbertTokenizerFast.from_pretrained(folder)(TEXT)["input_ids"])
    return found


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for name, head in MADE.items():
        folder = FOLDER / name
        globals()[name](folder)
        keep = {path for pattern in FILES for path in folder.glob(pattern)}
        for path in folder.iterdir():
            if path not in keep:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        np.savez_compressed(folder / "outputs.npz", **outputs(folder, head))


if __name__ == "__main__":
    main()
