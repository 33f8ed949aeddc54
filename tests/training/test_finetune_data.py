"""Data files of every form, from training to the evaluation of the model that came of it."""

import json
import os
import re

import pytest
from rich.console import Console

pytest.importorskip("torch")

from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.pipelines import pipeline
from albertkit.training import finetune
from training import common

pytestmark = pytest.mark.torch


def run(recipe, output):
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        return finetune.run(recipe, output, console=console), console.export_text()


def headless(path):
    """Reviews without a header line, with 0 and 1 as labels."""
    rows = common.reviews(path).read_text().splitlines()[1:]
    path.write_text("".join(row.replace(",pos", ",1").replace(",neg", ",0") + "\n" for row in rows))
    return path


def test_a_model_of_files_without_a_header_is_evaluated_and_answers_without_being_told_again(tmp_path, caplog):
    path = headless(tmp_path / "headless.csv")
    recipe = common.recipe(tmp_path, data__train=str(path), data__eval=str(path), data__header=["body", "kind"])
    names = {"text_column": "body", "label_column": "kind", "label_map": "0=neg,1=pos"}
    results, _ = run(recipe.changed("data", **names), tmp_path / "model")
    answerer = pipeline("auto", tmp_path / "model", "torch")
    scores = answerer.evaluate(path)
    assert scores["examples"] == 60
    assert scores["accuracy"] == results["accuracy"] > 0.9
    assert "headless.csv is read as the data of training was: header 'body,kind'" in caplog.text
    options = answerer.file_options(path)
    assert sum(map(len, answerer.task.stream(str(path), options))) == 60
    assert answerer.evaluate(common.reviews(tmp_path / "with.csv"), label_map="neg=neg")["examples"] == 60


def test_a_run_says_how_many_windows_long_texts_fill(tmp_path):
    path, long = common.reviews(tmp_path / "t.csv"), "the film was good " * 20
    path.write_text(path.read_text() + f"{long},pos\n")
    changes = {"data__train": str(path), "data__long": "windows", "training__max_steps": 1}
    _, said = run(common.recipe(tmp_path, **changes), tmp_path / "model")
    [count] = re.findall(r"The 61 examples of \S*t\.csv fill (\d+) windows of at most 32 tokens", said)
    assert int(count) > 61 + len(long.split()) / 32
    assert "dev.csv fill" not in said


def test_a_column_for_each_class_trains_and_is_evaluated_again(tmp_path):
    rows = [line.rsplit(",", 1) for line in common.reviews(tmp_path / "t.csv").read_text().splitlines()[1:]]
    path = tmp_path / "columns.csv"
    path.write_text("text,praise,blame\n" + "".join(f"{t},{int(c == 'pos')},{int(c == 'neg')}\n" for t, c in rows))
    recipe = common.recipe(tmp_path, data__train=str(path), data__eval=str(path), data__label_column="praise,blame")
    results, said = run(recipe, tmp_path / "model")
    assert AlbertConfig.from_pretrained(tmp_path / "model").id2label == {0: "praise", 1: "blame"}
    assert results["exact_match"] > 0.9
    assert "60 of the 60 evaluation examples are training examples, too" in said
    assert pipeline("auto", tmp_path / "model", "torch").evaluate(path)["exact_match"] == results["exact_match"]


def test_weights_of_classes_change_the_training_loss_and_not_that_of_an_evaluation(tmp_path):
    losses = {}
    for weights in ("", "balanced", "neg=9"):
        output = tmp_path / f"model {weights}"
        run(common.recipe(tmp_path, data__class_weights=weights, training__max_steps=1), output)
        rows = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
        losses[weights] = rows[0]["loss"]
    assert losses["balanced"] == pytest.approx(losses[""])  # as many of each class
    assert losses["neg=9"] != pytest.approx(losses[""], rel=1e-4)
    with pytest.raises(InputError, match=r"`class_weights` must be balanced.*The classes are neg, pos"):
        run(common.recipe(tmp_path, data__class_weights="good=2"), tmp_path / "other")


def test_smoothed_labels_change_the_training_loss_and_not_that_of_an_evaluation(tmp_path):
    first, evaluated = [], []
    for smoothing in (0.0, 0.3):
        output = tmp_path / f"model {smoothing}"
        results, _ = run(common.recipe(tmp_path, label_smoothing_factor=smoothing, training__max_steps=1), output)
        first.append(json.loads((output / "log.jsonl").read_text().splitlines()[0])["loss"])
        evaluated.append(results["loss"])
    assert first[0] != pytest.approx(first[1], rel=1e-4)
    assert evaluated[0] == pytest.approx(evaluated[1], rel=0.1)  # smoothed, even of a perfect model it is 0.42 or more
    path = tmp_path / "numbers.csv"
    path.write_text("text,label\n" + "".join(f"a film,{number / 7}\n" for number in range(9)))
    refused = common.recipe(tmp_path, data__train=str(path), data__eval="", label_smoothing_factor=0.3)
    with pytest.raises(ConfigError, match=r"label_smoothing.*one of several classes. Received: 0.3 .*\(regression\)"):
        run(refused, tmp_path / "n")


def test_scores_that_say_nothing_are_said_to(tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("text,label\nthe film was good,pos\n")
    recipe = common.recipe(tmp_path, data__eval=str(one), training__max_steps=1)
    _, said = run(recipe, tmp_path / "model")
    assert "1 example is too few to score a model on" in said
    assert "1 of the 1 evaluation examples are training examples, too" in said
    assert "one.csv, line 2" in said
    _, said = run(common.recipe(tmp_path, training__max_steps=1), tmp_path / "enough")
    assert "too few" not in said


def test_a_model_that_calls_its_classes_otherwise_than_the_file_is_evaluated(tmp_path, caplog):
    model = tmp_path / "model"
    results, _ = run(common.recipe(tmp_path), model)
    text = (tmp_path / "dev.csv").read_text()
    (tmp_path / "dev.csv").write_text(text.replace(",neg", ",0").replace(",pos", ",1"))
    answerer = pipeline("auto", model, "torch")
    with pytest.raises(InputError, match='--label-map "0=neg,1=pos"'):
        answerer.evaluate(tmp_path / "dev.csv")
    assert answerer.evaluate(tmp_path / "dev.csv", label_map="0=neg,1=pos")["accuracy"] == results["accuracy"]
    config = json.loads((model / "config.json").read_text())
    names = {"id2label": {"0": "LABEL_0", "1": "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
    (model / "config.json").write_text(json.dumps(config | names))
    assert pipeline("auto", model, "torch").evaluate(tmp_path / "dev.csv")["accuracy"] == results["accuracy"]
    assert "has numbers as labels: 0 is taken for LABEL_0" in caplog.text
