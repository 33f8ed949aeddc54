"""A model exported, tried and answering from its folder; what is refused, and that nothing is lost by it."""

import shutil

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from albertkit import backends
from albertkit.checkpoint import files
from albertkit.errors import CheckpointError, CheckpointNotFound, InputError
from albertkit.exporting import export
from albertkit.exports import manifest
from albertkit.inference import sample_texts
from albertkit.inference.parity import Parity
from albertkit.pipelines import pipeline
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch

TEXTS = ["The plot is dull.", "A gripping story, well told.", "dull " * 40]
QUESTION = {"question": "Who came?", "context": "Peter came on Friday."}
CHOICES = {"question": "What is hot?", "choices": ["ice", "fire", "snow"]}
HEADS = {
    "ForSequenceClassification": TEXTS,
    "ForTokenClassification": TEXTS,
    "ForMaskedLM": ["The plot is [MASK].", "A [MASK] story, [MASK] told."],
    "ForSentenceEmbedding": TEXTS,
    "Model": TEXTS,
    "ForQuestionAnsweringBeamSearch": QUESTION,
}


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def saved(folder, tokenizer, head, **changes):
    """A folder with a model of random weights."""
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, num_hidden_layers=2, **changes)
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def model(tmp_path, tokenizer):
    return saved(tmp_path / "model", tokenizer, "ForSequenceClassification")


def leaves(answer):
    """The texts and numbers in an answer, in their order."""
    if isinstance(answer, dict):
        answer = [*answer, *answer.values()]
    return [leaf for one in answer for leaf in leaves(one)] if isinstance(answer, (list, np.ndarray)) else [answer]


@pytest.mark.parametrize("head", HEADS)
def test_an_exported_folder_answers_as_the_model_does(tmp_path, tokenizer, head):
    model, folder, inputs = saved(tmp_path / "model", tokenizer, head), tmp_path / "exported", HEADS[head]
    entry = export(model, folder)
    assert entry.parity["rows"] == sample_texts.ROWS
    assert entry.parity["largest_difference"] < 1e-4
    assert not (folder / "model.safetensors").exists()
    ours, theirs = pipeline(None, model), pipeline(None, folder)
    assert theirs.task.name == ours.task.name
    for one, other in zip(ours.outputs(inputs), theirs.outputs(inputs), strict=True):
        for name in one:
            if name != "end_top_index" and name != "end_top_log_probs":
                np.testing.assert_allclose(other[name], one[name], atol=1e-4)
    for one, other in zip(leaves(ours(inputs)), leaves(theirs(inputs)), strict=True):
        assert other == (one if isinstance(one, str) else pytest.approx(one, abs=1e-3))


def test_several_precisions_share_a_folder_and_are_asked_for_by_name(tmp_path, model):
    folder = tmp_path / "exported"
    whole, half = export(model, folder), export(model, folder, precision="int8", min_agreement=0)
    assert half.bytes < whole.bytes
    assert [one.precision for one in manifest.read(folder)] == ["fp32", "int8"]
    latest, first = pipeline(None, folder), pipeline(None, folder, "onnx", precision="fp32")
    exact = pipeline(None, model)(TEXTS)
    assert [one["score"] for one in first(TEXTS)] == pytest.approx([one["score"] for one in exact], abs=1e-5)
    assert [one["score"] for one in latest(TEXTS)] != pytest.approx([one["score"] for one in exact], abs=1e-7)
    with pytest.raises(CheckpointNotFound, match="holds onnx in fp32, onnx in int8"):
        pipeline(None, folder, precision="uint8")
    with pytest.raises(InputError, match="Overwrite with --overwrite"):
        export(model, folder)


def test_an_export_may_lie_beside_its_model_which_answers_unless_the_format_is_named(model):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    export(model, model, precision="uint8", min_agreement=0)
    assert all((model / name).read_bytes() == content for name, content in before.items())
    exact, rounded = pipeline(None, model)(TEXTS), pipeline(None, model, "onnx")(TEXTS)
    assert [one["score"] for one in rounded] != [one["score"] for one in exact]


def test_an_export_that_answers_otherwise_is_refused_and_nothing_is_written(tmp_path, model, monkeypatch):
    with pytest.raises(CheckpointError, match=r"--max-difference"):
        export(model, tmp_path / "exported", max_difference=0)
    monkeypatch.setattr(Parity, "agreements", lambda self: {"agreement": 0.99})
    with pytest.raises(CheckpointError, match=r"agreement .* --min-agreement"):
        export(model, tmp_path / "exported", precision="int8", min_agreement=1)
    assert not (tmp_path / "exported").exists()


def test_a_folder_that_takes_no_files_is_refused_before_anything_is_computed(tmp_path, model, monkeypatch):
    (tmp_path / "file").write_text("a")
    monkeypatch.setattr("albertkit.exporting._written", None)  # it would be called to no end
    with pytest.raises(CheckpointError, match=r"file.out"):
        export(model, tmp_path / "file" / "out")


@pytest.mark.parametrize("limits", [{"max_difference": float("nan")}, {"max_difference": -1}, {"min_agreement": 1.01}])
def test_limits_by_which_nothing_is_tried_are_refused(tmp_path, limits):
    with pytest.raises(InputError, match=r"must be a .*Received: .*Leave it out"):
        export("no model is read", tmp_path / "exported", **limits)


def test_rows_of_a_file_are_what_an_export_is_tried_on(tmp_path, model):
    (tmp_path / "texts.txt").write_text("The plot is dull.\nA story.", encoding="utf-8")
    entry = export(model, tmp_path / "exported", calibrate=tmp_path / "texts.txt")
    assert entry.parity["data"] == "the first 2 rows of texts.txt"
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match="none"):
        export(model, tmp_path / "other", calibrate=tmp_path / "empty.txt")


def test_other_files_are_never_written_over(tmp_path, model, tokenizer):
    other = saved(tmp_path / "other", tokenizer, "ForSequenceClassification", hidden_act="relu")
    with pytest.raises(InputError, match="holds other files"):
        export(model, other, overwrite=True)
    folder = tmp_path / "exported"
    export(other, folder)
    with pytest.raises(InputError, match="exports of another model"):
        export(model, folder, precision="uint8", min_agreement=0)
    export(model, folder, precision="uint8", min_agreement=0, overwrite=True)
    assert [path.name for path in (folder / "onnx").iterdir()] == ["model_quint8_avx2.onnx"]


def test_what_an_export_cannot_be_asked_for_is_told(tmp_path, model):
    with pytest.raises(InputError, match="fp32, int8, uint8"):
        export(model, tmp_path / "exported", precision="int4")
    with pytest.raises(InputError, match="a format of exports"):
        pipeline(None, model, "onxx")
    export(model, tmp_path / "exported")
    with pytest.raises(InputError, match="the task that it was exported for"):
        pipeline("token-classification", tmp_path / "exported")
    file = tmp_path / "exported" / "onnx" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="checksum"):
        pipeline(None, tmp_path / "exported")


def test_early_exit_is_refused_where_an_export_answers(tmp_path, tokenizer):
    model = saved(tmp_path / "model", tokenizer, "ForSequenceClassification", early_exit=True)
    with pytest.raises(InputError, match=r"computes all layers. Received: patience 1"):
        export(model, tmp_path / "exported", patience=1)
    export(model, tmp_path / "exported")
    with pytest.raises(InputError, match=r"computed by PyTorch. Received: patience 1 in onnx.*leave `patience` out"):
        pipeline(None, tmp_path / "exported", patience=1)


def test_vectors_of_another_pooling_are_not_given_out(tmp_path, tokenizer):
    model = saved(tmp_path / "model", tokenizer, "ForSentenceEmbedding", sentence_special_tokens=True)
    export(model, tmp_path / "exported", pooling="cls")
    found, wanted = (pipeline(None, place, pooling="cls")(TEXTS) for place in (tmp_path / "exported", model))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    with pytest.raises(InputError, match="sentence_pooling 'mean'"):
        pipeline(None, tmp_path / "exported", pooling="mean")
    layout = {"modules.json", "1_Pooling", "onnx", "tokenizer.json", "config.json"}
    assert layout <= {path.name for path in (tmp_path / "exported").iterdir()}


def test_texts_are_of_the_language_that_the_vocabulary_knows(tokenizer):
    assert "English" in sample_texts.of_model(tokenizer)[1]


def test_no_framework_is_needed(tmp_path, model, monkeypatch):
    monkeypatch.setattr(backends, "installed", list)
    assert export(model, tmp_path / "exported").parity["largest_difference"] < 1e-4


def test_a_missing_package_answers_with_its_command(tmp_path, model, monkeypatch):
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else find_spec(name))
    with pytest.raises(ImportError, match=r'pip install "albertkit\[onnx\]"'):
        export(model, tmp_path / "exported")
    shutil.rmtree(model)
