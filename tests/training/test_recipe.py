"""Recipes: reading, overriding, writing, and what they refuse."""

import tomllib

import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError
from albertkit.training import defaults
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe


def test_a_recipe_written_is_the_recipe_read(tmp_path):
    recipe = FinetuneRecipe.load(
        None, {"data.train": "a.csv", "model.config": {"hidden_size": 32}, "training.epochs": 1.5}
    )
    recipe.save(tmp_path / "recipe.toml")
    assert FinetuneRecipe.load(tmp_path / "recipe.toml", {}) == recipe


def test_every_value_can_be_overridden_by_its_dotted_key():
    plain = FinetuneRecipe.load(None, {})
    for key in list(type(plain).keys()):
        section, _, name = key.rpartition(".")
        value = getattr(getattr(plain, section) if section else plain, name)
        other = {bool: True, int: 7, float: 0.5, str: "x", list: ["x"], dict: {"hidden_size": 32}}[type(value)]
        if name in ("task", "framework", "problem", "schedule", "precision"):
            other = {"problem": "single", "schedule": "cosine", "precision": "bf16"}.get(name, value)
        other = {"vocab_size": 70, "defaults": "mrpc", "seeds": [7], "long": "windows"}.get(name, other)
        changed = FinetuneRecipe.load(None, {key: other})
        assert getattr(getattr(changed, section) if section else changed, name) == other, key


def test_files_give_way_to_options_and_options_to_settings(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\n[training]\nepochs = 1\nbatch_size = 1\nwarmup_ratio = 0.5\n")
    recipe = FinetuneRecipe.load(
        path, {"training.epochs": 2.0, "training.batch_size": 2, "seed": None}, ["training.epochs=3"]
    )
    assert (recipe.training.epochs, recipe.training.batch_size, recipe.training.warmup_ratio, recipe.seed) == (
        3,
        2,
        0.5,
        1,
    )


def test_settings_are_toml_values_or_text():
    settings = ["model.config={hidden_size = 32}", 'data.header=["a", "b"]', "data.train=my file.csv", "seed=3"]
    recipe = FinetuneRecipe.load(None, {}, settings)
    assert recipe.model.config == {"hidden_size": 32}
    assert (recipe.data.header, recipe.data.train, recipe.seed) == (["a", "b"], "my file.csv", 3)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training.learning_rat=1", ["no key `training.learning_rat`", "Did you mean `training.learning_rate`?"]),
        ("training.batch_size=0", ["`training.batch_size`", "greater than or equal to 1", "Received: 0"]),
        ("training.epochs=many", ["`training.epochs`", "Received: 'many'"]),
        ("training.warmup_ratio=1.0", ["`training.warmup_ratio`", "less than 1", "Received: 1.0"]),
        ("task=summaries", ["`task`", "text-classification", "Received: 'summaries'"]),
        ("training.schedule=wavy", ["`training.schedule`", "linear", "Received: 'wavy'"]),
        ("nothing", ["key=value", "Received: 'nothing'"]),
    ],
)
def test_what_does_not_fit_is_refused_by_key_rule_and_value(setting, words):
    with pytest.raises(ConfigError) as caught:
        FinetuneRecipe.load(None, {}, [setting])
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_of_a_recipe_for_another_task_only_the_task_is_told(tmp_path):
    FinetuneRecipe.load(None, {}).save(tmp_path / "recipe.toml")
    with pytest.raises(ConfigError) as caught:
        PretrainRecipe.load(tmp_path / "recipe.toml", {})
    assert str(caught.value) == "`task`: Input should be 'pretraining'. Received: 'text-classification'."


def test_a_key_below_a_value_is_refused():
    with pytest.raises(ConfigError, match=r"no key `model\.name\.x`, for `name` is a value\. Did you mean"):
        FinetuneRecipe.load(None, {}, ["model.name=base", "model.name.x=1"])


def test_two_recipes_are_told_apart_by_their_keys():
    one, other = FinetuneRecipe.load(None, {}), FinetuneRecipe.load(None, {}, ["seed=1", "training.epochs=2.5"])
    assert one.differences(one) == []
    assert one.differences(other) == ["`seed` 42 and 1", "`training.epochs` 3.0 and 2.5"]


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(ConfigError, match="must be a TOML file"):
        FinetuneRecipe.load(tmp_path, {})


@pytest.mark.parametrize("content", [None, b"not = = toml", b"\xff", b"\xff\xfe\x00"])
def test_a_file_that_is_no_recipe_is_refused(tmp_path, content):
    path = tmp_path / "r.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="must be a TOML file"):
        FinetuneRecipe.load(path, {})


def test_the_written_form_lists_every_key(tmp_path):
    FinetuneRecipe.load(None, {}).save(tmp_path / "r.toml")
    content = tomllib.loads((tmp_path / "r.toml").read_text())
    flat = {
        f"{a}.{b}" if isinstance(v, dict) else a
        for a, v in content.items()
        for b in (v if isinstance(v, dict) else [0])
    }
    assert flat == set(type(FinetuneRecipe.load(None, {})).keys())


def test_wider_models_get_smaller_rates():
    sizes = [AlbertConfig.base(hidden_size=128, num_attention_heads=2), AlbertConfig.base(), AlbertConfig.large()]
    for is_new in (True, False):
        models = (*sizes, AlbertConfig.xxlarge())
        rates = [defaults.learning_rate("text-classification", "", config, is_new) for config in models]
        assert rates == sorted(rates, reverse=True)
        assert rates[0] > rates[-1]
    assert defaults.learning_rate("text-classification", "", AlbertConfig.base(), is_new=False) == 2e-5


def test_a_recipe_of_another_task_than_the_one_that_is_wanted_is_refused(tmp_path):
    (tmp_path / "r.toml").write_text('task = "pretraining"\n[data]\ncorpus = "texts"\n')
    with pytest.raises(
        ConfigError, match=r"`task`: the recipe must be one for text-classification. Received: 'pretrai"
    ):
        FinetuneRecipe.load(tmp_path / "r.toml", {}, task="text-classification")
    (tmp_path / "r.toml").write_text("seed = 3\n")
    assert FinetuneRecipe.load(tmp_path / "r.toml", {}, task="text-classification").task == "text-classification"
