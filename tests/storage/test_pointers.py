"""Pointers of git-lfs, which a clone without git-lfs leaves in place of large files."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from albertkit import embedded, storage
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.corpus.reader import DocumentReader, ReaderOptions
from albertkit.corpus.shards import Shard
from albertkit.errors import AlbertkitError, CheckpointError, ConfigError, InputError
from albertkit.tasks import tables
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.tokenization.sentencepiece import AlbertTokenizer

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{'0123456789abcdef' * 4}\n"
    "size 46747112\n"
)  # fmt: skip
WORDS = r"pointer of git-lfs.* 46,747,112 bytes.*git lfs pull"


@pytest.fixture
def folder(tmp_path):
    """A copy of a whole model."""
    return Path(shutil.copytree(embedded.folder("albertkit/small-en"), tmp_path / "model"))


@pytest.mark.parametrize(
    "name", ["model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack", "config.json"]
)
def test_weights_that_git_did_not_fetch_are_called_a_pointer(folder, name):
    if name != "config.json":
        (folder / "model.safetensors").unlink()
    (folder / name).write_text(POINTER)
    with pytest.raises(CheckpointError, match=f"{name} must hold its contents.*{WORDS}"):
        files.load(folder)


def test_shards_and_original_checkpoints_that_git_did_not_fetch_are_called_pointers(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    storage.write_json(folder / "model.safetensors.index.json", index)
    (folder / "model-00001-of-00001.safetensors").write_text(POINTER)
    with pytest.raises(CheckpointError, match=f"model-00001-of-00001.safetensors must.*{WORDS}"):
        files.load(folder)
    (folder / "model.ckpt-best.index").write_text(POINTER)
    with pytest.raises(CheckpointError, match=f"model.ckpt-best.index must.*{WORDS}"):
        files.load(folder / "model.ckpt-best", config=AlbertConfig())


def test_the_data_of_an_original_checkpoint_that_git_did_not_fetch_is_called_a_pointer(tmp_path):
    source = Path(__file__).parents[1] / "data" / "legacy"
    index = next(iter(sorted(source.rglob("*.index"))))
    for path in index.parent.glob(f"{index.stem}.*"):
        shutil.copy(path, tmp_path / path.name)
    for path in tmp_path.glob("*.data-*"):
        path.write_text(POINTER)
    with pytest.raises(CheckpointError, match=rf"\.data-.* must.*{WORDS}"):
        files.load(tmp_path / index.stem, config=AlbertConfig())


@pytest.mark.parametrize("kind", [AlbertTokenizer, AlbertTokenizerFast])
@pytest.mark.parametrize("name", ["spiece.model", "tokenizer.json", "tokenizer_config.json"])
def test_a_vocabulary_that_git_did_not_fetch_is_called_a_pointer(folder, kind, name):
    if kind is AlbertTokenizer and name == "tokenizer.json":
        pytest.skip("this class does not read it")
    for other in {"spiece.model", "tokenizer.json"} - {name}:
        (folder / other).unlink(missing_ok=True)
    (folder / name).write_text(POINTER)
    with pytest.raises(CheckpointError, match=WORDS):
        kind.from_pretrained(folder)


def test_a_vocabulary_that_is_named_itself_is_called_a_pointer(tmp_path):
    (tmp_path / "spiece.model").write_text(POINTER)
    with pytest.raises(CheckpointError, match=WORDS):
        AlbertTokenizer(tmp_path / "spiece.model")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.parquet"])
def test_a_data_file_that_git_did_not_fetch_is_called_a_pointer(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(InputError, match=WORDS):
        tables.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.txt.xz", "a.parquet", "a"])
def test_a_pointer_of_git_is_no_text_to_train_on(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    with pytest.raises(InputError, match=WORDS):
        list(DocumentReader(tmp_path / name, ReaderOptions()))


def test_a_shard_of_a_corpus_that_git_did_not_fetch_is_called_a_pointer(tmp_path):
    for name in ("tokens", "sentences", "documents"):
        np.save(tmp_path / f"{name}.npy", np.zeros(2, np.int64))
    (tmp_path / "tokens.npy").write_text(POINTER)
    with pytest.raises(InputError, match=WORDS):
        Shard.open(tmp_path)


def test_a_recipe_that_git_did_not_fetch_is_called_a_pointer(tmp_path):
    recipe = pytest.importorskip("albertkit.training.recipe")
    (tmp_path / "recipe.toml").write_text(POINTER)
    with pytest.raises(ConfigError, match=WORDS):
        recipe.FinetuneRecipe.load(tmp_path / "recipe.toml", {})


def test_a_text_that_speaks_of_pointers_is_no_pointer(tmp_path):
    (tmp_path / "a.txt").write_text(f"A pointer begins so:\n{POINTER}")
    (tmp_path / "b.txt").write_text(POINTER + "x" * 1024)
    for name in ("a.txt", "b.txt"):
        storage.require_content(tmp_path / name)
        assert storage.read_text(tmp_path / name)


def test_a_pointer_of_the_old_name_and_without_a_size_is_told_too(tmp_path):
    (tmp_path / "file").write_text("version https://hawser.github.com/spec/v1\n")
    with pytest.raises(AlbertkitError, match=r"pointer of git-lfs, a few lines of text in the place of a file\. Fetch"):
        storage.read_bytes(tmp_path / "file")
