"""How training data was read holds for the files that the model scores and answers."""

import pytest

from albertkit.errors import InputError
from albertkit.tasks import trained_options
from albertkit.tasks.text_classification import ClassificationOptions as Options

TASK = "text-classification"
RECIPE = """task = "text-classification"
[data]
train = "train.csv"
header = ["body", "kind"]
text_column = "body"
pair_column = ""
label_separator = "|"
skip_empty = true
max_length = 64
class_weights = "balanced"
label_map = "0=neg"
"""
KEPT = {"header": ["body", "kind"], "text_column": "body", "label_map": "0=neg"}


def of_model(folder, recipe=RECIPE, task=TASK):
    (folder / "recipe.toml").write_text(recipe)
    return trained_options.of_model(folder / "model.safetensors", task, Options)


def test_what_says_how_a_file_is_read_is_kept_and_nothing_else(tmp_path):
    assert trained_options.of_model(tmp_path, TASK, Options) == {}
    assert of_model(tmp_path) == KEPT
    assert trained_options.of_model(tmp_path, TASK, Options) == KEPT
    assert of_model(tmp_path, task="fill-mask") == {}


@pytest.mark.parametrize("recipe", ["", "task = 3", "task", 'task = "text-classification"\n[data]\nheader = 3', "\0"])
def test_a_recipe_of_another_kind_says_nothing(tmp_path, recipe):
    assert of_model(tmp_path, recipe) == {}


def write(folder, name, content):
    (folder / name).write_text(content)
    return str(folder / name)


def test_a_file_is_read_as_the_data_of_training_was_and_that_is_said(tmp_path, caplog):
    path = write(tmp_path, "dev.csv", "some text,1\n")
    assert trained_options.for_file(path, KEPT, {}) == KEPT
    assert "dev.csv is read as the data of training was: header 'body,kind', text_column 'body'" in caplog.text
    assert trained_options.for_file(path, KEPT, {"text_column": "kind"}) == {**KEPT, "text_column": "kind"}
    caplog.clear()
    assert trained_options.for_file(path, {}, {"header": ["a", "b"]}) == {"header": ["a", "b"]}
    assert not caplog.messages


@pytest.mark.parametrize(
    ("name", "content", "left"),
    [
        ("dev.csv", "id,body,kind\n1,some text,1\n", ("text_column", "label_map")),
        ("dev.csv", "id,text,label\n1,some text,1\n", ("label_map",)),
        ("dev.csv", "Text,Label\nsome text,1\n", ("label_map",)),
        ("dev.jsonl", '{"body": "some text", "kind": 1}\n', ("text_column", "label_map")),
        ("dev.jsonl", '{"text": "some text", "kind": 1}\n', ("label_map",)),
    ],
)
def test_what_does_not_fit_a_file_is_left_out(tmp_path, name, content, left):
    found = trained_options.for_file(write(tmp_path, name, content), KEPT, {})
    assert found == {one: KEPT[one] for one in left}


def test_columns_of_classes_fit_where_all_are_there(tmp_path):
    path = write(tmp_path, "dev.csv", "text,x,y\na,0,1\n")
    for columns, fits in (("x, y", True), ("x,z", False)):
        assert bool(trained_options.for_file(path, {"label_column": columns}, {})) == fits


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds none"):
        trained_options.for_file(write(tmp_path, "dev.csv", ""), KEPT, {})
