"""albertkit bench: the table, the files, and what it says of what failed."""

import json
import signal
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from albertkit.bench import process
from albertkit.bench.candidates import Candidate
from albertkit.bench.process import Process, SideError
from albertkit.bench.rows import of_model
from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.errors import Interrupted
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small
from terminal import albertkit

HEADS = ("ForSequenceClassification", "ForQuestionAnswering", "ForMaskedLM", "ForMultipleChoice")


def made(folder, data, head):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=32)
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    return made(tmp_path_factory.mktemp("model"), data, HEADS[0])


def bench(*arguments, status=0):
    done = CliRunner().invoke(app, ["bench", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == status, done.output
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_model_is_measured_and_what_failed_is_told(model, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    started = process.Process.__init__

    def fail_for_torch(self, candidate, *others):
        if candidate.backend == "torch":
            raise SideError("out of memory")
        started(self, candidate, *others)

    monkeypatch.setattr(process.Process, "__init__", fail_for_torch)
    to = ["--json", tmp_path / "figures.json", "--plot", tmp_path / "figures.png"]
    few = ["--lengths", "8", "--rows", "4", "--seconds", "1", "--threads", "1"]
    shown = bench(model, "--backends", "numpy,torch", "--precisions", "fp32", *few, *to)
    assert "torch fp32 could not be measured: out of memory" in shown
    assert "4 texts with" in shown
    assert "1 threads" in shown
    assert f" cores, albertkit {version('albertkit')}, numpy {version('numpy')}." in " ".join(shown.split())
    kept = json.loads((tmp_path / "figures.json").read_text())
    [found] = kept["candidates"]
    assert (found["name"], kept["texts"], kept["threads"], found["comparison"]) == ("numpy fp32", 4, 1, None)
    assert found["tokens_per_second"] == pytest.approx(found["texts_per_second"] * kept["tokens"] / 4)
    assert found["memory"] > 10e6
    assert set(found["latency"]) == {"8"}
    assert (tmp_path / "figures.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(Exception, match="which is there already"):
        CliRunner().invoke(app, ["bench", str(model), *map(str, to)], catch_exceptions=False)


@pytest.mark.parametrize("head", HEADS)
def test_every_head_has_rows_of_the_lengths_that_are_asked_for(tmp_path, data, head):
    rows = of_model(made(tmp_path, data, head), None, [8, 16], 50, 0, None)
    assert len(rows.many) == 50
    assert len(rows.many.distinct()[0]) == 50
    assert max(rows.many.lengths()) <= 32
    assert {length: set(one.lengths()) for length, one in rows.singles.items()} == {8: {8}, 16: {16}}
    again = of_model(tmp_path, None, [8], 50, 0, None)
    assert again.many == rows.many


def test_texts_of_a_file_are_taken_once_each(model, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("the film\na story\nthe film\nthe end\n")
    rows = of_model(model, str(file), [8], 2, 0, None)
    assert len(rows.many) == 2
    assert rows.tokens(2) == sum(rows.many.lengths())
    assert rows.data == "texts of texts.txt"


def test_a_process_says_why_it_cannot_answer(model):
    rows = of_model(model, None, [8], 4, 0, None)
    with pytest.raises(SideError, match="NumPy computes on the cpu alone"):
        Process(Candidate("numpy", "fp32"), str(model), rows, 1, "cuda:0")


def test_an_answer_that_is_broken_off_ends_the_process_and_tells_what_was_measured_before(model, monkeypatch):
    asked, ask = [], Process._ask

    def stopped_at_the_sixth(self, line):
        asked.append(line)
        if len(asked) == 6:
            monkeypatch.setattr(self, "_answers", None)  # so that reading the answer fails within `_ask`
        try:
            return ask(self, line)
        except AttributeError:
            raise Interrupted("", signal.SIGTERM) from None

    monkeypatch.setattr(Process, "_ask", stopped_at_the_sixth)
    few = ("--backends", "numpy", "--lengths", "8", "--rows", "4", "--seconds", "1", "--threads", "1")
    done = albertkit("bench", model, *few)
    assert (done.returncode, len(asked)) == (143, 6)
    assert done.stderr.endswith("Stopped. What is said above is of 0 whole rounds.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--lengths", "2"], "from 4 to what the model has places for, 32. Received: 2"),
        (["--threads", "4096"], "--threads may be as many as there are cores"),
        (["--backends", "pytorch"], "Did you mean `torch`"),
        (["--plot", "b.jpg"], "A plot is a .png. Received: b.jpg. Call it b.png"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_started(model, arguments, told):
    with pytest.raises(Exception, match="Received") as raised:
        CliRunner().invoke(app, ["bench", str(model), *arguments], catch_exceptions=False)
    assert told in str(raised.value)
