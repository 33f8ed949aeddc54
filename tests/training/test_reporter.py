"""What is logged of a run, and what a full disk or a kill leaves of it."""

import io
import json
import struct
from contextlib import contextmanager

import pytest
from rich.console import Console

from albertkit.errors import CheckpointError
from albertkit.training import reporter, tensorboard

resource = pytest.importorskip("resource", reason="only POSIX limits the size of files")


def row(step):
    return {"step": step, "loss": 1.0 / step, "learning_rate": 0.1, "tokens": 10, "seconds": 0.5}


@contextmanager
def reporting(folder, steps=100, **options):
    said = io.StringIO()
    with reporter.Reporter(folder, Console(file=said, width=500), steps, **options) as told:
        yield told, said


@contextmanager
def full_disk(size):
    """No file may grow beyond a size: what goes beyond it is cut off, and then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def logged(folder):
    return [json.loads(line).get("step") for line in (folder / "log.jsonl").read_text().splitlines()]


def test_a_full_disk_is_told_and_loses_nothing_of_the_log(tmp_path):
    with reporting(tmp_path) as (told, said):
        told.on_step(row(1))
        whole = (tmp_path / "log.jsonl").read_bytes()
        with full_disk(len(whole) + 30):
            told.on_step(row(2))
            assert (tmp_path / "log.jsonl").read_bytes() == whole
            told.on_step(row(3))
        told.on_evaluation({"step": 3, "loss": 0.5, "best": True})
        with full_disk(len(whole)):
            told.on_step(row(4))
    assert logged(tmp_path) == [1, 2, 3, None, 4]
    assert said.getvalue().count("Training goes on, and tries again later") == 2


def test_what_an_interrupted_run_logged_beyond_its_checkpoint_is_forgotten(tmp_path):
    with reporting(tmp_path, tensorboard=True) as (told, _):
        for step in (1, 2, 3):
            told.on_step(row(step))
        told.on_evaluation({"step": 3, "loss": 0.5, "best": True})
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    with reporting(tmp_path, tensorboard=True) as (told, _):
        told.on_step(row(3))
    assert logged(tmp_path) == [1, 2, 3]
    assert [event.step for event in events(tmp_path) if event.session_log.status == 1] == [1, 3]


def test_a_log_that_cannot_be_shortened_costs_a_note(tmp_path, monkeypatch):
    (tmp_path / "log.jsonl").write_text(json.dumps(row(1)) + "\n")

    def failing(*_):
        raise CheckpointError("Writing failed.")

    monkeypatch.setattr(reporter.storage, "write_text", failing)
    with reporting(tmp_path) as (told, said):
        told.on_step(row(1))
    assert "the log holds the steps from 1 on twice" in said.getvalue()
    assert logged(tmp_path) == [1, 1]


def events(folder):
    """What TensorBoard reads."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted((folder / "tensorboard").iterdir()):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            yield Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length


def test_tensorboard_gets_every_number_once_the_disk_takes_it(tmp_path):
    with reporting(tmp_path, tensorboard=True) as (told, said):
        told.on_step(row(1))
        with full_disk(300):
            for step in range(2, 40):
                told.on_step(row(step))
        told.on_evaluation({"step": 39, "loss": 0.25, "best": True})
    made = list(events(tmp_path))
    assert made[0].file_version == "brain.Event:2"
    assert [event.step for event in made[2:]] == [*range(1, 40), 39]
    found = {value.tag: value.simple_value for event in made[-2:] for value in event.summary.value}
    assert found["training/loss"] == pytest.approx(1 / 39)
    assert found["evaluation/loss"] == 0.25
    assert "training/step" not in found
    assert said.getvalue().count("tries again later") == 2


def test_a_record_is_what_its_library_would_write(tmp_path):
    from tensorboardX.record_writer import RecordWriter

    content = tensorboard.scalars(7, {"loss": 0.5})
    (length,) = struct.unpack_from("<Q", content)
    writer = RecordWriter(str(tmp_path / "record"))
    writer.write(content[12 : 12 + length])
    writer.close()
    assert (tmp_path / "record").read_bytes() == content


def test_a_long_run_logs_a_thousand_steps_and_its_last(tmp_path):
    with reporting(tmp_path, steps=2500) as (told, _):
        for step in range(1, 2501):
            told.on_step(row(step))
    assert logged(tmp_path) == [*range(3, 2500, 3), 2500]


def test_without_a_folder_nothing_is_logged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with reporting(None, steps=5, tensorboard=True) as (told, said):
        told.on_step(row(5))
    assert not list(tmp_path.iterdir())
    assert "step 5 of 5" in said.getvalue()


def test_the_tokens_of_a_step_are_those_of_all_processes(tmp_path):
    with reporting(tmp_path, steps=1, processes=3) as (told, said):
        told.on_step(row(1))
    assert json.loads((tmp_path / "log.jsonl").read_text())["tokens"] == 30
    assert "60 tokens/s" in said.getvalue()


def test_without_a_terminal_a_line_comes_every_half_minute_with_the_time_left():
    now = [0.0]
    with reporting(None, steps=1000, clock=lambda: now[0]) as (told, said):
        for step in range(1, 101):
            told.on_step(row(step))
            now[0] += 10
    lines = said.getvalue().splitlines()
    first = "step 3 of 1,000 · loss 0.6111, mean of 3 steps · rate 1.0e-01 · 20 tokens/s · 2 h 46 min left"
    assert lines[0] == first
    assert [line.split(" of ")[0] for line in lines[1:4]] == ["step 4", "step 7", "step 10"]
    assert "mean of 50 steps" in lines[-1]
    assert len(lines) == 34


def test_a_run_of_a_moment_says_its_last_step():
    with reporting(None, steps=2, clock=lambda: 0.0) as (told, said):
        told.on_step(row(1))
        told.on_step(row(2))
    [line] = said.getvalue().splitlines()
    assert line.startswith("step 2 of 2 · loss 0.7500, mean of 2 steps")


def test_counts_among_scores_are_printed_as_whole_numbers():
    with reporting(None) as (told, said):
        told.on_evaluation({"step": 2, "best": False, "PER_f1": 1.0, "PER_support": 1842})
    assert "PER_f1 1.0000 · PER_support 1,842" in said.getvalue()


def test_of_many_scores_the_first_are_printed_and_all_are_logged(tmp_path):
    scores = {f"score_{number}": float(number) for number in range(12)}
    with reporting(tmp_path) as (told, said):
        told.on_evaluation({"step": 2, "best": True, **scores})
        told.on_evaluation({"step": 3, "best": True, **scores})
    assert said.getvalue().count("score_7 7.0000 · 4 more in the log") == 2
    assert said.getvalue().count("best so far") == 1, "the first evaluation is better than none"
    assert "score_8" not in said.getvalue()
    _, logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged["evaluation"]["score_11"] == 11
