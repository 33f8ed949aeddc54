"""albertkit corpus as a person types it."""

import json
import shutil

import pytest

from terminal import albertkit

pytest.importorskip("sentencex")


def corpus(*arguments, cwd="."):
    return albertkit("corpus", *arguments, cwd=cwd, COLUMNS="120")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("corpus")
    shutil.copy(data / "spiece.model", folder)
    (folder / "a.txt").write_text("Dr. Smith sat. The cat ran.\n\nA second document.\n")
    (folder / "b.jsonl").write_text('{"body": "A third. With two."}\n{"body": "A third. With two."}\n{"bod": 1}\n')
    return folder


@pytest.mark.parametrize("command", [[], ["build"], ["info"]])
def test_every_command_explains_itself(command):
    done = corpus(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_build_and_info(folder):
    options = ("--text-field", "body", "--deduplicate", "--skip-broken", "--workers", 2, "--tokenizer", "spiece.model")
    build = ("build", "a.txt", "*.jsonl", "--output", "corpus", *options)
    done = corpus(*build, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "100% · 0 MB of text" in done.stdout
    assert "3 documents" in done.stdout
    assert "left out: 1 duplicates, 1 broken records" in done.stdout
    again = corpus(*build, cwd=folder)
    assert "corpus holds this corpus already" in again.stdout, again.stderr
    shown = corpus("info", "corpus", cwd=folder)
    assert shown.returncode == 0, shown.stderr
    head = json.loads((folder / "corpus" / "corpus.json").read_text())
    assert head["sentences"] == 5
    for words in (
        "5, 1.7 a document",
        "unknown tokens",
        head["fingerprint"],
        "1 duplicates",
        "text_field: body",
        "MB, duplicates",
    ):
        assert words in shown.stdout
    other = corpus(*build, "--language", "ja", cwd=folder)
    assert other.returncode == 1
    assert "language: en and ja" in other.stderr
    assert corpus(*build, "--language", "ja", "--overwrite", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "nowhere.txt"], "which names none"),
        (["build", "b.jsonl"], "b.jsonl, line 1, has body. Name the field with --text-field"),
        (["build", "a.txt", "--tokenizer", "nowhere/at/all"], "there is no such folder"),
        (["build", "a.txt", "--tokenizer", "x" * 300], "File name too long. Check the path."),
        (["build", "a.txt", "--tokenizer", "a.txt"], "must be a SentencePiece model"),
        (["build", "a.txt", "--language", "English"], "such as en, ja, zh"),
        (["build", "a.txt", "--sentences", "words"], "`sentences` must be one of split, lines"),
        (["build", "a.txt", "--format", "csv"], "auto or one of text"),
        (["build", "a.txt", "--workers", "0"], "`workers` must be at least 1"),
        (["info", "nowhere"], "holds none. Make one with"),
    ],
)
def test_a_mistake_is_one_line_and_status_one(folder, tmp_path, arguments, words):
    if arguments[0] == "build":
        arguments = [*arguments, "--output", tmp_path / "out"]
        arguments += [] if "--tokenizer" in arguments else ["--tokenizer", "spiece.model"]
    done = corpus(*arguments, cwd=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_build_says_that_the_texts_are_unknown_to_the_vocabulary(folder, tmp_path):
    (tmp_path / "zh.txt").write_text("这部电影很好看\n很无聊\n", "utf-8")
    options = ("--workers", 1, "--tokenizer", folder / "spiece.model")
    done = corpus("build", tmp_path / "zh.txt", "--output", tmp_path / "corpus", *options)
    assert done.returncode == 0, done.stderr
    assert "tokens are unknown to the vocabulary. Likely, the vocabulary was learned from texts" in done.stderr
