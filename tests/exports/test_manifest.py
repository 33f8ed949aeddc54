"""export.json: read back as written, refused where it says what no export does or where files are others."""

import json

import pytest

from albertkit.errors import CheckpointError, CheckpointNotFound, InputError
from albertkit.exports import manifest, registry
from albertkit.exports.manifest import Entry


def entry(folder, **changes):
    (folder / "onnx").mkdir(exist_ok=True)
    (folder / "onnx" / "model.onnx").write_bytes(b"weights")
    sums = {"onnx/model.onnx": manifest.checksum(folder / "onnx" / "model.onnx")}
    keys = {"format": "onnx", "precision": "fp32", "task": "fill-mask", "head": "ForMaskedLM", "files": sums}
    keys |= {"file": "onnx/model.onnx", "bytes": 7, "weight_bytes": 7, "products": 1, "converted": 0}
    return Entry(**{**keys, "parity": {"rows": 1}, "made_with": {}, **changes})


def test_what_is_written_is_read(tmp_path):
    assert manifest.read(tmp_path) == []
    manifest.write(tmp_path, [entry(tmp_path)])
    (found,) = manifest.read(tmp_path)
    assert found == entry(tmp_path)
    assert manifest.opened(tmp_path, found) == tmp_path / "onnx" / "model.onnx"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "nonsense"},
        {"head": "ForPoetry"},
        {"file": "../model.onnx"},
        {"files": {"onnx/model.onnx": "", "onnx/../../secret": ""}},
        {"files": {"/etc/passwd": ""}, "file": "/etc/passwd"},
        {"files": ["onnx/model.onnx"]},
        {"parity": None},
        {"surprise": 1},
    ],
)
def test_what_no_export_says_is_refused(tmp_path, changes):
    manifest.write(tmp_path, [entry(tmp_path)])
    stated = json.loads((tmp_path / manifest.FILE).read_text())
    stated["exports"][0] |= changes
    (tmp_path / manifest.FILE).write_text(json.dumps(stated))
    with pytest.raises(CheckpointError, match=r"export\.json must"):
        manifest.read(tmp_path)


def test_files_that_are_others_or_missing_are_refused(tmp_path):
    found = entry(tmp_path)
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"Weights")
    with pytest.raises(CheckpointError, match="checksum"):
        manifest.opened(tmp_path, found)
    (tmp_path / "onnx" / "model.onnx").unlink()
    with pytest.raises(CheckpointNotFound, match="names it"):
        manifest.opened(tmp_path, found)


def test_an_unknown_format_is_told_with_the_nearest():
    with pytest.raises(InputError, match="Did you mean `onnx`"):
        registry.get("onxx")
