"""albertkit recipe, and recipes of the package by name."""

import tomllib

import pytest
from typer.testing import CliRunner

pytest.importorskip("pydantic")

from albertkit.cli.app import app
from albertkit.errors import ConfigError
from albertkit.training import named_recipes
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe

NAMES = [
    *("small_en", "small_en_again", "small_en_ner", "small_en_qa", "small_en_sentiment", "small_en_similarity"),
    *("small_en_sst2", "small_en_stable", "small_ja", "small_ja_choice", "small_ja_ner", "small_ja_qa"),
    *("small_ja_similarity", "small_ja_stable", "sst2_scratch"),
]


def test_the_recipes_of_the_package_are_listed_with_what_they_are_for():
    shown = CliRunner().invoke(app, ["recipe", "list"], env={"COLUMNS": "200"}, catch_exceptions=False).output
    assert all(f" {name} " in shown for name in NAMES)
    assert "SST-2 from albertkit/small-en" in shown
    assert "text-classification" in shown
    assert [recipe.name for recipe in named_recipes.all_recipes()] == NAMES


@pytest.mark.parametrize("name", ["small_en_sst2", "small_en_sst2.toml"])
def test_a_recipe_is_shown_as_it_is(name):
    shown = CliRunner().invoke(app, ["recipe", "show", name], catch_exceptions=False).output
    assert shown == named_recipes.get("small_en_sst2").path.read_text()
    assert tomllib.loads(shown)["model"]["name"] == "albertkit/small-en"


def test_runs_find_a_recipe_of_the_package_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert FinetuneRecipe.load("sst2_scratch", {}).model.vocab_size == 4000
    assert PretrainRecipe.load("small_en.toml", {"data.corpus": "mine"}).data.corpus == "mine"
    (tmp_path / "sst2_scratch").write_text("seed = 7\n")
    assert FinetuneRecipe.load("sst2_scratch", {}).seed == 7


def test_the_folder_of_a_run_does_not_hide_the_recipe_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small_en").mkdir()
    (tmp_path / "mine").mkdir()
    assert PretrainRecipe.load("small_en", {"data.corpus": "c"}).model.name == "stable"
    with pytest.raises(ConfigError, match=r"Received: mine, a folder\. `albertkit recipe list` names them"):
        FinetuneRecipe.load("mine", {})


def test_a_recipe_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"Received: small_en_sst, where there is none. Did you mean `small_en_sst2`"):
        FinetuneRecipe.load("small_en_sst", {})
    with pytest.raises(ConfigError, match=r"Received: other/sst2_scratch.toml, where there is none"):
        FinetuneRecipe.load("other/sst2_scratch.toml", {})
    with pytest.raises(ConfigError, match=r"one of small_en, .*Received: 'small_em'. Did you mean `small_en`"):
        named_recipes.get("small_em")
