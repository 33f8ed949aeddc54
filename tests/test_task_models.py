"""What several trainings of a task model come to."""

import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def task_models(benchmark):
    return benchmark("task_models")


def runs(*scores):
    each = [{"f1": f1, "precision": 0.5, "recall": 0.5} for f1 in scores]
    baseline = {"f1": 0.1, "precision": 0.1, "recall": 0.1}
    return [
        {"seed": seed, "scores": {"part": {"examples": 9, "model": one, "baseline": baseline}}}
        for seed, one in enumerate(each, 1)
    ]


def test_the_first_score_has_its_median_and_both_ends_and_the_points_above_what_knows_nothing(task_models):
    found = task_models.summary("small-ja-ner", runs(0.5, 0.2, 0.4))
    assert found["part"]["median"]["f1"] == 0.4
    assert (found["part"]["lowest"], found["part"]["highest"]) == (0.2, 0.5)
    [(name, points)] = task_models.gains({"small-ja-ner": {"scores": found}}).items()
    assert (name, round(points, 6)) == ("small-ja-ner, part", 30)


def test_answers_are_in_hundredths_already(task_models):
    part = {"median": {"f1": 32.0}, "baseline": {"f1": 12.0}}
    assert task_models.gains({"small-ja-qa": {"scores": {"part": part}}}) == {"small-ja-qa, part": 20.0}


def test_runs_of_another_recipe_are_known_by_what_they_are_bound_to(task_models):
    bound = {name: task_models.bound(name) for name in task_models.SHIPPED}
    assert len(set(bound.values())) == len(bound)
    assert bound == {name: task_models.bound(name) for name in task_models.SHIPPED}
