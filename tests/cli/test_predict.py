"""albertkit predict: what it reads, and where and how it writes."""

import csv
import gzip
import io
import json
import lzma
import subprocess
import sys

import pytest

pytest.importorskip("torch")

from rich.console import Console
from typer.testing import CliRunner

from albertkit.checkpoint import files
from albertkit.cli import progress
from albertkit.cli.app import app
from albertkit.errors import InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch

HEADS = {
    "ForSequenceClassification": {"num_labels": 3, "id2label": {0: "bad", 1: "fair", 2: "good"}},
    "ForMaskedLM": {},
}
TEXTS = ["the film", "a story of it", "the end, and more of that"]


@pytest.fixture(scope="module", params=HEADS)
def model(request, tmp_path_factory, data):
    return made(tmp_path_factory.mktemp(request.param), data, request.param)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, data):
    return made(tmp_path_factory.mktemp("classifier"), data, "ForSequenceClassification")


def made(folder, data, head):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=32, **HEADS[head])
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


def predict(*arguments, **given):
    done = CliRunner().invoke(app, ["predict", *map(str, arguments), "--framework", "torch"], **given)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done


def records(*arguments, **given):
    return [json.loads(line) for line in predict(*arguments, **given).stdout.splitlines()]


def alike(record):
    """A record without the last places of its scores: they depend on which texts are computed together."""
    return json.loads(json.dumps(record), parse_float=lambda number: round(float(number), 4))


def table(path, masked=False):
    rows = [
        f"{number},[MASK] of {text},{number}" if masked else f'{number},"{text}",{number}'
        for number, text in enumerate(["one", "two", "three"] if masked else TEXTS)
    ]
    path.write_text("\n".join(["id,text,label", *rows]) + "\n")
    return path


def test_other_columns_are_passed_on_and_none_takes_the_place_of_an_answer(classifier, tmp_path):
    done = predict(classifier, "--file", table(tmp_path / "t.csv"))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["text"], row["id"], row["input_label"]) for row in rows] == [
        (text, str(number), str(number)) for number, text in enumerate(TEXTS)
    ]
    assert all(row["label"] in ("bad", "fair", "good") for row in rows)
    assert [list(row) for row in rows] == [["text", "id", "input_label", "label", "score", "scores"]] * 3


def test_a_column_called_text_that_is_not_the_text_keeps_its_contents(classifier, tmp_path):
    (tmp_path / "t.jsonl").write_text('{"body": "the film", "text": 7, "other": null}\n{"body": "it", "when": [1]}\n')
    first, second = records(classifier, "--file", tmp_path / "t.jsonl", "--text-column", "body")
    assert (first["text"], first["input_text"], first["other"], first["when"]) == ("the film", 7, None, None)
    assert (second["text"], second["input_text"], second["when"]) == ("it", None, [1])


def test_the_second_text_of_a_pair_is_shown(classifier, tmp_path):
    assert records(classifier, "the film", "--pair", "it")[0]["text_pair"] == "it"
    (tmp_path / "t.csv").write_text("premise,hypothesis\nthe film,it\n")
    assert records(classifier, "--file", tmp_path / "t.csv")[0]["hypothesis"] == "it"


@pytest.mark.parametrize("head", HEADS)
def test_answers_are_written_as_json_lines(head, tmp_path, data):
    model, source = made(tmp_path / "model", data, head), table(tmp_path / "t.csv", head == "ForMaskedLM")
    done = predict(model, "--file", source, "--output", tmp_path / "out.jsonl")
    assert done.stdout == ""
    assert f"3 answers are in {tmp_path / 'out.jsonl'}." in done.stderr
    written = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert written == records(model, "--file", source)


def test_answers_are_written_as_csv_with_a_column_a_class(classifier, tmp_path):
    source = table(tmp_path / "t.csv")
    predict(classifier, "--file", source, "--output", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = ["scores.bad", "scores.fair", "scores.good"]
    assert list(rows[0]) == ["text", "id", "input_label", "label", "score", *scores, "warning"]
    for row, record in zip(rows, records(classifier, "--file", source), strict=True):
        assert (row["text"], row["label"]) == (record["text"], record["label"])
        assert float(row[f"scores.{record['label']}"]) == record["score"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_has_a_column_for_warnings_of_any_row(classifier, tmp_path, ending, caplog):
    parquet = pytest.importorskip("pyarrow.parquet") if ending == "parquet" else None
    (tmp_path / "t.csv").write_text("text,warning\nthe film,mine\n这部电影很好看,\nit,\n")
    out = tmp_path / f"out.{ending}"
    predict(classifier, "--file", tmp_path / "t.csv", "--output", out)
    if ending == "csv":
        assert "'warning' of the input is written as 'input_warning'" in caplog.text
    rows = parquet.read_table(out).to_pylist() if parquet else list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0])[-1] == "warning"
    assert rows[0]["input_warning"] == "mine"
    assert [bool(row["warning"]) for row in rows] == [False, True, False]
    assert "unknown" in rows[1]["warning"]


def test_answers_are_written_as_parquet(classifier, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    source = table(tmp_path / "t.csv")
    predict(classifier, "--file", source, "--output", tmp_path / "out.parquet")
    plain = [{**row, "warning": None} for row in records(classifier, "--file", source)]
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == plain


def test_lists_in_csv_are_json(tmp_path, data):
    model = made(tmp_path / "model", data, "ForMaskedLM")
    predict(model, "the [MASK]", "--output", tmp_path / "out.csv", "--top-k", "2")
    with (tmp_path / "out.csv").open(newline="") as file:
        [row] = csv.DictReader(file)
    assert json.loads(row["answers"]) == records(model, "the [MASK]", "--top-k", "2")[0]["answers"]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_an_output_is_whole_or_not_there(classifier, tmp_path, ending):
    if ending == "parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / "t.csv").write_text("text,other\n" + "the film,1\n" * 80 + "it,1,2\n")
    output = tmp_path / "out" / f"out.{ending}"
    with pytest.raises(InputError, match="line 82, has 3"):
        predict(classifier, "--file", tmp_path / "t.csv", "--output", output)
    assert list(output.parent.iterdir()) == []
    output.write_text("mine")
    with pytest.raises(InputError, match=r"out\.\w+, which is there already. Pass --overwrite"):
        predict(classifier, "it", "--output", output)
    with pytest.raises(InputError, match="line 82, has 3"):
        predict(classifier, "--file", tmp_path / "t.csv", "--output", output, "--overwrite")
    assert output.read_text() == "mine"
    predict(classifier, "it", "--output", output, "--overwrite")
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    assert output.read_bytes() != b"mine"


def test_an_output_of_another_kind_is_refused_before_a_model_is_read(tmp_path):
    with pytest.raises(
        InputError, match=r"must end in one of .jsonl.gz, .jsonl.zst, .jsonl, .csv, .*\. Received: out.xlsx"
    ):
        predict("no-model", "it", "--output", "out.xlsx")
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(InputError, match="Name a file"):
        predict("no-model", "it", "--output", tmp_path / "out.csv", "--overwrite")


def test_a_table_loses_no_column_that_comes_later(classifier, tmp_path):
    rows = [{"text": "it", "a": 1}] * 70 + [{"text": "it", "a": 1, "b": 2}] * 5000
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match=r"Received a row with b, too. Write to .jsonl"):
        predict(classifier, "--file", tmp_path / "t.jsonl", "--output", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_rows_of_json_stand_in_one_column_of_parquet_whatever_they_hold(classifier, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = ['{"text": "it", "a": 1}'] * 70 + ['{"text": "it", "a": "x", "b": 1.50}'] * 5000
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    predict(classifier, "--file", tmp_path / "t.jsonl", "--output", tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("record").to_pylist() == lines
    assert table.schema.names == ["text", "record", "label", "score", "scores", "warning"]


def test_values_that_json_does_not_have_are_written_as_text(classifier, tmp_path):
    pa = pytest.importorskip("pyarrow")
    import datetime

    from pyarrow import parquet

    columns = {"text": ["it"], "day": [datetime.date(2020, 1, 2)], "gap": [float("nan")]}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    [row] = records(classifier, "--file", tmp_path / "t.parquet")
    assert (row["day"], row["gap"]) == ("2020-01-02", None)


@pytest.mark.parametrize("ending", ["", ".gz", ".xz", ".zst"])
def test_lines_of_text_are_read_plain_and_compressed(classifier, tmp_path, ending):
    content = "".join(f"{text}\n" for text in (*TEXTS, ""))[:-1].encode()
    if ending == ".zst":
        pa = pytest.importorskip("pyarrow")
        content = pa.Codec("zstd").compress(content, asbytes=True)
    packed = {"": content, ".gz": gzip.compress(content), ".xz": lzma.compress(content), ".zst": content}[ending]
    (tmp_path / f"lines.txt{ending}").write_bytes(packed)
    rows = records(classifier, "--file", tmp_path / f"lines.txt{ending}")
    assert [row["text"] for row in rows] == TEXTS
    done = predict(classifier, tmp_path / f"lines.txt{ending}")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == TEXTS
    assert "is a file: its texts are answered, not its name" in done.stderr


def test_a_file_of_lines_that_is_cut_short_or_no_text_is_named(classifier, tmp_path):
    path = tmp_path / "lines.txt.gz"
    path.write_bytes(gzip.compress(b"the film\n" * 1000)[:-20])
    with pytest.raises(InputError, match=r"lines\.txt\.gz failed"):
        predict(classifier, path)
    (tmp_path / "lines.txt").write_bytes(b"the film\n\xff\xf0\n")
    with pytest.raises(InputError, match=r"lines\.txt, line 2, must be UTF-8"):
        predict(classifier, tmp_path / "lines.txt")
    with pytest.raises(InputError, match=r"Reading .*none\.txt failed: No such file"):
        predict(classifier, "--file", tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"a file that is a table. Received: text_column"):
        predict(classifier, tmp_path / "lines.txt", "--text-column", "a")


def test_a_file_given_as_a_text_is_read_or_refused_but_never_answered_as_a_text(classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "t.csv")
    (tmp_path / "notes").write_text("the film\n")
    assert [row["text"] for row in records(classifier, "t.csv")] == TEXTS
    for arguments, told in (
        (("nothing.txt",), "Received: 'nothing.txt', which looks like a file, and there is none"),
        (("notes",), "Received: 'notes', which is a file. Pass a data file"),
        (("./",), "Received: './', which is a folder. Pass a data file"),
        (("t.csv", "--output", "t.csv", "--overwrite"), "must not replace the texts that they are for"),
        (("it", "t.csv"), "Received: 't.csv', which is a file"),
        (("t.csv", "--pair", "it"), "Received: 't.csv', which is a file"),
    ):
        with pytest.raises(InputError, match=told):
            predict(classifier, *arguments)
    texts = ["read nothing.txt", "good and/or bad", "fine.", "a" * 5000, "e.g. this"]
    assert [row["text"] for row in records(classifier, *texts)] == texts


def test_a_text_that_is_the_name_of_a_folder_too_is_answered_and_told(classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reviews").mkdir()
    done = predict(classifier, "reviews", "good")
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == ["reviews", "good"]
    assert "reviews is answered as a text. A folder is called so, too: for its files use --file." in done.stderr
    assert "good is" not in done.stderr


def test_batch_size_device_and_top_k_are_passed_on(classifier):
    plain = records(classifier, *TEXTS)
    assert [alike(row) for row in records(classifier, *TEXTS, "--batch-size", "1", "--device", "-1")] == [
        alike(row) for row in plain
    ]
    best = records(classifier, *TEXTS, "--top-k", "1")
    assert [row["scores"] for row in best] == [{row["label"]: row["score"]} for row in best]
    with pytest.raises(InputError, match="`device` must be one that PyTorch can use here"):
        predict(classifier, "it", "--device", "63")


def test_answers_are_counted_now_and_then_where_there_is_no_terminal():
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=False)
    with progress.CountOfTexts(console, lambda: now[0]) as counter:
        for now[0] in (10.0, 31.0, 40.0, 62.0):
            counter.count()
    assert console.file.getvalue().splitlines() == [
        "2 texts answered, 16 seconds each",
        "4 texts answered, 16 seconds each",
    ]


def test_rows_that_are_computed_are_told_before_their_texts_are_answered():
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=False)
    with progress.CountOfTexts(console, lambda: now[0]) as counter:
        counter.count()
        for now[0], done in ((20.0, 100), (31.0, 200), (40.0, 300)):
            counter.computed(done, 4096)
    assert console.file.getvalue() == "1 text answered, 200 of 4,096 rows computed for the next ones\n"


def test_the_rows_of_every_batch_are_told_to_who_waits(classifier, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(progress.CountOfTexts, "computed", lambda _, *numbers: told.append(numbers))
    (tmp_path / "t.txt").write_text("".join(f"text {number}\n" for number in range(9)))
    records(classifier, "--file", tmp_path / "t.txt", "--max-batch-tokens", "24")
    assert told[-1] == (9, 9)
    assert len(told) > 2


def test_answers_are_counted_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with progress.CountOfTexts(console) as counter:
        for _ in range(1234):
            counter.count()
    assert "1,234 texts answered" in console.file.getvalue()


def test_a_few_texts_are_answered_alike_with_and_without_a_framework(classifier):
    code = (
        "import sys; from albertkit.cli import main; sys.argv[0] = 'albertkit'\n"
        "try: main()\n"
        "finally: print([name for name in ('torch', 'tensorflow', 'jax') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "predict", str(classifier), *TEXTS], capture_output=True, text=True, check=True
    )
    *lines, imported = done.stdout.splitlines()
    assert imported == "[]"
    for ours, wanted in zip(map(json.loads, lines), records(classifier, *TEXTS), strict=True):
        assert (ours["text"], ours["label"]) == (wanted["text"], wanted["label"])
        assert ours["scores"] == pytest.approx(wanted["scores"], abs=1e-5)


def test_rows_of_a_file_are_labelled_and_kept_by_conditions(classifier, tmp_path):
    lines = [json.dumps({"id": number, "text": TEXTS[number % 3], "n": 10**25}) for number in range(30)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    labels = ("--label-field", "quality", "--score-field", "sure")
    done = predict(classifier, "--file", tmp_path / "t.jsonl", "--output", tmp_path / "all.jsonl", *labels)
    assert f"30 answers are in {tmp_path / 'all.jsonl'}." in done.stderr
    every = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert [json.dumps({name: row[name] for name in ("id", "text", "n")}) for row in every] == lines
    condition = f"score>={max(row['sure'] for row in every)}"
    asked = (*labels, "--filter-by", condition, "--left-out", tmp_path / "left.jsonl")
    done = predict(classifier, "--file", tmp_path / "t.jsonl", "--output", tmp_path / "kept.jsonl", *asked)
    kept, left = ((tmp_path / f"{name}.jsonl").read_text().splitlines() for name in ("kept", "left"))
    assert f"{len(left)} of 30 rows are not kept by --filter-by." in done.stderr
    assert sorted([*kept, *left]) == sorted((tmp_path / "all.jsonl").read_text().splitlines())
    assert kept
    assert left


def test_options_for_files_of_any_size_are_refused_where_they_do_nothing(classifier, tmp_path):
    source = table(tmp_path / "t.csv")
    for arguments, told in (
        (("it", "--label-field", "q"), r"--label-field is for the rows of a file .* Received: no file"),
        (("--file", source, "--workers", "2"), "--workers is for the rows of a file"),
        (("--file", source, "--output", tmp_path / "o.csv", "--replace-fields"), "--replace-fields is for the rows"),
        (("it", "--output", tmp_path / "o.jsonl.gz"), "Texts that are not in a file go to .jsonl, .csv or .parquet"),
        (("--file", source, "--output", source, "--overwrite"), "must not replace the texts"),
    ):
        with pytest.raises(InputError, match=told):
            predict(classifier, *arguments)


def test_how_far_a_run_is_stands_in_a_line_now_and_then():
    from albertkit.prediction.totals import BadKind, Totals

    now, told = [0.0], io.StringIO()
    bar = progress.PredictionProgress(Console(file=told, width=200), clock=lambda: now[0])
    with bar:
        bar.update(1000, 100, Totals(answers=50))
        now[0] = 31.0
        bar.update(1000, 410, Totals(answers=360, filtered=7, bad=(BadKind("", "", 3, ()),)))
    assert told.getvalue() == "41% · 360 rows · 7 not kept · 3 that cannot be used · 10 rows/s · 59 s left\n"


def test_several_files_are_answered_in_their_order_or_refused(classifier, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": "the film", "of": name}) + "\n")
    files = ["--file", str(tmp_path / "b.jsonl"), "--file", str(tmp_path / "a.jsonl")]
    output = tmp_path / "o.jsonl"
    assert CliRunner().invoke(app, ["predict", str(classifier), *files, "--output", str(output)]).exit_code == 0
    assert [json.loads(line)["of"] for line in output.read_text().splitlines()] == ["b", "a"]
    for more in ([], ["--output", str(tmp_path / "o.csv")]):
        found = CliRunner().invoke(app, ["predict", str(classifier), *files, *more])
        assert isinstance(found.exception, InputError)
        assert "Received: 2 files" in str(found.exception)


@pytest.mark.parametrize("options", [["--output-format", "parquet"], ["--part-rows", "3"]])
def test_options_of_parts_are_for_folders(classifier, tmp_path, options):
    (tmp_path / "d.txt").write_text("the film\n")
    where = ["--file", str(tmp_path / "d.txt"), "--output", str(tmp_path / "o.jsonl")]
    for command in (["predict", str(classifier)], ["embed", "albertkit/small-en-similarity"]):
        found = CliRunner().invoke(app, [*command, *where, *options])
        assert isinstance(found.exception, InputError)
        assert f"{options[0]} is for the parts of a folder" in str(found.exception)
