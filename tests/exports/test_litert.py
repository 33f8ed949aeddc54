"""LiteRT: files answer as the model does for any rows and lengths, in int8 with every product converted."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorflow")

from tensorflow.lite.python import schema_py_generated as schema

from albertkit.errors import CheckpointError, InputError
from albertkit.exports.to_litert import operators
from albertkit.exports.to_litert.format import LiteRt
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow]
SIZES = {"vocab_size": 2000, "hidden_size": 64, "embedding_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}


@pytest.mark.parametrize(("head", "products", "small"), [("ForMaskedLM", 2, 0), ("ForMultipleChoice", 1, 1)])
def test_in_int8_every_product_is_converted_and_answers_stay_near(tmp_path, head, products, small):
    found, forward, reference = common.written(LiteRt(), tmp_path, head, "int8", **SIZES)
    assert found.converted == found.products == 6 * 2 + 1 + products
    assert ("1 more" in found.detail) == small
    assert json.dumps(vars(found))
    given = common.batch(head)
    assert common.largest_difference(forward(given), reference(given), given) < 0.2


def with_operator(**code):
    """A file that names one operator and has no graph."""
    import flatbuffers

    model, operator = schema.ModelT(), schema.OperatorCodeT()
    operator.builtinCode = schema.BuiltinOperator.CUSTOM if code else schema.BuiltinOperator.ADD
    operator.customCode = code.get("customCode")
    model.operatorCodes = [operator]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_operators_of_others_are_refused(tmp_path):
    operators.require_builtin(with_operator())
    (tmp_path / "model.tflite").write_bytes(with_operator(customCode="Nonsense"))
    with pytest.raises(CheckpointError, match="Nonsense"):
        LiteRt().compile(tmp_path / "model.tflite", common.model("Model")[0], "Model")


def test_another_device_is_told(tmp_path):
    with pytest.raises(InputError, match="cpu"):
        LiteRt().compile(tmp_path, common.model("Model")[0], "Model", "gpu")
