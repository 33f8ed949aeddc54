"""Confidence: temperature, thresholds, abstaining, and how far probabilities are from what comes true."""

import math

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import calibration, registry
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features

calibration_fit = pytest.importorskip("albertkit.tasks.calibration_fit")

TASK = registry.get("text-classification")


def drawn(rows, classes, sharpness, seed=0):
    """Logits that are `sharpness` times those from whose probabilities the labels were drawn."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 1.5, (rows, classes))
    chances = np.exp(true) / np.exp(true).sum(-1, keepdims=True)
    labels = np.array([rng.choice(classes, p=row) for row in chances])
    return (true * sharpness).astype(np.float32), labels


def fitted(logits, labels, problem="single_label_classification", target=None):
    names = {index: f"c{index}" for index in range(logits.shape[1])}
    config = AlbertConfig(id2label=names, problem_type=problem)
    features = Features([[]] * len(labels), [[]] * len(labels), {"labels": labels})
    outputs = ({"logits": row} for row in logits)
    return TASK.calibrate(config, TASK.examples(["x"] * len(labels))[0], features, outputs, target)


@pytest.mark.parametrize("sharpness", [0.5, 1, 3])
def test_a_temperature_undoes_logits_that_are_too_sharp_or_too_flat(sharpness):
    found, results = fitted(*drawn(4000, 3, sharpness))
    assert found.temperature == pytest.approx(sharpness, rel=0.1)
    before, after = (results[f"expected_calibration_error_{when}"] for when in ("before", "after"))
    assert after < 0.03
    assert (before > 0.1) == (sharpness != 1)


def test_the_temperature_is_the_likeliest():
    logits, labels = drawn(500, 4, 2)
    targets = np.eye(4)[labels]
    best = calibration_fit.temperature(logits, targets)

    def likelihood(temperature):
        scaled = logits.astype(np.float64) / temperature
        return (scaled[np.arange(500), labels] - np.log(np.exp(scaled).sum(-1))).sum()

    assert likelihood(best) > max(likelihood(best * 1.01), likelihood(best / 1.01))


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (drawn(99, 2, 1)[0], drawn(99, 2, 1)[1], r"100 rows at least.* has 99"),
        (np.eye(2)[[0, 1] * 60] * 4, np.array([0, 1] * 60), r"120 of 120 are right"),
        (np.eye(2)[[0, 1] * 60] * 4, np.array([1, 0] * 60), r"0 of 120 are right"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits, labels, words):
    with pytest.raises(InputError, match=words):
        fitted(logits.astype(np.float32), labels)


def test_the_temperature_of_answers_is_the_one_under_which_they_are_likeliest_right():
    rng = np.random.default_rng(0)
    odds = rng.normal(0.5, 1.5, 3000)
    right = rng.random(3000) < 1 / (1 + np.exp(-odds))

    def confidences(temperature):
        return 1 / (1 + np.exp(-2.5 * odds / temperature))

    assert calibration_fit.temperature_of_answers(confidences, right) == pytest.approx(2.5, rel=0.1)
    sure = np.linspace(0.5, 3, 3000)
    assert calibration_fit.temperature_of_answers(lambda one: 1 / (1 + np.exp(-sure / one)), sure > 0) == 0.05
    assert calibration_fit.temperature_of_answers(lambda one: 1 / (1 + np.exp(-sure / one)), sure < 0) == 20


def test_rows_of_fewer_classes_take_part_in_a_temperature():
    logits, labels = drawn(2000, 4, 2)
    wide = np.concatenate([logits, np.full((2000, 2), -np.inf)], axis=1)
    own, other = (calibration_fit.temperature(rows, np.eye(rows.shape[1])[labels]) for rows in (logits, wide))
    assert other == pytest.approx(own, rel=1e-6)


def test_numbers_and_other_tasks_have_no_confidence():
    with pytest.raises(InputError, match="has none to calibrate"):
        fitted(np.zeros((200, 1), np.float32), np.zeros(200, np.float32), "regression")
    task = registry.get("sentence-embedding")
    with pytest.raises(InputError, match=r"Received: a model for sentence-embedding"):
        task.calibrate(AlbertConfig(), None, None, None)


def test_the_error_is_that_of_each_bin_by_its_share():
    confidences = np.array([0.62, 0.66, 0.95, 0.97, 1.0])
    correct = np.array([True, False, True, True, True])
    one, other = abs(0.64 - 0.5) * 2, abs((0.95 + 0.97 + 1) / 3 - 1) * 3
    assert calibration.expected_calibration_error(confidences, correct) == pytest.approx((one + other) / 5)
    found = calibration.bins(confidences, correct, 10)
    assert [one.count for one in found] == [0, 0, 0, 0, 0, 0, 2, 0, 0, 3]
    assert math.isnan(found[0].accuracy)
    assert (found[6].lower, found[6].upper) == pytest.approx((0.6, 0.7))
    assert calibration.bins(np.array([0.0, 1.0]), np.array([True, False]), 2)[0].count == 1


def test_an_accuracy_is_reached_by_the_surest_answers():
    logits, labels = drawn(2000, 2, 2)
    found, results = fitted(logits, labels, target=0.9)
    assert results["accuracy"] < 0.9 <= results["accuracy_answered"] < 0.91
    assert 0.2 < results["coverage"] < 0.9
    assert 0.5 < found.abstain_below < 1
    assert fitted(logits, labels, target=0.5)[0].abstain_below == 0
    confidences, correct = np.linspace(1, 0.5, 200), np.arange(200) % 2 == 0
    with pytest.raises(InputError, match=r"Received: 0.9. In dev.csv the surest 21 of 200 are right in 0.524"):
        calibration_fit.abstain_below(confidences, correct, 0.9, "dev.csv")
    with pytest.raises(InputError, match=r"must lie between 0 and 1.* Received: 95"):
        fitted(logits, labels, target=95)


def test_rows_of_one_confidence_are_answered_together():
    confidences = np.array([0.9] * 40 + [0.6] * 60)
    correct = np.array([False] * 20 + [True] * 20 + [True] * 60)
    with pytest.raises(InputError, match=r"surest 100 of 100 are right in 0.800"):
        calibration_fit.abstain_below(confidences, correct, 0.85, "dev.csv")
    assert calibration_fit.abstain_below(confidences, ~correct, 0.4, "dev.csv") == pytest.approx(0.75)


def brute(chances, truth):
    """The best F1 of any threshold."""

    def f1(bound):
        given = chances > bound
        return 2 * (given & (truth > 0)).sum() / max(given.sum() + truth.sum(), 1)

    return f1, max(f1(bound) for bound in [-1, *chances])


@pytest.mark.parametrize("seed", range(5))
def test_thresholds_have_the_best_f1(seed):
    rng = np.random.default_rng(seed)
    chances = np.round(rng.random((80, 1)), 1 + seed % 2) * 0.99 + 0.005
    truth = (rng.random((80, 1)) < chances * 0.5).astype(np.float32)
    [bound] = calibration_fit.thresholds(chances, truth)
    f1, best = brute(chances[:, 0], truth[:, 0])
    assert f1(bound) == pytest.approx(best)
    assert 0 < bound < 1


def test_a_class_of_few_rows_keeps_one_half():
    chances, truth = np.linspace(0.01, 0.4, 50)[:, None], np.zeros((50, 1))
    truth[-4:] = 1
    assert calibration_fit.thresholds(chances, truth).tolist() == [0.5]
    truth[-5:] = 1
    assert calibration_fit.thresholds(chances, truth)[0] == pytest.approx(np.mean(chances[44:46]))
    assert calibration_fit.thresholds(np.where(truth > 0, 0.9, 0.1), truth).tolist() == [0.5]


def several(rows=1000):
    """Classes of which each is far likelier than a model says."""
    rng = np.random.default_rng(1)
    truth = (rng.random((rows, 3)) < 0.3).astype(np.float32)
    return (truth * 2 - 4 + rng.normal(0, 0.7, truth.shape)).astype(np.float32), truth


def test_thresholds_of_several_classes_are_found_and_used():
    logits, truth = several()
    found, results = fitted(logits, truth, "multi_label_classification")
    assert results["f1_micro_before"] < 0.2 < 0.8 < results["f1_micro_after"]
    assert set(found.thresholds) == {"c0", "c1", "c2"}
    config = AlbertConfig(
        id2label={0: "c0", 1: "c1", 2: "c2"},
        problem_type="multi_label_classification",
        task=calibration.entry(None, TASK.name, found),
    )
    examples = TASK.examples(["x"] * len(logits))[0]
    features = Features([[]] * len(truth), [[]] * len(truth), {"labels": truth})
    outputs = [{"logits": row} for row in logits]
    records = TASK.records(None, config, examples, features, outputs)
    given = [[float(name in record["labels"]) for name in ("c0", "c1", "c2")] for record in records]
    agreed = (np.array(given) == truth).mean()
    assert agreed > 0.85
    scores = TASK.score(config, examples, features, outputs)
    assert scores["exact_match"] == pytest.approx((np.array(given) == truth).all(-1).mean())
    with pytest.raises(InputError, match="for a model of one class a row"):
        fitted(logits, truth, "multi_label_classification", 0.9)


def answers(found, method="decode", problem="single_label_classification", **options):
    config = AlbertConfig(
        id2label={0: "no", 1: "yes"}, problem_type=problem, task=calibration.entry(None, TASK.name, found)
    )
    outputs = [{"logits": np.array(row, np.float32)} for row in ([0, 4], [1, 0])]
    features = Features([[]] * 2, [[]] * 2)
    return getattr(TASK, method)(None, config, TASK.examples(["a", "b"])[0], features, outputs, **options)


def test_answers_are_calibrated_and_say_that_they_abstain():
    first, second = answers(Calibration(2.0, abstain_below=0.7))
    assert first == {"label": "yes", "score": pytest.approx(1 / (1 + np.exp(-2))), "abstained": False}
    assert second == {"label": "no", "score": pytest.approx(1 / (1 + np.exp(-0.5))), "abstained": True}
    assert [one["abstained"] for one in answers(Calibration(2.0, abstain_below=0.7), "records")] == [False, True]
    ranked = answers(Calibration(2.0, abstain_below=0.7), top_k=None)
    assert [[one["abstained"] for one in row] for row in ranked] == [[False, False], [True, True]]


def test_a_call_may_ask_for_another_bound_or_for_none():
    found = Calibration(2.0, abstain_below=0.7)
    assert [one["abstained"] for one in answers(found, abstain_below=0.95)] == [True, True]
    assert [one["abstained"] for one in answers(Calibration(), abstain_below=0.95)] == [False, True]
    assert "abstained" not in answers(found, abstain_below=0)[0]
    assert "abstained" not in answers(Calibration(2.0))[0]
    assert answers(found, function_to_apply="none")[0]["score"] == 4
    with pytest.raises(InputError, match=r"probability from 0 to 1. Received: 2"):
        answers(found, abstain_below=2)
    with pytest.raises(InputError, match="for models of one class a row"):
        answers(Calibration(), problem="multi_label_classification", abstain_below=0.5)


@pytest.mark.parametrize(
    "stated",
    [
        None,
        3,
        {"temperature": -1, "abstain_below": 2},
        {"temperature": "2", "thresholds": {"a": 1.5}},
        {"thresholds": 1},
    ],
)
def test_what_a_config_holds_that_is_none_is_passed_over(stated):
    assert calibration.read(AlbertConfig(task={"name": TASK.name, "calibration": stated})) == Calibration()
    assert calibration.read(AlbertConfig(task="x")) == Calibration()


def test_a_calibration_is_read_back_and_takes_the_place_of_another():
    found = Calibration(1.5, {"a": 0.2}, 0.8)
    kept = {"name": TASK.name, "data": {"text_column": "t"}}
    entry = calibration.entry({**kept, "calibration": {"temperature": 9}}, TASK.name, found)
    assert entry == {**kept, "calibration": found.record()}
    assert calibration.read(AlbertConfig(task=entry)) == found
    assert calibration.entry({"name": "fill-mask", "data": {}}, TASK.name, found)["name"] == TASK.name
