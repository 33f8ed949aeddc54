"""The rows of a file that exports, scales and measurements of speed go by: bad ones end it, or are counted and said."""

import json

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from albertkit import exporting
from albertkit.bench import candidates, run
from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.errors import InputError
from albertkit.pipelines import pipeline
from albertkit.sampling import rows_of_file
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch

TEXTS = ["the film", "a story", "the film", "the end of it"]


@pytest.fixture
def model(request, tmp_path, data):
    head, folder = getattr(request, "param", "ForSequenceClassification"), tmp_path / "model"
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=32)
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def broken(tmp_path):
    """A file with two rows that are no JSON objects."""
    path = tmp_path / "rows.jsonl"
    rows = [json.dumps({"text": text}) for text in TEXTS]
    path.write_text("\n".join([*rows[:2], "[1]", *rows[2:], '{"text":']))
    return path


@pytest.mark.parametrize("model", ["ForSequenceClassification", "ForMaskedLM"], indirect=True)
def test_rows_that_cannot_be_used_stop_a_sample_or_are_left_out_and_said(model, broken, caplog):
    answerer = pipeline(None, model, "torch")
    with pytest.raises(InputError, match=r"line [36].*--skip-bad-rows"):
        rows_of_file(answerer, broken, 100)
    assert len(rows_of_file(answerer, broken, 100, {"skip_bad_rows": True})) == 4
    assert "2 rows were left out." in caplog.text
    assert f"{broken}: line 3, line 6" in caplog.text
    found = rows_of_file(answerer, broken, 2, {"skip_bad_rows": True}, is_distinct=True)
    assert len(found.distinct()[0]) == len(found) == 2
    broken.write_text("[1]")
    with pytest.raises(InputError, match=r"must hold at least one row to use"):
        rows_of_file(answerer, broken, 100, {"skip_bad_rows": True})


def test_texts_that_the_vocabulary_does_not_know_are_said(model, tmp_path, caplog):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("the film", "木の下", "山と川")))
    assert len(rows_of_file(pipeline(None, model, "torch"), path, 100)) == 3
    assert "2 of 3 texts are empty or mostly unknown" in caplog.text
    caplog.clear()
    path.write_text(json.dumps({"text": "the film"}) + "\n")
    rows_of_file(pipeline(None, model, "torch"), path, 100)
    assert "unknown" not in caplog.text


def test_a_column_that_is_named_is_the_one_that_is_read(model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("text,other\na,the film\n")
    answerer = pipeline(None, model, "torch")
    [row] = rows_of_file(answerer, path, 1, {"text_column": "other"}).input_ids
    assert row == answerer.tokenizer("the film")["input_ids"]
    path = tmp_path / "rows.txt"
    path.write_text("the film\n")
    with pytest.raises(InputError, match=r"those of a file that is a table. Received: text_column, for texts that"):
        rows_of_file(answerer, path, 1, {"text_column": "other"})


def test_export_and_bench_take_what_they_advise(model, broken, monkeypatch):
    taken = []

    def exported(*_, data, **__):
        taken.append(data)
        raise InputError("enough")

    def benched(*given):
        taken.append(given[-2])
        raise InputError("enough")

    monkeypatch.setattr(exporting, "export", exported)
    monkeypatch.setattr(run, "bench", benched)
    monkeypatch.setattr(candidates, "find", lambda *_: [])
    options = ["--text-column", "text", "--header", "a,text", "--skip-bad-rows", "--set", "data.max_eval_samples=3"]
    for command, option in (("export", "--calibrate"), ("bench", "--data")):
        assert "enough" in str(CliRunner().invoke(app, [command, str(model), option, str(broken), *options]).exception)
    given = {"text_column": "text", "header": ["a", "text"], "skip_bad_rows": True, "max_eval_samples": 3}
    assert taken == [given, given]


def test_how_a_file_is_read_goes_with_a_file(model, tmp_path):
    with pytest.raises(InputError, match=r"Received: skip_bad_rows without --calibrate. Name the file"):
        exporting.export(model, tmp_path / "out", data={"skip_bad_rows": True})
    with pytest.raises(InputError, match=r"Received: text_column without --data. Name the file"):
        run.bench(model, [], options={"text_column": "a"})
