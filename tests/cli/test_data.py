"""albertkit data check: what it prints, and its exit status."""

import json

import pytest
from typer.testing import CliRunner

from albertkit.cli.app import app


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "".join(f"review {n},{'pos' if n % 2 else 'neg'}\n" for n in range(30)))
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["data", "check", *map(str, arguments)], env={"COLUMNS": "120", "TERM": "dumb"})


def test_data_without_faults_ends_with_status_0_and_warnings_with_1_where_they_are_to_count(file):
    shown = run("sentiment-analysis", "--data", file)
    assert shown.exit_code == 0, shown.output
    assert "30 rows" in shown.output
    assert "0 errors, 0 warnings, 0 notes" in shown.output
    file.write_text(file.read_text() + "review 1,neg\n")
    shown = run("text-classification", "--data", file)
    assert shown.exit_code == 0
    assert "have different labels, of which a model can learn one. (line 3, line 32)" in shown.output
    assert run("text-classification", "--data", file, "--strict").exit_code == 1


def test_errors_end_with_status_1_and_name_so_many_rows(file):
    file.write_text(file.read_text() + ",neg\n" * 4)
    shown = run("text-classification", "--data", file, "--rows", "2")
    assert shown.exit_code == 1
    assert "(line 32, line 33 and 2 more)" in shown.output
    assert "1 error, 0 warnings" in shown.output


def test_json_has_all_of_it(file):
    record = json.loads(run("text-classification", "--data", file, "--json", "--set", "data.text_column=text").output)
    assert (record["task"], record["files"][0]["labels"]) == ("text-classification", {"neg": 15, "pos": 15})


def test_a_file_in_the_place_of_a_task_is_told_as_no_task(file):
    assert "A task must be one of text-classification, " in (told := str(run(file).exception))
    assert f"Received: '{file}'" in told


def test_options_of_the_data_have_the_names_of_training_and_of_the_scripts(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{n % 2}\treview {n} of it\tx\n" for n in range(30)))
    given = ("text-classification", "--train_file", path, "--header", "mark,body,rest", "--text_column_name", "body")
    shown = run(*given, "--label-column=mark", "--class-names", "bad,good", "--json")
    assert shown.exit_code == 0, shown.output
    record = json.loads(shown.output)
    assert record["files"][0]["labels"] == {"bad": 15, "good": 15}
    record = json.loads(run(*given, "--label_column_name", "mark", "--max_seq_length", "5", "--json").output)
    assert (record["max_length"], record["files"][0]["truncated"]) == (5, 30)
    refused = run("ner", "--data", path, "--class-names", "bad,good")
    assert (refused.exit_code, "No such option" in refused.output) == (2, True)


def test_the_folder_of_a_task_of_glue_is_looked_at_by_its_name(tmp_path):
    folder = tmp_path / "RTE"
    folder.mkdir()
    for name, count in (("train", 40), ("dev", 24)):
        rows = [f"{n}\t{name} {n} is so.\tIt is {n}.\t{('not_' * (n % 2))}entailment" for n in range(count)]
        (folder / f"{name}.tsv").write_text("\n".join(["index\tsentence1\tsentence2\tlabel", *rows]) + "\n")
    record = json.loads(run("text-classification", "--task", "rte", "--data", folder, "--json").output)
    assert [(one["path"], one["rows"]) for one in record["files"]] == [
        (str(folder / "train.tsv"), 40),
        (str(folder / "dev.tsv"), 24),
    ]
    (folder / "train.tsv").unlink()
    shown = run("text-classification", "--task", "rte", "--data", folder)
    assert shown.exit_code == 1
    assert "A folder to train on must hold a file for it." in shown.output
