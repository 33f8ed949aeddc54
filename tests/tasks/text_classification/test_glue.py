"""The tasks of GLUE: their files in every layout, their scores, and the files for their server."""

import json

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import tables, trained_on
from albertkit.tasks.features import Features
from albertkit.tasks.text_classification import glue, submission
from albertkit.tasks.text_classification.labels import Schema
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification

TASK = TextClassification()

COLA = 'gj04\t1\t\tThey said "yes.\ngj04\t0\t*\t"Boots the they.\n'
MRPC = '1\t10\t20\tHe said "no.\tHe said no.\n0\t11\t21\tOne.\t"Two"\n'
MICROSOFT = f"\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n{MRPC}"
MNLI = (
    "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
    "\tsentence1\tsentence2\tlabel1\tgold_label\n"
    "0\t1\t1n\tfiction\t( a )\t( b )\t(ROOT a)\t(ROOT b)\tA man sleeps.\tHe is awake.\tneutral\tcontradiction\n"
)
STSB = (
    "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
    '0\tmain\tMSR\t2012\t0001\tnone\tnone\tA "plane\tAn air plane\t4.250\n'
)
QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n7\t1\t2\tWhy?\tHow come?\t1\n"


def write(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8", newline="")
    return str(path)


def read(path, task_name, **others):
    """The examples of a file, their classes or numbers, and the config's keys."""
    options = Options(task_name=task_name, **others)
    examples, options = TASK.read(path, options)
    config = AlbertConfig(**TASK.config_keys(examples, options))
    return examples, TASK.targets(examples, options, Schema.of(config)).tolist(), config


@pytest.mark.parametrize(
    ("task", "file", "content", "first", "second", "numbers"),
    [
        ("cola", "train.tsv", COLA, ['They said "yes.', '"Boots the they.'], None, [1, 0]),
        ("CoLA", "dev.tsv", f"source\tlabel\tmark\tsentence\n{COLA}", None, None, [1, 0]),
        ("SST-2", "dev.tsv", "sentence\tlabel\nit 's \"fun \t1\n", ["it 's \"fun "], None, [1]),
        ("mrpc", "train.tsv", MRPC, ['He said "no.', "One."], ["He said no.", '"Two"'], [1, 0]),
        ("mrpc", "msr_paraphrase_train.txt", MICROSOFT, ['He said "no.', "One."], ["He said no.", '"Two"'], [1, 0]),
        ("sts_b", "dev.tsv", STSB, ['A "plane'], ["An air plane"], [4.25]),
        ("qqp", "dev.tsv", QQP, ["Why?"], ["How come?"], [1]),
        ("mnli", "dev_matched.tsv", MNLI, ["A man sleeps."], ["He is awake."], [2]),
        ("MNLI-mm", "dev_mismatched.tsv", MNLI, ["A man sleeps."], ["He is awake."], [2]),
        ("qnli", "dev.tsv", "index\tquestion\tsentence\tlabel\n0\tWho?\tMe.\tnot_entailment\n", ["Who?"], ["Me."], [1]),
        ("rte", "dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n", ["A."], ["B."], [0]),
        ("wnli", "val.tsv", "0\tIt fell.\tThe cup fell.\t1\n1\tIt fell.\tShe fell.\t0\n", None, None, [1, 0]),
        ("ax", "diagnostic-full.tsv", "Logic\tPremise\tHypothesis\tLabel\n-\tA.\tB.\tneutral\n", ["A."], ["B."], [1]),
    ],
)
def test_files_of_each_task_are_read_as_people_have_them(tmp_path, task, file, content, first, second, numbers):
    examples, found, _ = read(write(tmp_path, file, content), task)
    assert found == numbers
    assert first is None or examples.first == first
    assert second is None or examples.second == second


def test_the_sources_of_mrpc_are_answered_as_they_are_read(tmp_path):
    path = write(tmp_path, "msr_paraphrase_test.txt", MICROSOFT)
    assert not TASK.is_lines(path)
    (part,) = TASK.stream(path, Options(task_name="mrpc"))
    assert (part.first, part.second) == (['He said "no.', "One."], ["He said no.", '"Two"'])


@pytest.mark.parametrize(
    ("task", "record", "number"),
    [
        ("cola", {"sentence": "A.", "label": 1, "idx": 0}, 1),
        ("sst2", {"text": "A.", "label": 0, "label_text": "negative"}, 0),
        ("mrpc", {"sentence1": "A.", "sentence2": "B.", "label": 1, "idx": 0}, 1),
        ("mrpc", {"text1": "A.", "text2": "B.", "label": 0, "idx": 0, "label_text": "not equivalent"}, 0),
        ("qqp", {"question1": "A?", "question2": "B?", "label": 1, "idx": 0}, 1),
        ("stsb", {"sentence1": "A.", "sentence2": "B.", "label": 3.2, "idx": 0}, 3.2),
        ("mnli", {"premise": "A.", "hypothesis": "B.", "label": 2, "idx": 0}, 2),
        ("qnli", {"question": "A?", "sentence": "B.", "label": 1, "idx": 0}, 1),
        ("rte", {"sentence1": "A.", "sentence2": "B.", "label": 0, "idx": 0}, 0),
        ("wnli", {"sentence1": "A.", "sentence2": "B.", "label": 1, "idx": 0}, 1),
    ],
)
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_copy_on_the_hub_has_numbers_as_labels_and_none_in_its_test(tmp_path, task, record, number, ending):
    def save(name, record):
        if ending == "jsonl":
            return write(tmp_path, f"{name}.jsonl", json.dumps(record) + "\n")
        pyarrow = pytest.importorskip("pyarrow")
        path = tmp_path / f"{name}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([record]), path)
        return str(path)

    pytest.importorskip("pyarrow.parquet")
    assert read(save("train", record), task)[1] == pytest.approx([number])
    without = save("test", {**record, "label": type(record["label"])(-1)})
    with pytest.raises(
        InputError, match=r"without labels, such as that of a test, is answered with `albertkit predict`"
    ):
        read(without, task)
    [part] = TASK.stream(without, Options(task_name=task))
    assert part.first == [str(next(iter(record.values())))]


def test_classes_have_the_names_and_the_order_of_the_hub(tmp_path):
    _, _, config = read(write(tmp_path, "a.tsv", MRPC), "mrpc")
    assert config.id2label == {0: "not_equivalent", 1: "equivalent"}
    _, _, config = read(write(tmp_path, "b.tsv", STSB), "stsb")
    assert (config.problem_type, config.num_labels) == ("regression", 1)
    _, _, config = read(write(tmp_path, "c.tsv", MNLI), "mnli")
    assert list(config.id2label.values()) == ["entailment", "neutral", "contradiction"]


def test_a_folder_is_its_files_by_split(tmp_path):
    for name in ("train.tsv", "dev_matched.tsv", "dev_mismatched.tsv", "test_matched.tsv", "README.md"):
        write(tmp_path, f"MNLI/{name}", MNLI)
    place = tmp_path / "MNLI"
    assert TASK.splits(str(tmp_path), Options(task_name="mnli")) == {
        "train": str(place / "train.tsv"),
        "validation": str(place / "dev_matched.tsv"),
        "validation_matched": str(place / "dev_matched.tsv"),
        "validation_mismatched": str(place / "dev_mismatched.tsv"),
        "test": str(place / "test_matched.tsv"),
        "test_matched": str(place / "test_matched.tsv"),
    }
    found = TASK.splits(str(place), Options(task_name="mnli-mm"))
    assert found == {"train": str(place / "train.tsv"), "validation": str(place / "dev_mismatched.tsv")}
    write(tmp_path, "hub/validation-00000-of-00001.parquet", "x")
    write(tmp_path, "hub/train-00000-of-00001.parquet", "x")
    found = TASK.splits(str(tmp_path / "hub"), Options(task_name="rte"))
    assert list(found) == ["train", "validation"]
    assert found["validation"].endswith("validation-00000-of-00001.parquet")


def test_a_wrong_folder_or_task_is_told(tmp_path):
    write(tmp_path, "RTE/notes.md", "x")
    write(tmp_path, "parts/train-00000-of-00002.parquet", "x")
    for folder, task, words in (
        ("RTE", "mrpc", "MRPC and .*RTE, which is called as RTE is.* --task-name rte"),
        ("RTE", "rte", "files called such as train.tsv and dev.tsv.* holds notes.md"),
        ("parts", "sst2", "A split must be one file. .*one of 2 parts"),
        ("parts", "", "Name the task with --task-name"),
    ):
        with pytest.raises(InputError, match=words):
            TASK.splits(str(tmp_path / folder), Options(task_name=task))
    with pytest.raises(InputError, match=r"Received: 'mprc'. Did you mean `mrpc`\?"):
        Options(task_name="mprc")


def test_files_of_another_task_are_told_by_their_columns(tmp_path):
    path = write(tmp_path, "train.tsv", QQP)
    with pytest.raises(
        InputError, match=r"A file of RTE must have the text columns sentence1 and .* They are those of QQP"
    ):
        TASK.read(path, Options(task_name="rte"))
    path = write(tmp_path, "test.tsv", "index\tsentence1\tsentence2\n0\tA.\tB.\n")
    with pytest.raises(InputError, match=r"must have the label column label.*answered with `albertkit predict`"):
        TASK.read(path, Options(task_name="rte"))
    path = write(tmp_path, "dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tentailment\n1\tA.\tB.\tyes\n")
    with pytest.raises(InputError, match=r"'yes' \(line 3\)"):
        read(path, "rte")


def trained(task_name, examples, options=None):
    options = options or Options(task_name=task_name)
    return trained_on.write(AlbertConfig(**TASK.config_keys(examples, options)), TASK, options)


@pytest.mark.parametrize(
    ("task", "content", "first"),
    [
        ("cola", COLA, "matthews_correlation"),
        ("mrpc", MRPC, "combined_score"),
        ("stsb", STSB, "combined_score"),
        ("mnli", MNLI, "accuracy"),
    ],
)
def test_the_scores_of_glue_come_first_and_choose_the_best(tmp_path, task, content, first):
    examples, _ = TASK.read(write(tmp_path, "a.tsv", content), Options(task_name=task))
    assert TASK.metrics(trained(task, examples))[0] == first


def test_two_scores_of_a_task_are_averaged(tmp_path):
    examples, _ = TASK.read(write(tmp_path, "a.tsv", MRPC), Options(task_name="mrpc"))
    config = trained("mrpc", examples)
    features = Features([[]] * 4, [[]] * 4, {"labels": np.array([1, 1, 0, 1])})
    outputs = [{"logits": np.eye(2, dtype=np.float32)[one]} for one in (1, 1, 1, 0)]
    scores = TASK.score(config, examples, features, outputs)
    assert list(scores) == list(TASK.metrics(config))
    assert scores["accuracy"] == 0.5
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["combined_score"] == pytest.approx((0.5 + 2 / 3) / 2)


def test_a_pair_is_known_by_its_task():
    assert Options(task_name="rte").is_pair
    assert not Options(task_name="cola").is_pair
    assert Options(pair_column="b").is_pair


def rows(task, names, records, problem="single_label_classification"):
    return list(submission.rows(glue.get(task), Schema(problem, names), records))


def test_answers_are_written_as_the_server_takes_them(caplog):
    found = rows("rte", ("entailment", "not_entailment"), [{"index": "3", "label": "not_entailment"}])
    assert found == [{"index": 3, "prediction": "not_entailment"}]
    assert "3,000 for RTE.tsv. These are 1" in caplog.text
    found = rows("mrpc", ("not_equivalent", "equivalent"), [{"label": "equivalent"}, {"label": "not_equivalent"}])
    assert found == [{"index": 0, "prediction": "1"}, {"index": 1, "prediction": "0"}]
    assert rows("cola", ("LABEL_0", "LABEL_1"), [{"idx": 9, "label": "LABEL_1"}]) == [{"index": 9, "prediction": "1"}]


def test_similarities_lie_within_their_bounds():
    records = [{"index": number, "value": value} for number, value in enumerate((-1.0, 2.34567, 7.0))]
    found = rows("stsb", ("score",), records, "regression")
    assert [row["prediction"] for row in found] == ["0.000", "2.346", "5.000"]


def test_the_diagnostic_is_answered_by_a_model_of_mnli_alone():
    record = {"index": 0, "label": "neutral"}
    assert rows("ax", ("contradiction", "entailment", "neutral"), [record]) == [{"index": 0, "prediction": "neutral"}]
    with pytest.raises(InputError, match=r"AX need a model of the classes entailment, neutral, contradiction"):
        rows("ax", ("entailment", "not_entailment"), [record])
    with pytest.raises(InputError, match=r"index of a row must be a whole number. Row 1 has 'x7'"):
        rows("ax", ("entailment", "neutral", "contradiction"), [{"id": "x7", "label": "neutral"}])


def test_the_whole_test_passes_without_a_word(caplog):
    records = [{"index": number, "label": "entailment"} for number in range(146)]
    assert len(rows("wnli", ("not_entailment", "entailment"), records)) == 146
    assert caplog.text == ""


def test_the_first_fields_of_a_file_are_read_whatever_they_are(tmp_path):
    assert tables.first_fields(write(tmp_path, "a.tsv", '\n1\t1\t"x\n')) == ["1", "1", '"x']
    assert tables.first_fields(write(tmp_path, "a.csv", '1,"x,y"\n')) == ["1", "x,y"]
    assert tables.first_fields(write(tmp_path, "b.tsv", "\n \n")) == []
