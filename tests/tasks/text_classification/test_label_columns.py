"""Which columns hold labels, one or one for each class, and by what names."""

import json

import pytest

from albertkit.errors import InputError
from albertkit.tasks import tables
from albertkit.tasks.text_classification import label_columns
from albertkit.tasks.text_classification.labels import MULTI, SINGLE, Schema
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification

TASK = TextClassification()


def table(**columns):
    rows = len(next(iter(columns.values())))
    return tables.Table("train.csv", columns, list(range(2, rows + 2)), list(columns))


TOXIC = table(
    comment_text=["a b", "c d", "e f"], toxic=["1", "0", "0"], obscene=[1, 0.0, "1"], insult=["0", "0", "0.0"]
)
COLUMNS = "toxic, obscene,insult"


def read(data, options, schema=None):
    examples, found = TASK.take(data, options, schema)
    return examples.labels, found


def test_a_column_for_each_class_makes_several_classes_a_row():
    labels, found = read(TOXIC, Options(label_column=COLUMNS))
    assert labels == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]
    keys = TASK.config_keys(*TASK.take(TOXIC, Options(label_column=COLUMNS)))
    assert keys == {"problem_type": MULTI, "id2label": {0: "toxic", 1: "obscene", 2: "insult"}}
    assert found.class_names == ["toxic", "obscene", "insult"]
    assert read(TOXIC, Options(label_column=COLUMNS, class_names=["x", "y", "z"]))[1].class_names == ["x", "y", "z"]
    renamed = read(TOXIC, Options(label_column=COLUMNS, label_map="insult=rude"))[1]
    assert renamed.class_names == ["toxic", "obscene", "rude"]


@pytest.mark.parametrize("asked", ["", "insult,toxic,obscene"])
def test_a_model_reads_the_columns_of_its_classes_in_its_own_order(asked):
    schema = Schema(MULTI, ("insult", "obscene", "toxic"))
    assert read(TOXIC, Options(label_column=asked), schema)[0] == [[0, 1, 1], [0, 0, 0], [0, 1, 0]]
    for other in (Schema(MULTI, ("insult", "obscene")), Schema(SINGLE, ("insult", "obscene", "toxic"))):
        with pytest.raises(InputError, match=r"needs a model of these classes.*has insult, toxic, obscene, the model"):
            read(TOXIC, Options(label_column="insult,toxic,obscene"), other)


@pytest.mark.parametrize("value", ["0.7", 2, "yes", -1])
def test_the_column_of_a_class_holds_zeros_and_ones(value):
    data = table(text=["a", "b"], x=[1, value], y=[0, 1])
    with pytest.raises(InputError, match=r"must hold 0 and 1\..* in 1 of 2 rows: line 3\. It has .* in 'x'"):
        read(data, Options(label_column="x,y"))


def test_a_row_without_a_value_in_one_of_the_columns_lacks_its_label():
    data = table(text=["a", "b", "c"], x=[1, "", 0], y=[0, 1, "NA"])
    with pytest.raises(InputError, match=r"in 2 of 3 rows: line 3, line 4"):
        read(data, Options(label_column="x,y"))
    assert read(data, Options(label_column="x,y", skip_bad_rows=True))[0] == [[1, 0]]


def test_columns_of_classes_are_found_and_advised_but_not_guessed():
    with pytest.raises(InputError, match=r"columns of 0 and 1 for a class each: --label-column toxic,obscene,insult"):
        read(TOXIC, Options())
    with pytest.raises(InputError, match=r"several classes at once. Received: the problem 'single'"):
        read(TOXIC, Options(label_column=COLUMNS, problem="single"))
    with pytest.raises(InputError, match=r"name each column of a class. Received: 1 names for the 3 columns"):
        read(TOXIC, Options(label_column=COLUMNS, class_names=["x"]))
    for twice in (Options(label_column="toxic,toxic"), Options(label_column=COLUMNS, label_map="toxic=a,insult=a")):
        with pytest.raises(InputError, match="columns of classes must be different ones"):
            read(TOXIC, twice)
    one = table(**{"text": ["a", "b"], "yes, no": ["x", "y"]})
    assert read(one, Options(label_column="yes, no"))[0] == ["x", "y"]


@pytest.mark.parametrize("name", ["sentiment", "stars", "Target", "intent", "topic", "is_duplicate", "gold_label"])
def test_usual_names_of_labels_are_known(name):
    assert read(table(**{"text": ["a", "b"], name: ["1", "2"]}), Options())[1].label_column == name


def test_labels_take_the_names_of_a_map(tmp_path):
    data = table(text=list("abcd"), label=["0", 1, "1.0", "0|1"])
    assert read(data, Options(label_map="0=neg, 1 = pos"))[0] == ["neg", "pos", "pos", "neg|pos"]
    (tmp_path / "names.json").write_text(json.dumps({"0": "a, b", "1": 7}))
    named = Options(label_map=str(tmp_path / "names.json"))
    assert read(data, named)[0] == ["a, b", "7", "7", "a, b|7"]
    lists = table(text=["a", "b"], label=[["x", "y"], ["y"]])
    assert read(lists, Options(label_map="x=z"))[0] == [["z", "y"], ["y"]]
    assert label_columns.read_map("") == {}


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ("neg", "must be pairs such as"),
        ("a=", "must be pairs such as"),
        ("a=b,a=c", "must be pairs such as"),
        ("x=y", r"must name labels of the file. train.csv has none of x. Its labels are such as 0, 1"),
        ("nowhere.json", r"must be a JSON file.*Reading nowhere.json failed"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(stated, words):
    with pytest.raises(InputError, match=f"`label_map` {words}"):
        read(table(text=["a", "b"], label=["0", "1"]), Options(label_map=stated))


def test_lists_of_zeros_and_ones_have_no_names_to_replace():
    with pytest.raises(InputError, match="have no names that `label_map` could replace"):
        read(table(text=["a", "b"], label=[[0, 1], [1, 1]]), Options(label_map="0=a"))


def test_a_file_without_a_header_is_asked_for_one():
    data = table(**{"a film that I liked a lot": ["b"], "1": ["0"]})
    with pytest.raises(InputError, match=r"looks like a row.*name the columns with --header text,label") as caught:
        read(data, Options())
    assert "Name it with --text-column" not in str(caught.value)


@pytest.mark.parametrize("value", [{"toxic": 1}, [["a"]], [{"name": "a"}], b"a"])
def test_what_is_no_label_is_refused_and_no_class_of_its_own(value):
    with pytest.raises(
        InputError, match=r"must be a name, a number, or a list of them\..* line 3\. It has .* in 'label'"
    ):
        read(table(text=["a", "b"], label=["x", value]), Options())
