"""What a save leaves when it is cut off at its end, and what a stranger puts in its place."""

import contextlib
import errno
import json
import os
import shutil

import pytest

from albertkit import storage
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError
from albertkit.storage.commit import finish_commit
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from storage.common import (
    COMMIT,
    HEAD,
    commit,
    everything,
    fill,
    link,
    replace,
    seen,
    single,
    visible,
)


def refuse(*args, **kwargs):
    raise PermissionError(errno.EROFS, "Read-only file system")


def test_an_error_behind_the_commit_says_that_the_new_set_is_there(tmp_path, monkeypatch):
    fill(tmp_path / "model", single("old"))
    monkeypatch.setattr(os, "replace", lambda *args, move=os.replace: refuse() if COMMIT in str(args) else move(*args))
    with pytest.raises(CheckpointError, match="loading finds it, and the next save to the folder moves it") as caught:
        replace(tmp_path / "model", single("new"))
    assert "untouched" not in str(caught.value)
    assert seen(tmp_path / "model") == single("new"), "even where nothing may be written"
    monkeypatch.undo()
    finish_commit(tmp_path / "model")
    assert visible(tmp_path / "model") == single("new")


def two_heads(folder):
    commit(folder, head=(HEAD, "other.json"))


def no_head(folder):
    commit(folder, head=())


def head_that_is_stale(folder):
    commit(folder, stale=(HEAD,))


def name_of_its_own(folder):
    commit(folder, files=(".albertkit-commit",))


def file_in_its_place(folder):
    (folder / COMMIT).write_text("mine")


def old_form(folder):
    fill(folder / COMMIT, {".note.json": json.dumps({"head": "../outside", "stale": ["*"], "new": ["../outside"]})})


def linked_commit(folder):
    commit(folder.parent / "elsewhere")
    link(folder / COMMIT, folder.parent / "elsewhere" / COMMIT)


def linked_part(folder):
    commit(folder)
    shutil.rmtree(folder / COMMIT / "files")
    link(folder / COMMIT / "files", folder.parent)


def linked_file(folder):
    commit(folder, files=())
    link(folder / COMMIT / "files" / "weights", folder.parent / "outside")


def linked_stale(folder):
    commit(folder, stale=())
    link(folder / COMMIT / "stale" / "weights", folder.parent / "outside")


def folder_in_it(folder):
    commit(folder)
    (folder / COMMIT / "files" / "inner").mkdir()


def file_beside_its_parts(folder):
    commit(folder)
    (folder / COMMIT / "mine.txt").write_text("mine")


def folder_beside_its_parts(folder):
    commit(folder)
    (folder / COMMIT / "more").mkdir()


def stale_of_a_person(folder):
    commit(folder, stale=("spiece.model", "mine.txt"))


STRANGE = [two_heads, no_head, head_that_is_stale, name_of_its_own, file_in_its_place, old_form, linked_commit]
STRANGE += [linked_part, linked_file, linked_stale, folder_in_it, file_beside_its_parts]
STRANGE += [folder_beside_its_parts, stale_of_a_person]


@pytest.mark.parametrize("prepare", STRANGE, ids=lambda prepare: prepare.__name__)
def test_a_commit_that_no_save_leaves_is_refused_and_nothing_is_touched(tmp_path, prepare):
    folder = tmp_path / "model"
    fill(folder, single("old") | {"spiece.model": "mine", "mine.txt": "mine"})
    (tmp_path / "outside").write_text("mine")
    prepare(folder)
    before = everything(tmp_path)
    for act in (storage.Folder, lambda folder: replace(folder, single("newer"))):
        with pytest.raises(CheckpointError, match=r"what a save of albertkit leaves.*Nothing was touched"):
            act(folder)
        assert everything(tmp_path) == before


@pytest.mark.parametrize("load", [AlbertConfig.from_pretrained, files.load, AlbertTokenizer.from_pretrained])
def test_loading_a_folder_with_a_prepared_commit_touches_nothing(tmp_path, load):
    folder = tmp_path / "model"
    fill(folder, single("{}") | {"mine.txt": "mine", "tokenizer_config.json": "{}"})
    commit(folder, files=("mine.txt",), stale=("model.safetensors", "tokenizer_config.json"))
    before = everything(tmp_path)
    with contextlib.suppress(CheckpointError, ValueError):
        load(folder)
    assert everything(tmp_path) == before


def test_a_reader_finds_the_files_of_a_set_that_is_on_its_way(tmp_path):
    folder = tmp_path / "model"
    fill(folder, {HEAD: "old", "spiece.model": "gone", "notes.txt": "kept"})
    commit(folder)
    assert seen(folder) == {HEAD: "new", "weights": "new", "notes.txt": "kept"}
    assert storage.Folder(folder).file("spiece.model") is None
