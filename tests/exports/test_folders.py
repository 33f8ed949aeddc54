"""Folders of the traced formats: they answer as the model does, programs only on trust, and what is wrong is told."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorflow")
pytest.importorskip("flax")

from typer.testing import CliRunner

from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.errors import CheckpointError, InputError, MissingDependency
from albertkit.exporting import export
from albertkit.exports import manifest, registry
from albertkit.pipelines import pipeline
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow, pytest.mark.flax]
PROGRAMS = ("torch-export", "saved-model", "stablehlo")
"""The formats that are loaded on trust alone."""
FORMATS = (*PROGRAMS, "litert")
HEAD = "ForMultipleChoice"
"""The one with a free axis more than others."""
QUESTIONS = [
    {"question": "What is hot?", "choices": ["ice", "fire", "snow"]},
    {"question": "When does the train from the north arrive?", "choices": ["Nobody knows.", "Peter came.", "Soon."]},
]


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    folder, tokenizer = tmp_path_factory.mktemp("model"), AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, num_hidden_layers=1)
    files.save(folder, config, random_tensors(config, HEAD), f"Albert{HEAD}")
    tokenizer.save_pretrained(folder)
    (folder / "questions.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in QUESTIONS))
    return folder


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """One folder with the model in all these formats."""
    folder = tmp_path_factory.mktemp("exported") / "all"
    for name in FORMATS:
        export(model, folder, name, calibrate=model / "questions.jsonl")
    return folder


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_answers_as_the_model_does(model, exported, name):
    (entry,) = (one for one in manifest.read(exported) if one.format == name)
    assert entry.parity["rows"] == 2
    assert entry.parity["largest_difference"] < 1e-5
    trusted = {"trust_program": True} if name in PROGRAMS else {}
    ours, theirs = pipeline(None, model)(QUESTIONS), pipeline(None, exported, name, **trusted)(QUESTIONS)
    assert [one["choice"] for one in theirs] == [one["choice"] for one in ours]
    np.testing.assert_allclose([one["score"] for one in theirs], [one["score"] for one in ours], atol=1e-5)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_not_loaded_unless_its_author_is_trusted(exported, name, monkeypatch):
    form = type(registry.get(name))
    monkeypatch.setattr(form, "compile", lambda *arguments: pytest.fail("loaded"))
    with pytest.raises(InputError, match="trust_program=True"):
        pipeline(None, exported, name)


def test_the_command_answers_on_trust(model, exported):
    given = ["predict", str(exported), "--file", str(model / "questions.jsonl"), "--framework", "torch-export"]
    refused, answered = (CliRunner().invoke(app, [*given, *more]) for more in ([], ["--trust-program"]))
    assert "--trust-program" in str(refused.exception)
    assert set(json.loads(answered.stdout.splitlines()[0])) >= {"question", "choice", "score"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_none_of_the_format_is_told(exported, tmp_path, name):
    """One with the right checksum, as a stranger can write it."""
    (entry,) = (one for one in manifest.read(exported) if one.format == name)
    files.save(tmp_path, files.load_config(exported), {}, f"Albert{HEAD}")
    AlbertTokenizerFast.from_pretrained(exported).save_pretrained(tmp_path)
    place = tmp_path / entry.file
    place.parent.mkdir(parents=True)
    place.write_bytes(b"nothing")
    stated = {**vars(entry), "files": {entry.file: manifest.checksum(place)}}
    manifest.write(tmp_path, [type(entry)(**stated)])
    with pytest.raises(CheckpointError, match="Export the model again"):
        pipeline(None, tmp_path, name, trust_program=True)


@pytest.mark.parametrize("name", FORMATS)
def test_a_precision_or_package_that_is_not_there_is_told(model, tmp_path, name, monkeypatch):
    with pytest.raises(InputError, match="is written in fp32"):
        export(model, tmp_path / "exported", name, "fp16")
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    with pytest.raises(MissingDependency, match=r"albertkit\[(torch|tensorflow|flax)\]"):
        registry.get(name).require_installed("fp32")
