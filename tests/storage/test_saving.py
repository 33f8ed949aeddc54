"""Saves that end, are refused, or meet a full disk."""

import errno
import os
import stat

import pytest
import safetensors

from albertkit import storage
from albertkit.checkpoint import layout
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.storage import saving
from albertkit.storage.commit import MODEL_FILE
from albertkit.training import run_folder
from albertkit.training.run_checkpoints import OWN
from storage.common import COMMIT, HEAD, STALE, fill, link, listing, needs_locks, replace, sharded, single, visible


def test_the_head_is_away_while_files_move(tmp_path, monkeypatch):
    fill(tmp_path / "model", single("old"))
    seen, move = [], os.replace

    def watched(source, target):
        if str(source).endswith(".safetensors") and COMMIT in str(source):
            seen.append((tmp_path / "model" / HEAD).exists())
        move(source, target)

    monkeypatch.setattr(os, "replace", watched)
    replace(tmp_path / "model", single("new"))
    assert seen == [False]


def test_an_error_inside_leaves_the_folder_as_it_was(tmp_path):
    fill(tmp_path / "model", single("old"))

    def stop_half_way(staging):
        (staging / HEAD).write_text("new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), storage.atomic_replace(tmp_path / "model", HEAD, STALE) as staging:
        stop_half_way(staging)
    assert visible(tmp_path / "model") == single("old")
    assert listing(tmp_path / "model") == sorted(single("old"))


@pytest.mark.parametrize("change", ["fsync", "rename", "chmod"])
def test_a_full_disk_is_said_and_leaves_the_folder_as_it_was(tmp_path, monkeypatch, change):
    fill(tmp_path / "model", single("old"))

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, change, full)
    with pytest.raises(CheckpointError, match=r"disk is full.*untouched") as caught:
        replace(tmp_path / "model", single("new"))
    assert str(tmp_path / "model") in str(caught.value)
    assert isinstance(caught.value, OSError)
    monkeypatch.undo()
    assert listing(tmp_path / "model") == sorted(single("old"))
    assert visible(tmp_path / "model") == single("old")


def test_a_set_without_its_head_is_refused(tmp_path):
    fill(tmp_path / "model", single("old"))
    with pytest.raises(CheckpointError, match=r"must include config.json.*model.safetensors"):
        replace(tmp_path / "model", {"model.safetensors": "new"})
    assert visible(tmp_path / "model") == single("old")


def test_only_stale_names_are_removed(tmp_path):
    keep = {"model.fp16.safetensors": "1", "my-model-of-mine.safetensors": "2", "README.md": "3"}
    fill(tmp_path / "model", sharded("old", 2) | keep)
    replace(tmp_path / "model", single("new"))
    assert visible(tmp_path / "model") == single("new") | keep


def test_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(CheckpointError, match=r"saved to a folder. Received: .*model, which is a file"):
        replace(tmp_path / "model", single("new"))
    assert (tmp_path / "model").read_text() == "mine"


@needs_locks
def test_what_a_killed_save_left_is_cleared_away_and_what_a_living_one_writes_is_not(tmp_path):
    fill(tmp_path / "model" / ".albertkit-save-dead", {HEAD: "half"})
    with storage.atomic_replace(tmp_path / "model", HEAD, STALE) as staging:
        assert not (tmp_path / "model" / ".albertkit-save-dead").exists()
        storage.write_text(staging / HEAD, "slow")
        replace(tmp_path / "model", single("quick"))
        assert staging.is_dir()
    assert visible(tmp_path / "model") == {HEAD: "slow"}
    assert listing(tmp_path / "model") == [HEAD]


SAVED = ("model.safetensors", "model.fp16.safetensors", "model-00001-of-00002.safetensors", "ema.safetensors")
SAVED += ("model.fp16-00001-of-00002.safetensors", "model.safetensors.index.fp16.json", "pytorch_model.bin.index.json")
SAVED += ("tf_model.h5", "flax_model-00001-of-00002.msgpack", "spiece.model", "my-tokenizer.json", "vocab.txt")
PERSONS = ("model.md", "model-best-of-3.safetensors", "my.safetensors", "tf_model_notes.h5", "notes.json", "models")


def test_a_save_removes_files_of_models_alone(tmp_path):
    fill(tmp_path / "model", dict.fromkeys(SAVED + PERSONS, "old"))
    with storage.atomic_replace(tmp_path / "model", HEAD, ["*"]) as staging:
        (staging / HEAD).write_text("new")
    assert listing(tmp_path / "model") == sorted([HEAD, *PERSONS])


def test_every_file_that_a_save_must_remove_is_a_file_of_a_model():
    patterns = [*run_folder.STALE, *layout.SAFETENSORS.patterns("fp16"), *OWN]
    for pattern in set(patterns) - {"state.json", HEAD}:
        assert MODEL_FILE.fullmatch(pattern.replace("*", "00001")), pattern


@needs_locks
def test_what_killed_processes_left_is_cleared_away_and_nothing_else(tmp_path):
    fill(tmp_path / "model", {".albertkit-write-dead": "half", ".albertkit-mine": "kept", "notes": "kept"})
    fill(tmp_path / "model" / ".albertkit-save-dead" / "files", {HEAD: "half"})
    (tmp_path / "elsewhere").mkdir()
    link(tmp_path / "model" / ".albertkit-save-link", tmp_path / "elsewhere")
    handle, living = saving._locked_temporary_file(tmp_path / "model")
    storage.clear_abandoned(tmp_path / "model")
    os.close(handle)
    kept = [".albertkit-mine", ".albertkit-save-link", living.rpartition("/")[2], "notes"]
    assert listing(tmp_path / "model") == sorted(kept)
    assert (tmp_path / "elsewhere").is_dir()


def test_missing_parents_are_made(tmp_path):
    replace(tmp_path / "a" / "b" / "model", single("new"))
    assert visible(tmp_path / "a" / "b" / "model") == single("new")


def test_a_file_in_the_place_of_a_parent_is_explained(tmp_path):
    (tmp_path / "taken").write_text("mine")
    for write in (lambda path: storage.write_text(path, "x"), lambda path: replace(path, single("new"))):
        with pytest.raises(CheckpointError, match="File name too long"):
            write(tmp_path / ("x" * 300))
        with pytest.raises(CheckpointError, match="taken"):
            write(tmp_path / "taken" / "model")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_get_the_permissions_that_the_umask_leaves(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        storage.write_text(tmp_path / "alone.txt", "x")
        replace(tmp_path / "model", single("new"))
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    for path in (tmp_path / "alone.txt", *(tmp_path / "model").iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_only_named_files_are_removed_from_a_folder(tmp_path):
    folder = tmp_path / "model"
    fill(folder, {"state.json": "ours", "notes.txt": "mine"})
    fill(folder / "empty later", {"model.safetensors": "ours"})
    fill(folder / "stays", {"model.safetensors": "ours", "mine.safetensors": "mine"})
    fill(tmp_path / "outside", {"state.json": "mine"})
    link(folder / "link", tmp_path / "outside")
    stays = storage.remove_named(folder, ["state.json", "model.safetensors"])
    assert [str(path.relative_to(folder)) for path in stays] == ["link", "notes.txt", "stays/mine.safetensors"]
    assert listing(folder) == ["link", "notes.txt", "stays"]
    assert visible(tmp_path / "outside") == {"state.json": "mine"}
    fill(tmp_path / "whole", {"state.json": "ours"})
    assert storage.remove_named(tmp_path / "whole", ["state.json"]) == []
    assert not (tmp_path / "whole").exists()
    assert storage.remove_named(tmp_path / "nothing", ["*"]) == []


def test_a_single_file_stays_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"file\.txt failed: the disk is full"):
        storage.write_bytes(path, b"new")
    assert path.read_text() == "old"
    assert listing(tmp_path) == ["file.txt"]


def test_what_is_explained_already_passes_through(tmp_path):
    error = CheckpointNotFound("as it was")
    with pytest.raises(CheckpointNotFound) as caught, storage.translate_os_errors(tmp_path):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (safetensors.SafetensorError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied"),
        (safetensors.SafetensorError("I/O error: File too large (os error 27)"), "File too large"),
    ],
)
def test_errors_of_the_file_system_are_explained(tmp_path, error, words):
    with pytest.raises(CheckpointError, match=words) as caught, storage.translate_os_errors(tmp_path):
        raise error
    assert caught.value.__cause__ is error
    assert str(tmp_path) in str(caught.value)


def test_whether_a_folder_can_be_written_to_is_told_before_and_leaves_nothing(tmp_path):
    storage.require_writable(tmp_path / "new" / "deeper")
    storage.require_writable(tmp_path)
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").write_text("a")
    with pytest.raises(CheckpointError, match="deeper"):
        storage.require_writable(tmp_path / "file" / "deeper")
