"""What a run does where nothing is said: the settings of the ALBERT paper by benchmark, and rates by task and model."""

import math

import pytest

pytest.importorskip("pydantic")

from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.training import defaults
from albertkit.training.recipe import FinetuneRecipe


def load(*settings, task="question-answering"):
    return FinetuneRecipe.load(None, {}, settings, task)


@pytest.mark.parametrize("name", defaults.BENCHMARKS)
def test_passes_over_the_whole_data_are_the_steps_of_the_table(name):
    settings = defaults.BENCHMARKS[name]
    assert round(settings.epochs * math.ceil(settings.rows / settings.batch_size)) == settings.steps
    assert 1.9 < settings.epochs < 51


def test_a_benchmark_that_is_named_fills_in_what_is_left_open():
    found = load("training.defaults=SQuAD_v2")
    training = found.training
    assert (training.batch_size, found.data.max_length) == (48, 512)
    assert training.epochs * 2715 == pytest.approx(8144)
    assert training.warmup_ratio * 8144 == pytest.approx(814)
    assert load().training.batch_size == 32


def test_what_is_given_wins_over_the_paper():
    found = load("training.defaults=squad_v2", "training.batch_size=32", "data.max_length=100", "num_train_epochs=1")
    assert (found.training.batch_size, found.data.max_length, found.training.epochs) == (32, 100, 1)


def test_the_recipe_that_is_kept_says_all_and_is_the_same_when_it_is_read(tmp_path):
    found = load("training.defaults=squad_v2", "training.epochs=1")
    found.save(tmp_path / "recipe.toml")
    assert FinetuneRecipe.load(tmp_path / "recipe.toml", {}) == found


def test_a_benchmark_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"`training\.defaults` must be one of cola, .* Received: 'squat'.*squad"):
        load("training.defaults=squat")


def test_rates_follow_from_benchmark_size_and_release():
    base, v1 = AlbertConfig.base(), AlbertConfig.base(version=1)
    small = AlbertConfig.base(hidden_size=128, num_attention_heads=2)

    def rate(config, name="", task="text-classification"):
        return defaults.learning_rate(task, name, config, is_new=False)

    assert (rate(base, "sst-2"), rate(base, "QQP"), rate(AlbertConfig.xxlarge(), "mnli")) == (1e-5, 5e-5, 3e-5)
    assert (rate(v1, "race"), rate(base, "race")) == (2e-5, 1e-5)
    assert (rate(small, "sst2"), rate(small)) == (pytest.approx(1.5e-4), pytest.approx(3e-4))
    assert rate(base, task="question-answering") == rate(AlbertConfig.large(), task="question-answering") == 3e-5
    assert (rate(base, task="sentence-embedding"), rate(small, task="sentence-embedding")) == (5e-5, 3e-4)
    assert rate(AlbertConfig.large(), task="sentence-embedding") == 1e-5
    assert (rate(base), rate(AlbertConfig.large())) == (2e-5, 1e-5)


def test_dropout_is_that_of_the_paper_where_the_model_had_none():
    base, v1 = AlbertConfig.base(), AlbertConfig.base(version=1)
    changed = defaults.with_dropout(base, "rte", {})
    assert (changed.hidden_dropout_prob, changed.attention_probs_dropout_prob) == (0.1, 0.1)
    assert defaults.with_dropout(base, "rte", {"hidden_dropout_prob": 0.0}) is base
    for config, name in ((base, "race"), (base, "mrpc"), (v1, "mrpc"), (base, "")):
        assert defaults.with_dropout(config, name, {}) is config


def test_where_settings_come_from_is_said():
    training = load("training.defaults=squad_v2", "training.epochs=1").training.model_dump()
    said = defaults.described("squad_v2", {**training, "learning_rate": 3e-5}, 512, AlbertConfig.base(), True)
    assert said == (
        "Of SQuAD 2.0 in table 14 of the ALBERT paper (arXiv 1909.11942): batch_size 48, warmup_ratio 0.09995, "
        "learning_rate 3e-05, max_length 512, dropout 0."
    )
    small = defaults.described("squad_v2", {**training, "learning_rate": 1.5e-4}, 128, AlbertConfig(), True)
    assert "Peak rate 1.5e-04, for a model of width 4096 and this task, where the paper has 3.0e-05." in small
    assert defaults.described("", training, 128, AlbertConfig(), False) == ""
