"""The figures by which an export is judged, from outputs that are made up."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.inference.parity import Parity
from albertkit.rules import NO_SCORE


def parity(*rows, problem_type=None):
    found = Parity()
    for ours, theirs in rows:
        found.add(
            {k: np.array(v, np.float32) for k, v in ours.items()},
            {k: np.array(v, np.float32) for k, v in theirs.items()},
            problem_type,
        )
    return found


def test_classes_are_compared_by_the_best_score():
    found = parity(({"logits": [1, 2]}, {"logits": [1, 2.5]}), ({"logits": [3, 2]}, {"logits": [1, 2]}))
    assert found.agreements() == {"agreement": 0.5}
    assert (found.largest_difference, found.largest_value, found.rows) == (2, 3, 2)
    assert found.relative_difference == pytest.approx(2 / 3)


def test_several_classes_at_once_are_compared_one_by_one():
    row = {"logits": [1, -2, 3]}, {"logits": [1, 2, 3]}
    assert parity(row, problem_type="multi_label_classification").agreements() == {"agreement": 2 / 3}


def test_rows_all_of_whose_answers_are_the_same_are_counted():
    row = {"logits": [[1, 2], [3, 1]]}
    found = parity((row, row), (row, {"logits": [[1, 2], [0, 1]]}))
    assert found.agreements() == {"agreement": 3 / 4}
    assert (found.row_agreement, found.record("made up")["row_agreement"]) == (1 / 2, 1 / 2)
    assert "row_agreement" not in parity(({"logits": [1, 2]}, {"logits": [1, 2]})).record("one answer a row")


def test_numbers_are_compared_by_their_correlation():
    rows = [({"logits": [value]}, {"logits": [2 * value + 1]}) for value in (1.0, 2.0, 4.0)]
    assert parity(*rows).agreements() == {"correlation": pytest.approx(1)}
    assert parity(*[({"logits": [one]}, {"logits": [-one]}) for one in (1, 2)]).agreements()["correlation"] < 0


def test_vectors_are_compared_by_the_least_cosine():
    found = parity(({"last_hidden_state": [[1, 0], [1, 1]]}, {"last_hidden_state": [[2, 0], [1, 0]]}))
    assert found.agreements()["least_cosine"] == pytest.approx(0.5**0.5)


def test_places_of_answers_are_compared_and_scores_where_none_may_stand_are_not():
    ours = {"start_logits": [1, 2, NO_SCORE], "end_logits": [1, 2, 3]}
    found = parity((ours, {"start_logits": [1, 2, -5], "end_logits": [3, 2, 1]}))
    assert found.agreements() == {"agreement": 0.5}
    assert found.largest_difference == 2


def test_of_beams_the_best_start_and_its_ends_count():
    ours = {"start_top_log_probs": [-1, NO_SCORE], "start_top_index": [4, 0], "cls_logits": 0.5}
    ours |= {"end_top_log_probs": [-1, -2, -3, -4], "end_top_index": [5, 6, 7, 8]}
    theirs = {**ours, "start_top_index": [4, 1], "end_top_log_probs": [-1, -2.5, -9, -9]}
    found = parity((ours, theirs))
    assert found.agreements() == {"agreement": 1}
    assert found.largest_difference == 0.5


@pytest.mark.parametrize("broken", [[np.nan, 1], [1]])
def test_answers_that_are_no_numbers_are_refused(broken):
    with pytest.raises(InputError, match="`logits`"):
        parity(({"logits": [1, 2]}, {"logits": broken}))
