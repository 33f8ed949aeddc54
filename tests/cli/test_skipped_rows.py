"""Rows that a model cannot be given, and data sets of the hub: `predict`, `evaluate`, `score` and `embed`."""

import json
import sys
import types

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.errors import InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch

LONG = "the film " * 30
QUESTIONS = [
    {"id": "a", "question": "what film", "context": "a story of the film", "answers": "film"},
    {"id": "b", "question": LONG, "context": "a story of the film", "answers": "film"},
    {"id": "c", "question": "what", "context": "the end of it", "answers": "end"},
]
RULE = "A window must have room for a context beside the question."
ROOM = ("--max-length", "16", "--set", "data.max_query_length=13")


@pytest.fixture(scope="module")
def made(tmp_path_factory, data):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")

    def make(head, **keys):
        folder = tmp_path_factory.mktemp(head)
        config = small(vocab_size=len(tokenizer), max_position_embeddings=32, **keys)
        files.save(folder, config, random_tensors(config, head), f"Albert{head}")
        tokenizer.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="module")
def answerer(made):
    return made("ForQuestionAnswering")


def run(*arguments):
    done = CliRunner().invoke(app, [*map(str, arguments), "--framework", "torch"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def lines(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def answers(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_question_that_leaves_no_room_stops_answers_or_is_left_out_and_named(answerer, tmp_path):
    path = lines(tmp_path / "q.jsonl", *QUESTIONS, '{"id": ')
    with pytest.raises(InputError, match=rf"q\.jsonl, line 2: {RULE} .* --skip-bad-rows"):
        run("predict", answerer, "--file", lines(tmp_path / "q.jsonl", *QUESTIONS), *ROOM)
    lines(path, *QUESTIONS, '{"id": ')
    done = run("predict", answerer, "--file", path, *ROOM, "--skip-bad-rows")
    assert [row["id"] for row in answers(done)] == ["a", "c"]
    assert f"2 rows were left out. Every row must be one JSON object. Not so in 1 of {path}: line 4." in done.stderr
    assert f"{RULE} Not so in 1 of {path}: line 2." in done.stderr
    run("predict", answerer, "--file", path, *ROOM, "--skip-bad-rows", "--output-dir", tmp_path / "o")
    assert json.loads((tmp_path / "o" / "predictions.json").read_text()).keys() == {"a", "c"}
    done = run("predict", answerer, "--file", lines(path, QUESTIONS[1]), *ROOM, "--skip-bad-rows")
    assert (answers(done), "1 row was left out" in done.stderr) == ([], True)
    with pytest.raises(InputError, match=r"must hold at least one row to use.*2 rows were left out"):
        run("predict", answerer, "--file", lines(path, "{", "["), *ROOM, "--skip-bad-rows")


def test_a_question_that_leaves_no_room_is_scored_without_and_counted(answerer, tmp_path, caplog):
    path = lines(tmp_path / "q.jsonl", *QUESTIONS)
    with pytest.raises(InputError, match=rf"{RULE} .*q\.jsonl, line 2 has 13 tokens of 16.*--skip-bad-rows"):
        run("evaluate", answerer, path, *ROOM)
    scores = json.loads(run("evaluate", answerer, path, *ROOM, "--skip-bad-rows").stdout)
    assert (scores["examples"], scores["left_out"]) == (2, 1)
    assert f"Not so in 1 of {path}: line 2." in caplog.text
    with pytest.raises(InputError, match=r"must hold at least one row to use"):
        run("evaluate", answerer, lines(path, QUESTIONS[1]), *ROOM, "--skip-bad-rows")


@pytest.mark.parametrize(
    ("head", "good", "bad", "rule"),
    [
        ("ForMaskedLM", {"text": "the [MASK]"}, {"text": "the film"}, "A text must hold [MASK]"),
        ("ForTokenClassification", {"tokens": ["the", "film"]}, {"tokens": [1]}, "Words must be a list of texts"),
        ("ForMultipleChoice", {"question": "q", "choices": ["a", "b"]}, {"question": "q", "choices": ["a"]}, "two opt"),
        ("ForSequenceClassification", {"text": "the film"}, "[]", "one JSON object"),
        ("ForSentenceEmbedding", {"text": "the film"}, {"text": ["the"]}, "The text column must hold text"),
    ],
)
def test_every_task_answers_without_the_rows_that_it_cannot_use(made, tmp_path, head, good, bad, rule):
    model, path = made(head), lines(tmp_path / "a.jsonl", good, bad, good, bad)
    with pytest.raises(InputError, match="--skip-bad-rows"):
        run("predict", model, "--file", path)
    done = run("predict", model, "--file", path, "--skip-bad-rows")
    assert len(answers(done)) == 2
    assert "2 rows were left out." in done.stderr
    assert rule in done.stderr
    assert f"Not so in 2 of {path}: line 2, line 4." in done.stderr


@pytest.mark.parametrize(("command", "head"), [("score", "ForMaskedLM"), ("embed", "ForSentenceEmbedding")])
def test_other_answers_to_texts_leave_rows_out_too(made, tmp_path, command, head):
    path = lines(tmp_path / "a.jsonl", {"text": "the film"}, "{")
    with pytest.raises(InputError, match="--skip-bad-rows"):
        run(command, made(head), "--data", path)
    done = run(command, made(head), "--data", path, "--skip-bad-rows")
    assert (len(answers(done)), "1 row was left out." in done.stderr) == (1, True)


def test_the_server_of_a_benchmark_gets_no_file_with_rows_missing(answerer, tmp_path):
    with pytest.raises(InputError, match=r"takes an answer for each row .* a\.tsv and --skip-bad-rows"):
        run("predict", answerer, "x", "--output", "a.tsv", "--skip-bad-rows")


@pytest.fixture
def hub(monkeypatch):
    """The library `datasets` with one data set of two splits."""

    class Rows(list):
        features = None

    splits = {"validation": Rows(QUESTIONS[::2]), "test": Rows(QUESTIONS[:1])}
    module = types.ModuleType("datasets")
    module.get_dataset_config_names = lambda name: ["default"]
    module.get_dataset_split_names = lambda name, config: [] if name.endswith("none") else list(splits)
    module.load_dataset = lambda name, config, *, split, streaming: splits[split]
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_a_data_set_of_the_hub_is_answered_and_scored_by_its_split(answerer, hub):
    done = run("predict", answerer, "--hub-dataset", "owner/films")
    assert [row["id"] for row in answers(done)] == ["a", "c"]
    assert "2 rows of owner/films, validation" in done.stderr
    done = run("predict", answerer, "--hub-dataset", "owner/films", "--split", "test")
    assert [row["id"] for row in answers(done)] == ["a"]
    scores = json.loads(run("evaluate", answerer, "--hub-dataset", "owner/films").stdout)
    assert (scores["examples"], scores["data"]) == (2, "owner/films, validation")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("a text", "--hub-dataset", "owner/films"), "more than one of them"),
        (("--file", "a.csv", "--hub-dataset", "owner/films"), "more than one of them"),
        (("--file", "a.csv", "--split", "test"), "answers for a file, or a data set of the hub"),
        (("--hub-dataset", "owner/films", "--pair", "x"), "--pair goes with one text"),
        (("--hub-dataset", "owner/films", "--split", "tset"), r"has validation, test. Received: 'tset'"),
        (("--hub-dataset", "owner/none"), r"The split must be known.* --eval-split"),
    ],
)
def test_what_does_not_go_with_a_data_set_of_the_hub_is_refused(answerer, hub, arguments, why):
    with pytest.raises(InputError, match=why):
        run("predict", answerer, *arguments)
