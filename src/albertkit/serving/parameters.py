"""The `parameters` of a request, by task: types, bounds and an example of each, by which a server checks and describes.

What a task's data is told stands in its `options` with its rules. What else its answers are told has no rules there
but in the code that uses it, so it stands here.
"""

import dataclasses
from typing import Annotated, Any, Literal, get_origin

from pydantic import BeforeValidator, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from albertkit.serving.texts import Text
from albertkit.tasks.base import AnyTask
from albertkit.tasks.text_classification.answers import BEST
from albertkit.tasks.token_classification.entities import STRATEGIES
from albertkit.typing import Json

_PLAIN: dict[type, Any] = {bool: StrictBool, int: StrictInt, float: StrictFloat, str: StrictStr}


def _named(*names: str) -> Any:
    """One of some names, in capitals too."""
    return Annotated[
        Literal[names],  # type: ignore[valid-type]  # known only when it runs
        BeforeValidator(lambda given: given.lower() if isinstance(given, str) else given),
    ]


def _field(kind: Any, description: str, example: Json, **rules: Json) -> Any:
    """A type with what is said of it."""
    return Annotated[kind, Field(description=description, examples=[example], **rules)]


_ANY = Annotated[
    Text | StrictBool | StrictInt | StrictFloat | list[Text] | None, Field(description="See the task's own page.")
]
"""What somebody's own task may be told."""
_COUNT: Any = Annotated[StrictInt, Field(ge=1)]
_SHARE: Any = Annotated[StrictFloat, Field(ge=0, le=1)]
EVERY: dict[str, Any] = {
    "truncation": _field(
        StrictBool | Literal["longest_first", "do_not_truncate"] | None,
        "Cut texts that are too long, or else refuse them.",
        False,
    ),
    "max_length": _field(_COUNT | None, "The longest input in tokens; null: that of the model.", 128),
}
"""Parameters of every task."""
ANSWERS: dict[str, Any] = {
    "top_k": _field(_COUNT | None, "How many answers; null: the usual number.", 3),
    "function_to_apply": _field(
        _named("softmax", "sigmoid", "none", "default") | None,
        "What makes scores of logits; null: what the model was trained with.",
        "softmax",
    ),
    "abstain_below": _field(
        _SHARE | None,
        "The confidence below which an answer abstains; null: that of the model.",
        0.5,
    ),
    "aggregation_strategy": _field(_named(*STRATEGIES), "How tokens become entities.", "simple"),
    "ignore_labels": _field(list[Text], "Labels that are left out.", ["O"]),
    "handle_impossible_answer": _field(StrictBool, "Whether a question may have no answer.", True),
    "max_answer_len": _field(_COUNT, "The longest answer in tokens.", 15),
    "null_score_diff_threshold": _field(
        Annotated[StrictFloat, Field(allow_inf_nan=False)],
        "By how much the score of no answer must be higher than that of the best.",
        0.0,
    ),
    "align_to_words": _field(StrictBool, "Whether answers begin and end with words.", True),
    "targets": _field(Text | list[Text] | None, "Words that may be answered; null: all.", ["tea", "milk"]),
    "normalize": _field(StrictBool | None, "Vectors of length 1; null: as the model says.", True),
    "return_tensors": _field(StrictBool | Literal["np"] | None, "Changes nothing: an answer is JSON.", None),
    "pool": _field(StrictBool, "The pooled state of a text in place of its hidden states.", True),
}
"""Names of `answer_options` of tasks."""
OWN: dict[tuple[str, str], Any] = {
    ("text-classification", "top_k"): _field(
        _COUNT | Literal[BEST] | None,  # type: ignore[valid-type]  # as above
        "How many classes, best first; null: all; best: the best, and no list.",
        3,
    ),
    ("question-answering", "top_k"): _field(_COUNT, "How many answers to a question.", 3),
}
"""Those that mean something else for one task."""


def fields(task: AnyTask) -> dict[str, Any]:
    """The type of each parameter of a task, with its description, bounds and an example."""
    found = {name: OWN.get((task.name, name), ANSWERS.get(name, _ANY)) for name in task.answer_options}
    options = {one.name: one for one in dataclasses.fields(task.options)}
    return {**found, **{name: _of_data(options[own]) for name, own in task.encode_options.items()}, **EVERY}


def _of_data(option: "dataclasses.Field[Json]") -> Any:
    """An option of data, by the rules that it has there."""
    is_choice = get_origin(option.type) is Literal
    kind: Any = option.type if is_choice else _PLAIN.get(type(option.default), list[Text])
    if rules := option.metadata["rules"]:
        kind = Annotated[kind, Field(**rules)]
    return _field(kind | None, option.metadata["help"], option.default)
