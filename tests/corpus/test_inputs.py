"""Inputs: files, folders and patterns, in an order that does not depend on the machine."""

import pytest

from albertkit.corpus.inputs import find_files
from albertkit.errors import InputError


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.txt",
        "a.jsonl.xz",
        "AA/wiki_01",
        "AA/wiki_00",
        "picture.png",
        ".hidden.txt",
        ".git/x.txt",
        "out/a.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    return tmp_path


def names(folder, files):
    return [path.relative_to(folder).as_posix() for path in files]


def test_a_folder_gives_its_files_by_name(folder):
    files, other = find_files([folder])
    assert names(folder, files) == ["AA/wiki_00", "AA/wiki_01", "a.jsonl.xz", "b.txt", "out/a.txt"]
    assert names(folder, other) == ["picture.png"]


def test_inputs_come_in_the_order_given_and_once(folder):
    files, _ = find_files([folder / "b.txt", folder / "AA" / "*", folder / "picture.png", folder])
    assert names(folder, files) == ["b.txt", "AA/wiki_00", "AA/wiki_01", "picture.png", "a.jsonl.xz", "out/a.txt"]


def test_what_is_being_built_is_neither_an_input_nor_left_out(folder):
    (folder / "out" / "tokens.npy").write_text("ids")
    files, other = find_files([folder], exclude=folder / "out")
    assert "out/a.txt" not in names(folder, files)
    assert names(folder, other) == ["picture.png"]
    assert names(folder, find_files([folder])[1]) == ["out/tokens.npy", "picture.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    (tmp_path / "a[1].txt").write_text("text")
    assert names(tmp_path, find_files([tmp_path / "a[1].txt"])[0]) == ["a[1].txt"]


@pytest.mark.parametrize("given", ["nowhere.txt", "*.parquet", "empty"])
def test_an_input_must_name_something(folder, given):
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="which names none"):
        find_files([folder / given])


def test_of_the_output_only_what_is_named_is_read(folder):
    files, _ = find_files([folder / "out" / "a.txt", folder], exclude=folder / "out")
    assert names(folder, files) == ["out/a.txt", "AA/wiki_00", "AA/wiki_01", "a.jsonl.xz", "b.txt"]
    files, _ = find_files([folder / "*.txt", folder / "b.txt"], exclude=folder)
    assert names(folder, files) == ["b.txt"]
