"""A folder that shares weights with another model: what is kept, what is read, and what is refused."""

import json

import numpy as np
import pytest

from albertkit import embedded
from albertkit.checkpoint import files, layout, shared, weight_files
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.tools.convert import convert
from frameworks.common import random_tensors, small

WORDS = "albert.embeddings.word_embeddings.weight"


NAME = "albertkit/base"
DAMAGED = [{}, {"model": NAME}, {"model": NAME, "tensors": {}}]
DAMAGED += [{"model": one, "tensors": {"a": "b"}} for one in (3, None, ["a"], "owner/other", "/folder")]


@pytest.fixture
def base(tmp_path, monkeypatch):
    """The folder of a model of the package, its config, and its weights."""
    monkeypatch.setitem(embedded.MODELS, NAME, embedded.Embedded("en", ()))
    monkeypatch.setattr(embedded.importlib.resources, "files", lambda package: tmp_path)
    config, folder = small(), tmp_path / "models" / "base"
    tensors = random_tensors(config, "ForPreTraining")
    files.save(folder, config, tensors, "AlbertForPreTraining")
    return folder, config, tensors


@pytest.fixture
def task(base, tmp_path):
    """A model of a task with the words of the base, and weights of its own."""
    _, config, held = base
    tensors = {**random_tensors(config, "ForTokenClassification"), WORDS: held[WORDS].copy()}
    tensors[WORDS][[3, 5]] += np.float32([[0.5], [-0.001]])
    own = tmp_path / "task"
    files.save(own, config, tensors, "AlbertForTokenClassification")
    (own / "model.safetensors").unlink()
    found = shared.write(own, tensors, NAME, held, [WORDS], 0.01)
    assert set(found) == {WORDS}
    return own, {**tensors, **found}


def test_it_is_read_as_the_whole_model_and_keeps_less(task, base):
    folder, tensors = task
    read = files.load(folder).tensors
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
    words = tensors[WORDS].nbytes
    whole = sum(tensor.nbytes for tensor in tensors.values())
    assert (folder / layout.OWN).stat().st_size < whole - words + 10_000
    assert not (folder / "model.safetensors").exists()


def test_it_is_converted_to_a_whole_folder(task, tmp_path):
    folder, tensors = task
    convert(folder, tmp_path / "whole")
    np.testing.assert_array_equal(files.load(tmp_path / "whole").tensors[WORDS], tensors[WORDS])
    assert (tmp_path / "whole" / "model.safetensors").exists()


def test_rows_that_differ_by_little_are_those_of_the_base(task, base):
    found, (_, _, held) = task[1][WORDS], base
    np.testing.assert_allclose(found[3], held[WORDS][3] + 0.5, atol=1e-5)
    np.testing.assert_array_equal(np.delete(found, 3, 0), np.delete(held[WORDS], 3, 0))


def test_changes_are_rounded_to_31_steps_of_the_largest_of_a_row(base, tmp_path):
    _, config, held = base
    rng = np.random.default_rng(0)
    change = rng.normal(size=held[WORDS].shape).astype(np.float32)
    tensors = {**random_tensors(config, "ForTokenClassification"), WORDS: held[WORDS] + change}
    (tmp_path / "own").mkdir()
    found = shared.write(tmp_path / "own", tensors, NAME, held, [WORDS])[WORDS]
    most = np.abs(change).max(1, keepdims=True) / 31 / 2
    assert (np.abs(found - tensors[WORDS]) <= most * 1.01 + 1e-6).all()
    assert (np.abs(found - tensors[WORDS]) > most / 4).any()


@pytest.mark.parametrize("damage", ["shape", "row", "missing"])
def test_changes_that_do_not_fit_are_refused(task, damage):
    path = task[0] / shared.CHANGES
    held = dict(weight_files.read_safetensors(path).tensors)
    if damage == "missing":
        held = {"other": np.ones(1, np.float32)}
    elif damage == "row":
        held[f"{WORDS}.rows"] = np.int32([10**6])
    else:
        held[f"{WORDS}.steps"] = np.ones((1, 3), np.int8)
    weight_files.write_safetensors(path, held)
    with pytest.raises(CheckpointError, match=r"must hold the changes of albert\.embeddings"):
        files.load(task[0])


def test_another_base_is_refused(task, base):
    folder, config, held = base
    changed = {**held, WORDS: held[WORDS] * np.float32(1.001)}
    files.save(folder, config, changed, "AlbertForPreTraining")
    with pytest.raises(CheckpointError, match=r"shares albert\.embeddings.*It is another\. Use the release of"):
        files.load(task[0])


def test_a_missing_base_is_named(task, base):
    for path in base[0].iterdir():
        path.unlink()
    base[0].rmdir()
    with pytest.raises(CheckpointNotFound, match=r"comes with the package\. This copy lacks it"):
        files.load(task[0])


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_note_is_refused(task, content):
    (task[0] / shared.BASE).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="must name a model of the package"):
        files.load(task[0])
