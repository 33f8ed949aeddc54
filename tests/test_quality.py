"""The runs of benchmarks/quality.py: recipes that hold, data that shares nothing, and baselines that know no text."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from albertkit.config import AlbertConfig
from albertkit.training.recipe import FinetuneRecipe

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def quality(benchmark):
    return benchmark("quality")


def test_every_run_has_a_recipe_that_holds_and_a_baseline_that_is_known(quality):
    for run in quality.RUNS.values():
        for side in quality.SIDES:
            asked = quality.keys(quality.Job(run, side, 1), quality.Files(Path("a"), Path("b")), Path("work"))
            assert FinetuneRecipe.load(None, asked, task=run.task).training.evaluate_every > 10_000
        assert run.baseline in {*quality.baselines.BASELINES, quality.baselines.BEFORE}
        assert not run.after or list(quality.RUNS).index(run.after) < list(quality.RUNS).index(run.name)


def test_a_run_from_nothing_has_the_shape_and_vocabulary_of_the_model_of_its_language(quality):
    run = quality.RUNS["jsts"]
    asked = quality.keys(quality.Job(run, "nothing", 1), quality.Files(Path("a"), Path("b")), Path("work"))
    assert (asked["model.name"], asked["model.tokenizer"]) == ("base", "albertkit/small-ja")
    assert (
        asked["model.config"]["num_hidden_layers"]
        == AlbertConfig.from_pretrained("albertkit/small-ja").num_hidden_layers
    )
    assert quality.keys(quality.Job(run, "model", 1), quality.Files(Path("a"), Path("b")), Path("work"))[
        "model.name"
    ] == ("albertkit/small-ja")


def test_japanese_texts_to_pre_train_on_are_none_that_runs_are_judged_by(quality, tmp_path, monkeypatch):
    from scoring import data, japanese

    def files(form):
        def made(folder):
            paths = [tmp_path / f"{form}-{side}" for side in ("learned", "judged")]
            for path, side in zip(paths, ("learned", "judged"), strict=True):
                row = {"text": side, "sentence1": side, "sentence2": side, "question": side, "context": side}
                paragraph = {"context": f"title [SEP] {side}", "qas": [{"question": side}]}
                article = {"data": [{"paragraphs": [paragraph]}]}
                path.write_text(json.dumps(article if form == "jsquad" else row), encoding="utf-8")
            return data.Files(*paths)

        return made

    for name in ("ner_wikipedia", "jsts", "jcommonsenseqa", "jsquad"):
        monkeypatch.setattr(japanese, name, files(name))
    assert list(japanese.documents(tmp_path)) == ["learned"] * 5


def test_a_run_is_kept_until_its_recipe_changes(quality, tmp_path, monkeypatch):
    monkeypatch.setattr(quality, "KEPT", tmp_path)
    run = quality.RUNS["cola"]
    found = {"recipe": run.recipe(), "runs": {"model": [{"seed": 1}]}}
    quality.path(run).write_text(json.dumps(found))
    wanted = list(quality.missing([run], list(quality.SIDES), [1, 2]))
    assert [(job.side, job.seed) for job in wanted] == [("model", 2), ("nothing", 1), ("nothing", 2)]
    quality.path(run).write_text(json.dumps({**found, "recipe": {**run.recipe(), "training.epochs": 99}}))
    assert len(list(quality.missing([run], list(quality.SIDES), [1, 2]))) == 4


def test_parts_share_no_group_and_are_the_same_each_time(quality, tmp_path):
    from scoring import data

    rows = [{"id": str(number // 3), "text": f"{number}"} for number in range(300)]
    first = data.split("rows", rows, lambda row: row["id"], 0.2, tmp_path)
    kept = [path.read_bytes() for path in first]
    train, held = ({row["id"] for row in data.records(path)} for path in first)
    assert not train & held
    assert len(train | held) == 100
    assert 8 <= len(held) <= 35
    assert [path.read_bytes() for path in data.split("rows", rows, lambda row: row["id"], 0.2, tmp_path)] == kept


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def keys(tmp_path, train, held):
    found = {"data.train": write(tmp_path / "a.jsonl", train), "data.eval": write(tmp_path / "b.jsonl", held)}
    return {**found, "model.name": "base", "model.tokenizer": str(ROOT / "tests" / "data" / "spiece.model")} | {
        "model.config": {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    }


def test_the_most_frequent_label_of_training_is_the_answer_to_all(quality, tmp_path):
    train = [{"text": "a film", "label": one} for one in ("bad", "good", "good")]
    held = [{"text": f"film {number}", "label": one} for number, one in enumerate(("good", "bad", "bad", "bad"))]
    scores, rows = quality.baselines.score(
        "the most frequent label", "text-classification", keys(tmp_path, train, held)
    )
    assert (scores["accuracy"], rows) == (0.25, (3, 4))


def test_a_word_has_the_tag_that_it_has_most_often(quality, tmp_path):
    train = [
        {"tokens": ["Paris", "met", "Anna"], "ner_tags": ["B-LOC", "O", "B-PER"]},
        {"tokens": ["Paris", "and", "Paris", "sleep", "well"], "ner_tags": ["B-PER", "O", "B-LOC", "O", "O"]},
    ]
    held = [{"tokens": ["Anna", "saw", "Paris", "and", "Lyon"], "ner_tags": ["B-PER", "O", "B-LOC", "O", "B-LOC"]}]
    scores, _ = quality.baselines.score(
        "the most frequent tag of each word", "token-classification", keys(tmp_path, train, held)
    )
    assert (scores["precision"], scores["recall"]) == (1.0, pytest.approx(2 / 3))


def test_no_answer_is_right_where_there_is_none_and_a_random_span_stays_in_the_context(quality, tmp_path):
    held = [
        {"question": "who?", "context": "Peter came", "answers": {"text": ["Peter"], "answer_start": [0]}},
        *(
            {"question": f"who {n}?", "context": "Peter came", "answers": {"text": [], "answer_start": []}}
            for n in "ab"
        ),
    ]
    given = keys(tmp_path, held, held)
    scores, _ = quality.baselines.score("no answer to any question", "question-answering", given)
    assert scores["exact_match"] == pytest.approx(200 / 3)
    scores, _ = quality.baselines.score("a random span", "question-answering", keys(tmp_path, held[:1], held[:1]))
    assert np.isfinite(scores["f1"])
