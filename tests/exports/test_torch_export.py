"""torch.export: programs answer as the model does for any rows and lengths; what would run when loaded is refused."""

import zipfile

import pytest

pytest.importorskip("torch")

from albertkit.batches import PaddedBatch
from albertkit.errors import CheckpointError, InputError
from albertkit.exports import base
from albertkit.exports.to_torch_export.format import TorchExport
from exports import common

pytestmark = pytest.mark.torch


def cut(batch, rows, length):
    """The first rows and places."""
    arrays = batch.input_ids, batch.token_type_ids, batch.attention_mask
    return PaddedBatch(*(array[:rows, ..., :length] for array in arrays))


@pytest.mark.parametrize("head", base.OUTPUTS)
def test_a_head_answers_as_the_model_does(tmp_path, head):
    found, forward, reference = common.written(TorchExport(), tmp_path, head, "fp32", num_hidden_layers=2)
    assert found.products == 6 * 2 + 1 + common.HEAD_PRODUCTS[head]
    for given in (common.batch(head), cut(common.batch(head, None), 1, 7)):
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    config, weights = common.model("Model", num_hidden_layers=1)
    return folder / TorchExport().write(config, "Model", weights, folder, "fp32", []).file


def changed(exported, folder, old, new):
    """A copy whose graph has another text in a place."""
    path = folder / "model.pt2"
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content.replace(old, new) if name.endswith(".json") else content)
    return path


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (b"torch.ops.aten.tanh.default", b"torch.nonsense", "the operator torch.nonsense"),
        (b'"use_pickle": false', b'"use_pickle": true', "pickled arrays"),
    ],
)
def test_a_program_that_names_what_is_no_operator_or_array_is_refused(exported, tmp_path, old, new, told):
    config, _ = common.model("Model", num_hidden_layers=1)
    with pytest.raises(CheckpointError, match=told):
        TorchExport().compile(changed(exported, tmp_path, old, new), config, "Model")


def test_an_archive_with_other_files_is_refused(exported, tmp_path):
    config, _ = common.model("Model", num_hidden_layers=1)
    path = changed(exported, tmp_path, b"", b"")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("model/data/aotinductor/model.so", b"")
    with pytest.raises(CheckpointError, match="aotinductor"):
        TorchExport().compile(path, config, "Model")
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        TorchExport().compile(path, config, "Model")


def test_a_device_that_is_not_there_is_told(exported):
    with pytest.raises(InputError, match="device"):
        TorchExport().compile(exported, common.model("Model", num_hidden_layers=1)[0], "Model", "nonsense")
