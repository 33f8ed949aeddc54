"""Examples and recipes do what they say."""

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from albertkit.config import AlbertConfig
from albertkit.training import finetune
from albertkit.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
RECIPES = sorted([*ROOT.glob("recipes/*.toml"), *ROOT.glob("examples/**/*.toml")])

pytestmark = pytest.mark.torch


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_reviews_are_what_their_program_writes(tmp_path):
    load(ROOT / "examples" / "reviews" / "make.py").main(tmp_path)
    for name in ("train.csv", "dev.csv"):
        assert (tmp_path / name).read_bytes() == (ROOT / "examples" / "reviews" / name).read_bytes()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_trains(path, tmp_path):
    recipe = Recipe.load(path, {})
    rows = (ROOT / "examples" / "reviews" / "dev.csv").read_text().splitlines(keepends=True)
    data = tmp_path / "data.csv"
    data.write_text("".join(rows[:100]))
    recipe = recipe.changed("data", train=str(data), eval=str(data), text_column="", label_column="")
    recipe = recipe.changed("training", max_steps=1, evaluate_every=0)
    finetune.run(recipe, tmp_path / "model")
    config = AlbertConfig.from_pretrained(tmp_path / "model")
    assert all(getattr(config, key) == value for key, value in recipe.model.config.items())


def test_the_demo_runs_commands_that_exist_on_files_that_exist():
    demo = load(ROOT / "examples" / "demo.py")
    words = [word for _, *arguments in demo.STEPS for word in arguments]
    assert {"finetune", "evaluate", "predict", "info"} <= set(words)
    assert all((ROOT / word).exists() for word in words if re.match(r"examples/", word))
