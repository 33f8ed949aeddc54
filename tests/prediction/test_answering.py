"""What becomes of a block: rows as they went in, with labels; tasks and backends."""

import csv
import io
import json
from importlib.util import find_spec

import pytest

pytest.importorskip("torch")
pytest.importorskip("pyarrow")

import pyarrow as pa
from pyarrow import parquet

from albertkit.errors import InputError
from albertkit.prediction import run
from albertkit.tasks.base import Task
from prediction.inputs import answered, made, records, request, rows_of, write

pytestmark = pytest.mark.torch
LABELS = {"label_field": "q", "score_field": "p"}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(Task, "rows_together", 7)


@pytest.fixture(scope="module")
def model(tmp_path_factory, data):
    return made(tmp_path_factory.mktemp("model"), data)


def test_rows_of_json_keep_every_character_and_get_their_labels(model, tmp_path):
    source = write(tmp_path / "d.jsonl")
    lines = source.read_text().splitlines()
    lines[3:3] = ["", "  "]
    lines[9] = '{"text":"it" ,"f": 1.10e0, "\\u00fc": -0.0}'
    source.write_text("\n".join(lines))
    found = answered(model, [source], tmp_path / "out.jsonl", **LABELS).decode().splitlines()
    plain = rows_of(answered(model, [source], tmp_path / "plain.jsonl"), ".jsonl")
    expected = [
        f'{line[:-1]}, "q": {json.dumps(row["label"])}, "p": {row["score"]}}}'
        for line, row in zip(filter(str.strip, lines), plain, strict=True)
    ]
    assert found == expected


def test_an_array_has_a_line_for_each_object(model, tmp_path):
    for content in (json.dumps(records(20)), json.dumps(records(20), indent=2, ensure_ascii=False)):
        (tmp_path / "d.json").write_text(content)
        found = rows_of(
            answered(model, [tmp_path / "d.json"], tmp_path / "o.jsonl", overwrite=True, **LABELS), ".jsonl"
        )
        assert [{name: row[name] for name in row if name not in "qp"} for row in found] == records(20)


def test_tables_keep_their_columns_and_parquet_its_kinds(model, tmp_path):
    write(tmp_path / "d.csv")
    [first, *_] = rows_of(answered(model, [tmp_path / "d.csv"], tmp_path / "c.jsonl", **LABELS), ".jsonl")
    assert list(first) == ["id", "text", "q", "p"]
    columns = {
        "text": pa.array(["it", "the film", None]),
        "day": pa.array([1, None, 3], pa.timestamp("us")),
        "small": pa.array([1, 2, 3], pa.int8()),
        "parts": pa.array([[1], [], None], pa.list_(pa.float32())),
    }
    parquet.write_table(pa.table(columns), tmp_path / "d.parquet")
    content = answered(model, [tmp_path / "d.parquet"], tmp_path / "o.parquet", **LABELS)
    table = parquet.read_table(io.BytesIO(content))
    assert table.select(list(columns)).equals(pa.table(columns))
    assert table.schema.names == [*columns, "q", "p"]
    assert table.schema.field("p").type == pa.float64()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "txt"])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_rows_are_kept_by_conditions_and_the_others_go_to_a_file(model, tmp_path, kind, ending):
    source = write(tmp_path / f"d.{kind}")
    every = rows_of(answered(model, [source], tmp_path / f"all.{ending}", **LABELS), f".{ending}")
    scores = sorted(row["p"] for row in every)
    middle = scores[len(scores) // 2]
    asked = {**LABELS, "filter_by": [f"score>={middle}", "label!=bad"]}
    output, others = tmp_path / f"kept.{ending}", tmp_path / "others.jsonl"
    totals, _ = run.run(request(model, [source], output, left_out=others, **asked))
    kept = rows_of(output.read_bytes(), f".{ending}")
    assert kept == [row for row in every if row["p"] >= middle and row["q"] != "bad"]
    left = rows_of(others.read_bytes(), ".jsonl")
    assert [row["p"] for row in left] == [row["p"] for row in every if row["p"] < middle or row["q"] == "bad"]
    assert (totals.answers, totals.filtered) == (40, len(left))
    assert 0 < len(left) < 40


def test_a_field_of_the_name_of_a_label_is_refused_or_replaced_in_its_place(model, tmp_path):
    source = write(tmp_path / "d.jsonl")
    asked = {"label_field": "id", "score_field": "p"}
    with pytest.raises(InputError, match=r"d.jsonl, line 1 has the field 'id' already. Pass --replace-fields"):
        answered(model, [source], tmp_path / "o.jsonl", **asked)
    found = rows_of(answered(model, [source], tmp_path / "o.jsonl", replaces_fields=True, **asked), ".jsonl")
    assert list(found[0]) == ["id", "text", "big", "nested", "p"]
    assert {row["id"] for row in found} <= {"bad", "fair", "good"}
    table = write(tmp_path / "d.parquet")
    with pytest.raises(InputError, match=r"d.parquet has the field 'id' already"):
        answered(model, [table], tmp_path / "o.parquet", **asked)
    found = rows_of(answered(model, [table], tmp_path / "o.parquet", replaces_fields=True, **asked), ".parquet")
    assert {row["id"] for row in found} <= {"bad", "fair", "good"}


def test_what_cannot_be_is_refused_before_the_first_row(model, tmp_path, data):
    source, output = write(tmp_path / "d.jsonl"), tmp_path / "o.jsonl"
    masked = made(tmp_path / "mlm", data, "ForMaskedLM")
    for changed, told in (
        ({"label_field": "q", "score_field": "q"}, "need two fields"),
        ({"left_out": tmp_path / "x.jsonl"}, "Rows are left out by --filter-by"),
        ({"left_out": tmp_path / "x.parquet", "filter_by": ["score>=0"]}, r"go to a file of .jsonl"),
        ({"filter_by": ["label=none"]}, "classes of the model: bad, fair, good"),
        ({"left_out": tmp_path / "x" / ".." / "o.jsonl", "filter_by": ["score>=0"]}, "a file of their own"),
    ):
        with pytest.raises(InputError, match=told):
            answered(model, [source], output, **changed)
    with pytest.raises(InputError, match="the task fill-mask, which has none"):
        answered(masked, [source], output, label_field="q")
    for folder_format in ("csv", "x"):
        with pytest.raises(InputError, match=r"must be one of jsonl, jsonl.gz, jsonl.zst, parquet"):
            answered(model, [source], tmp_path / "f", folder_format=folder_format)
    (tmp_path / "e.csv").write_text("text,other\nit,1\n")
    write(tmp_path / "d.csv")
    with pytest.raises(InputError, match=r"must have the columns of .*d.csv. .*e.csv differs in other string"):
        answered(model, [tmp_path / "d.csv", tmp_path / "e.csv"], tmp_path / "o.parquet")
    assert not output.exists()
    with pytest.raises(InputError, match="where there is none"):
        answered(model, [tmp_path / "*.none"], output)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "json"])
def test_files_without_rows_are_passed_over_where_others_have_some(model, tmp_path, kind):
    write(tmp_path / f"b.{kind}", 5)
    if kind == "parquet":
        parquet.write_table(parquet.read_table(tmp_path / "b.parquet").slice(0, 0), tmp_path / "a.parquet")
    else:
        (tmp_path / f"a.{kind}").write_text({"csv": "id,,text\n", "json": "[]", "jsonl": ""}[kind])
    told = []
    run.run(request(model, [tmp_path / f"*.{kind}"], tmp_path / "o.jsonl.gz"), note=told.append)
    assert len(rows_of((tmp_path / "o.jsonl.gz").read_bytes(), ".jsonl.gz")) == 5
    assert told == [f"passed over, for they hold no row: {tmp_path / f'a.{kind}'}"]
    with pytest.raises(InputError, match="at least one row"):
        answered(model, [tmp_path / f"a.{kind}"], tmp_path / "n.jsonl")


EMPTY = {
    "ForQuestionAnswering": ("json", '{"data": []}'),
    "ForTokenClassification": ("conll", "-DOCSTART- O\n\n"),
}


@pytest.mark.parametrize("head", EMPTY)
def test_a_file_of_a_task_without_rows_gives_no_answers_and_one_alone_is_refused(head, tmp_path, data):
    model, (ending, content) = made(tmp_path / "m", data, head), EMPTY[head]
    empty, other = tmp_path / f"a.{ending}", tmp_path / "b.jsonl"
    empty.write_text(content)
    other.write_text(json.dumps(ROWS[head]) + "\n")
    assert len(rows_of(answered(model, [empty, other], tmp_path / "o.jsonl"), ".jsonl")) == 1
    with pytest.raises(InputError, match=rf"at least one row to use. .*a.{ending}"):
        answered(model, [empty], tmp_path / "n.jsonl")
    assert not (tmp_path / "n.jsonl").exists()


def test_answers_never_stand_among_their_inputs(model, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    source = write(tmp_path / "in" / "a.jsonl")
    write(tmp_path / "in" / "deep" / "b.jsonl")
    held = source.read_bytes()
    pattern, kept = tmp_path / "in" / "*.jsonl", tmp_path / "o.jsonl"
    answered(model, [tmp_path / "in"], tmp_path / "in" / "o.jsonl")
    for inputs, output, changed in (
        (tmp_path / "in", source, {}),
        (tmp_path / "in", tmp_path / "in" / "o.jsonl", {}),
        (pattern, source, {}),
        (pattern, kept, {"left_out": source, "filter_by": ["score>=0"]}),
        (pattern, tmp_path / "in", {}),
        (tmp_path / "in" / "deep" / "b.jsonl", tmp_path / "in", {}),
    ):
        with pytest.raises(InputError, match="must not stand among the texts"):
            run.run(request(model, [inputs], output, overwrite=True, **changed))
    assert source.read_bytes() == held
    assert not kept.exists()


ROWS = {
    "ForTokenClassification": {"text": "the film"},
    "ForQuestionAnswering": {"question": "what?", "context": "the film"},
    "ForMultipleChoice": {"question": "what?", "choice0": "it", "choice1": "a film"},
}


@pytest.mark.parametrize("head", ROWS)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_what_else_a_row_holds_stands_beside_its_answer(head, kind, tmp_path, data):
    model, path = made(tmp_path / "m", data, head), tmp_path / f"d.{kind}"
    rows = [{**ROWS[head], "number": str(number), "score": "x"} for number in range(9)]
    if kind == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "csv":
        path.write_text("".join(f"{','.join(row)}\n" for row in [rows[0], *(row.values() for row in rows)]))
    else:
        lines(path, rows)
    found = rows_of(answered(model, [path], tmp_path / "o.jsonl"), ".jsonl")
    name = "score" if "entities" in found[0] else "input_score"
    assert [(row["number"], row[name]) for row in found] == [(row["number"], "x") for row in rows]
    if kind != "jsonl":
        table = rows_of(answered(model, [path], tmp_path / "o.parquet"), ".parquet")
        assert [(row["number"], row[name]) for row in table] == [(row["number"], "x") for row in rows]


def test_questions_of_squad_have_their_columns_in_parquet(tmp_path, data):
    model = made(tmp_path / "m", data, "ForQuestionAnswering")
    asked = [{"id": f"q{number}", "question": "what?", "answers": []} for number in range(3)]
    content = {"data": [{"paragraphs": [{"context": "the film", "qas": asked}]}]}
    (tmp_path / "d.json").write_text(json.dumps(content))
    found = rows_of(answered(model, [tmp_path / "d.json"], tmp_path / "o.parquet"), ".parquet")
    assert [(row["id"], row["question"]) for row in found] == [(one["id"], "what?") for one in asked]
    assert "text" not in found[0]


def test_half_a_character_is_no_text_of_parquet(model, tmp_path):
    lines(tmp_path / "d.jsonl", [{"text": "a \ud800 b"}])
    with pytest.raises(InputError, match=r"'text' of Parquet must hold string.* Write to .jsonl"):
        answered(model, [tmp_path / "d.jsonl"], tmp_path / "o.parquet")


def test_folders_and_patterns_name_their_data_files(model, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, count in (("b.jsonl", 3), ("a.jsonl", 2), ("deep/c.jsonl", 4), (".hidden.jsonl", 9)):
        write(tmp_path / "in" / name, count)
    (tmp_path / "in" / "notes.md").write_text("x")
    found = rows_of(answered(model, [tmp_path / "in"], tmp_path / "o.jsonl"), ".jsonl")
    assert [row["id"] for row in found] == [0, 1, 0, 1, 2, 0, 1, 2, 3]
    found = rows_of(answered(model, [tmp_path / "in" / "[ab].jsonl"], tmp_path / "p.jsonl"), ".jsonl")
    assert [row["id"] for row in found] == [0, 1, 0, 1, 2]


def pairs(path):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["premise", "hypothesis"], *([row["text"], "it"] for row in records(20))])
    return path


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def masked(number):
    """A text with one mask or two."""
    return f"[MASK] of the film{' [MASK]' * (number % 2)} {number}"


TASKS = {
    "pairs": ("ForSequenceClassification", {}, lambda path: pairs(path / "d.csv")),
    "numbers": (
        "ForSequenceClassification",
        {"num_labels": 1, "id2label": {0: "x"}, "problem_type": "regression"},
        lambda path: write(path / "d.jsonl", 20),
    ),
    "several": (
        "ForSequenceClassification",
        {"problem_type": "multi_label_classification"},
        lambda path: write(path / "d.jsonl", 20),
    ),
    "entities": (
        "ForTokenClassification",
        {"num_labels": 3, "id2label": {0: "O", 1: "B-X", 2: "I-X"}},
        lambda path: write(path / "d.jsonl", 20),
    ),
    "questions": (
        "ForQuestionAnswering",
        {"max_position_embeddings": 64},
        lambda path: lines(path / "d.jsonl", [{"question": "the film?", "context": r["text"]} for r in records(20)]),
    ),
    "choices": (
        "ForMultipleChoice",
        {"max_position_embeddings": 64},
        lambda path: lines(
            path / "d.jsonl", [{"question": r["text"], "choice0": "it", "choice1": "the film"} for r in records(20)]
        ),
    ),
    "masks": (
        "ForMaskedLM",
        {},
        lambda path: lines(path / "d.jsonl", [{"text": masked(number)} for number in range(20)]),
    ),
}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_answers_as_it_does_for_a_stream_and_in_parquet(task, tmp_path, data):
    head, keys, source = TASKS[task]
    model, path = made(tmp_path / "m", data, head, **keys), source(tmp_path)
    plan = run.plan(request(model, [path], tmp_path / "o.jsonl"))
    stream = list(plan.pipeline.stream(plan.pipeline.read(path)))
    found = rows_of(answered(model, [path], tmp_path / "o.jsonl"), ".jsonl")
    alike = [json.loads(json.dumps(row), parse_float=lambda one: round(float(one), 4)) for row in stream]
    assert [json.loads(json.dumps(row), parse_float=lambda one: round(float(one), 4)) for row in found] == alike
    table = rows_of(answered(model, [path], tmp_path / "o.parquet"), ".parquet")
    assert len(table) == len(found)
    for row, expected in zip(table, found, strict=True):
        for name in row.keys() & expected.keys():
            assert row[name] == expected[name] or json.loads(row[name]) == expected[name]
        assert set(expected) <= {*row, *json.loads(row.get("record", "{}"))}


@pytest.mark.parametrize("framework", ["numpy", "tensorflow", "flax"])
def test_every_backend_answers_so(model, tmp_path, framework):
    if framework != "numpy" and find_spec("jax" if framework == "flax" else framework) is None:
        pytest.skip(f"{framework} is not installed")
    source = write(tmp_path / "d.jsonl", 20)
    asked = request(model, [source], tmp_path / "o.jsonl")
    asked.model["framework"] = framework
    run.run(asked)
    found = rows_of((tmp_path / "o.jsonl").read_bytes(), ".jsonl")
    torch = rows_of(answered(model, [source], tmp_path / "t.jsonl"), ".jsonl")
    assert [row["label"] for row in found] == [row["label"] for row in torch]
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in torch], abs=1e-4)
