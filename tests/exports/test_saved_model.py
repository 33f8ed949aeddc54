"""SavedModel: the signature has our names; how it answers stands in test_traced_formats.py."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorflow")

import tensorflow as tf

from albertkit.exports import base
from albertkit.exports.to_saved_model.format import SavedModel
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow]


def test_the_signature_has_our_names(tmp_path):
    head = "ForMaskedLM"
    found, _, _ = common.written(SavedModel(), tmp_path, head, "fp32", num_hidden_layers=1)
    signature = tf.saved_model.load(str((tmp_path / found.file).parent)).signatures["serving_default"]
    assert signature.structured_input_signature[1].keys() == set(base.INPUTS)
    assert signature.structured_outputs.keys() == base.OUTPUTS[head].keys()
