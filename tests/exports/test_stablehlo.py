"""StableHLO: programs answer as the model does for any rows and lengths, and hold a layer once."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("flax")

from albertkit.exports.to_stablehlo.format import StableHlo
from exports import common

pytestmark = [pytest.mark.torch, pytest.mark.flax]


def test_any_rows_and_lengths_are_answered_as_by_the_model(tmp_path):
    head = "ForTokenClassification"
    found, forward, reference = common.written(StableHlo(), tmp_path, head, "fp32", num_hidden_layers=3)
    assert found.products == 6 * 3 + 1 + common.HEAD_PRODUCTS[head]
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
