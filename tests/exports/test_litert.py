"""LiteRT: files answer as the model does for any rows and lengths, in int8 with every product converted."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("tensorflow")

from albertkit.errors import InputError
from albertkit.exports.to_litert.convert import HEADS
from albertkit.exports.to_litert.format import LiteRt
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.tensorflow]
SIZES = {"hidden_size": 64, "embedding_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_labels": 16}


@pytest.mark.parametrize("head", HEADS)
def test_a_head_answers_as_the_model_does(tmp_path, head):
    _, forward, reference = common.written(LiteRt(), tmp_path, head, "fp32", num_hidden_layers=2)
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5


def test_in_int8_every_product_is_converted_and_answers_stay_near(tmp_path):
    head = "ForMaskedLM"
    found, forward, reference = common.written(LiteRt(), tmp_path, head, "int8", **SIZES)
    assert found.converted == found.products == 6 * 2 + 1 + 2
    given = common.batch(head)
    assert common.largest_difference(forward(given), reference(given), given) < 0.2


def test_what_it_cannot_hold_is_told(tmp_path):
    config, weights = common.model("ForQuestionAnsweringBeamSearch", num_hidden_layers=1)
    with pytest.raises(InputError, match="AlbertForQuestionAnswering"):
        LiteRt().write(config, "ForQuestionAnsweringBeamSearch", weights, tmp_path, "fp32", [])
    with pytest.raises(InputError, match="cpu"):
        LiteRt().compile(tmp_path, config, "Model", "gpu")
