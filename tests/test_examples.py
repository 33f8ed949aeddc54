"""Examples and recipes do what they say."""

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")

from albertkit import backends, embedded
from albertkit.config import SIZES, AlbertConfig
from albertkit.training import finetune, pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe
from training import common, pretraining

ROOT = Path(__file__).parents[1]
PATHS = sorted([*ROOT.glob("src/albertkit/recipes/*.toml"), *ROOT.glob("examples/**/*.toml")])
PRETRAINING = [path for path in PATHS if tomllib.loads(path.read_text())["task"] == "pretraining"]
FINETUNING = [path for path in PATHS if path not in PRETRAINING]

OF_PEOPLE = {"token-classification": "entities", "question-answering": "questions", "multiple-choice": "choices"}
"""What examples/people/make.py calls its data of a task."""

UNASKED = ("feature-extraction", "pseudo-perplexity")
"""What the demo leaves out: numbers say little to the eye."""

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


def test_the_demonstration_compares_the_answers_of_frameworks(tmp_path, monkeypatch, capsys):
    demo = load(ROOT / "examples" / "train.py")
    finetune.run(common.recipe(tmp_path), tmp_path / "model")
    monkeypatch.setattr(demo, "OUTPUT", tmp_path / "model")
    monkeypatch.setattr(backends, "installed", lambda: ["torch"])
    demo.agree()
    said = capsys.readouterr().out
    assert re.search(r"torch +words .*largest difference 0", said)
    assert re.search(r"torch +classes .*largest difference 0", said)


@pytest.mark.parametrize("path", FINETUNING, ids=lambda path: path.stem)
def test_every_recipe_trains(path, tmp_path):
    recipe = FinetuneRecipe.load(path, {})
    if recipe.task in OF_PEOPLE:
        load(ROOT / "examples" / "people" / "make.py").main(tmp_path)
        new = str(next(tmp_path.glob(f"{OF_PEOPLE[recipe.task]}_new.*")))
        if path.parent.name == "people":
            assert Path(recipe.data.train).name == Path(new).name.replace("new", "train")
        recipe = recipe.changed("data", train=new, eval=new)
    elif recipe.task == "sentence-embedding":
        pairs = [{"sentence1": "It is warm.", "sentence2": "It is not cold.", "score": score} for score in (1, 4)]
        data = tmp_path / "data.jsonl"
        data.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
        recipe = recipe.changed("data", train=str(data), eval=str(data))
    else:
        rows = (ROOT / "examples" / "reviews" / "dev.csv").read_text().splitlines(keepends=True)
        data = tmp_path / "data.csv"
        data.write_text("".join(rows[:100]))
        recipe = recipe.changed("data", train=str(data), eval=str(data), text_column="", label_column="")
    recipe = recipe.changed("training", max_steps=1, evaluate_every=0)
    if recipe.model.name not in (*SIZES, *embedded.MODELS):
        recipe = recipe.changed("model", name="albertkit/small-en")  # the model is made later than its recipes
    finetune.run(recipe, tmp_path / "model")
    config = AlbertConfig.from_pretrained(tmp_path / "model")
    assert all(getattr(config, key) == value for key, value in recipe.model.config.items())


@pytest.mark.parametrize("path", PRETRAINING, ids=lambda path: path.stem)
def test_every_recipe_pre_trains(path, tmp_path):
    recipe = PretrainRecipe.load(path, {})
    if recipe.model.name not in SIZES:  # a later stage, which goes on with what an earlier one made
        recipe = recipe.changed("model", name="base", config=pretraining.TINY)
    recipe = recipe.changed(
        "data", corpus=str(pretraining.corpus(tmp_path / "corpus", 80)), eval="", length=32, held_out=0.2
    )
    recipe = recipe.changed("training", steps=1, batch_size=2, evaluate_every=0, evaluation_rows=2)
    pretrain.run(recipe, tmp_path / "model")
    config = AlbertConfig.from_pretrained(tmp_path / "model")
    assert all(getattr(config, key) == value for key, value in recipe.model.config.items())


def test_the_demo_runs_commands_that_exist_on_files_that_exist():
    demo = load(ROOT / "examples" / "train.py")
    words = [word for _, *rest in demo.STEPS for word in rest]
    assert {"finetune", "evaluate", "predict", "info", demo.MODEL} <= set(words)
    assert all(text.count("[MASK]") == 1 for text in demo.SENTENCES)
    assert all((ROOT / word).exists() for word in words if re.match(r"examples/", word))


def test_the_demo_shows_an_answer_of_every_task_that_the_package_has_a_model_for(capsys):
    demo = load(ROOT / "examples" / "demo.py")
    asked = {(task, model.language) for model in embedded.MODELS.values() for task in model.tasks}
    assert asked - demo.CALLS.keys() <= {(task, one) for task in UNASKED for one in ("en", "ja")}
    demo.main()
    said = capsys.readouterr().out
    assert all(f"pipeline({task!r}, language={language!r})" in said for task, language in asked & demo.CALLS.keys())
    assert "score 0." in said
