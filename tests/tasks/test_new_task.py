"""A new task needs one file: this one holds a whole task, a class for each word, which nothing else knows of."""

import json
from dataclasses import dataclass
from io import BufferedReader

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

from albertkit.cli.app import app
from albertkit.errors import ConfigError, InputError
from albertkit.pipelines import pipeline
from albertkit.tasks import registry, tables
from albertkit.tasks.base import Task, TrainableTask
from albertkit.tasks.data_options import DataOptions, option
from albertkit.tasks.examples import Examples
from albertkit.tasks.features import Features, require_finite
from albertkit.training.recipe import FinetuneRecipe
from training import common

pytestmark = pytest.mark.torch


@dataclass(frozen=True)
class TagOptions(DataOptions):
    words_column: str = option("words", "Column of the words, with spaces between them.")
    tags_column: str = option("tags", "Column of a tag for each word.")


@dataclass(frozen=True)
class TaggedExamples(Examples):
    columns = ("words", "tags", "lines")

    words: list[list[str]]
    tags: list[list[str]] | None
    lines: list[int]

    def texts(self) -> list[str]:
        return [" ".join(words) for words in self.words]

    def place(self, number: int) -> str:
        return f"line {self.lines[number]}"

    def shown(self, number: int) -> dict[str, object]:
        return {"words": self.words[number]}


class WordTagging(TrainableTask[TaggedExamples, TagOptions]):
    """A tag for each word."""

    name = "word-tagging"
    head = "ForTokenClassification"
    heads = ("ForTokenClassification",)
    options = TagOptions
    answer_options = {"with_scores": False}  # noqa: RUF012

    def examples(self, *inputs):
        is_single = isinstance(inputs[0], str)
        texts = [inputs[0]] if is_single else inputs[0]
        return TaggedExamples("", [text.split() for text in texts], None, list(range(1, len(texts) + 1))), is_single

    def stream(self, source: str | BufferedReader, options):
        for table in tables.pieces(source, options.header) if isinstance(source, str) else tables.lines(source):
            column = options.words_column if isinstance(source, str) else "text"
            words = [str(text).split() for text in table.column(column, "words")]
            yield TaggedExamples(table.path, words, None, table.lines)

    def read(self, path, options, config=None):
        table = tables.read(path, options.header)
        words, tags = (
            [str(value).split() for value in table.column(name, role)]
            for name, role in ((options.words_column, "words"), (options.tags_column, "tags"))
        )
        for line, one, other in zip(table.lines, words, tags, strict=True):
            if len(one) != len(other):
                raise InputError(f"Every word needs a tag. {path}, line {line}, has {len(one)} and {len(other)}.")
        return TaggedExamples(path, words, tags, table.lines), options

    def config_keys(self, examples, options):
        names = sorted({tag for row in examples.tags for tag in row})
        return {"id2label": dict(enumerate(names))}

    def encode(self, tokenizer, config, examples, options, labelled=False):
        encoded = tokenizer(examples.words, is_split_into_words=True, truncation=True, max_length=options.max_length)
        owners = [encoded.word_ids(row) for row in range(len(examples))]
        firsts = [
            [place for place, word in enumerate(row) if word is not None and word != row[place - 1]] for row in owners
        ]
        labels = {}
        if labelled:
            index = {name: number for number, name in config.id2label.items()}
            labels["labels"] = [[-100] * len(ids) for ids in encoded["input_ids"]]
            for row, places in enumerate(firsts):
                for tag, place in zip(examples.tags[row], places, strict=False):
                    labels["labels"][row][place] = index[tag]
        truncated = sum(count > 0 for count in encoded.truncated)
        return Features(
            encoded["input_ids"], encoded["token_type_ids"], labels, columns={"firsts": firsts}, truncated=truncated
        )

    def decode(self, tokenizer, config, examples, features, outputs, **options):
        answers = []
        for row, places in zip(outputs, features.columns["firsts"], strict=True):
            logits = row["logits"][places]
            require_finite(logits)
            tags = [config.id2label[number] for number in logits.argmax(-1).tolist()]
            answers.append({"tags": tags, **({"scores": logits.tolist()} if options["with_scores"] else {})})
        return answers

    def score(self, config, examples, features, outputs):
        found = [
            (row["logits"].argmax(-1) == labels)[np.array(labels) >= 0]
            for row, labels in zip(outputs, features.labels["labels"], strict=True)
        ]
        return {"word_accuracy": float(np.concatenate(found).mean())}

    def metrics(self, config):
        return ("word_accuracy",)


class OnlyAnswers(Task):
    """As much of a task as is asked before it is found to have no scores."""

    name = "only-answers"
    head = "ForTokenClassification"
    heads = ()


OnlyAnswers.__abstractmethods__ = frozenset()


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(registry, "_TASKS", dict(registry._TASKS))
    registry.register(WordTagging.name, f"{__name__}:WordTagging")
    registry.register(OnlyAnswers.name, f"{__name__}:OnlyAnswers")


@pytest.fixture
def data(tmp_path):
    """Sentences of one to seven words: a word's tag is its kind."""
    kinds = (
        dict.fromkeys(common.GOOD, "GOOD") | dict.fromkeys(common.BAD, "BAD") | dict.fromkeys(common.THINGS, "THING")
    )
    words, rng = list(kinds), np.random.default_rng(0)
    rows = ["words,tags"]
    for count in rng.integers(1, 8, 80):
        chosen = rng.choice(words, count)
        rows.append(f"{' '.join(chosen)},{' '.join(kinds[word] for word in chosen)}")
    path = tmp_path / "words.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_task_of_one_file_trains_evaluates_predicts_and_answers(known, data, tmp_path):
    output = tmp_path / "model"
    results = common.trained(common.task_recipe(WordTagging.name, data), output)
    assert results["word_accuracy"] > 0.95
    assert results["examples"] == 20
    tag = pipeline("auto", output, "torch")
    assert tag.task.name == WordTagging.name
    assert tag("the plot was awful superb story")["tags"][1] == "THING"
    answers = tag(["awful", "superb plot dull"], with_scores=True)
    assert [answer["tags"] for answer in answers] == [["BAD"], ["GOOD", "THING", "BAD"]]
    assert [np.shape(answer["scores"]) for answer in answers] == [(1, 3), (3, 3)]
    assert [len(row["logits"]) for row in tag.outputs(["awful", "superb plot dull"])] == [
        len(tag.tokenizer(text)["input_ids"]) for text in ("awful", "superb plot dull")
    ]
    scores = tag.evaluate(data)
    assert scores["word_accuracy"] > 0.95
    assert scores["examples"] == 80
    tag.task = OnlyAnswers()
    with pytest.raises(InputError, match=r"must have labels and scores. Received: 'only-answers'.*text-classification"):
        tag.evaluate(data)


def test_its_commands_are_there_too(known, data, tmp_path):
    output = tmp_path / "model"
    listed = CliRunner().invoke(app, ["finetune", "--help"], catch_exceptions=False)
    assert WordTagging.name in listed.output
    shown = CliRunner().invoke(app, ["finetune", WordTagging.name, "--help"], env={"COLUMNS": "200"})
    assert "--tags-column" in shown.output
    options = [
        "--train",
        str(data),
        "--held-out",
        "0.25",
        "--max-length",
        "32",
        "--epochs",
        "12",
        "--output",
        str(output),
    ]
    config = ", ".join(f"{name} = {value}" for name, value in common.TINY.items())
    settings = ["--set", f"model.config={{{config}}}", "--set", "model.vocab_size=90", "--framework", "torch"]
    given = [*options, *settings, "--learning-rate", "0.01", "--batch-size", "8"]
    done = CliRunner().invoke(app, ["finetune", WordTagging.name, *given], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(app, ["evaluate", str(output), str(data)], catch_exceptions=False)
    assert json.loads(done.stdout)["word_accuracy"] > 0.95
    done = CliRunner().invoke(app, ["predict", str(output), "--file", str(data)], catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 80
    assert all(len(line["words"]) == len(line["tags"]) for line in lines)
    done = CliRunner().invoke(app, ["predict", str(output)], input="superb\nawful plot\n", catch_exceptions=False)
    assert [json.loads(line)["tags"] for line in done.stdout.splitlines()] == [["GOOD"], ["BAD", "THING"]]


def test_its_options_are_checked_as_those_of_every_task(known, data):
    with pytest.raises(ConfigError, match=r"no key `data.tag_column`. Did you mean `data.tags_column`"):
        common.task_recipe(WordTagging.name, data, data__tag_column="x")
    with pytest.raises(ConfigError, match=r"`data.held_out`.*less than 1"):
        common.task_recipe(WordTagging.name, data, data__held_out=1.5)
    assert common.task_recipe(WordTagging.name, data).options().words_column == "words"
    assert FinetuneRecipe.load(None, {}).task == "text-classification"


def test_a_task_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"one of text-classification, .*, fill-mask.* Received: 'word-tagging'"):
        registry.get("word-tagging")
    with pytest.raises(InputError, match=r"Did you mean `text-classification`"):
        registry.get("text_classification")


def test_a_task_that_only_answers_is_not_trained(known):
    with pytest.raises(InputError, match=r"to fine-tune must be one of text-.* Received: 'only-answers'"):
        registry.get_trainable("only-answers")
