"""Files and folders as they are read."""

import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albertkit import storage
from albertkit.errors import CheckpointError, CheckpointNotFound
from storage.common import link

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
