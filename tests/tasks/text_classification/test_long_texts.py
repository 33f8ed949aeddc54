"""Long texts in windows: nothing is lost, and the windows of a text make one answer."""

import json
import os

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

pytest.importorskip("torch")

from albertkit.cli.app import app
from albertkit.config import AlbertConfig
from albertkit.errors import ConfigError, InputError
from albertkit.pipelines import pipeline
from albertkit.tasks.features import Features
from albertkit.tasks.text_classification import long_texts
from albertkit.tasks.text_classification.options import ClassificationOptions
from albertkit.tasks.texts import given
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import finetune
from training import common

pytestmark = pytest.mark.torch

LONG = "the cat sat on the mat and slept all day long in the sun " * 3


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def encoded(tokenizer, texts, pairs=None, **options):
    found = ClassificationOptions.of({"max_length": 24, "long": "windows", **options})
    return long_texts.encoded(tokenizer, given(texts, pairs)[0], found)


def test_windows_hold_all_pieces_and_a_short_text_is_what_it_was(tokenizer):
    found = encoded(tokenizer, [LONG, "short", ""], doc_stride=5)
    plain = encoded(tokenizer, [LONG, "short", ""], long="truncate")
    whole = tokenizer(LONG, add_special_tokens=False)["input_ids"]
    rows = [row[1:-1] for row, owner in zip(found.input_ids, found.example, strict=True) if owner == 0]
    assert rows[0] + [piece for row in rows[1:] for piece in row[5:]] == whole
    assert max(map(len, found.input_ids)) == 24
    assert [found.input_ids[-2], found.input_ids[-1]] == [plain.input_ids[1], plain.input_ids[2]]
    assert (found.truncated, plain.truncated) == (0, 1)
    assert found.unknown(tokenizer, 3).unreadable.tolist() == [False, False, True]
    with pytest.raises(InputError, match="must share fewer tokens than one holds"):
        encoded(tokenizer, [LONG], doc_stride=22)


def test_of_a_pair_the_longer_text_is_read_in_windows_beside_the_other(tokenizer):
    short = tokenizer("a short one", add_special_tokens=False)["input_ids"]
    for first, second in ((LONG, "a short one"), ("a short one", LONG)):
        found = encoded(tokenizer, [first], [second], doc_stride=2)
        assert len(found) > 2
        for row, types in zip(found.input_ids, found.token_type_ids, strict=True):
            middle = types.index(1)
            texts = row[1 : middle - 1], row[middle:-1]
            assert short in texts
            assert len(row) <= 24
        assert found.truncated == 0
    both = encoded(tokenizer, [LONG], [LONG + LONG])
    assert both.truncated == 1
    assert max(map(len, both.input_ids)) == 24


def test_the_logits_of_windows_are_averaged_by_their_tokens():
    features = Features([[0] * 6, [0] * 2, [0] * 4], [[0]] * 3, example=[0, 0, 1])
    logits = np.array([[1.0, 0.0], [-3.0, 8.0], [5.0, 5.0]], np.float32)
    np.testing.assert_allclose(long_texts.merged(logits, features, 2), [[0.0, 2.0], [5.0, 5.0]])
    assert long_texts.of_rows(np.array([7, 8]), features).tolist() == [7, 7, 8]
    assert long_texts.of_examples(np.array([7, 7, 8]), features).tolist() == [7, 8]


def train(folder, **changes):
    rows = [
        (f"the {thing} was {'long and slow and then ' * 5}{word}", label)
        for label, words in (("pos", common.GOOD), ("neg", common.BAD))
        for word in words
        for thing in common.THINGS[:3]
    ]
    path = folder / "long.csv"
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    data = {"data__train": str(path), "data__eval": str(path), "data__max_length": 16}
    recipe = common.recipe(folder, **data, training__epochs=1, **changes)
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        return finetune.run(recipe, folder / "model", console=console), console.export_text(), path


def test_a_model_is_trained_scored_and_answers_by_windows_without_being_told_again(tmp_path):
    results, said, path = train(tmp_path, data__long="windows", data__class_weights="balanced")
    assert results["examples"] == 30
    assert "were cut" not in said
    classify = pipeline("auto", tmp_path / "model", "torch")
    scores = classify.evaluate(path)
    assert (scores["accuracy"], scores["truncated"]) == (results["accuracy"], 0)
    text = f"the film was {'long and slow and then ' * 5}awful"
    rows = np.stack([row["logits"] for row in classify.outputs(text)])
    features = classify.task.encode(
        classify.tokenizer,
        classify.config,
        given(text)[0],
        ClassificationOptions.of({"max_length": 16, "long": "windows"}),
    )
    merged = np.average(rows, axis=0, weights=features.lengths())
    chances = np.exp(merged) / np.exp(merged).sum()
    assert classify([text])[0]["score"] == pytest.approx(chances.max(), rel=1e-5)
    cut = classify([text], long="truncate")
    assert classify.truncated == 1
    assert cut[0]["score"] != pytest.approx(chances.max(), rel=1e-5)
    told = CliRunner().invoke(app, ["predict", str(tmp_path / "model"), text, "--long", "truncate"])
    assert json.loads(told.stdout)["scores"][cut[0]["label"]] == pytest.approx(cut[0]["score"], rel=1e-5)
    assert "1 text was longer than 16 tokens and cut." in told.stderr
    assert AlbertConfig.from_pretrained(tmp_path / "model").task["data"]["long"] == "windows"


def test_other_ways_are_refused(tokenizer, tmp_path):
    with pytest.raises(InputError, match=r"`long` must be one of truncate, windows\. Received: 'window'"):
        encoded(tokenizer, ["a"], long="window")
    with pytest.raises(ConfigError, match=r"data\.long"):
        train(tmp_path, data__long="cut")
