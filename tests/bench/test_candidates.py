"""Which candidates there are: what is installed, and what a folder was exported to."""

import importlib.util

import pytest

from albertkit import backends
from albertkit.bench.candidates import Candidate, find, has_peer
from albertkit.errors import InputError
from albertkit.exports import manifest
from albertkit.kernels import library


def names(*arguments):
    return [str(one) for one in find(*arguments)]


@pytest.fixture(autouse=True)
def has_precision(monkeypatch):
    """By default without the compiled library, wherever these tests run."""
    monkeypatch.setattr(library, "has_precision", lambda name: False)


def test_numpy_has_the_precisions_of_the_compiled_library(monkeypatch):
    monkeypatch.setattr(library, "has_precision", lambda name: name != "bf16")
    assert names("a model", ["numpy"]) == ["numpy fp32", "numpy int8"]


@pytest.fixture
def installed(monkeypatch):
    def only(*packages):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in packages else None)

    return only


def test_every_framework_that_is_installed_is_there():
    found = {one.backend for one in find("a model")}
    assert found - {"transformers"} == {*backends.installed(), "numpy"}
    assert ("transformers" in found) == has_peer()


def test_pytorch_has_three_precisions_and_transformers_is_measured_beside(installed):
    installed("torch", "transformers")
    assert names("a model") == ["torch fp32", "torch bf16", "torch int8", "numpy fp32", "transformers fp32"]
    installed()
    assert names("a model") == ["numpy fp32"]


def test_backends_and_precisions_can_be_chosen():
    assert names("a model", ["torch"], ["int8", "auto"]) == ["torch int8", "torch auto"]
    assert find("a model", ["tensorflow"]) == [Candidate("tensorflow", "fp32")]
    with pytest.raises(InputError, match=r"--backends takes torch, .* Received: 'pytorch'\. Did you mean `torch`"):
        find("a model", ["pytorch"])
    with pytest.raises(InputError, match=r"something to measure\. Received: backends numpy in int8"):
        find("a model", ["numpy"], ["int8"])


def test_a_folder_of_exports_is_measured_in_what_it_holds(tmp_path, monkeypatch):
    entries = [entry("onnx", "fp32"), entry("onnx", "int8"), entry("openvino", "int8")]
    monkeypatch.setattr(manifest, "read", lambda folder: entries)
    (tmp_path / manifest.FILE).touch()
    assert names(tmp_path) == ["onnx fp32", "onnx int8", "openvino int8"]
    (tmp_path / "model.safetensors").touch()
    assert {"onnx int8", "numpy fp32"} <= set(names(tmp_path))


def entry(form, precision):
    return manifest.Entry(form, precision, "fill-mask", "ForMaskedLM", "a/b", {}, 1, 1, 1, 1, {}, {})
