"""What a model was fine-tuned on, in its config."""

import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import registry, trained_on

TASK = registry.get("text-classification")
KEPT = {"header": ["body", "kind"], "text_column": "body", "label_map": "0=neg"}


def test_what_a_model_was_trained_on_is_read_back_without_what_only_the_run_was_told():
    options = TASK.options.of(
        {"train": "a.csv", "text_column": "one", "pair_column": "two", "max_length": 64, "skip_bad_rows": True}
    )
    config = trained_on.write(AlbertConfig(num_labels=3), TASK, options)
    assert config.task == {
        "name": "text-classification",
        "data": {"text_column": "one", "pair_column": "two"},
    }
    again = trained_on.read(AlbertConfig.from_dict(config.to_diff_dict()), TASK)
    assert (again.text_column, again.pair_column, again.train, again.skip_bad_rows) == ("one", "two", "", False)
    assert trained_on.kept(config, TASK) == {"text_column": "one", "pair_column": "two"}
    assert config.num_labels == 3


def test_what_held_out_examples_decided_is_kept_beside_it_if_it_is_an_option_of_answers():
    task = registry.get("question-answering")
    config = trained_on.write(AlbertConfig(), task, task.options())
    assert trained_on.with_fitted(config, task, {}) == config
    fitted = {"null_score_diff_threshold": -1.5, "handle_impossible_answer": True}
    config = trained_on.with_fitted(config, task, {**fitted, "unheard_of": 1, "top_k": "3"})
    again = AlbertConfig.from_dict(config.to_diff_dict())
    assert trained_on.fitted(again, task) == fitted
    assert trained_on.fitted(again, TASK) == {}
    assert trained_on.kept(again, task) == {}


def test_of_a_model_of_somebody_else_nothing_is_known():
    assert trained_on.fitted(AlbertConfig(), TASK) == {}
    assert trained_on.read(AlbertConfig(), TASK) is None
    assert trained_on.kept(AlbertConfig(), TASK) == {}


@pytest.mark.parametrize(
    "entry",
    [
        "text-classification",
        ["text-classification"],
        {"name": "fill-mask", "data": {"text_column": "a"}},
        {"name": "text-classification"},
        {"name": "text-classification", "data": "text"},
    ],
)
def test_an_entry_of_another_form_or_task_is_passed_over(entry):
    assert trained_on.read(AlbertConfig.from_dict({"task": entry}), TASK) is None


def test_options_that_do_not_fit_are_passed_over():
    data = {"text_column": 3, "pair_column": "b", "unheard_of": 1, "label_separator": "", "max_length": 9, "train": "x"}
    read = trained_on.read(AlbertConfig.from_dict({"task": {"name": TASK.name, "data": data}}), TASK)
    assert read == TASK.options(pair_column="b")


def write(folder, name, content):
    (folder / name).write_text(content)
    return str(folder / name)


def test_a_file_is_read_as_the_data_of_training_was_and_that_is_said(tmp_path, caplog):
    path = write(tmp_path, "dev.csv", "some text,1\n")
    assert trained_on.for_file(path, KEPT, {}) == KEPT
    assert "dev.csv is read as the data of training was: header 'body,kind', text_column 'body'" in caplog.text
    assert trained_on.for_file(path, KEPT, {"text_column": "kind"}) == {**KEPT, "text_column": "kind"}
    caplog.clear()
    assert trained_on.for_file(path, {}, {"header": ["a", "b"]}) == {"header": ["a", "b"]}
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
    found = trained_on.for_file(write(tmp_path, name, content), KEPT, {})
    assert found == {one: KEPT[one] for one in left}


def test_columns_of_classes_fit_where_all_are_there(tmp_path):
    path = write(tmp_path, "dev.csv", "text,x,y\na,0,1\n")
    for columns, fits in (("x, y", True), ("x,z", False)):
        assert bool(trained_on.for_file(path, {"label_column": columns}, {})) == fits


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds none"):
        trained_on.for_file(write(tmp_path, "dev.csv", ""), KEPT, {})
