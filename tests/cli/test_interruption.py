"""What Ctrl-C and SIGTERM end: every command says so, what is kept, and with which status it leaves."""

import os
import signal
import sys
import types
from typing import ClassVar

import pytest

pytest.importorskip("pydantic")

from albertkit import cli, pipelines
from albertkit.corpus import builder
from albertkit.errors import Interrupted
from albertkit.tasks.unknown import UnknownTotals
from albertkit.tools import summary


@pytest.fixture(autouse=True)
def _own_handler():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which what runs in the background ignores
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ended(monkeypatch, capsys):
    """The status of a command and what it said on standard output and on standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["albertkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code, *capsys.readouterr()

    return run


class Answerer:
    """A pipeline that is stopped behind its first answer."""

    answer: ClassVar = {"answer": 1}

    def __init__(self, *_, **__):
        self.task, self.truncated, self.unknown, self.left_out = self, 0, UnknownTotals(), []
        self.encode_options, self.answers_as_trained = {}, {}

    def call_options(self, given):
        return given

    def text_options(self):
        pass

    def read(self, path, **_):
        return []

    def examples(self, texts):
        return texts, False

    def stream(self, parts, **_):
        yield self.answer
        raise KeyboardInterrupt

    def evaluate(self, data, official):
        raise KeyboardInterrupt


def test_predict_says_how_many_answers_were_printed(ended, monkeypatch):
    monkeypatch.setattr(pipelines, "pipeline", Answerer)
    assert ended("predict", "m", "text") == (
        130,
        '{"answer": 1}\n',
        "Stopped. 1 answers were printed, those of the first texts.\n",
    )


def test_embed_says_what_is_there(ended, monkeypatch, tmp_path):
    monkeypatch.setattr(pipelines, "pipeline", Answerer)
    file = tmp_path / "v.csv"
    monkeypatch.setattr(Answerer, "answer", {"embedding": [1.0, 2.0]})
    code, _, said = ended("embed", "m", "--data", tmp_path / "a.txt", "--output", file)
    assert (code, said, file.exists()) == (130, f"Stopped. {file} was not written.\n", False)
    _, out, said = ended("embed", "m", "--data", tmp_path / "a.txt")
    assert (out, said) == (
        '{"embedding": [1.0, 2.0]}\n',
        "Stopped. 1 answers were printed, those of the first texts.\n",
    )


def test_evaluate_says_that_there_are_no_scores(ended, monkeypatch):
    monkeypatch.setattr(pipelines, "pipeline", Answerer)
    assert ended("evaluate", "m", "data.csv") == (130, "", "Stopped before the end: there are no scores.\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_corpus_build_says_what_is_kept_and_how_to_go_on(ended, monkeypatch, tmp_path, number, status):
    monkeypatch.setattr(builder._Build, "finish", lambda *_: os.kill(os.getpid(), number))
    (tmp_path / "a.txt").write_text("A text.")
    arguments = (tmp_path / "a.txt", "--output", tmp_path / "corpus", "--tokenizer", "albertkit/small-en")
    code, _, said = ended("corpus", "build", *arguments)
    assert code == status
    assert "The shards that are finished are kept: run the same command again" in said


def test_any_other_command_says_that_it_was_stopped(ended, monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(summary, "summarise", stopped)
    assert ended("info", "base") == (130, "", "Stopped. Nothing that was begun is kept.\n")


def test_ctrl_c_while_the_commands_are_imported_is_said_in_a_line(ended, monkeypatch):
    class Commands(types.ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "albertkit.cli.app", Commands("albertkit.cli.app"))
    assert ended("info", "base") == (130, "", "Stopped. Nothing that was begun is kept.\n")


def test_a_run_that_was_stopped_says_what_it_is_told(ended, monkeypatch):
    def stopped(_):
        raise Interrupted("Stopped after step 3. Go on with --resume.", signal.SIGTERM)

    monkeypatch.setattr(summary, "summarise", stopped)
    assert ended("info", "base") == (143, "", "Stopped after step 3. Go on with --resume.\n")


def test_a_command_that_ends_by_itself_keeps_its_status(ended):
    assert ended("--version")[0] == 0
    assert ended("no-such-command")[0] == 2
