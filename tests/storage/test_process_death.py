"""A process that dies at any moment of a save."""

import contextlib
import itertools
import os
import shutil

import pytest

from albertkit import storage
from albertkit.storage.commit import finish_commit
from storage.common import (
    COMMIT,
    HEAD,
    everything,
    fill,
    listing,
    replace,
    seen,
    sharded,
    single,
    visible,
)

CHANGES = ("replace", "rename", "unlink", "rmdir", "mkdir", "chmod", "fsync")


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
            if survives(second, lambda folder=folder: finish_commit(folder)):
                break
            deaths += 1
            if HEAD in visible(folder):
                assert visible(folder) in (old, after)
            assert seen(folder) == after
            finish_commit(folder)
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
