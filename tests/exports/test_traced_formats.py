"""Formats that are traced from the models of a framework: each head answers as in PyTorch, for any rows and lengths."""

import importlib

import pytest

pytest.importorskip("torch")

from exports import common

pytestmark = pytest.mark.torch
FORMATS = {
    "to_torch_export": ("TorchExport", "torch"),
    "to_saved_model": ("SavedModel", "tensorflow"),
    "to_litert": ("LiteRt", "tensorflow"),
    "to_stablehlo": ("StableHlo", "flax"),
}
HEADS = ["ForTokenClassification", "ForQuestionAnswering", "ForQuestionAnsweringBeamSearch", "ForSentenceEmbedding"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("package", FORMATS)
def test_any_rows_and_lengths_are_answered_as_by_the_model(tmp_path, package, head):
    name, framework = FORMATS[package]
    pytest.importorskip(framework)
    form = getattr(importlib.import_module(f"albertkit.exports.{package}.format"), name)()
    found, forward, reference = common.written(form, tmp_path, head, "fp32", num_hidden_layers=2)
    assert found.products == 6 * 2 + 1 + common.HEAD_PRODUCTS[head]
    for padding in ("right", None):
        given = common.batch(head, padding)
        assert common.largest_difference(forward(given), reference(given), given) < 1e-5
