"""When a model can answer before its last layer, from training to the answer."""

import json
import logging

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

from albertkit.cli.app import app
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.inference import early_exit
from albertkit.pipelines import pipeline
from albertkit.tasks import registry
from albertkit.training import finetune_plan
from albertkit.training.recipe import FinetuneRecipe
from training import common

pytestmark = pytest.mark.torch
SINGLE = {"problem_type": "single_label_classification"}
REFUSED = [
    ({"early_exit": False}, "torch", "was trained after every layer.*patience 2.*--early-exit"),
    ({}, "flax", "computed by PyTorch.*patience 2 in flax.*framework torch"),
    ({"early_exit_threshold": 0.1}, "torch", "on classes without it.*0.1 for single_label.*Leave it out"),
    ({"problem_type": "regression"}, "torch", "regression_threshold.*None for regression.*such as 0.1"),
    ({"early_exit_patience": 0, "early_exit_threshold": 0.1}, "torch", "which is off.*0.1 alone.*Pass a `patience`"),
]


def asked(**changes):
    return AlbertConfig.base(**{**SINGLE, "early_exit": True, "early_exit_patience": 2, **changes})


@pytest.mark.parametrize(("changes", "framework", "told"), REFUSED)
def test_what_cannot_exit_early_is_refused_with_a_way_out(changes, framework, told):
    with pytest.raises(InputError, match=told):
        early_exit.require_possible(asked(**changes), framework)


def test_patience_that_saves_nothing_is_told(caplog):
    caplog.set_level(logging.WARNING)
    early_exit.require_possible(asked(early_exit_patience=10), "torch")
    assert not caplog.messages
    early_exit.require_possible(asked(early_exit_patience=11), "torch")
    assert "after 12 layers at the earliest, and the model has 12" in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"framework": "flax"}, r"in PyTorch\. Received it for flax"),
        ({"training__label_smoothing": 0.1}, "`training.label_smoothing` or `data.class_weights`"),
        ({"data__class_weights": "balanced"}, "`training.label_smoothing` or `data.class_weights`"),
    ],
)
def test_training_that_cannot_read_every_layer_is_refused(tmp_path, changes, told):
    asked = common.recipe(tmp_path, training__early_exit=True, **{"framework": "torch", **changes})
    task = registry.get_trainable("text-classification")
    with pytest.raises(ConfigError, match=told):
        finetune_plan.resolved(task, asked, asked.options(), AlbertConfig.base(**SINGLE), True, 60)


def test_other_tasks_do_not_train_every_layer():
    others = FinetuneRecipe.load(None, {"task": "token-classification", "training.early_exit": True})
    with pytest.raises(ConfigError, match=r"Received it for token-classification\. Leave it out"):
        finetune_plan.require_early_exit(registry.get_trainable("token-classification"), others)


def test_a_trained_model_answers_early_and_says_after_how_many_layers(tmp_path):
    shape = {**common.TINY, "num_hidden_layers": 3}
    changes = {"training__early_exit": True, "framework": "torch", "model__config": shape, "training__max_steps": 1}
    common.trained(common.recipe(tmp_path, **changes), tmp_path / "model")
    whole, early = pipeline(model=tmp_path / "model"), pipeline(model=tmp_path / "model", patience=1)
    assert whole.config.early_exit
    assert "mean_layers" not in whole.evaluate(tmp_path / "dev.csv")
    scores = early.evaluate(tmp_path / "dev.csv")
    assert 2 <= scores["mean_layers"] < 3
    answer = early("the film was good")[0]
    told = CliRunner().invoke(app, ["evaluate", str(tmp_path / "model"), str(tmp_path / "dev.csv"), "--patience", "1"])
    assert json.loads(told.stdout)["mean_layers"] == scores["mean_layers"]
    said = CliRunner().invoke(app, ["predict", str(tmp_path / "model"), "the film was good", "--patience", "1"])
    assert json.loads(said.stdout)["label"] == answer["label"]
