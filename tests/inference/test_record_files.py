"""Files of answers: what a .tsv takes, complete or not there."""

import pytest

from albertkit.errors import InputError
from albertkit.inference import record_files


def written(path, *records):
    with record_files.opened(path) as write:
        for record in records:
            write(record)
    return path.read_text()


def test_a_tsv_has_a_line_of_names_and_one_for_each_record(tmp_path):
    found = written(tmp_path / "a.tsv", {"index": 0, "prediction": "yes"}, {"index": 1, "prediction": None})
    assert found == "index\tprediction\n0\tyes\n1\t\n"


@pytest.mark.parametrize("value", ["a\tb", "a\nb", "a\rb"])
def test_what_would_break_the_lines_of_a_tsv_is_refused_and_leaves_no_file(tmp_path, value):
    with pytest.raises(InputError, match=r"no tabs and no line ends.*Received: 'a.*Write to \.jsonl"):
        written(tmp_path / "a.tsv", {"text": "fine"}, {"text": value})
    with pytest.raises(InputError, match=r"no tabs and no line ends"):
        written(tmp_path / "a.tsv", {value: "fine"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".parquet"])
def test_a_table_takes_no_columns_that_its_first_row_has_not(tmp_path, ending):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=r"Received a row with b, too"):
        written(tmp_path / f"a{ending}", {"a": 1}, {"a": 1, "b": 2})
    assert not list(tmp_path.iterdir())


def test_last_columns_of_a_csv_are_there_before_a_row_has_something_in_them(tmp_path):
    with record_files.opened(tmp_path / "a.csv", last=("warning",)) as write:
        for record in ({"a": 1}, {"warning": "odd", "a": 2}):
            write(record)
    assert (tmp_path / "a.csv").read_text().split() == ["a,warning", "1,", "2,odd"]


def test_last_columns_of_parquet_are_text_from_the_first_rows_on(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(record_files, "_ROWS", 2)
    with record_files.opened(tmp_path / "a.parquet", last=("warning",)) as write:
        for number in range(5):
            write({"a": number, **({"warning": "odd"} if number == 3 else {})})
    found = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert found == {"a": [0, 1, 2, 3, 4], "warning": [None, None, None, "odd", None]}
