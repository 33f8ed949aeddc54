"""What a run leaves for people: the card, and what it keeps of the machine and the command that it came from."""

import ast
import re
import sys

import pytest

from albertkit import processors
from albertkit.tasks import registry
from albertkit.training import model_card
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["bin/albertkit", "pretrain", "a.toml"], "albertkit pretrain a.toml"),
        (["lib/albertkit/__main__.py", "pretrain", "a.toml"], "albertkit pretrain a.toml"),
        (["mine/__main__.py", "--fast"], "__main__.py --fast"),
        (["experiments/run.py"], "run.py"),
        ([""], ""),
    ],
)
def test_a_command_is_told_as_it_would_be_typed(monkeypatch, argv, command):
    monkeypatch.setattr(sys, "argv", argv)
    assert model_card.environment()["command"] == command


def test_the_cores_of_a_run_are_those_that_it_could_use(monkeypatch):
    monkeypatch.setattr(processors, "count", lambda: 3)
    assert model_card.environment()["cores"] == 3


SCORES = {"step": 3, "epoch": 1.0, "loss": 0.5, "accuracy": 1.0, "examples": 5, "rows": 5, "tokens_held_out": 99}


def test_a_card_names_no_folder_of_the_machine(tmp_path):
    names = {key: str(tmp_path / key) for key in ("start", "words", "train.csv", "dev.csv", "corpus")}
    tuned = FinetuneRecipe.load(
        None,
        {"model.name": names["start"], "model.tokenizer": names["words"], "data.train": names["train.csv"]},
    )
    results = {**SCORES, "data": names["dev.csv"]}
    told = [f"The tokenizer of {names['words']}.", f"AlbertForSequenceClassification from {names['start']}: 5 tensors"]
    card = model_card.model_card(tuned, results, 10, ["a", "b"], told)
    assert str(tmp_path.parent) not in card
    for words in ("`train.csv`", "`dev.csv`", "from start, seed", "of words.", "from start: 5 tensors"):
        assert words in card
    trained = PretrainRecipe.load(None, {"model.name": names["start"], "data.corpus": names["corpus"]})
    card = model_card.pretraining_card(trained, SCORES, 1000, told[1:])
    assert str(tmp_path.parent) not in card
    assert "the corpus `corpus`" in card
    assert "| corpus | corpus |" in card


def test_counts_stand_in_the_table_of_scores_as_whole_numbers_and_are_no_scores_for_the_hub():
    recipe = FinetuneRecipe.load(None, {"data.train": "train.csv"})
    card = model_card.model_card(recipe, {**SCORES, "data": "dev.csv", "PER_support": 1842}, 10, [], [])
    assert "| PER_support | 1,842 |" in card
    assert "| accuracy | 1.0000 |" in card
    assert not any(line in card for line in ("| step |", "| examples |", "| epoch |"))
    assert "PER_support" not in card.split("\n# ")[0]


def test_a_relative_name_stays_as_it_is():
    recipe = FinetuneRecipe.load(None, {"model.name": "albert/albert-base-v2", "data.train": "data/train.csv"})
    card = model_card.model_card(recipe, {**SCORES, "data": "data/dev.csv"}, 10, ["a"], [])
    assert "from albert/albert-base-v2, seed" in card
    assert "`data/train.csv`" in card


@pytest.mark.parametrize(
    ("columns", "asked"),
    [({}, '"A text."'), ({"data.pair_column": "b"}, '{"text": "A text.", "text_pair": "The second text."}')],
)
def test_the_card_shows_how_to_ask_for_what_was_trained_on(columns, asked):
    recipe = FinetuneRecipe.load(None, {"data.train": "train.csv", **columns})
    card = model_card.model_card(recipe, {**SCORES, "data": "dev.csv"}, 10, ["a"], [])
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    compile(code, "card", "exec")
    assert f"print(ask({asked}))" in code
    assert "from albertkit import pipeline" in code


@pytest.mark.parametrize("name", registry.trainable_names())
def test_the_card_asks_in_a_form_that_the_task_takes_and_names_no_labels_that_there_are_none_of(name):
    recipe = FinetuneRecipe.load(None, {"data.train": "train.csv", "task": name})
    card = model_card.model_card(recipe, {**SCORES, "data": "dev.csv"}, 10, [], [])
    [asked] = re.findall(r"print\(ask\((.*)\)\)", card)
    examples, is_single = registry.get(name).examples(ast.literal_eval(asked))
    assert (len(examples), is_single) == (1, True)
    assert "Labels" not in card


def test_the_head_of_a_card_has_the_scores_that_the_hub_reads():
    from huggingface_hub import ModelCard

    recipe = FinetuneRecipe.load(
        None, {"model.name": "albert/albert-base-v2", "data.train": "train.csv", "training.metric": "accuracy"}
    )
    results = {**SCORES, "data": "data/dev.csv"}
    head = ModelCard(model_card.model_card(recipe, results, 10, ["a"], [])).data
    assert (head.library_name, head.pipeline_tag, head.base_model) == (
        *("albertkit", "text-classification"),
        "albert/albert-base-v2",
    )
    assert [(one.metric_type, one.metric_value, one.dataset_name) for one in head.eval_results] == [
        ("accuracy", 1.0, "dev.csv"),
        ("loss", 0.5, "dev.csv"),
    ]
    new = FinetuneRecipe.load(None, {"model.name": "base", "data.train": "train.csv", "training.metric": "loss"})
    assert ModelCard(model_card.model_card(new, results, 10, ["a"], [])).data.base_model is None
