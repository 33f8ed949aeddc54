"""torch.export: programs answer as the model does for any rows, choices and lengths, and hold a layer once."""

import pytest

pytest.importorskip("torch")

from albertkit.batches import PaddedBatch
from albertkit.errors import InputError, OutdatedDependency
from albertkit.exports.to_torch_export import program
from albertkit.exports.to_torch_export.format import TorchExport
from exports import common

pytestmark = pytest.mark.torch


def cut(batch, rows, length):
    """The first rows and places."""
    arrays = batch.input_ids, batch.token_type_ids, batch.attention_mask
    return PaddedBatch(*(array[:rows, ..., :length] for array in arrays))


def test_any_rows_and_lengths_are_answered_as_by_the_model(tmp_path):
    head = "ForQuestionAnsweringBeamSearch"
    found, forward, reference = common.written(TorchExport(), tmp_path, head, "fp32", num_hidden_layers=2)
    assert found.products == 6 * 2 + 1 + common.HEAD_PRODUCTS[head]
    for given in (common.batch(head), cut(common.batch(head, None), 1, 7)):
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5


def test_a_pytorch_that_is_too_old_is_told_before_anything_is_written_or_opened(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "move_to_device_pass", None)
    with pytest.raises(OutdatedDependency, match="pip install -U torch"):
        common.written(TorchExport(), tmp_path, "Model", "fp32")
    with pytest.raises(OutdatedDependency, match="pip install -U torch"):
        TorchExport().compile(tmp_path / "model.pt2", common.model("Model")[0], "Model", "cpu")


def test_a_device_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="device"):
        TorchExport().compile(tmp_path, common.model("Model")[0], "Model", "nonsense")
