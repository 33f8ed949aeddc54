"""albertkit export: one call, its line, and the folder that answers."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from typer.testing import CliRunner

from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch


def test_a_model_is_exported_and_answers(tmp_path, data, monkeypatch):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64)
    files.save(
        tmp_path / "model",
        config,
        random_tensors(config, "ForTokenClassification"),
        "AlbertForTokenClassification",
    )
    tokenizer.save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", "model", "--precision", "uint8", "--min-agreement", "0"])
    assert done.exit_code == 0, done.exception
    assert "model-onnx-uint8: onnx in uint8, " in done.output
    assert "25 of 25 products in integers" not in done.output  # 26: the classifier is one of them
    assert "26 of 26 products in integers" in done.output
    told = CliRunner().invoke(app, ["predict", "model-onnx-uint8", "The plot is dull."])
    assert told.exit_code == 0
    assert told.output.startswith("{")
