"""Raw text of every form as examples to train on."""

import gzip
import json

import pytest

from albertkit.errors import InputError
from albertkit.tasks.fill_mask import raw_texts
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions


def read(path, **options):
    return raw_texts.read(str(path), MaskedLMOptions.of(options))


def test_lines_of_a_text_file_are_texts_and_blank_ones_are_none(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\n\n  \ntwo, and more\n", "utf-8")
    examples, _ = read(path)
    assert examples.first == ["one", "two, and more"]
    assert [examples.place(number) for number in range(2)] == ["line 1", "line 4"]
    assert not examples.left_out
    with gzip.open(tmp_path / "a.txt.gz", "wb") as packed:
        packed.write(path.read_bytes())
    assert read(tmp_path / "a.txt.gz")[0].first == examples.first


def test_a_column_of_a_table_is_found_or_named(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"id": n, "text": f"text {n}", "body": "b"}) + "\n" for n in range(3)))
    examples, options = read(path)
    assert examples.first == ["text 0", "text 1", "text 2"]
    assert options.text_column == "text"
    assert read(path, text_column="body")[0].first == ["b"] * 3
    with pytest.raises(InputError, match=r"Received: 'bodi'.*Did you mean `body`"):
        read(path, text_column="bodi")


def test_of_a_file_of_pairs_one_column_is_read_and_the_other_is_named(tmp_path, caplog):
    path = tmp_path / "a.csv"
    path.write_text("premise,hypothesis\na first text,a second one\nanother one,and more\n")
    examples, options = read(path)
    assert (examples.first, examples.second, options.pair_column) == (["a first text", "another one"], None, "")
    assert "has text in 'hypothesis', which is left out" in caplog.text
    with pytest.raises(InputError, match=r"reads one column of text\. Received: `pair_column` 'hypothesis'"):
        read(path, text_column="premise", pair_column="hypothesis")


def test_rows_without_text_stop_the_run_by_line_or_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id,text\n1,first\n2,"  "\n3,last\n4,\n')
    with pytest.raises(InputError, match=r"a.csv breaks that in 2 of 4 rows: line 3, line 5\..*--skip-bad-rows"):
        read(path)
    examples, _ = read(path, skip_bad_rows=True)
    assert examples.first == ["first", "last"]
    assert [row.place for row in examples.left_out] == ["line 3", "line 5"]


@pytest.mark.parametrize(("name", "content"), [("a.txt", b"\n \n"), ("a.csv", b"id,text\n1,\n")])
def test_a_file_without_any_text_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"must hold at least one text"):
        read(tmp_path / name, skip_bad_rows=True)


def test_a_file_that_is_not_there_or_cut_short_is_named(tmp_path):
    with pytest.raises(InputError, match="must be there"):
        read(tmp_path / "none.txt")
    packed = gzip.compress(b"some text\n" * 500)
    (tmp_path / "cut.txt.gz").write_bytes(packed[:-12])
    with pytest.raises(InputError, match=r"there and whole. Reading .*cut.txt.gz failed"):
        read(tmp_path / "cut.txt.gz")
    (tmp_path / "latin.txt").write_bytes("schön\n".encode("latin-1"))
    with pytest.raises(InputError, match="UTF-8"):
        read(tmp_path / "latin.txt")
