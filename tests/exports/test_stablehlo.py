"""StableHLO: programs answer as the model does for any rows and lengths, and hold a layer once."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("flax")

from albertkit.exports import base
from albertkit.exports.to_stablehlo.format import StableHlo
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.flax]


@pytest.mark.parametrize("head", base.OUTPUTS)
def test_a_head_answers_as_the_model_does(tmp_path, head):
    found, forward, reference = common.written(StableHlo(), tmp_path, head, "fp32")
    assert found.products == 6 * 4 + 1 + common.HEAD_PRODUCTS[head]
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
