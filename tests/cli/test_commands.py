"""The commands as a person types them."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytest.importorskip("torch")

from albertkit import cli
from albertkit.checkpoint import files
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import finetune
from frameworks.common import random_tensors, small
from terminal import albertkit
from training import common, pretraining

pytestmark = pytest.mark.torch
FULL = Path("/dev/full")


def started(*arguments, **options):
    """A command in a process of its own, as `albertkit` runs it in this one."""
    command = [sys.executable, "-m", "albertkit", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(command, text=True, check=False, **{**streams, **options})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    finetune.run(common.learnable(folder), folder / "model")
    return folder / "model"


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["finetune"],
        ["finetune", "text-classification"],
        ["pretrain"],
        ["corpus", "build"],
        ["tokenizer"],
        ["tokenizer", "train"],
        ["tokenizer", "characters"],
        ["evaluate"],
        ["predict"],
        ["info"],
        ["convert"],
    ],
)
def test_every_command_explains_itself(command):
    done = albertkit(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_version_is_printed():
    from albertkit import __version__

    assert started("--version").stdout.strip() == f"albertkit {__version__}"


def test_finetune_takes_options_and_settings(tmp_path):
    train = common.reviews(tmp_path / "train.csv")
    config = ", ".join(f"{key} = {value}" for key, value in common.TINY.items())
    done = albertkit(
        *("finetune", "text-classification", "--train", train, "--output", tmp_path / "m", "--epochs", "1"),
        *("--model", "base", "--seed", "3", "--max-length", "32", "--set", f"model.config={{{config}}}"),
        *("--set", "model.vocab_size=80", "--batch-size", "16", "--learning-rate", "0.01"),
    )
    assert done.returncode == 0, done.stderr
    recipe = (tmp_path / "m" / "recipe.toml").read_text()
    assert "seed = 3" in recipe
    assert "batch_size = 16" in recipe
    assert "learning_rate = 0.01" in recipe


def test_pretrain_takes_options_and_settings(tmp_path):
    corpus = pretraining.corpus(tmp_path / "corpus", count=40)
    config = ", ".join(f"{key} = {value}" for key, value in pretraining.TINY.items())
    done = albertkit(
        *("pretrain", "--corpus", corpus, "--output", tmp_path / "m", "--model", "large", "--objective", "mlm"),
        *("--framework", "torch", "--steps", "2", "--batch-size", "4", "--length", "32", "--learning-rate", "0.01"),
        *("--seed", "3", "--set", f"model.config={{{config}}}"),
    )
    assert done.returncode == 0, done.stderr
    recipe = tomllib.loads((tmp_path / "m" / "recipe.toml").read_text())
    given = {"corpus": str(corpus), "objective": "mlm", "length": 32}
    assert {key: recipe["data"][key] for key in given} == given
    given = {"steps": 2, "batch_size": 4, "learning_rate": 0.01}
    assert {key: recipe["training"][key] for key in given} == given
    assert (recipe["framework"], recipe["seed"], recipe["model"]["name"]) == ("torch", 3, "large")


def test_evaluate_prints_json(model):
    done = albertkit("evaluate", model, model.parent / "dev.csv")
    assert json.loads(done.stdout)["accuracy"] == 1.0


def test_predict_answers_arguments_files_and_standard_input_in_order(model, tmp_path):
    texts = ["the plot was superb", "the cast was dull"]
    (tmp_path / "in.csv").write_text("text\n" + "".join(f"{text}\n" for text in texts))
    for arguments, given in (
        (texts, None),
        (["--file", tmp_path / "in.csv"], None),
        ([], "".join(f"{text}\n" for text in texts)),
    ):
        done = albertkit("predict", model, *arguments, input=given)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert [(row["text"], row["label"]) for row in rows] == [(texts[0], "pos"), (texts[1], "neg")], done.stderr
    one = albertkit("predict", model, "the plot", "--pair", "was superb")
    assert len(one.stdout.splitlines()) == 1


@pytest.fixture(scope="module")
def filler(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("filler")
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer))
    files.save(folder, config, random_tensors(config, "ForPreTraining"), "AlbertForPreTraining")
    tokenizer.save_pretrained(folder)
    return folder


def test_predict_fills_the_masks_of_a_pre_trained_model(filler):
    done = albertkit("predict", filler, "the [MASK]", "[MASK] or [MASK]", "--top-k", "2")
    one, several = (json.loads(line) for line in done.stdout.splitlines())
    assert one["text"] == "the [MASK]"
    assert [len(one["answers"]), len(several["answers"]), len(several["answers"][1])] == [2, 2, 2]
    assert one["answers"][0].keys() == {"score", "token", "token_str", "sequence"}


def test_predict_takes_a_task_by_name_and_refuses_what_does_not_fit_it(filler, model):
    for arguments, told in (
        ((filler, "the [MASK]", "--pair", "more"), "A mask is filled in one text"),
        ((filler, "the film", "--task", "text-classification"), "lacks classifier.weight"),
        ((model, "the [MASK]", "--task", "fill-mask"), "lacks predictions."),
        ((model, "the [MASK]", "--task", "fillmask"), "Did you mean `fill-mask`?"),
    ):
        done = albertkit("predict", *arguments)
        assert done.returncode == 1
        assert told in done.stderr


def test_predict_refuses_columns_where_there_is_no_file(model):
    for given in (("good",), ()):
        done = albertkit("predict", model, *given, "--text-column", "body", input="good\n")
        assert done.returncode == 1
        assert "Columns and headers are those of a file that is a table. Received: text_column" in done.stderr


def test_predict_says_how_many_texts_were_cut(model):
    done = albertkit("predict", model, "good " * 100)
    assert "1 text was longer than 32 tokens and cut." in done.stderr


def test_predict_says_beside_an_answer_and_once_that_the_text_is_unknown_or_empty(model):
    done = albertkit("predict", model, input="the plot was superb\n这部电影很好看\n\n")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["warning" in row for row in rows] == [False, True, True]
    assert "unknown" in rows[1]["warning"]
    assert "empty" in rows[2]["warning"]
    assert done.stderr.count("2 of 3 texts are empty or mostly unknown") == 1
    known = started("predict", model, "the plot was superb")
    assert not known.stderr


def test_evaluate_counts_the_texts_that_are_unknown_to_the_vocabulary(model, tmp_path):
    (tmp_path / "zh.csv").write_text("text,label\n这部电影很好看,pos\n很无聊,neg\nthe plot was superb,pos\n", "utf-8")
    done = albertkit("evaluate", model, tmp_path / "zh.csv")
    assert json.loads(done.stdout)["unreadable"] == 2
    assert "zh.csv: 2 of" in done.stderr
    assert "2 of 3 texts" in done.stderr


def test_predict_keeps_empty_lines_so_that_rows_match(model):
    done = albertkit("predict", model, input="good\n\nbad\n")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["good", "", "bad"]


def test_info_counts_parameters_of_sizes_and_folders(model):
    assert "11,813,810" in albertkit("info", "base").stdout
    done = albertkit("info", model)
    assert "AlbertForSequenceClassification" in done.stdout
    assert "neg, pos" in done.stdout


def test_names_of_classes_are_printed_as_they_are(model, tmp_path):
    folder = tmp_path / "[bold]models"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "[/neg]", "1": ":smile:"}, "label2id": {"[/neg]": 0, ":smile:": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    done = albertkit("info", folder.name, cwd=tmp_path)
    assert "[/neg], :smile:" in done.stdout, done.stderr
    assert "[bold]models" in done.stdout


def test_a_size_that_is_nearly_right_is_suggested(tmp_path):
    done = albertkit("info", "bas", cwd=tmp_path)
    assert done.returncode == 1
    assert "Did you mean `base`?" in done.stderr


def test_tokenizer_train_learns_a_vocabulary(tmp_path):
    (tmp_path / "text.txt").write_text("\n".join(f"the {w} {t}" for w in common.GOOD for t in common.THINGS))
    done = albertkit("tokenizer", "train", tmp_path / "text.txt", "--output", tmp_path / "t", "--vocab-size", "40")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "t" / "spiece.model").exists()
    again = ("tokenizer", "train", tmp_path / "text.txt", "--output", tmp_path / "t", "--vocab-size", "39")
    assert "to a folder without one" in albertkit(*again).stderr
    assert albertkit(*again, "--overwrite").returncode == 0
    too_many = albertkit(
        "tokenizer", "train", tmp_path / "text.txt", "--output", tmp_path / "u", "--vocab-size", "9000"
    )
    assert too_many.returncode == 1
    assert "Received: `vocab_size` 9000. They can fill" in too_many.stderr


def test_tokenizer_characters_makes_a_vocabulary_of_those_in_a_file(tmp_path):
    (tmp_path / "phonemes.txt").write_text("\ufeffð ə\nˈ ə\n", encoding="utf-8")
    done = albertkit("tokenizer", "characters", tmp_path / "phonemes.txt", "--output", tmp_path / "t")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("AlbertTokenizerFast(9 tokens")
    again = albertkit("tokenizer", "characters", tmp_path / "phonemes.txt", "--output", tmp_path / "t")
    assert "to a folder without one" in again.stderr


def test_tokenizer_train_reads_what_a_corpus_is_built_from(tmp_path):
    texts = tmp_path / "texts"
    texts.mkdir()
    rows = [json.dumps({"body": f"le {word} à la crème"}) for word in common.GOOD]
    (texts / "a.jsonl.gz").write_bytes(gzip.compress("\n".join([*rows, "{"]).encode()))
    (texts / "b.txt").write_text("of its own\n")
    (texts / "c.png").write_text("no text")
    command = ("tokenizer", "train", texts, "--output", tmp_path / "t", "--vocab-size", "35", "--text-field", "body")
    assert "line 6, must be one JSON object" in albertkit(*command).stderr
    done = albertkit(*command, "--skip-broken")
    assert done.returncode == 0, done.stderr
    for words in ("1 broken records", "1 files with other endings", "such as à, which becomes a: --keep-accents"):
        assert words in done.stdout
    assert "{" not in AlbertTokenizerFast.from_pretrained(tmp_path / "t").get_vocab()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "nowhere/at/all", "text"], "there is no such folder"),
        (["evaluate", "nowhere/at/all", "x.csv"], "there is no such folder"),
        (["info", "nowhere/at/all"], "there is no such folder"),
        (["tokenizer", "train", "nowhere.txt", "--output", "{tmp}/t"], "which names none"),
        (["finetune", "text-classification", "--train", "no.csv", "--output", "{tmp}/m"], "there is none"),
        (["finetune", "text-classification", "--output", "{tmp}/m"], "Name a file with --train"),
        (["finetune", "text-classification", "--output", "{tmp}/m", "--set", "training.epoch=3"], "Did you mean"),
        (["pretrain", "--output", "{tmp}/m"], "Name its folder with --corpus"),
        (["pretrain", "--output", "{tmp}/m", "--corpus", "no", "--set", "training.step=3"], "Did you mean"),
        (["pretrain", "no.toml", "--output", "{tmp}/m"], "where there is none"),
        (["pretrain", "--output", "{tmp}/m", "--resume"], "nothing to resume"),
    ],
)
def test_a_mistake_is_one_line_and_status_one(tmp_path, arguments, words):
    done = albertkit(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_predict_prints_what_it_has_answered_before_a_broken_row(model, tmp_path):
    (tmp_path / "t.csv").write_text("text,other\n" + f"{'good ' * 40},1\n" * 70 + "bad,1,too much\n")
    done = albertkit("predict", model, "--file", tmp_path / "t.csv")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 70
    *_, told, error = done.stderr.splitlines()
    assert told == "70 texts were longer than 32 tokens and cut."
    assert "line 72, has 3" in error


def test_predict_names_the_row_that_it_cannot_answer(filler, tmp_path):
    rows = ["the [MASK]"] * 5 + ["the film"] + ["the [MASK]"] * 5
    (tmp_path / "t.jsonl").write_text("\n" + "".join(json.dumps({"text": row}) + "\n" for row in rows))
    done = albertkit("predict", filler, "--file", tmp_path / "t.jsonl")
    assert done.returncode == 1
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == rows[:5]
    assert "t.jsonl, line 7: A text must hold [MASK]" in done.stderr
    assert "one without, 'the film'" in done.stderr


def test_predict_does_not_take_other_columns_in_the_middle_of_a_file(model, tmp_path):
    records = [{"sentence1": "good"}] * 70 + [{"sentence1": "good", "sentence2": "bad"}]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    done = albertkit("predict", model, "--file", tmp_path / "t.jsonl")
    assert done.returncode == 1
    assert "has sentence1 and sentence2 only after line 64" in done.stderr
    named = albertkit("predict", model, "--file", tmp_path / "t.jsonl", "--text-column", "sentence1")
    assert len(named.stdout.splitlines()) == 71, named.stderr


def test_predict_takes_records_without_the_text_as_empty_ones(model, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "good"}\n' * 64 + '{"other": 1}\n')
    done = albertkit("predict", model, "--file", tmp_path / "t.jsonl")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["good"] * 64 + [""], done.stderr


def test_predict_answers_a_line_before_the_next_has_come(model):
    command = [sys.executable, "-m", "albertkit", "predict", str(model)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        for text in ("good", "bad"):
            running.stdin.write(f"{text}\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["text"] == text
        running.stdin.close()


def test_predict_says_which_line_is_not_text(model):
    command = [sys.executable, "-m", "albertkit", "predict", str(model)]
    done = subprocess.run(command, input=b"good\n\xff\n", capture_output=True, check=False)
    assert json.loads(done.stdout)["text"] == "good"
    assert b"error: standard input, line 2, must be UTF-8 text" in done.stderr
    assert done.returncode == 1


def test_predict_escapes_what_the_terminal_cannot_show(model):
    done = started("predict", model, "日本", env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert json.loads(done.stdout)["text"] == "日本", done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [("predict", "good"), ("info",)])
def test_output_that_finds_no_room_is_one_line_of_error(model, arguments):
    verb, *texts = arguments
    with FULL.open("w") as full:
        done = started(verb, model, *texts, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: What is printed must find room. Writing it failed: No space left on device."
    ]


def test_a_closed_pipe_ends_a_command_in_silence(model):
    command = [sys.executable, "-m", "albertkit", "predict", str(model), *["good"] * 200]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode == 1


def test_a_file_that_the_system_refuses_is_one_line_of_error(monkeypatch, capsys):
    def refuse():
        raise PermissionError(13, "Permission denied", "secret.csv")

    monkeypatch.setattr("albertkit.cli.app.app", refuse)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: Files must be there for a command to use. secret.csv: Permission")
