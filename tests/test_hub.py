import inspect
import json
import os

import huggingface_hub
import pytest
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from albertkit import hub
from albertkit.config import AlbertConfig
from albertkit.errors import AlbertkitError, CheckpointNotFound

SHA = "0123456789abcdef0123456789abcdef01234567"
OLDER = "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def cache(tmp_path):
    """A hub cache that holds two revisions of org/name."""
    root = tmp_path / "hub" / "models--org--name"
    for sha, size in ((SHA, 8), (OLDER, 16)):
        for place in ("", "encoder"):
            folder = root / "snapshots" / sha / place
            folder.mkdir(parents=True, exist_ok=True)
            config = {"model_type": "albert", "hidden_size": size, "num_attention_heads": 2, "embedding_size": 4}
            config |= {"num_hidden_layers": 1, "intermediate_size": 8}
            (folder / "config.json").write_text(json.dumps(config | {"vocab_size": 77 if place else 55}))
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(SHA)
    (root / "refs" / "v1").write_text(OLDER)
    return root.parent


@pytest.fixture
def asked(monkeypatch):
    """What the hub is asked, which answers with a folder called `answer`."""
    calls = []

    def answer(*args, **kwargs):
        calls.append((args, kwargs))
        return "answer"

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    return calls


def test_a_folder_is_used_as_it_is(tmp_path, asked):
    assert hub.fetch(tmp_path, ["*"]) == tmp_path
    assert hub.fetch(str(tmp_path), ["*"], revision="anything") == tmp_path
    (tmp_path / "inner").mkdir()
    assert hub.fetch(tmp_path, ["*"], subfolder="inner") == tmp_path / "inner"
    assert asked == []


def test_a_folder_that_looks_like_a_hub_name_wins(tmp_path, monkeypatch, asked):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "name").mkdir(parents=True)
    assert hub.fetch("org/name", ["*"]).resolve() == tmp_path / "org" / "name"
    assert asked == []


@pytest.mark.parametrize(
    "name",
    [None, 3, pytest.param(10**5000, id="digits"), 2.5, b"model", ["model"], "x" * 10_000, "org/" + "x" * 5000, "a\0b"],
)
def test_what_is_no_name_is_refused_in_words(name, asked):
    with pytest.raises(CheckpointNotFound, match=r"A model is a folder or an `owner/model` name.*Received: ") as caught:
        hub.fetch(name, ["*"])
    assert len(str(caught.value)) < 300
    assert asked == []


@pytest.mark.parametrize("subfolder", [5, b"inner", ["inner"], "a\0b", "x" * 300])
@pytest.mark.parametrize("name", ["folder", "albertkit/small-en"])
def test_what_is_no_subfolder_is_refused_in_words(tmp_path, name, subfolder, asked):
    with pytest.raises(CheckpointNotFound, match=r"`subfolder` must be|null byte|File name too long"):
        hub.fetch(tmp_path if name == "folder" else name, ["*"], subfolder=subfolder)


def test_no_subfolder_is_the_folder_itself(tmp_path, asked):
    assert hub.fetch(tmp_path, ["*"], subfolder=None) == tmp_path
    hub.fetch("org/name", ["*.json"], subfolder=None)
    assert asked[0][1]["allow_patterns"] == ["*.json"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs of POSIX")
def test_a_fifo_is_refused(tmp_path, asked):
    os.mkfifo(tmp_path / "model")
    with pytest.raises(CheckpointNotFound, match="which is a device or a FIFO"):
        hub.fetch(tmp_path / "model", ["*"])
    assert asked == []


def test_a_file_is_refused(tmp_path, asked):
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(CheckpointNotFound, match=r"folder or a name on the hub. Received: .*model\.bin, which is a"):
        hub.fetch(tmp_path / "model.bin", ["*"])
    assert asked == []


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("config.json", "AlbertConfig.from_json_file("),
        ("tokenizer.json", "AlbertTokenizerFast(tokenizer_file="),
        ("vocab.txt", "AlbertWordPieceTokenizer("),
        ("spiece.model", "AlbertTokenizer("),
        ("model.safetensors", "Pass its folder: from_pretrained("),
    ],
)
def test_a_file_in_place_of_its_folder_names_its_reader_and_the_folder(tmp_path, name, reader, asked):
    (tmp_path / name).write_text("{}")
    with pytest.raises(CheckpointNotFound) as caught:
        hub.fetch(tmp_path / name, ["*"])
    assert reader in str(caught.value)
    assert f"from_pretrained({str(tmp_path)!r})" in str(caught.value)
    assert (" what lies beside it" in str(caught.value)) == (" reads the file itself, and " in str(caught.value))


@pytest.mark.parametrize("name", ["a/b/c", "./model", "../model", "~/model", "/no/such", "org\\name", "", "org/", ".x"])
def test_what_cannot_be_a_hub_name_is_not_asked_for(name, asked):
    with pytest.raises(CheckpointNotFound, match=r"no such folder. Check the path") as caught:
        hub.fetch(name, ["*"])
    assert repr(name) in str(caught.value)
    assert isinstance(caught.value, OSError)
    assert asked == []


@pytest.mark.parametrize("name", ["my model", "org/na--me", "modèle"])
def test_a_name_that_the_hub_forbids_is_not_found(name):
    with pytest.raises(CheckpointNotFound, match="Check the spelling") as caught:
        hub.fetch(name, ["*"], local_files_only=True)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sha"),
    [({}, SHA), ({"revision": "main"}, SHA), ({"revision": "v1"}, OLDER), ({"revision": OLDER}, OLDER)],
)
@pytest.mark.parametrize("offline", [True, False])
def test_the_cache_answers_by_revision(cache, monkeypatch, options, sha, offline):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    found = hub.fetch("org/name", ["config.json"], cache_dir=cache, local_files_only=not offline, **options)
    assert found.name == sha
    assert (found / "config.json").is_file()


def test_the_cache_of_the_environment_is_the_default(cache, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    assert hub.fetch("org/name", ["config.json"], local_files_only=True).name == SHA


def test_a_config_is_read_through_the_cache(cache):
    config = AlbertConfig.from_pretrained("org/name", cache_dir=cache, local_files_only=True)
    assert (config.hidden_size, config.vocab_size) == (8, 55)
    options = {"cache_dir": str(cache), "local_files_only": True, "revision": "v1", "subfolder": "encoder"}
    config = AlbertConfig.from_pretrained("org/name", **options, num_hidden_layers=3)
    assert (config.hidden_size, config.vocab_size, config.num_hidden_layers) == (16, 77, 3)


@pytest.mark.parametrize(
    ("name", "revision"), [("org/other", "main"), ("org/name", "v9"), ("org/name", "1" * 40), ("plain", "main")]
)
def test_what_is_not_in_the_cache_is_not_found(cache, name, revision):
    with pytest.raises(CheckpointNotFound, match=r"nor in the local cache.*go online once") as caught:
        hub.fetch(name, ["config.json"], cache_dir=cache, local_files_only=True, revision=revision)
    assert repr(name) in str(caught.value)
    assert repr(revision) in str(caught.value)


def test_all_options_reach_the_hub(asked):
    options = {"cache_dir": None, "force_download": True, "local_files_only": False, "token": "t", "revision": "v2"}
    found = hub.fetch("org/name", ["config.json", "*.bin"], **options)
    assert found.as_posix() == "answer"
    assert asked == [(("org/name",), options | {"allow_patterns": ["config.json", "*.bin"]})]


def test_a_subfolder_limits_what_is_fetched(asked):
    assert hub.fetch("org/name", ["config.json", "*.bin"], subfolder="inner").as_posix() == "answer/inner"
    assert asked[0][1]["allow_patterns"] == ["inner/config.json", "inner/*.bin"]


class Gone(HfHubHTTPError):
    """An answer of the hub, made without a response."""

    def __init__(self, message):
        Exception.__init__(self, message)

    def __str__(self):
        return self.args[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Gone("404 Client Error"), r"'org/name' at revision 'v2'.*404 Client Error.*hf auth login"),
        (LocalEntryNotFoundError("no"), r"'org/name' at revision 'v2'.*neither a folder nor in the local cache"),
    ],
)
def test_the_hub_saying_no_is_not_found(monkeypatch, error, words):
    def answer(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", answer)
    with pytest.raises(CheckpointNotFound, match=words) as caught:
        hub.fetch("org/name", ["config.json"], revision="v2")
    assert isinstance(caught.value, AlbertkitError)
    assert caught.value.__cause__ is error


def test_the_listed_options_are_the_keywords_of_fetch():
    parameters = inspect.signature(hub.fetch).parameters.values()
    assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == set(hub.OPTIONS)
    assert set(hub.OPTIONS) <= set(inspect.signature(AlbertConfig.from_pretrained).parameters)
