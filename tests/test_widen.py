"""A pre-trained model made twice as wide, as models/widen.py does it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.errors import CheckpointError, ConfigError
from frameworks.common import batch, random_tensors, small

HEAD = "ForPreTraining"
CONFIG = small(num_hidden_groups=2, inner_group_num=2)


@pytest.fixture(scope="module")
def widen():
    path = Path(__file__).parents[1] / "models" / "widen.py"
    spec = importlib.util.spec_from_file_location("widen", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def widened(widen, noise):
    rng = np.random.default_rng(1)
    return {name: widen.widened(name, one, noise, rng) for name, one in random_tensors(CONFIG, HEAD).items()}


def test_every_tensor_has_the_shape_of_the_wide_model(widen):
    shapes = {name: one.shape for name, one in widened(widen, 0.1).items()}
    assert shapes == weight_table.expected(widen.config(CONFIG), HEAD)


@pytest.mark.torch
def test_it_computes_the_same_without_noise_and_something_else_with_it(widen, tmp_path):
    torch = pytest.importorskip("torch")
    from albertkit import AlbertForPreTraining

    def answers(name, config, tensors):
        files.save(tmp_path / name, config, tensors, "AlbertForPreTraining")
        given = {key: torch.from_numpy(one) for key, one in batch(HEAD).items() if "label" not in key}
        with torch.no_grad():
            found = AlbertForPreTraining.from_pretrained(tmp_path / name).eval()(**given)
        return np.concatenate([found.prediction_logits.numpy().ravel(), found.sop_logits.numpy().ravel()])

    expected = answers("narrow", CONFIG, random_tensors(CONFIG, HEAD))
    wide = widen.config(CONFIG)
    np.testing.assert_allclose(answers("wide", wide, widened(widen, 0.0)), expected, atol=1e-5)
    changed = np.abs(answers("noisy", wide, widened(widen, 0.1)) - expected).max()
    assert 1e-3 < changed < np.abs(expected).max()


def test_the_units_of_a_pair_differ_where_noise_is_added(widen):
    name = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"
    first, second = np.split(widened(widen, 0.1)[name], 2)
    assert np.abs(first - second).min(axis=1).max() > 0
    same = np.split(widened(widen, 0.0)[name], 2)
    np.testing.assert_array_equal(*same)


def test_a_model_without_the_heads_of_pre_training_and_noise_that_is_no_share_are_refused(widen, tmp_path):
    files.save(tmp_path / "classifier", CONFIG, random_tensors(CONFIG, "ForSequenceClassification"), "Albert")
    with pytest.raises(CheckpointError, match=r"lacks predictions\..*Name one that `albertkit pretrain` made"):
        widen.write(str(tmp_path / "classifier"), tmp_path / "wide", 0.1, 1)
    for noise in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigError, match=rf"from 0 to 1\. Received: {noise}"):
            widen.write(str(tmp_path / "classifier"), tmp_path / "wide", noise, 1)
    assert not (tmp_path / "wide").exists()
