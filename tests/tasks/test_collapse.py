"""A model that answers all rows alike is told, whatever its task is; one that does not is not."""

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.tasks.collapse import AnswersSeen
from albertkit.tasks.features import Features

COUNT = 12
NAMED = AlbertConfig(id2label={0: "neg", 1: "pos", 2: "odd"})


def told(logits, labels, name="logits", rows=None, config=NAMED):
    ids = rows or [[1, 2, 3]] * len(logits)
    seen = AnswersSeen(Features(ids, ids, labels), config)
    outputs = [one if isinstance(one, dict) else {name: np.array(one, np.float32)} for one in logits]
    assert list(seen.watched(outputs)) == outputs
    return seen.told()


def test_one_class_for_all_is_told_with_its_name():
    labels = {"labels": np.arange(COUNT) % 2}
    assert told([[0, 1, 0]] * COUNT, labels) == "All 12 answers are alike, 'pos', and the labels are of 2 kinds."
    assert told([[0, 1, 0]] * (COUNT - 1) + [[1, 0, 0]], labels) == ""


def test_labels_that_are_all_alike_make_no_collapse():
    assert told([[0, 1, 0]] * COUNT, {"labels": np.ones(COUNT, np.int64)}) == ""


def test_a_handful_of_rows_says_nothing():
    assert told([[0, 1, 0]] * 4, {"labels": np.arange(4) % 2}) == ""


def test_tokens_are_counted_where_they_have_a_label():
    labels = {"labels": [[-100, 0, 1]] * COUNT}
    all_first = [[[0, 0, 9], [9, 0, 0], [9, 0, 0]]] * COUNT
    assert told(all_first, labels) == "All 24 answers are alike, 'neg', and the labels are of 2 kinds."
    assert told([[[0, 0, 9], [9, 0, 0], [0, 9, 0]]] * COUNT, labels) == ""


def test_numbers_that_hardly_differ_are_told():
    labels = {"labels": np.linspace(0, 5, COUNT)}
    assert "nearly alike, about 2.5" in told([[2.5 + one / 1e4] for one in range(COUNT)], labels)
    assert told([[one / 3] for one in range(COUNT)], labels) == ""


def test_sets_of_classes_that_never_change_are_told():
    labels = {"labels": np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]] * COUNT)}
    assert "All 24 answers are alike" in told([[-1, -1, -1]] * 2 * COUNT, labels)
    assert told([[-1, 1, -1], [1, -1, -1]] * COUNT, labels) == ""


@pytest.mark.parametrize(("start", "expected"), [(0, "that there is none"), (1, "from token 1 to 0")])
def test_answers_that_stand_at_one_place_are_told(start, expected):
    logits = {"start_logits": np.eye(3)[start], "end_logits": np.eye(3)[0]}
    places = np.arange(COUNT) % 3
    assert expected in told([logits] * COUNT, {"start_positions": places, "end_positions": places})


def test_choices_are_told_by_their_number():
    rows = [[[1, 2], [1, 2]]] * COUNT
    said = told([[0, 1]] * COUNT, {"labels": np.arange(COUNT) % 2}, rows=rows)
    assert "All 12 answers are alike, the choice 2, " in said


def test_outputs_of_another_kind_are_let_pass():
    assert told([[1.0, 2.0]] * COUNT, {"labels": np.arange(COUNT) % 2}, name="embeddings") == ""
