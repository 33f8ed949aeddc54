"""Folders for the tests of storage: what is written into them, what is seen there, and processes that die."""

import pytest

from albertkit import storage
from albertkit.storage import locks

HEAD = "config.json"
STALE = ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors")
COMMIT = ".albertkit-commit"

needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="no locks on this system")


def single(age):
    return {HEAD: age, "model.safetensors": age}


def sharded(age, count):
    shards = {f"model-{number}-of-{count}.safetensors": age for number in range(1, count + 1)}
    return {HEAD: age, "model.safetensors.index.json": age, **shards}


def fill(folder, files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)


def replace(folder, new):
    with storage.atomic_replace(folder, HEAD, STALE) as staging:
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


def commit(folder, files=("weights",), head=(HEAD,), stale=("spiece.model",)):
    """A commit folder, as a save leaves it, or as a stranger prepares it."""
    for part, held in (("files", files), ("head", head), ("stale", stale)):
        fill(folder / COMMIT / part, dict.fromkeys(held, "new"))


def link(place, target):
    place.symlink_to(target)
