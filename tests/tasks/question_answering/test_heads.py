"""A model of each head is trained on questions of which some have no answer, scored, and answers."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from albertkit.cli.app import app
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.tasks import trained_on
from albertkit.tasks.question_answering import answer_scores
from albertkit.tasks.question_answering.task import QuestionAnswering
from training import common

pytestmark = pytest.mark.torch
TASK = QuestionAnswering()
LINEAR, BEAMS = "AlbertForQuestionAnswering", "AlbertForQuestionAnsweringBeamSearch"


def questions(count, seed):
    """The answer is the good word of a context, of which every third has none."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        words = [str(rng.choice(common.THINGS)) for _ in range(6)]
        answers = {"text": [], "answer_start": []}
        if number % 3:
            place = int(rng.integers(6))
            words[place] = str(rng.choice(common.GOOD))
            answers = {"text": [words[place]], "answer_start": [" ".join(words).index(words[place])]}
        rows.append({"id": f"q{number}", "question": "which is good", "context": " ".join(words), "answers": answers})
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("data")
    for name, count, seed in (("train", 240, 0), ("dev", 60, 1)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions(count, seed)))
    return place


@pytest.fixture(scope="module")
def model(folder):
    """A model of the head that searches by beams, and the results of its training."""
    pytest.importorskip("torch")
    from albertkit.training import finetune
    from albertkit.training.recipe import FinetuneRecipe

    keys = {
        "task": TASK.name,
        "data.train": str(folder / "train.jsonl"),
        "data.max_length": 32,
        "data.doc_stride": 8,
        "data.n_best_size": 6,
        "data.held_out": 0.25,
        "data.head": "beam_search",
        "model.vocab_size": 90,
        "model.config": common.TINY,
        "training.epochs": 10,
        "training.batch_size": 8,
        "training.learning_rate": 1e-2,
    }
    with Path(os.devnull).open("w") as nowhere:
        results = finetune.run(FinetuneRecipe.load(None, keys), folder / "model", console=Console(file=nowhere))
    return folder / "model", results


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception:
        raise done.exception
    return done


def test_a_model_that_searches_by_beams_learns_where_answers_are_and_that_there_is_none(model):
    _, results = model
    assert results["HasAns_f1"] > 80
    assert results["NoAns_f1"] > 80
    assert results["best_f1"] >= results["f1"]


def test_the_head_and_the_best_threshold_are_kept_with_the_model_and_used(model, folder):
    from albertkit.pipelines import pipeline

    place, results = model
    config = AlbertConfig.from_pretrained(place)
    assert config.architectures == [BEAMS]
    threshold = results["best_f1_threshold"]
    decided = {"handle_impossible_answer": True, "null_score_diff_threshold": threshold}
    assert trained_on.fitted(config, TASK) == decided
    answer = pipeline("auto", place, "torch")
    assert answer("which is good", "film story superb plot cast music")["answer"] == "superb"
    assert answer("which is good", "film story plot plot cast music")["answer"] == ""
    told = answer("which is good", "film story plot plot cast music", handle_impossible_answer=False)
    assert told["answer"] != ""
    assert answer.evaluate(folder / "dev.jsonl")["null_score_diff_threshold"] == threshold


def test_evaluate_writes_the_files_of_squad_whose_answers_have_the_scores_it_prints(model, folder):
    output = folder / "files"
    command = ["evaluate", model[0], folder / "dev.jsonl", "--output-dir", output]
    printed = json.loads(run(*command).stdout)
    files = {path.name: json.loads(path.read_text()) for path in output.iterdir()}
    assert set(files) == {"eval_results.json", "predictions.json", "nbest_predictions.json", "null_odds.json"}
    assert files["eval_results.json"] == printed
    rows = questions(60, 1)
    # As the official script scores answers alone: an empty text where there is none.
    scores = [
        answer_scores.SQUAD_2.of(files["predictions.json"][row["id"]], row["answers"]["text"] or [""]) for row in rows
    ]
    assert 100 * np.mean([exact for exact, _ in scores]) == pytest.approx(printed["exact_match"])
    assert 100 * np.mean([f1 for _, f1 in scores]) == pytest.approx(printed["f1"])
    with pytest.raises(InputError, match=r"holds eval_results\.json, predictions\.json"):
        run(*command)
    run(*command, "--overwrite")


def test_predict_writes_the_same_files_without_answers_to_compare_with(model, folder):
    unlabelled = folder / "test.jsonl"
    rows = [{name: row[name] for name in ("id", "question", "context")} for row in questions(60, 1)]
    unlabelled.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluated, predicted = folder / "evaluated", folder / "predicted"
    run("evaluate", model[0], folder / "dev.jsonl", "--output-dir", evaluated)
    run("predict", model[0], "--file", unlabelled, "--output-dir", predicted)
    for name in TASK.official_files:
        assert json.loads((predicted / name).read_text()) == json.loads((evaluated / name).read_text())
    assert {path.name for path in predicted.iterdir()} == set(TASK.official_files)


def n_best(place):
    """The most answers of a question, the empty one not among them."""
    listed = json.loads((place / "nbest_predictions.json").read_text()).values()
    return max(sum(one["text"] != "" for one in answers) for answers in listed)


def answered(place):
    return {text != "" for text in json.loads((place / "predictions.json").read_text()).values()}


def test_options_of_training_are_used_and_said_unless_others_are_given(model, folder, tmp_path, caplog):
    dev = folder / "dev.jsonl"
    run("evaluate", model[0], dev, "--output-dir", tmp_path / "own")
    assert n_best(tmp_path / "own") == 6
    assert "dev.jsonl is read as the data of training was: doc_stride 8, n_best_size 6." in caplog.text
    given = ("--n-best-size", 2, "--max-answer-length", 3, "--doc-stride", 4)
    printed = json.loads(
        run(
            *("evaluate", model[0], dev, *given, "--null_score_diff_threshold", -1e6, "--output-dir", tmp_path / "e")
        ).stdout
    )
    assert printed["null_score_diff_threshold"] == -1e6
    assert (printed["NoAns_f1"], printed["HasAns_f1"]) == (100, 0)
    assert (n_best(tmp_path / "e"), answered(tmp_path / "e")) == (2, {False})
    run(
        *(
            "predict",
            model[0],
            "--file",
            dev,
            *given,
            "--null-score-diff-threshold",
            1e6,
            "--output-dir",
            tmp_path / "p",
        )
    )
    assert (n_best(tmp_path / "p"), answered(tmp_path / "p")) == (2, {True})
    lines = run("predict", model[0], "--file", dev, "--null-score-diff-threshold", -1e6).stdout.splitlines()
    records = [json.loads(line) for line in lines]
    assert {record["answer"] for record in records} == {""}
    assert all(0 <= record["score"] <= 1.001 for record in records)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("predict", "--n-best-size", 3), r"has, in --output-dir. Received: 3 without it.*--top-k"),
        (("evaluate", "--null-score-diff-threshold", "nan"), r"must be a float, such as 0.0. Received: nan"),
        (("evaluate", "--null-score-diff-threshold", "inf"), r"must be a finite number. Received: inf"),
    ],
)
def test_options_of_answers_that_mean_nothing_are_refused(model, folder, words, why):
    verb, *options = words
    data = ("--file", folder / "dev.jsonl") if verb == "predict" else (folder / "dev.jsonl",)
    with pytest.raises(InputError, match=why):
        run(verb, model[0], *data, *options)


def test_a_head_is_that_of_the_model_unless_another_is_asked_for():
    assert TASK.head_for([BEAMS]) == "ForQuestionAnsweringBeamSearch"
    assert TASK.head_for([f"TF{LINEAR}"]) == TASK.head_for(["AlbertForPreTraining"]) == TASK.head_for(None)
    assert TASK.head_for(None) == "ForQuestionAnswering"
    assert TASK.config_keys(None, TASK.options()) == {}
    assert TASK.config_keys(None, TASK.options(head="linear")) == {"architectures": [LINEAR]}
    from albertkit.training.recipe import FinetuneRecipe

    with pytest.raises(ConfigError, match=r"`data\.head`.*'beam_search'.*'beams'"):
        FinetuneRecipe.load(None, {"task": TASK.name, "data.train": "x", "data.head": "beams"})


def test_a_loaded_model_answers_with_its_own_head(model):
    from albertkit import AlbertForQuestionAnsweringBeamSearch, AlbertTokenizerFast
    from albertkit.pipelines import pipeline

    place, _ = model
    loaded = AlbertForQuestionAnsweringBeamSearch.from_pretrained(place)
    answer = pipeline("question-answering", loaded, tokenizer=AlbertTokenizerFast.from_pretrained(place))
    assert answer("which is good", "film story superb plot cast music")["answer"] == "superb"
