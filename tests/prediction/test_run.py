"""Runs: the same bytes however often and wherever they are cut off, and whatever the number of processes.

None goes on with another model, other options or other rows.
"""

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

from albertkit import ordered_map
from albertkit.errors import CheckpointError, ConfigError, InputError, TrainingError
from albertkit.inference import vector_files
from albertkit.pipelines import pipeline
from albertkit.prediction import cutting, journal, run
from albertkit.prediction.answering import Answerer
from albertkit.tasks.base import Task
from prediction import inputs
from prediction.inputs import answered, contents, made, request, rows_of, write

pytestmark = pytest.mark.torch

PLAIN = ["jsonl", "csv", "tsv", "txt", "json", "parquet"]
PACKED = ["jsonl.gz", "jsonl.xz", "csv.bz2", "txt.gz", "utf16.jsonl"]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks so small that a short file has many."""
    monkeypatch.setattr(Task, "rows_together", 7)


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    return made(tmp_path_factory.mktemp("model"), data)


class Killed(BaseException):
    """What ends a run as nothing else does: nobody catches it."""


def killed_at(count):
    """An engine that dies before a block."""

    def engine(settings, blocks, loaded):
        for number, one in enumerate(run.in_processes(1)(settings, blocks, loaded)):
            if number == count:
                raise Killed
            yield one

    return engine


def read_by(kind):
    return "d.utf16.jsonl" if kind == "utf16.jsonl" else f"d.{kind}"


@pytest.mark.parametrize("kind", [*PLAIN, *PACKED])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_run_that_is_cut_off_gives_the_bytes_of_one_that_is_not(model, tmp_path, kind, ending):
    source = write(tmp_path / read_by(kind))
    whole = answered(model, [source], tmp_path / f"whole.{ending}")
    rows = rows_of(whole, f".{ending}")
    assert [row["text"].strip() for row in rows] == [inputs.text(number) for number in range(40)]
    output = tmp_path / f"out.{ending}"
    for count in (3, 0, 1):
        with pytest.raises(Killed):
            answered(model, [source], output, killed_at(count))
        assert not output.exists()
    assert answered(model, [source], output) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, f"whole.{ending}", output.name])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory, data):
    return made(tmp_path_factory.mktemp("encoder"), data, "ForSentenceEmbedding")


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_vectors_that_were_cut_off_have_the_bytes_of_those_written_one_by_one(encoder, tmp_path, ending):
    source, output = write(tmp_path / "d.csv"), tmp_path / f"out{ending}"
    whole = answered(encoder, [source], tmp_path / f"whole{ending}")
    vectors = np.load(tmp_path / f"whole{ending}")
    vectors = vectors["embedding"] if ending == ".npz" else vectors
    np.testing.assert_allclose(vectors, pipeline(None, encoder)([inputs.text(n) for n in range(40)]), atol=1e-6)
    with vector_files.opened(tmp_path / f"one-by-one{ending}") as add:
        for vector in vectors:
            add({"embedding": vector})
    assert (tmp_path / f"one-by-one{ending}").read_bytes() == whole
    for count in (3, 0, 1):
        with pytest.raises(Killed):
            answered(encoder, [source], output, killed_at(count))
        assert not output.exists()
    assert answered(encoder, [source], output) == whole
    parts = answered(encoder, [source], tmp_path / "parts", folder_format=ending[1:], part_rows=14)
    assert list(parts) == [f"part-0000{number}{ending}" for number in range(3)]


def test_vectors_of_parquet_have_32_bits_and_a_column_for_warnings_of_any_row(encoder, tmp_path):
    from pyarrow import parquet

    (tmp_path / "d.txt").write_text("the film\n好\nthe end\n")
    answered(encoder, [tmp_path / "d.txt"], tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    assert [one is None for one in table["warning"].to_pylist()] == [True, False, True]
    np.testing.assert_allclose(table["embedding"][0].as_py(), pipeline(None, encoder)("the film"), atol=1e-6)


def test_a_file_of_numpy_is_for_vectors(model, tmp_path):
    source = write(tmp_path / "d.csv")
    with pytest.raises(
        InputError, match=r"holds vectors.*out\.npy for answers of text-classification\. Write to .jsonl"
    ):
        answered(model, [source], tmp_path / "out.npy")


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet"])
def test_every_format_has_the_same_rows_and_folders_have_them_in_parts(model, tmp_path, ending):
    sources = [write(tmp_path / "a.csv"), write(tmp_path / "b.csv", 11)]
    plain = rows_of(answered(model, sources, tmp_path / "plain.jsonl"), ".jsonl")
    one = rows_of(answered(model, sources, tmp_path / f"one{ending}"), ending)
    assert [{name: row[name] for name in plain[0]} for row in one] == plain
    asked = {"folder_format": ending[1:], "part_rows": 20}
    with pytest.raises(Killed):
        answered(model, sources, tmp_path / "parts", killed_at(4), **asked)
    parts = answered(model, sources, tmp_path / "parts", **asked)
    assert list(parts) == [f"part-{number:05d}{ending}" for number in range(3)]
    assert [len(rows_of(part, ending)) for part in parts.values()] == [21, 26, 4]
    assert [row for part in parts.values() for row in rows_of(part, ending)] == one
    manifest = json.loads((tmp_path / "parts" / "manifest.json").read_text())
    assert manifest["parts"] == list(parts)
    assert manifest["answers"] == 51


def test_finished_files_are_not_opened_again_and_plain_ones_are_read_from_where_the_run_stopped(
    model, tmp_path, monkeypatch
):
    sources = [write(tmp_path / "a.jsonl", 14), write(tmp_path / "b.jsonl", 40)]
    whole = answered(model, sources, tmp_path / "whole.jsonl")
    with pytest.raises(Killed):
        answered(model, sources, tmp_path / "out.jsonl", killed_at(4))
    opened, read, own = [], [], cutting._opened

    @contextlib.contextmanager
    def watched(path):
        opened.append(path)
        with own(path) as (file, raw, is_plain):
            yield file, raw, is_plain
            read.append(raw.tell())

    monkeypatch.setattr(cutting, "_opened", watched)
    seen = []
    own_blocks = cutting._block
    monkeypatch.setattr(cutting, "_block", lambda *given: seen.append(given[0]) or own_blocks(*given))
    assert answered(model, sources, tmp_path / "out.jsonl") == whole
    assert opened == [str(sources[1])]
    assert seen[0].line == 15
    assert seen[0].offset > 0


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_failure_at_any_step_of_writing_leaves_what_a_run_can_go_on_with(
    model, tmp_path, monkeypatch, ending, is_folder
):
    """Each call that reaches the disk fails in turn, before it does its work and after it."""
    source = write(tmp_path / "d.jsonl", 25)
    asked = {"folder_format": ending, "part_rows": 10} if is_folder else {}
    name = "whole" if is_folder else f"whole.{ending}"
    whole = answered(model, [source], tmp_path / name, **asked)
    known = run.plan(request(model, [source], tmp_path / f"x{name}", **asked))
    finished = {}

    def engine(settings, blocks, loaded):  # what a block becomes is pure, so it is made once
        for block in blocks:
            if block.number not in finished:
                finished[block.number] = Answerer(settings, known.pipeline)(block)
            yield block, finished[block.number]

    monkeypatch.setattr(run, "pipeline", lambda **_: known.pipeline)
    own = {"fsync": os.fsync, "replace": os.replace, "rmtree": shutil.rmtree}
    steps = 0
    for step in itertools.count():
        calls = []
        output = tmp_path / f"out-{step}{'' if is_folder else f'.{ending}'}"
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            for name in own:
                patch.setattr(shutil if name == "rmtree" else os, name, failing(own[name], step, calls))
            run.run(request(model, [source], output, **asked), engine=engine)
            steps = step
        is_done = (output / journal.MANIFEST).exists() if is_folder else output.exists()
        if not is_done or journal.is_begun(journal.Output(output, f".{ending}", 10 if is_folder else None)):
            run.run(request(model, [source], output, **asked), engine=engine)
        assert contents(output) == whole, f"step {step}"
        if steps:
            break
    assert steps > 20


def failing(own, step, calls):
    """A function that ends the process at its call of a number, before it has done its work or behind it."""

    def call(*given, **named):
        calls.append(own)
        if len(calls) != step // 2 + 1:
            return own(*given, **named)
        if step % 2:
            own(*given, **named)
        raise Killed

    return call


def test_bytes_that_no_line_speaks_of_and_half_a_line_are_cut_off(model, tmp_path):
    source = write(tmp_path / "d.jsonl")
    whole = answered(model, [source], tmp_path / "whole.jsonl")
    output = tmp_path / "out.jsonl"
    with pytest.raises(Killed):
        answered(model, [source], output, killed_at(3))
    state = tmp_path / f"{journal.PREFIX}-out.jsonl"
    with (state / "output-00000").open("ab") as file:
        file.write(b'{"text": "half')
    with (state / "journal.jsonl").open("ab") as file:
        file.write(b'{"block": 3, "next": [0, ')
    assert answered(model, [source], output) == whole
    with pytest.raises(Killed):
        answered(model, [source], output, killed_at(3), overwrite=True)
    os.truncate(state / "output-00000", 10)
    with pytest.raises(CheckpointError, match=r"is shorter than .* Begin anew with --overwrite"):
        answered(model, [source], output)
    assert output.read_bytes() == whole
    assert answered(model, [source], output, overwrite=True) == whole


def test_a_run_goes_on_only_with_what_it_was_begun_with(model, tmp_path, data):
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "out.jsonl"
    whole = answered(model, [source], tmp_path / "whole.jsonl")
    with pytest.raises(Killed):
        answered(model, [source], output, killed_at(3))
    other = made(tmp_path / "other", data, num_hidden_layers=3)
    for changed, told in (
        ({"calls": {"top_k": 1}}, "answers: top_k nothing and 1"),
        ({"label_field": "q"}, "labels: label_field nothing and q"),
        ({"data": {"text_column": "id"}}, "columns|options"),
    ):
        with pytest.raises(ConfigError, match=f"In .*, then and now: .*{told}.* begin anew with --overwrite"):
            answered(model, [source], output, **changed)
    with pytest.raises(ConfigError, match="then and now: model: "):
        answered(other, [source], output)
    before = source.read_bytes()
    source.write_bytes(before + b'{"text": "more"}\n')
    with pytest.raises(ConfigError, match=r"inputs: .*d\.jsonl, bytes \d+ and \d+"):
        answered(model, [source], output)
    source.write_bytes(before.replace(b'"id": 1,', b'"id": 3,'))
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"ends|holds others now"):
            answered(model, [source], output)
    source.write_bytes(before)
    assert answered(model, [source], output) == whole


def test_a_file_that_was_written_again_is_compared_and_goes_on_if_it_is_the_same(model, tmp_path, monkeypatch):
    monkeypatch.setattr("albertkit.prediction.sources._END", 16)
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "out.jsonl"
    whole = answered(model, [source], tmp_path / "whole.jsonl")
    before = source.read_bytes()
    changed = before.replace(b'"id": 9,', b'"id": 8,')
    for when, (content, told) in enumerate(((before, None), (changed, "holds others now")), start=1):
        with pytest.raises(Killed):
            answered(model, [source], output, killed_at(3))
        source.write_bytes(content)
        os.utime(source, ns=(when, when))
        if told:
            for _ in range(2):
                with pytest.raises(ConfigError, match=told):
                    answered(model, [source], output)
        else:
            assert answered(model, [source], output) == whole
            output.unlink()


def test_bad_rows_stop_a_run_which_may_go_on_without_them(model, tmp_path):
    source, output = tmp_path / "d.jsonl", tmp_path / "out.jsonl"
    lines = write(source).read_text().splitlines()
    lines[30] = lines[38] = "{broken"
    source.write_text("\n".join(lines))
    with pytest.raises(InputError, match="line 31, must be one JSON object"):
        answered(model, [source], output)
    assert not output.exists()
    told = []
    totals, _ = run.run(request(model, [source], output, skips=True), told.append)
    assert told == ["going on behind 28 answers"]
    assert totals.describe_left_out().startswith("2 rows were left out. Every row must be one JSON object. Not so in 2")
    assert "line 31, line 39" in totals.describe_left_out()
    assert len(output.read_text().splitlines()) == 38
    again = tmp_path / "again.jsonl"
    with pytest.raises(Killed):
        answered(model, [source], again, killed_at(2), skips=True)
    with pytest.raises(ConfigError, match="skip_bad_rows: True and False"):
        answered(model, [source], again)


def test_outputs_that_are_there_stay_unless_they_may_go(model, tmp_path):
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "out.jsonl"
    output.write_text("mine")
    with pytest.raises(InputError, match=r"is there already. Pass --overwrite"):
        answered(model, [source], output)
    with pytest.raises(Killed):
        answered(model, [source], output, killed_at(2), overwrite=True)
    assert output.read_text() == "mine"
    assert len(rows_of(answered(model, [source], output), ".jsonl")) == 40
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    for overwrite, told in ((False, "new or empty folder"), (True, "holds mine.txt beside them")):
        with pytest.raises(InputError, match=told):
            answered(model, [source], folder, overwrite=overwrite)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    begun = tmp_path / "begun.jsonl"
    with pytest.raises(Killed):
        answered(model, [source], begun, killed_at(2))
    begun.write_text("came later")
    with pytest.raises(InputError, match="is there already"):
        answered(model, [source], begun)


def test_two_runs_do_not_write_to_one_output(model, tmp_path):
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "out.jsonl"

    def engine(settings, blocks, loaded):
        with pytest.raises(CheckpointError, match="Only one process at a time"):
            answered(model, [source], output)
        yield from run.in_processes(1)(settings, blocks, loaded)

    assert len(answered(model, [source], output, engine).splitlines()) == 40


def test_a_full_disk_is_told_and_what_is_finished_is_kept(model, tmp_path, monkeypatch):
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "out.jsonl"
    whole = answered(model, [source], tmp_path / "whole.jsonl")
    own, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        own(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(CheckpointError, match=r"the disk is full. What is finished is kept: make room and run"):
            answered(model, [source], output)
    assert answered(model, [source], output) == whole


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("long") / "d.jsonl", 30_000)


HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
"""So that Ctrl-C does what it does in a terminal also where the tests were begun with it ignored, as behind an `&`."""


def command(model, source, output, *more):
    own = "from albertkit.tasks.base import Task; Task.rows_together = 200; from albertkit.cli import main; main()"
    own = f"{HEARS}; {own}"
    arguments = ["predict", str(model), "--file", str(source), "--output", str(output), *more]
    return [sys.executable, "-c", own, *arguments]


def test_a_real_process_that_is_killed_again_and_again_gives_the_same_bytes(model, tmp_path, long_file, monkeypatch):
    """SIGKILL, SIGTERM and SIGINT to processes of the command, at moments that fall anywhere in their work."""
    output, state = tmp_path / "out.jsonl", tmp_path / f"{journal.PREFIX}-out.jsonl" / "journal.jsonl"
    statuses = []
    for number, (signal_number, blocks) in enumerate(
        ((signal.SIGKILL, 2), (signal.SIGTERM, 9), (signal.SIGKILL, 15), (signal.SIGINT, 30))
    ):
        process = subprocess.Popen(command(model, long_file, output), stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (state.exists() and state.read_bytes().count(b"\n") >= blocks):
            time.sleep(0.002 * (number + 1))
        process.send_signal(signal_number)
        told = process.communicate(timeout=60)[1]
        statuses.append(process.returncode)
        if signal_number != signal.SIGKILL:
            assert "answers are kept: run the same command again and it goes on behind them." in told
    assert statuses == [-signal.SIGKILL, 143, -signal.SIGKILL, 130]
    done = subprocess.run(command(model, long_file, output), capture_output=True, text=True, check=True)
    assert "going on behind" in done.stderr
    assert "30,000 answers are in" in done.stderr
    monkeypatch.setattr(Task, "rows_together", 200)
    assert output.read_bytes() == answered(model, [long_file], tmp_path / "whole.jsonl")
    assert len({json.loads(line)["id"] for line in output.read_text().splitlines()}) == 30_000


def test_processes_give_the_bytes_of_one_and_one_that_dies_is_done_again(model, tmp_path, monkeypatch, caplog):
    source = write(tmp_path / "d.jsonl", 90)
    whole = answered(model, [source], tmp_path / "whole.jsonl")
    kills = []

    def submit(self, block, own=ordered_map._Pool._submit):
        found = own(self, block)
        if block.number in kills:
            kills.remove(block.number)
            with contextlib.suppress(BrokenProcessPool):
                found.result()
            for process in list(self._executor._processes.values()):
                process.kill()
        return found

    monkeypatch.setattr(ordered_map._Pool, "_submit", submit)
    kills.append(4)
    assert answered(model, [source], tmp_path / "two.jsonl", workers=2) == whole
    assert "One of 2 processes died" in caplog.text
    kills.extend([2, 10])
    with pytest.raises(TrainingError, match=r"one died, and again .* Run the same command again with fewer --workers"):
        answered(model, [source], tmp_path / "again.jsonl", workers=2)
    assert answered(model, [source], tmp_path / "again.jsonl") == whole
    source.write_text("\n".join([*source.read_text().splitlines()[:30], "{broken"]))
    with pytest.raises(InputError, match="line 31, must be one JSON object"):
        answered(model, [source], tmp_path / "bad.jsonl", workers=2)


def test_tasks_with_formats_of_their_own_go_on_too(tmp_path, data):
    words = ["the", "film", "is", "a", "fine", "story", "of", "it"]
    (tmp_path / "d.conll").write_text("\n\n".join("\n".join(f"{word} O" for word in words) for _ in range(2500)) + "\n")
    tagger = made(tmp_path / "ner", data, "ForTokenClassification", num_labels=2, id2label={0: "O", 1: "B-X"})
    whole = answered(tagger, [tmp_path / "d.conll"], tmp_path / "whole.jsonl")
    with pytest.raises(Killed):
        answered(tagger, [tmp_path / "d.conll"], tmp_path / "out.jsonl", killed_at(1))
    assert answered(tagger, [tmp_path / "d.conll"], tmp_path / "out.jsonl") == whole
    assert len(whole.splitlines()) == 2500


def test_columns_of_words_and_tags_are_sentences_under_any_name_and_in_a_folder(tmp_path, data):
    tagger = made(tmp_path / "ner", data, "ForTokenClassification", num_labels=2, id2label={0: "O", 1: "B-X"})
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").write_text("the O\nfilm O\n\nit O\n")
    (inside / "b.conll").write_text("a O\nstory O\n")
    (inside / "c.txt").write_text("the film\n\nof it\n")
    found = [json.loads(line)["text"] for line in answered(tagger, [inside], tmp_path / "out.jsonl").splitlines()]
    assert found == ["the film", "it", "a story", "the film", "", "of it"]
    assert answered(tagger, [inside / "*.conll"], tmp_path / "b.jsonl").count(b"a story") == 1
    parts: Any = pipeline(model=tagger).read(inside / "a.txt")
    assert [text for part in parts for text in part.sentences] == found[:2]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_blocks_without_a_row_that_can_be_used_are_passed_over(model, tmp_path, kind):
    source, output = tmp_path / f"d.{kind}", tmp_path / "out.jsonl"
    good, bad = ('{"text": "it"}', "{broken") if kind == "jsonl" else ("it,1", "it,1,2")
    head = [] if kind == "jsonl" else ["text,other"]
    source.write_text("\n".join([*head, good, *[bad] * 30, *[""] * 20, good]))
    totals, _ = run.run(request(model, [source], output, skips=True))
    assert (totals.answers, totals.left_out) == (2, 30)
    assert len(output.read_text().splitlines()) == 2
    source.write_text("\n".join([*head, *[bad] * 30]))
    with pytest.raises(InputError, match="holds none"):
        run.run(request(model, [source], tmp_path / "none.jsonl", skips=True))
    assert not (tmp_path / "none.jsonl").exists()
