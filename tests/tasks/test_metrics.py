import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sklearn")

from albertkit.tasks import metrics


def one_hot(classes, width):
    """Logits whose largest stands at the given classes."""
    return np.eye(width, dtype=np.float32)[classes] * 3 - 1


PAIRS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)


@settings(max_examples=50)
@given(PAIRS)
def test_two_classes_are_scored_by_the_second(pairs):
    truth, predicted = np.array(pairs).T
    found = metrics.single_label(one_hot(predicted, 2), truth)
    tp = float(((truth == 1) & (predicted == 1)).sum())
    tn = float(((truth == 0) & (predicted == 0)).sum())
    fp, fn = float(((truth == 0) & (predicted == 1)).sum()), float(((truth == 1) & (predicted == 0)).sum())
    root = math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    assert found == {
        "accuracy": pytest.approx((tp + tn) / len(pairs)),
        "f1": pytest.approx(2 * tp / (2 * tp + fp + fn) if tp else 0),
        "matthews_correlation": pytest.approx((tp * tn - fp * fn) / root if root else 0),
    }


def test_more_classes_are_averaged():
    found = metrics.single_label(one_hot([0, 1, 1, 2, 2, 2], 3), np.array([0, 1, 2, 2, 2, 0]))
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["f1"] == pytest.approx(np.mean([2 / 3, 2 / 3, 2 / 3]))
    assert 0 < found["matthews_correlation"] < 1


def test_a_perfect_and_a_constant_answer():
    truth = np.array([0, 1, 2, 1])
    assert metrics.single_label(one_hot(truth, 3), truth) == {"accuracy": 1, "f1": 1, "matthews_correlation": 1}
    assert metrics.single_label(one_hot([1, 1, 1, 1], 3), truth)["matthews_correlation"] == 0


def test_several_labels_at_once():
    truth = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 0]], np.float32)
    logits = np.array([[2, -1, 1], [-1, -2, -3], [1, 1, 1], [-1, -1, -1]], np.float32)
    found = metrics.multi_label(logits, truth)
    assert found["f1_micro"] == pytest.approx(2 * 4 / (2 * 4 + 1 + 1))
    assert found["f1_macro"] == pytest.approx(np.mean([1, 2 / 3, 2 / 3]))
    assert found["exact_match"] == pytest.approx(2 / 4)


@pytest.mark.parametrize("shape", [(1, 3), (3, 1), (1, 1)])
def test_several_labels_in_small_numbers(shape):
    assert metrics.multi_label(np.ones(shape), np.ones(shape)) == {"f1_micro": 1, "f1_macro": 1, "exact_match": 1}
    assert metrics.multi_label(-np.ones(shape), np.zeros(shape)) == {"f1_micro": 0, "f1_macro": 0, "exact_match": 1}


def test_numbers_are_compared():
    predicted, truth = np.array([[1.0], [2.0], [4.0]], np.float32), np.array([1.0, 3.0, 5.0], np.float32)
    found = metrics.regression(predicted, truth)
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] == pytest.approx(6 / math.sqrt(8 * 14 / 3))
    assert found["mse"] == pytest.approx(2 / 3)
    assert found["mae"] == pytest.approx(2 / 3)


def test_the_order_alone_decides_spearman():
    found = metrics.regression(np.array([[3.0], [2.0], [1.0]]), np.array([1.0, 10.0, 100.0]))
    assert found["spearman"] == pytest.approx(-1)
    assert -1 < found["pearson"] < 0


@pytest.mark.parametrize(
    ("predicted", "truth"),
    [([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]), ([5.0], [4.0])],
)
def test_without_differences_a_correlation_is_zero(predicted, truth):
    found = metrics.regression(np.array(predicted)[:, None], np.array(truth, np.float32))
    assert (found["pearson"], found["spearman"]) == (0, 0)
    assert found["mae"] == pytest.approx(np.abs(np.subtract(predicted, truth)).mean())


def test_nearly_equal_predictions_bring_no_warning():
    found = metrics.regression(np.array([[1.0], [1 + 1e-15], [1.0]]), np.array([1.0, 2.0, 3.0]))
    assert -1 <= found["pearson"] <= 1


def test_scores_are_plain_numbers():
    for found in (
        metrics.single_label(one_hot([0, 1], 2), np.array([0, 1])),
        metrics.multi_label(np.ones((2, 2)), np.ones((2, 2))),
        metrics.regression(np.ones((2, 1)), np.ones(2)),
    ):
        assert {type(value) for value in found.values()} == {float}
