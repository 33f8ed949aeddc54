"""Labels that are added to rows: all else of a row stays, and conditions keep what they say."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit.errors import InputError
from albertkit.prediction import labelling
from albertkit.prediction.labelling import Condition, Labelling

ANSWER = {"label": "good", "score": 0.7, "scores": {"good": 0.7, "bad": 0.2, "so, so": 0.1}}
MANY = {"labels": ["good", "old"], "scores": {"good": 0.7, "bad": 0.2, "old": 0.9}}
CLASSES = ["good", "bad", "so, so", "old"]


@pytest.mark.parametrize(
    ("text", "answer", "holds"),
    [
        ("label=good", ANSWER, True),
        ("label=bad", ANSWER, False),
        ("label=bad, good", ANSWER, True),
        ("label!=bad,good", ANSWER, False),
        ("label!=bad", ANSWER, True),
        ("label=so, so", {**ANSWER, "label": "so, so"}, True),
        ("label=old", MANY, True),
        ("label!=old", MANY, False),
        ("score>=0.7", ANSWER, True),
        ("score>0.7", ANSWER, False),
        ("score <= 0.7", ANSWER, True),
        ("score<0.7", ANSWER, False),
        ("scores.bad>=0.2", ANSWER, True),
        ("scores.so, so>0.1", ANSWER, False),
        ("value>=3", {"value": 3.0}, True),
        ("value<-1e3", {"value": -1e4}, True),
    ],
)
def test_a_condition_holds_where_it_says(text, answer, holds):
    assert Condition.of_text(text, CLASSES).holds(answer) is holds
    assert Labelling(conditions=(Condition.of_text(text, CLASSES),)).keeps(answer) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("good", "A condition is label=NAME"),
        ("label>=good", "A condition is label=NAME"),
        ("score=0.5", "A condition is label=NAME"),
        ("score>=much", "compares with a number. Received: 'score>=much'"),
        ("label=god", r"classes of the model: good, bad.*Received: 'god'.* Did you mean `good`\?"),
        ("scores.god>=1", r"Did you mean `good`\?"),
    ],
)
def test_what_is_no_condition_is_refused(text, told):
    with pytest.raises(InputError, match=told):
        Condition.of_text(text, CLASSES)


def test_all_conditions_must_hold():
    both = Labelling(conditions=tuple(Condition.of_text(one, CLASSES) for one in ("label=good", "score>=0.8")))
    assert not both.keeps(ANSWER)
    assert both.keeps({**ANSWER, "score": 0.8})


@pytest.mark.parametrize(
    ("answer", "label", "score"),
    [
        (ANSWER, "good", 0.7),
        (MANY, ["good", "old"], [0.7, 0.9]),
        ({"label": 1, "choice": "b", "score": 0.5, "scores": [0.5, 0.5]}, 1, 0.5),
        ({"score": 0.5, "start": 1, "end": 2, "answer": "x"}, "x", 0.5),
    ],
)
def test_the_label_is_that_of_the_task(answer, label, score):
    assert Labelling("q", "p").added(answer) == {"q": label, "p": score}
    assert Labelling("q").added({"value": 1.5}) == {"q": 1.5}


def test_tasks_and_models_without_what_is_asked_for_are_refused():
    for kinds, asked, told in (
        ({"answers": object}, Labelling("q"), "the task x, which has none"),
        ({"value": float}, Labelling("q", "p"), "a model of numbers. Compare value"),
        ({"labels": [str], "scores": {}}, Labelling("q", None, (Condition("score", "", ">"),)), "Compare scores.NAME"),
        ({"label": str, "score": float}, Labelling(conditions=(Condition("value", "", ">"),)), "Received: 'value'"),
    ):
        with pytest.raises(InputError, match=told):
            labelling.require_labels(kinds, asked, "x")
    labelling.require_labels({"labels": [str], "scores": {}}, Labelling("q", "p"), "x")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"a": 1.10, "b": 12345678901234567890123}', '{"a": 1.10, "b": 12345678901234567890123, "q": "ü", "p": 0.5}'),
        (
            ' {"t":"\\u00e9" ,"n":{"q":[1e400]}} ',
            '{"t":"\\u00e9" ,"n":{"q":[1e400]}, "q": "ü", "p": 0.5}',
        ),
        ("{ }", '{"q": "ü", "p": 0.5}'),
        ('{"q": {"x": "}"} , "z":NaN}', '{"q": "ü" , "z":NaN, "p": 0.5}'),
        ('{"\\u0071": 1, "p":[ 2 ], "q": 3}', '{"\\u0071": "ü", "p":0.5, "q": "ü"}'),
    ],
)
def test_a_line_keeps_its_very_characters(line, expected):
    assert labelling.into_line(line, {"q": "ü", "p": 0.5}) == expected


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    record=st.dictionaries(st.text(max_size=3) | st.just("q"), VALUES, max_size=5),
    is_ascii=st.booleans(),
    indent=st.none() | st.just(1),
)
def test_any_object_is_the_same_with_its_label(record, is_ascii, indent):
    line = json.dumps(record, ensure_ascii=is_ascii, indent=indent)
    found = json.loads(labelling.into_line(line, {"q": "new"}))
    assert found == {**record, "q": "new"}
    assert list(found) == list({**record, "q": None})


def test_a_field_that_is_there_is_refused_unless_it_may_go():
    with pytest.raises(InputError, match=r"line 3 has the field 'q' already. Pass --replace-fields"):
        Labelling("q").require_free(["text", "q"], "line 3")
    Labelling("q", replaces=True).require_free(["text", "q"], "line 3")
    Labelling("q").require_free(["text"], "line 3")
