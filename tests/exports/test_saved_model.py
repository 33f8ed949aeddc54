"""SavedModel: the signature has our names, shared weights are one variable, answers are those of the model."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorflow")

import tensorflow as tf

from albertkit.exports import base
from albertkit.exports.to_saved_model.format import SavedModel
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow]


def test_the_signature_has_our_names_and_answers_as_the_model_does(tmp_path):
    head = "ForMaskedLM"
    found, forward, reference = common.written(SavedModel(), tmp_path, head, "fp32", num_hidden_layers=2)
    assert found.products == 6 * 2 + 1 + common.HEAD_PRODUCTS[head]
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
    signature = tf.saved_model.load(str((tmp_path / found.file).parent)).signatures["serving_default"]
    assert signature.structured_input_signature[1].keys() == set(base.INPUTS)
    assert signature.structured_outputs.keys() == base.OUTPUTS[head].keys()
