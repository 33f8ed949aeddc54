"""What the labels of a data set are, in every form that files keep them in."""

import json

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import tables
from albertkit.tasks.text_classification import labels
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, SINGLE, Schema
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification

TASK = TextClassification()
NUMBERED = Schema(SINGLE, ("LABEL_0", "LABEL_1"))


def data(tmp_path, values, name="train.jsonl"):
    """A file with these labels."""
    path = tmp_path / name
    path.write_text("".join(json.dumps({"text": f"text {n}", "label": value}) + "\n" for n, value in enumerate(values)))
    return str(path)


def table(**columns):
    rows = len(next(iter(columns.values())))
    return tables.Table("train.csv", {"text": [f"text {n}" for n in range(rows)]} | columns, list(range(2, rows + 2)))


def learned(source, options=None, values=None):
    """The schema and the numbers that training data give."""
    options = options or Options()
    examples, found = TASK.read(source, options) if isinstance(source, str) else TASK.take(source, options)
    config = AlbertConfig(**TASK.config_keys(examples, found))
    return Schema.of(config), TASK.targets(examples, found, Schema.of(config)).tolist()


def numbers(values, schema, **options):
    return labels.as_numbers(values, schema, "|", "dev.csv", lambda rows, most: f"line {rows[0]}", **options).tolist()


@pytest.mark.parametrize(
    "rows",
    [
        [[0, 1, 0], [1, 0, 0], [1, 1, 1]],
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]],
        [[False, True, False], [True, False, False], [True, True, True]],
        [["0", "1", "0"], ["1", "0", "0"], ["1", "1", "1"]],
        ["[0, 1, 0]", "[1, 0, 0]", "[1, 1, 1]"],  # as pandas writes lists to CSV
        ["[0 1 0]", "[ 1 0  0]", "[1\n 1 1 ]"],  # and arrays
        ["[0. 1. 0.]", "[1. 0. 0.]", "[1. 1. 1.]"],
    ],
)
def test_lists_of_zeros_and_ones_are_a_class_a_position(tmp_path, caplog, rows):
    schema, found = learned(data(tmp_path, rows))
    assert schema == Schema(MULTI, ("0", "1", "2"))
    assert found == [[0, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert "lists of 3 zeros and ones as labels: one class a position, called 0 to 2" in caplog.text
    assert "--class-names" in caplog.text


def test_positions_take_the_names_that_are_given(tmp_path, caplog):
    path = data(tmp_path, [[0, 1], [1, 0], [0, 0]])
    assert learned(path, Options(class_names=["good", "bad"])) == (
        Schema(MULTI, ("good", "bad")),
        [[0, 1], [1, 0], [0, 0]],
    )
    assert not caplog.messages
    with pytest.raises(InputError, match=r"lists of 2. Received: 3 names in `class_names`, a, b, c"):
        learned(path, Options(class_names=["a", "b", "c"]))


def test_lists_of_names_stay_names(tmp_path):
    assert learned(data(tmp_path, [["a", "b"], ["b", "c"]]))[0].names == ("a", "b", "c")
    assert learned(data(tmp_path, ["['a', 'b']", "['b']", "[]"])) == (
        Schema(MULTI, ("a", "b")),
        [[1, 1], [0, 1], [0, 0]],
    )
    assert learned(data(tmp_path, ["{'b', 'a'}", "('b',)"]))[0] == Schema(MULTI, ("a", "b"))
    assert learned(data(tmp_path, [[3, 1], [1], []]))[0].names == ("1", "3")
    assert learned(data(tmp_path, [[1], [0], [1]]))[0].names == ("0", "1")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([[0.2, 0.8], [1.0, 0.0]], r"must hold zeros and ones, one for each class. Received one with 0.2. Round"),
        ([[0, 1, 0], [1, 0]], r"must have one length.*Received lists of 2, 3"),
        ([[0, 1, 0], [1, 1, 2]], r"zeros and ones, or each class once. .* in 1 of 2 rows: line 2. It has \[1, 1, 2\]"),
        ([[0, 1], [None, 1]], r"without gaps. .* in 1 of 2 rows: line 2"),
        ([[0, 1, 1], [0, -100, 1]], r"none below 0, such as -1 or -100.* in 1 of 2 rows: line 2"),
        (["{'toxic': 1}", "{'toxic': 0}"], "must be a name, a number, or a list of them"),
    ],
)
def test_lists_that_are_neither_names_nor_places_are_refused(tmp_path, rows, words):
    with pytest.raises(InputError, match=words):
        learned(data(tmp_path, rows))


def test_positions_are_those_of_the_model_that_is_evaluated():
    schema = Schema(MULTI, ("0", "1", "2"))
    assert numbers([[0, 1, 1]], schema) == [[0, 1, 1]]
    with pytest.raises(InputError, match=r"place for each class of the model: 3. dev.csv has lists of 4"):
        numbers([[0, 1, 1, 0]], schema)
    assert numbers([[1, 2], [0]], schema) == [[0, 1, 1], [1, 0, 0]]


def test_labels_with_a_separator_whose_parts_come_back_are_several(caplog):
    schema, found = learned(table(label=["a", "b", "a|b"]))
    assert (schema, found) == (Schema(MULTI, ("a", "b")), [[1, 0], [0, 1], [1, 1]])
    assert "labels such as 'a|b': each part between '|' is taken for a class" in caplog.text
    caplog.clear()
    assert learned(table(label=["a", "b", "a|b"]), Options(problem="single"))[0].names == ("a", "a|b", "b")
    assert not caplog.messages
    assert learned(table(label=["a|b", "c"]))[0] == Schema(SINGLE, ("a|b", "c"))
    assert "taken for one class each. To part them pass --problem multi --label-separator '|'" in caplog.text
    caplog.clear()
    assert learned(table(label=["x,y", "x", "y"]))[0].problem_type == SINGLE
    assert "--label-separator ','" in caplog.text


@pytest.mark.parametrize("word", ["NA", "null", "NaN", "n/a", "<NA>"])
def test_words_for_a_missing_value_are_no_class(tmp_path, word):
    rows = ["yes", "no", word, "yes", word]
    with pytest.raises(
        InputError, match=rf"in 2 of 5 rows: line 4, line 6.*2 of the labels are '{word}', which count as"
    ):
        learned(table(label=rows))
    assert learned(table(label=rows), Options(skip_bad_rows=True))[0].names == ("no", "yes")
    assert word in learned(table(label=rows), Options(missing_labels=[]))[0].names
    assert learned(table(label=["none", "None", "yes"]))[0].names == ("None", "none", "yes")
    known = Schema(SINGLE, ("no", "yes", word))
    assert TASK.take(table(label=rows), Options(), known)[0].labels == rows


def test_odd_classes_are_said(caplog):
    learned(table(label=["Yes", "yes", "no"]))
    assert "differ in nothing but capital letters: Yes, yes" in caplog.text
    learned(table(label=[str(number % 30) for number in range(90)]))
    assert "30 whole numbers as labels, which are taken for as many classes" in caplog.text
    caplog.clear()
    learned(table(label=[str(number % 30) for number in range(90)]), Options(problem="single"))
    assert "whole numbers" not in caplog.text  # they were asked for
    learned(table(label=["yes", "?", "no"]))
    assert "classes without a letter or digit: ?. If they say that a label is missing" in caplog.text
    learned(table(label=["0.5", "2", "-"] + ["1.5"] * 9))
    assert "labels that are numbers, such as '0.5', and others, such as '-'" in caplog.text
    caplog.clear()
    learned(table(label=["+", "-", "+"]))
    learned(table(label=["1", "2", "three"]))
    assert not caplog.messages
    with pytest.raises(InputError, match=r"decimal point. .* has labels such as '3,5'.*--label-separator ','"):
        learned(table(label=["3,5", "4", "2,25"]))


@pytest.mark.parametrize("labels", [[f"id {number}" for number in range(40)], list(range(40))])
def test_a_class_for_every_row_is_told_as_what_it_is(labels, caplog):
    with pytest.raises(InputError, match=r"40 classes in 40 rows: the column 'label' seems to hold ids or texts"):
        learned(table(label=labels))
    learned(table(label=labels), Options(eval="dev.csv"))
    assert "40 classes in 40 rows" in caplog.text
    caplog.clear()
    learned(table(label=[*labels[:25], *labels[:15]]), Options())
    assert "25 classes in 40 rows" in caplog.text
    learned(table(label=["a", "b", "c"]))


def test_class_names_are_the_order_and_name_numbers():
    schema, found = learned(table(label=["0", "1", "1.0"]), Options(class_names=["neg", "pos"]))
    assert (schema, found) == (Schema(SINGLE, ("neg", "pos")), [0, 1, 1])
    schema, found = learned(table(label=["pos", "neg"]), Options(class_names=["pos", "neutral", "neg"]))
    assert (schema, found) == (Schema(SINGLE, ("pos", "neutral", "neg")), [0, 2])
    for names in (["neg"], ["neg", "neg", "pos"], ["1", "2"]):
        with pytest.raises(InputError, match="`class_names` must name each class once"):
            learned(table(label=["0", "1", "2"]), Options(class_names=names))


def test_a_number_is_the_class_of_that_number_where_classes_are_called_by_it(caplog):
    assert numbers(["0", 1, "1.0", "LABEL_0"], NUMBERED) == [0, 1, 1, 0]
    assert not caplog.messages
    assert numbers(["0", 1, "1.0"], NUMBERED) == [0, 1, 1]
    assert "numbers as labels: 0 is taken for LABEL_0" in caplog.text
    assert numbers(["1|0", ""], Schema(MULTI, ("LABEL_0", "LABEL_1"))) == [[1, 1], [0, 0]]
    with pytest.raises(InputError, match="has 1 others: '2'"):
        numbers(["2"], NUMBERED)


@pytest.mark.parametrize(
    ("given", "names", "advised"),
    [
        (["0", "1"], ("negative", "positive"), '--label-map "0=negative,1=positive"'),
        (["Positive", "NEGATIVE"], ("negative", "positive"), '--label-map "Positive=positive,NEGATIVE=negative"'),
        (["good"], ("negative", "positive"), '--label-map "good=negative"'),
        (["2", "1"], ("LABEL_0", "LABEL_1"), '--label-map "1=LABEL_0,2=LABEL_1"'),  # 1 alone would be LABEL_1
        (["2", "1"], ("negative", "positive"), '--label-map "1=negative,2=positive"'),
    ],
)
def test_classes_by_other_names_bring_the_option_to_mind_that_renames(given, names, advised):
    with pytest.raises(InputError) as caught:
        numbers(given, Schema(SINGLE, names))
    assert advised in str(caught.value)
    assert "regression" not in str(caught.value)


def test_numbers_with_a_fraction_need_another_model():
    with pytest.raises(InputError, match=r'fine-tuned with data.problem="regression"'):
        numbers(["3.5"], Schema(SINGLE, ("1", "2")))
    assert numbers(["3.5"], Schema(REGRESSION, ("score",))) == [3.5]
    assert np.dtype(np.float32) == labels.as_numbers(["1"], Schema(REGRESSION, ("score",)), "|", "", str).dtype
