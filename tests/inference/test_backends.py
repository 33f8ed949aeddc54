"""Which framework answers a few texts."""

import pytest

from albertkit.inference.backends import FEW, for_texts
from albertkit.quantization import QUANTIZATION_FILE


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_a_few_short_texts_are_answered_without_importing_a_framework(folder):
    assert for_texts(["a text", "another"], folder, None, device=None) == "numpy"
    assert for_texts(["a text"], str(folder), "auto") == "numpy"


def test_many_texts_and_whatever_asks_for_a_framework_get_one(folder):
    assert for_texts([], folder, None) is None  # a file, or standard input
    assert for_texts(["x" * FEW, "y"], folder, None) is None
    assert for_texts(["a text"], folder, "flax") == "flax"
    assert for_texts(["a text"], folder, None, device=None, precision="bf16") is None
    assert for_texts(["a text"], "owner/model", None) is None
    (folder / QUANTIZATION_FILE).touch()
    assert for_texts(["a text"], folder, None) is None


def test_an_export_without_weights_answers_itself(tmp_path):
    assert for_texts(["a text"], tmp_path, None) is None
