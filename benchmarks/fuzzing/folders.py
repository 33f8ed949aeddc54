"""Small models, one a kind of file. Two calls write the same bytes, so that a case can be repeated."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import safetensors.numpy

from albertkit import storage, weight_table
from albertkit.checkpoint import files, layout
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

DATA = Path(__file__).parents[2] / "tests" / "data"
ARCHITECTURE = "AlbertForSequenceClassification"
SIZES = {
    "vocab_size": 604,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "max_position_embeddings": 64,
    "problem_type": "single_label_classification",
    "id2label": {0: "no", 1: "yes"},
}
WORDPIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"你好a1,.!", "the", "cat", "sat", "on", "##s", "##9")


def config(age: int = 0) -> AlbertConfig:
    """Models of different ages differ in their activation."""
    return AlbertConfig(**SIZES, hidden_act=("gelu_new", "relu")[age % 2])


def tensors(age: int = 0) -> dict[str, np.ndarray]:
    """Weights large enough that a mistake in any of them shows."""
    rng = np.random.default_rng(age)
    shapes = weight_table.expected(config(age), "ForSequenceClassification")
    return {name: rng.standard_normal(shape).astype(np.float32) * 0.3 for name, shape in shapes.items()}


def model(folder: Path, age: int = 0, max_shard_size: int | str = "5GB") -> None:
    """What `save_pretrained` of a classifier writes."""
    files.save(folder, config(age), tensors(age), ARCHITECTURE, max_shard_size=max_shard_size)


def tokenizer() -> AlbertTokenizerBase:
    """A tokenizer of spiece.model."""
    return AlbertTokenizerFast(DATA / "spiece.model", model_max_length=64)


def whole(folder: Path, age: int = 0, max_shard_size: int | str = "5GB") -> None:
    """A classifier with its tokenizer, and every key in its config."""
    model(folder, age, max_shard_size)
    tokenizer().save_pretrained(folder)
    keys = {**AlbertConfig.from_pretrained(folder).to_dict(), "dtype": "float32"}
    storage.write_json(folder / CONFIG_FILE, keys)


def without_checksum(folder: Path, age: int = 0) -> None:
    """As Transformers writes safetensors."""
    whole(folder, age)
    for file in folder.glob("*.safetensors"):
        safetensors.numpy.save_file(safetensors.numpy.load_file(file), file, {"format": "pt"})


def sharded(folder: Path, age: int = 0) -> None:
    """Weights in about four files."""
    whole(folder, age, max_shard_size=8_000)


def library(folder: Path, age: int = 0) -> None:
    """A tokenizer of tokenizer.json alone."""
    model(folder, age)
    AlbertTokenizerFast(tokenizer_file=DATA / "tokenizer.json", model_max_length=64).save_pretrained(folder)


def old_tokenizer(folder: Path, age: int = 0) -> None:
    """A tokenizer whose added tokens stand in added_tokens.json, as in folders of old."""
    model(folder, age)
    shutil.copy(DATA / "spiece.model", folder)
    tokens = tokenizer()
    tokens.add_tokens(["<new>", "<newer>"])
    roles = {**tokens.special_tokens_map, "additional_special_tokens": ["<newer>"]}
    storage.write_json(folder / "special_tokens_map.json", roles)
    storage.write_json(folder / "added_tokens.json", tokens.added_tokens_encoder)
    storage.write_json(folder / "tokenizer_config.json", {"do_lower_case": True, "model_max_length": 64})


def wordpiece(folder: Path, age: int = 0) -> None:
    """A tokenizer of vocab.txt."""
    model(folder, age)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in WORDPIECES), encoding="utf-8")
    AlbertWordPieceTokenizer(folder / "vocab.txt", model_max_length=64).save_pretrained(folder)


def pickled(folder: Path, age: int = 0, *, zipped: bool = True) -> None:
    """A `pytorch_model.bin` in the form of today or in that of before 2020."""
    import torch

    whole(folder, age)
    (folder / "model.safetensors").unlink()
    values = tensors(age)
    flat = torch.from_numpy(np.concatenate([value.ravel() for value in values.values()]))
    parts = flat.split([value.size for value in values.values()])
    state = {name: part.view(value.shape) for (name, value), part in zip(values.items(), parts, strict=True)}
    if zipped:
        state = {name: tensor.clone() for name, tensor in state.items()}
    file = folder / "pytorch_model.bin"
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    if not zipped:  # the key of the one storage is an address in memory
        key = str(flat.untyped_storage()._cdata).encode()
        fixed = [b"X" + struct.pack("<I", len(one)) + one for one in (key, b"94000000000000")]
        file.write_bytes(file.read_bytes().replace(*fixed))


def legacy(folder: Path, age: int = 0, *, kind: str) -> None:
    """What other code wrote, from the test data."""
    shutil.copytree(DATA / "legacy" / kind, folder, ignore=shutil.ignore_patterns("outputs.npz"), dirs_exist_ok=True)


def original(folder: Path, age: int = 0) -> None:
    """A checkpoint of the original code, under two names."""
    legacy(folder, age, kind="original")
    for file in list(folder.glob("model.ckpt-best.*")):
        shutil.copy(file, folder / file.name.replace("best", "1000"))


class _Cut(BaseException):
    """The process ended."""


def cut_off(folder: Path, age: int = 0, *, moved: int) -> None:
    """A folder of one age, and over it a save of the next that ended after its commit and `moved` files."""
    sharded(folder, age)
    left = moved

    def mortal(change: Callable[..., None]) -> Callable[..., None]:
        def attempt(*paths: Path, **options: object) -> None:
            nonlocal left
            if Path(paths[-1]).parent == folder and (folder / ".albertkit-commit").exists():
                if left == 0:
                    raise _Cut
                left -= 1
            change(*paths, **options)

        return attempt

    with mock.patch("os.replace", mortal(os.replace)), mock.patch("os.unlink", mortal(os.unlink)):
        try:
            with storage.atomic_replace(folder, CONFIG_FILE, layout.STALE) as staging:
                files.write(staging, config(age + 1), tensors(age + 1), ARCHITECTURE)
                tokenizer().write(staging)
        except _Cut:
            return
    raise AssertionError("the save was not cut off")


def content(folder: Path) -> list[bytes]:
    """The contents of a folder's files, to splice with."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]


def keys(file: Path) -> dict[str, object]:
    """The object in a JSON file that is known to be whole."""
    return json.loads(file.read_text(encoding="utf-8"))
