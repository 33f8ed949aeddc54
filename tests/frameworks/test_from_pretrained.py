"""The keywords of `from_pretrained`, as programs written for Transformers pass them."""

import numpy as np
import pytest

from albertkit.checkpoint import files
from albertkit.errors import ConfigError, InputError
from frameworks.common import CHANGES_NOTHING, batch, difference, random_tensors, small


@pytest.fixture
def folder(tmp_path):
    files.save(tmp_path, small(), random_tensors(small(), "Model"), "AlbertModel")
    return tmp_path


def test_keywords_that_change_nothing_are_taken(adapter, folder):
    plain, other = (adapter.evaluating(adapter.load("Model", folder, **keys)) for keys in ({}, CHANGES_NOTHING))
    expected, found = (adapter.outputs(model, batch("Model")) for model in (plain, other))
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize("device_map", ["auto", "balanced", "cpu", "cpu:0", {"": "cpu"}, {"": "auto"}])
def test_a_model_is_put_on_the_one_device_that_is_named(adapter, folder, device_map):
    model = adapter.evaluating(adapter.load("Model", folder, device_map=device_map))
    expected = adapter.outputs(adapter.evaluating(adapter.load("Model", folder)), batch("Model"))
    for name, value in adapter.outputs(model, batch("Model")).items():
        assert difference(value, expected[name]) <= 1e-5, name


def test_a_device_that_is_not_there_is_said_before_anything_is_read(adapter, tmp_path):
    for device in ("cuda:77", 77, {"": "nonsense"}):
        with pytest.raises(InputError, match=r'`device_map` must name a device of this machine.*Pass "cpu"'):
            adapter.load("Model", tmp_path, device_map=device)


@pytest.mark.parametrize("name", ["load_in_8bit", "quantization_config", "max_memory", "gguf_file", "tp_plan"])
def test_keywords_that_would_change_something_are_refused_as_those_of_from_pretrained(adapter, folder, name):
    with pytest.raises(InputError, match=f"`from_pretrained` takes no `{name}`"):
        adapter.load("Model", folder, **{name: "x"})


def test_a_keyword_that_nobody_knows_is_refused_as_one_of_from_pretrained(adapter, folder):
    words = rf"`{adapter.prefix}Model.from_pretrained` takes.*Received: `hiden_size`.*Did you mean `hidden_size`"
    with pytest.raises(ConfigError, match=words):
        adapter.load("Model", folder, hiden_size=3)


def test_names_behind_a_prefix_are_read_and_the_report_says_so(adapter, folder):
    checkpoint = files.load(folder)
    named = {f"model.{name}": tensor for name, tensor in checkpoint.tensors.items()}
    files.weight_files.write_safetensors(folder / "model.safetensors", named)
    model = adapter.load("Model", folder)
    assert "stood behind `model.`" in str(model.load_report)
    for name, value in adapter.tensors(model).items():
        np.testing.assert_array_equal(value, checkpoint.tensors[name])
