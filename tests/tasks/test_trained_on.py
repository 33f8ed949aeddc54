"""What a model was fine-tuned on, in its config."""

import pytest

from albertkit.config import AlbertConfig
from albertkit.tasks import registry, trained_on

TASK = registry.get("text-classification")


def test_what_a_model_was_trained_on_is_read_back_without_what_only_the_run_was_told():
    options = TASK.options.of(
        {"train": "a.csv", "text_column": "one", "pair_column": "two", "max_length": 64, "skip_empty": True}
    )
    config = trained_on.write(AlbertConfig(num_labels=3), TASK, options)
    assert config.task == {
        "name": "text-classification",
        "data": {"text_column": "one", "pair_column": "two"},
    }
    again = trained_on.read(AlbertConfig.from_dict(config.to_diff_dict()), TASK)
    assert (again.text_column, again.pair_column, again.train, again.skip_empty) == ("one", "two", "", False)
    assert config.num_labels == 3


def test_of_a_model_of_somebody_else_nothing_is_known():
    assert trained_on.read(AlbertConfig(), TASK) is None


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
