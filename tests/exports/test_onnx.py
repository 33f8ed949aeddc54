"""ONNX: heads answer as PyTorch does, shared weights stand in the file once, products are in int8 by the count."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx

from albertkit.batches import MaskedBatch
from albertkit.config_keys import ACTIVATIONS
from albertkit.errors import CheckpointError, InputError, TokenIdError
from albertkit.exports import base
from albertkit.exports.to_onnx import activations, exactness
from albertkit.exports.to_onnx.format import Onnx
from exports import common
from frameworks.common import AXES

pytestmark = pytest.mark.torch

POOLINGS = [{"sentence_pooling": mode, "sentence_special_tokens": flag} for mode in ("mean", "max") for flag in (0, 1)]
CASES = [
    *((head, {}) for head in base.OUTPUTS if head != "ForSentenceEmbedding"),
    *(
        ("ForSentenceEmbedding", {**changes, "sentence_special_tokens": bool(changes["sentence_special_tokens"])})
        for changes in POOLINGS
    ),
    ("ForSentenceEmbedding", {"sentence_pooling": "cls"}),
    *(("ForMaskedLM", changes) for name, changes in AXES.items() if name != "plain"),
    *(("ForSequenceClassification", {"hidden_act": name, "num_hidden_layers": 1}) for name in ACTIVATIONS),
]


@pytest.mark.parametrize(("head", "changes"), CASES)
def test_every_head_answers_as_the_model_does(tmp_path, head, changes):
    found, forward, reference = common.written(Onnx(), tmp_path, head, "fp32", **changes)
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
    names = [one.name for one in onnx.load(tmp_path / found.file).graph.input]
    assert names == list(base.INPUTS)


@pytest.mark.parametrize("precision", ["int8", "uint8"])
@pytest.mark.parametrize("head", base.OUTPUTS)
def test_in_integers_every_product_is_converted_and_answers_stay_near(tmp_path, head, precision):
    found, forward, reference = common.written(Onnx(), tmp_path, head, precision)
    assert found.converted == found.products >= 25
    given = common.batch(head)
    if head != "ForQuestionAnsweringBeamSearch":  # whose best places are a matter of small differences here
        assert common.largest_difference(forward(given), reference(given), given) < 0.1


def test_a_weight_that_all_layers_use_stands_in_the_file_once(tmp_path):
    sizes = [
        common.written(Onnx(), tmp_path, "ForMaskedLM", "int8", num_hidden_layers=count)[0].weight_bytes
        for count in (2, 9)
    ]
    assert sizes[0] == sizes[1]
    stored = [one.name for one in onnx.load(tmp_path / "onnx/model_qint8_avx512_vnni.onnx").graph.initializer]
    assert sum("word_embeddings" in name or "decoder" in name for name in stored) == 2  # the table and its scales


def test_masked_places_alone_are_given_back(tmp_path):
    _, forward, reference = common.written(Onnx(), tmp_path, "ForMaskedLM", "fp32")
    given = common.batch("ForMaskedLM", None)
    masked = MaskedBatch(given.input_ids, given.token_type_ids, None, positions=np.array([[0, 3], [2, 1]]))
    np.testing.assert_allclose(forward(masked)["logits"], reference(masked)["logits"], atol=1e-5)


def test_rows_of_several_sentences_are_answered_as_such(tmp_path):
    _, forward, reference = common.written(Onnx(), tmp_path, "ForSentenceEmbedding", "fp32")
    given = common.batch("ForMultipleChoice")
    assert reference(given)["sentence_embedding"].shape == (3, 2, 16)
    np.testing.assert_allclose(forward(given)["sentence_embedding"], reference(given)["sentence_embedding"], atol=1e-5)


def test_what_the_model_has_no_row_for_is_refused(tmp_path):
    _, forward, _ = common.written(Onnx(), tmp_path, "Model", "fp32")
    given = common.batch("Model", None)
    for name, value in (("input_ids", 61), ("token_type_ids", 2)):
        changed = {**given.arguments(), name: np.full_like(given.input_ids, value)}
        with pytest.raises(TokenIdError, match=f"`{name}`"):
            forward(type(given)(**changed))
    with pytest.raises(InputError, match="max_position_embeddings"):
        forward(type(given)(np.ones((1, 17), np.int64)))


def test_a_device_that_is_not_there_is_told(tmp_path):
    found, *_ = common.written(Onnx(), tmp_path, "Model", "fp32")
    with pytest.raises(InputError, match="onnxruntime-gpu"):
        Onnx().compile(tmp_path / found.file, common.model("Model")[0], "Model", "cuda:0")


def test_weights_in_uint8_give_the_very_same_answers_as_in_int8(tmp_path):
    """So that processors whose int8 products clip can be given these."""
    found, forward, _ = common.written(Onnx(), tmp_path, "ForMaskedLM", "int8")
    moved = exactness.as_uint8(onnx.load(tmp_path / found.file))
    assert not any(one.data_type == onnx.TensorProto.INT8 for one in moved.graph.initializer)
    onnx.save(moved, tmp_path / "moved.onnx")
    given = common.batch("ForMaskedLM")
    again = Onnx().compile(tmp_path / "moved.onnx", common.model("ForMaskedLM")[0], "ForMaskedLM")
    np.testing.assert_array_equal(forward(given)["logits"], again(given)["logits"])


def test_a_file_that_holds_too_much_or_too_little_is_refused(tmp_path):
    config, weights = common.model("Model")
    found = Onnx().write(config, "Model", weights, tmp_path, "fp32", [])
    with pytest.raises(CheckpointError, match="once"):
        base.require_small(found, tmp_path, config, weights, "fp16")
    with pytest.raises(CheckpointError, match="Counted in the file: 0"):
        base.require_converted(found, config, "int8")


def test_every_activation_of_a_config_has_a_form():
    assert activations.ACTIVATIONS.keys() == set(ACTIVATIONS)
    with pytest.raises(InputError, match="a function"):
        activations.activation(np.tanh)
