"""Parameters as a server describes and checks them are those that a pipeline takes."""

from typing import ClassVar

import pytest

pytest.importorskip("pydantic")

from pydantic import ValidationError

from albertkit.errors import InputError
from albertkit.inference.settings import Settings
from albertkit.serving import parameters
from albertkit.serving.schemas import request_model
from albertkit.tasks import registry

TASKS = [registry.get(name) for name in registry._TASKS]


def described(task):
    """The schema of each parameter of a task."""
    whole = request_model(task).model_json_schema()
    return next(one["properties"] for name, one in whole["$defs"].items() if name.endswith("Parameters"))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_parameter_has_a_type_a_description_and_an_example_that_is_taken(task):
    found = described(task)
    assert found.keys() == {*task.answer_options, *task.encode_options, "truncation", "max_length"}
    for name, one in found.items():
        assert one["description"]
        assert "type" in one or "enum" in one or all(len(kind) for kind in one["anyOf"])
        [example] = one["examples"]
        request_model(task).model_validate({"inputs": task.sample, "parameters": {name: example}})


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_usual_value_of_every_answer_is_taken(task):
    for name, usual in task.answer_options.items():
        usual = list(usual) if isinstance(usual, tuple) else usual
        request_model(task).model_validate({"inputs": task.sample, "parameters": {name: usual}})


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_the_data_of_a_task_refuses_is_refused(task):
    for name, own in task.encode_options.items():
        for value in (-1, 3, True, 1.5, "odd", "", [1]):
            try:
                task.options.of({own: value})
            except InputError:
                with pytest.raises(ValidationError):
                    request_model(task).model_validate({"inputs": task.sample, "parameters": {name: value}})
            else:
                request_model(task).model_validate({"inputs": task.sample, "parameters": {name: value}})


@pytest.mark.parametrize("value", [True, False, None, "longest_first", "do_not_truncate", "only_first", "", 1, 0])
def test_truncation_is_what_pipelines_take(value):
    body = {"inputs": "a", "parameters": {"truncation": value}}
    task = registry.get("fill-mask")
    sizes = {"max_length": None, "batch_size": None, "max_batch_tokens": None}
    try:
        Settings.of(8, 8, value, **sizes)
    except InputError:
        with pytest.raises(ValidationError):
            request_model(task).model_validate(body)
    else:
        request_model(task).model_validate(body)


def test_no_parameter_is_described_that_no_task_has():
    known = {name for task in TASKS for name in task.answer_options}
    assert parameters.ANSWERS.keys() == known
    assert all(name in known and any(task.name == owner for task in TASKS) for owner, name in parameters.OWN)


def test_a_task_of_somebody_else_takes_what_is_not_known_here():
    class Own(type(registry.get("text-classification"))):
        name = "own"
        answer_options: ClassVar = {"top_k": 1, "mood": "fair"}

    for value in ("bad", 3, True, 0.5, ["a"], None):
        request_model(Own()).model_validate({"inputs": "a", "parameters": {"mood": value}})
    with pytest.raises(ValidationError):
        request_model(Own()).model_validate({"inputs": "a", "parameters": {"top_k": "many"}})
