"""Processes that read and save in one folder at the same time."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from albertkit import storage, weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.storage import locks
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from conftest import DATA
from storage.common import HEAD, fill, listing, needs_locks, replace, single, visible

SAVER = """
    import sys
    from albertkit import storage

    for number in range(10**6):
        with storage.atomic_replace(sys.argv[1], "config.json", ("model-*",)) as staging:
            for name in ("config.json", f"model-{number % 2}-of-2.safetensors"):
                storage.write_text(staging / name, str(number))
        print(number, flush=True)
"""


@needs_locks
def test_programs_that_save_and_load_at_once_see_whole_sets_and_fail_at_nothing(tmp_path):
    weights = [f"model-{number}-of-2.safetensors" for number in range(2)]
    fill(tmp_path / "model", {HEAD: "-1", weights[0]: "-1"})
    command = [sys.executable, "-c", textwrap.dedent(SAVER), str(tmp_path / "model")]
    savers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    seen, end = set(), time.monotonic() + 2.5
    try:
        while time.monotonic() < end:
            with storage.open_folder(tmp_path / "model"):
                files = visible(tmp_path / "model")
            assert set(files) in ({HEAD, weights[0]}, {HEAD, weights[1]})
            assert len(set(files.values())) == 1
            seen |= set(files.values())
        assert [saver.poll() for saver in savers] == [None, None], [saver.stderr.read() for saver in savers]
    finally:
        for saver in savers:
            saver.kill()
    outputs, errors = zip(*(saver.communicate() for saver in savers), strict=True)
    assert errors == ("", "")
    assert len(seen) > 5
    assert all(len(output.splitlines()) > 5 for output in outputs)
    replace(tmp_path / "model", {HEAD: "last", "model.safetensors": "last"})
    assert [path.name for path in (tmp_path / "model").iterdir() if path.is_dir()] == []


LOADERS = {
    "config": AlbertConfig.from_pretrained,
    "weights": files.load,
    "tokenizer": AlbertTokenizer.from_pretrained,
}


@needs_locks
@pytest.mark.parametrize("what", LOADERS)
def test_whatever_loads_waits_while_a_save_moves_its_files(tmp_path, what):
    config = AlbertConfig(
        vocab_size=9, embedding_size=2, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4
    )
    tensors = {name: np.zeros(shape, np.float32) for name, shape in weight_table.expected(config, "Model").items()}
    files.save(tmp_path, config, tensors, "AlbertModel")
    AlbertTokenizer(DATA / "spiece.model").save_pretrained(tmp_path)
    loading = threading.Thread(target=LOADERS[what], args=(tmp_path,))
    with storage.exclusive_lock(tmp_path):
        loading.start()
        loading.join(0.5)
        assert loading.is_alive()
    loading.join(20)
    assert not loading.is_alive()


@needs_locks
@pytest.mark.parametrize("what", [*LOADERS, "save"])
def test_nobody_waits_for_ever_for_a_folder_that_another_process_holds(tmp_path, what, monkeypatch, caplog):
    monkeypatch.setattr(locks, "TIMEOUT", 0.2)
    fill(tmp_path / "model", single("{}"))
    act = LOADERS[what] if what in LOADERS else lambda folder: replace(folder, single("new"))
    with (
        storage.try_exclusive_lock(tmp_path / "model"),
        pytest.raises(
            CheckpointError, match=r"It was not for 0\.2 seconds, and (process \d+|another process) holds it"
        ),
    ):
        act(tmp_path / "model")
    assert "Waiting for" in caplog.text
    assert visible(tmp_path / "model") == single("{}")
    assert listing(tmp_path / "model") == sorted(single("{}"))


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="the list of Linux")
def test_who_holds_a_folder_is_said(tmp_path):
    with storage.try_exclusive_lock(tmp_path):
        handle = os.open(tmp_path, os.O_RDONLY)
        said = locks.lock_holder(handle)
        os.close(handle)
    assert said in (f"process {os.getpid()}", "another process"), "a container may hide the number"


def test_without_locks_saves_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    fill(tmp_path / "model", single("old"))
    with storage.open_folder(tmp_path / "model"):
        replace(tmp_path / "model", single("new"))
    assert visible(tmp_path / "model") == single("new")


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    alone = storage.try_exclusive_lock
    with alone(tmp_path), pytest.raises(CheckpointError, match="Another one works in"), alone(tmp_path):
        pass
    with storage.try_exclusive_lock(tmp_path):
        pass


def test_a_folder_without_locks_is_held_by_anyone(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with storage.try_exclusive_lock(tmp_path), storage.try_exclusive_lock(tmp_path):
        pass
