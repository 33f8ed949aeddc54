import contextlib
import errno
import itertools
import json
import os
import shutil
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import storage, weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.training import run_folder
from albertkit.training.run_checkpoints import OWN
from conftest import DATA

HEAD = "config.json"
STALE = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
COMMIT = ".albertkit-commit"
CHANGES = ("replace", "rename", "unlink", "rmdir", "mkdir", "chmod", "fsync")


def single(age):
    return {HEAD: age, "model.safetensors": age}


def sharded(age, count):
    shards = {f"model-{number}-of-{count}.safetensors": age for number in range(1, count + 1)}
    return {HEAD: age, "model.safetensors.index.json": age, **shards}


SCENARIOS = {
    "first save": ({}, single("new")),
    "same names": (single("old"), single("new")),
    "one file, then shards": (single("old"), sharded("new", 2)),
    "shards, then one file": (sharded("old", 2), single("new")),
    "more shards, then fewer": (sharded("old", 3), sharded("new", 2)),
    "a name that sorts before the head": (single("old") | {"added.json": "old"}, single("new") | {"added.json": "new"}),
}


class Death(BaseException):
    """The process ended."""


def survives(steps, action):
    """Whether `action` ends within `steps` changes of the file system. The next one kills it, and all after that."""
    left = steps

    def mortal(change):
        def attempt(*args, **kwargs):
            nonlocal left
            if left == 0:
                raise Death
            left -= 1
            return change(*args, **kwargs)

        return attempt

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, mortal(getattr(os, name) if name != "fsync" else lambda handle: None))
        with contextlib.suppress(Death):
            action()
            return True
    return False


def fill(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def replace(folder, new):
    with storage.replacing(folder, HEAD, STALE) as staging:
        for name, content in new.items():
            storage.write_text(staging / name, content)


def visible(folder):
    """What any program sees."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def seen(folder):
    """What a reader sees."""
    held = storage.Folder(folder)
    return {name: path.read_text() for name in held.names() if (path := held.file(name))}


def everything(folder):
    """All that lies below a folder, links by what they point to."""
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def cases(scenario):
    """Old files, files of the new set, and what a folder with both has to hold afterwards."""
    old, new = SCENARIOS[scenario]
    mine = {"notes.txt": "kept", "modelling.md": "kept"}
    return old | mine, new, new | mine


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_death_at_any_moment_leaves_the_old_set_or_the_new_one(tmp_path, scenario, caplog):
    old, new, after = cases(scenario)
    outcomes = []
    for steps in itertools.count():
        folder = tmp_path / str(steps)
        fill(folder, old)
        finished = survives(steps, lambda folder=folder: replace(folder, new))
        if HEAD in visible(folder):
            assert visible(folder) in (old, after)
        before = everything(folder)
        assert seen(folder) in (old, after)
        assert everything(folder) == before, "reading changes nothing"
        assert (f"{COMMIT}/head/{HEAD}" in before) == ("was cut off at its very end" in caplog.text)
        outcomes.append(seen(folder) == after)
        caplog.clear()
        replace(folder, single("newest"))
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
        if finished:
            break
    assert outcomes == sorted(outcomes), "a later death must not bring the old set back"
    assert outcomes[0] is False
    assert outcomes.count(True) > 4


@pytest.mark.parametrize("scenario", ["same names", "shards, then one file", "one file, then shards"])
def test_a_save_that_dies_while_it_finishes_another_is_finished_by_the_next(tmp_path, scenario):
    old, new, after = cases(scenario)
    deaths = 0
    for first in itertools.count():
        broken = tmp_path / f"{first}"
        fill(broken, old)
        if survives(first, lambda folder=broken: replace(folder, new)):
            break
        if not (broken / COMMIT).exists():
            continue
        for second in itertools.count():
            folder = tmp_path / f"{first}-{second}"
            shutil.copytree(broken, folder)
            if survives(second, lambda folder=folder: storage._finish(folder)):
                break
            deaths += 1
            if HEAD in visible(folder):
                assert visible(folder) in (old, after)
            assert seen(folder) == after
            storage._finish(folder)
            assert visible(folder) == after
    assert deaths > 10


def test_a_save_after_a_death_finishes_the_one_before_first(tmp_path):
    folder = tmp_path / "model"
    fill(folder, sharded("old", 3))
    steps = next(
        steps
        for steps in itertools.count()
        if not survives(steps, lambda: replace(folder, sharded("middle", 2))) and (folder / COMMIT).exists()
    )
    assert steps > 0
    replace(folder, single("new"))
    assert visible(folder) == single("new")


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

    with pytest.raises(ZeroDivisionError), storage.replacing(tmp_path / "model", HEAD, STALE) as staging:
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


SAVER = """
    import sys
    from albertkit import storage

    for number in range(10**6):
        with storage.replacing(sys.argv[1], "config.json", ("model-*",)) as staging:
            for name in ("config.json", f"model-{number % 2}-of-2.safetensors"):
                storage.write_text(staging / name, str(number))
        print(number, flush=True)
"""


@pytest.mark.skipif(storage.fcntl is None, reason="no locks on this system")
def test_programs_that_save_and_load_at_once_see_whole_sets_and_fail_at_nothing(tmp_path):
    weights = [f"model-{number}-of-2.safetensors" for number in range(2)]
    fill(tmp_path / "model", {HEAD: "-1", weights[0]: "-1"})
    command = [sys.executable, "-c", textwrap.dedent(SAVER), str(tmp_path / "model")]
    savers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    seen, end = set(), time.monotonic() + 2.5
    try:
        while time.monotonic() < end:
            with storage.reading(tmp_path / "model"):
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


@pytest.mark.skipif(storage.fcntl is None, reason="no locks on this system")
def test_what_a_killed_save_left_is_cleared_away_and_what_a_living_one_writes_is_not(tmp_path):
    fill(tmp_path / "model" / ".albertkit-save-dead", {HEAD: "half"})
    with storage.replacing(tmp_path / "model", HEAD, STALE) as staging:
        assert not (tmp_path / "model" / ".albertkit-save-dead").exists()
        storage.write_text(staging / HEAD, "slow")
        replace(tmp_path / "model", single("quick"))
        assert staging.is_dir()
    assert visible(tmp_path / "model") == {HEAD: "slow"}
    assert listing(tmp_path / "model") == [HEAD]


LOADERS = {
    "config": AlbertConfig.from_pretrained,
    "weights": files.load,
    "tokenizer": AlbertTokenizer.from_pretrained,
}


@pytest.mark.skipif(storage.fcntl is None, reason="no locks on this system")
@pytest.mark.parametrize("what", LOADERS)
def test_whatever_loads_waits_while_a_save_moves_its_files(tmp_path, what):
    config = AlbertConfig(
        vocab_size=9, embedding_size=2, hidden_size=4, num_hidden_layers=1, num_attention_heads=1, intermediate_size=4
    )
    tensors = {name: np.zeros(shape, np.float32) for name, shape in weight_table.expected(config, "Model").items()}
    files.save(tmp_path, config, tensors, "AlbertModel")
    AlbertTokenizer(DATA / "spiece.model").save_pretrained(tmp_path)
    loading = threading.Thread(target=LOADERS[what], args=(tmp_path,))
    with storage._locked(tmp_path):
        loading.start()
        loading.join(0.5)
        assert loading.is_alive()
    loading.join(20)
    assert not loading.is_alive()


@pytest.mark.skipif(storage.fcntl is None, reason="no locks on this system")
@pytest.mark.parametrize("what", [*LOADERS, "save"])
def test_nobody_waits_for_ever_for_a_folder_that_another_process_holds(tmp_path, what, monkeypatch, caplog):
    monkeypatch.setattr(storage, "PATIENCE", 0.2)
    fill(tmp_path / "model", single("{}"))
    act = LOADERS[what] if what in LOADERS else lambda folder: replace(folder, single("new"))
    with (
        storage.alone(tmp_path / "model"),
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
    with storage.alone(tmp_path):
        handle = os.open(tmp_path, os.O_RDONLY)
        said = storage._holder(handle)
        os.close(handle)
    assert said in (f"process {os.getpid()}", "another process"), "a container may hide the number"


def test_without_locks_saves_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "fcntl", None)
    fill(tmp_path / "model", single("old"))
    with storage.reading(tmp_path / "model"):
        replace(tmp_path / "model", single("new"))
    assert visible(tmp_path / "model") == single("new")


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
    storage._finish(tmp_path / "model")
    assert visible(tmp_path / "model") == single("new")


def commit(folder, files=("weights",), head=(HEAD,), stale=("spiece.model",)):
    """A commit folder, as a save leaves it, or as a stranger prepares it."""
    for part, held in (("files", files), ("head", head), ("stale", stale)):
        fill(folder / COMMIT / part, dict.fromkeys(held, "new"))


def link(place, target):
    place.symlink_to(target)


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


SAVED = ("model.safetensors", "model.fp16.safetensors", "model-00001-of-00002.safetensors", "mean.safetensors")
SAVED += ("model.fp16-00001-of-00002.safetensors", "model.safetensors.index.fp16.json", "pytorch_model.bin.index.json")
SAVED += ("tf_model.h5", "flax_model-00001-of-00002.msgpack", "spiece.model", "my-tokenizer.json", "vocab.txt")
PERSONS = ("model.md", "model-best-of-3.safetensors", "my.safetensors", "tf_model_notes.h5", "notes.json", "models")


def test_a_save_removes_files_of_models_alone(tmp_path):
    fill(tmp_path / "model", dict.fromkeys(SAVED + PERSONS, "old"))
    with storage.replacing(tmp_path / "model", HEAD, ["*"]) as staging:
        (staging / HEAD).write_text("new")
    assert listing(tmp_path / "model") == sorted([HEAD, *PERSONS])


def test_every_file_that_a_save_must_remove_is_a_file_of_a_model():
    patterns = [*run_folder.STALE, *files._SAFETENSORS.patterns("fp16"), *OWN]
    for pattern in set(patterns) - {"state.json", HEAD}:
        assert storage._REMOVABLE.fullmatch(pattern.replace("*", "00001")), pattern


def test_a_reader_finds_the_files_of_a_set_that_is_on_its_way(tmp_path):
    folder = tmp_path / "model"
    fill(folder, {HEAD: "old", "spiece.model": "gone", "notes.txt": "kept"})
    commit(folder)
    assert seen(folder) == {HEAD: "new", "weights": "new", "notes.txt": "kept"}
    assert storage.Folder(folder).file("spiece.model") is None


NOT_PLAIN = ["../outside", "/outside", "a/b", "", ".", "..", "a\\b", "a\0b", 3, None, ["x"], "x" * 3_000]


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_only_plain_names_inside_a_folder_are_found(tmp_path, name):
    (tmp_path / "model").mkdir()
    (tmp_path / "outside").write_text("mine")
    with pytest.raises(CheckpointError, match=r"plain name inside its folder|File name too long"):
        storage.Folder(tmp_path / "model").file(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="FIFOs of POSIX")
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("{}")
    link(tmp_path / "link", tmp_path / "file")
    link(tmp_path / "broken", tmp_path / "nothing")
    held = storage.Folder(tmp_path)
    for name, kind in (("config.json", "a FIFO"), ("folder", "a folder")):
        with pytest.raises(CheckpointError, match=f"must be a file. It is {kind}"):
            held.file(name)
        with pytest.raises(CheckpointError, match=f"must be a file. It is {kind}|Is a directory"):
            storage.read_json(tmp_path / name)
    assert storage.read_json(held.require("link")) == {}, "the cache of the hub is made of links"
    with pytest.raises(CheckpointError, match=r"broken must be a file. It is a link that leads to nothing"):
        held.file("broken")
    assert held.file("nothing") is None
    with pytest.raises(CheckpointNotFound, match=r"nothing must be there"):
        held.require("nothing")


def test_files_are_read_up_to_a_limit(tmp_path):
    (tmp_path / "file").write_text("x" * 11)
    assert storage.read_text(tmp_path / "file", limit=11) == "x" * 11
    with pytest.raises(CheckpointError, match=r"may have 10 bytes at most. It has 11"):
        storage.read_text(tmp_path / "file", limit=10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": ' + "9" * 5000 + "}", "integer string conversion"),
        ('{"a": ' + "[" * 100_000, "recursion"),
        ('{"a": "\xff"}', "must be UTF-8 text"),
        ('{"a": ' + "[" * 70 + "]" * 70 + "}", "may be nested 64 deep at most"),
        ('{"a": "\\ud800"}', "half a character"),
    ],
)
def test_json_that_cannot_be_taken_is_refused_in_words(tmp_path, text, words):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=words):
        storage.read_json(tmp_path / "config.json")


def test_a_key_that_stands_twice_behind_many_others_is_found_at_once(tmp_path):
    keys = "".join(f'"key {number}": 0, ' for number in range(60_000))
    (tmp_path / "config.json").write_text(f'{{{keys}"last": 0, "last": 1}}')
    begin = time.process_time()
    with pytest.raises(CheckpointError, match="the key 'last' stands twice"):
        storage.read_json(tmp_path / "config.json")
    assert time.process_time() - begin < 5, "looking for each key among all the others takes ten times as long"


@pytest.mark.skipif(storage.fcntl is None, reason="no locks on this system")
def test_what_killed_processes_left_is_cleared_away_and_nothing_else(tmp_path):
    fill(tmp_path / "model", {".albertkit-write-dead": "half", ".albertkit-mine": "kept", "notes": "kept"})
    fill(tmp_path / "model" / ".albertkit-save-dead" / "files", {HEAD: "half"})
    (tmp_path / "elsewhere").mkdir()
    link(tmp_path / "model" / ".albertkit-save-link", tmp_path / "elsewhere")
    handle, living = storage._aside(tmp_path / "model")
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


def test_a_single_file_is_old_or_new_after_a_death(tmp_path):
    for steps in itertools.count():
        path = tmp_path / str(steps) / "file.txt"
        fill(path.parent, {path.name: "old"})
        if survives(steps, lambda path=path: storage.write_text(path, "new" * 1000)):
            break
        assert path.read_text() in ("old", "new" * 1000)
    assert path.read_text() == "new" * 1000
    assert listing(path.parent) == ["file.txt"]
    storage.clear_abandoned(tmp_path / "0")
    assert listing(tmp_path / "0") == ["file.txt"]
    assert steps >= 3


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


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
JSON = st.dictionaries(
    st.text(), VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(), VALUES, max_size=3)
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("json") / "content.json"


@settings(max_examples=50)
@given(JSON)
def test_json_comes_back_with_its_order(place, content):
    storage.write_json(place, content)
    found = storage.read_json(place)
    assert found == content
    assert list(found) == list(content)


def test_every_cut_of_a_json_file_is_refused(tmp_path):
    path = tmp_path / "config.json"
    text = json.dumps({"hidden_size": 768, "id2label": {"0": "né"}}, ensure_ascii=False).encode()
    for length in range(len(text)):
        path.write_bytes(text[:length])
        with pytest.raises(CheckpointError, match=r"config\.json must be (JSON|UTF-8) text.*cut short"):
            storage.read_json(path)


def test_json_that_is_not_an_object_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("[1, 2]")
    with pytest.raises(CheckpointError, match=r"must hold a JSON object. It holds a list"):
        storage.read_json(tmp_path / "config.json")


def test_a_missing_json_file_is_not_found(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"config\.json must be there") as caught:
        storage.read_json(tmp_path / "config.json")
    assert str(tmp_path) in str(caught.value)


def test_what_is_explained_already_passes_through(tmp_path):
    error = CheckpointNotFound("as it was")
    with pytest.raises(CheckpointNotFound) as caught, storage.explained(tmp_path):
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
    with pytest.raises(CheckpointError, match=words) as caught, storage.explained(tmp_path):
        raise error
    assert caught.value.__cause__ is error
    assert str(tmp_path) in str(caught.value)


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    alone = storage.alone
    with alone(tmp_path), pytest.raises(CheckpointError, match="Another one works in"), alone(tmp_path):
        pass
    with storage.alone(tmp_path):
        pass


def test_a_folder_without_locks_is_held_by_anyone(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "fcntl", None)
    with storage.alone(tmp_path), storage.alone(tmp_path):
        pass
