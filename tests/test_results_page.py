"""docs/results.md is what its command makes of the kept figures, and says where a task falls short."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def results_page(benchmark):
    return benchmark("results_page")


def kept(**runs):
    sides = {
        side: [{"seed": n, "scores": {"f1": one}, "seconds": 9} for n, one in enumerate(found)]
        for side, found in runs.items()
    }
    return {
        "title": "Names",
        "start": "albertkit/small-en",
        "scores": ["f1"],
        "recipe": {"training.epochs": 2},
        "data": {"rows": [1200, 300], "made": "split by article"},
        "baseline": {"what": "a guess", "scores": {"f1": 0.4}},
        "runs": sides,
    }


def test_the_page_is_what_its_command_makes_of_the_kept_figures(results_page):
    assert results_page.PAGE.read_text(encoding="utf-8") == results_page.page(), "write it again: make results"


def test_scores_stand_as_median_and_bounds_of_the_seeds_beside_what_they_are_compared_with(results_page):
    text = results_page.quality({"names": kept(model=[0.5, 0.7, 0.6], nothing=[0.45])})
    assert (
        "| Names | f1 | 0.400 | 0.450 | 0.600 (0.500 to 0.700) | 3 | above a guess and the same from nothing |" in text
    )
    assert "1,200 examples to train on, 300 to be judged by (split by article); `training.epochs=2`" in text


@pytest.mark.parametrize(
    ("sides", "told"),
    [
        ({"model": [0.3], "nothing": [0.2]}, "**not above a guess**"),
        ({"model": [0.5], "nothing": [0.5]}, "**not above the same from nothing**"),
        ({"model": [0.41]}, "above a guess"),
    ],
)
def test_a_task_that_falls_short_is_named(results_page, sides, told):
    text = results_page.quality({"names": kept(**sides)})
    assert f"| {told} |" in text
    assert ("Not so: Names." in text) == ("not above" in told)


def test_a_run_that_has_not_been_made_from_the_model_is_not_judged(results_page):
    text = results_page.quality({"names": kept(nothing=[0.9])})
    assert "| not run from the model yet |" in text
    assert "0 of 0 tasks" in text


@pytest.mark.parametrize(("accuracy", "is_doubted"), [(0.44, True), (0.47, False)])
def test_an_accuracy_that_is_hardly_above_the_baseline_is_doubted(results_page, accuracy, is_doubted):
    run = json.loads(json.dumps(kept(model=[accuracy], nothing=[0.3])).replace('"f1"', '"accuracy"'))
    assert ("by no more than chance may give" in results_page.judged(run)) == is_doubted  # 0.4 of 300: 0.057


def test_other_scores_are_those_from_the_model(results_page):
    run = kept(model=[0.5], nothing=[0.4])
    run["scores"] = ["f1", "recall"]
    run["runs"]["model"][0]["scores"]["recall"] = 0.2
    assert "Other scores from the model: recall 0.200." in results_page.made(run)


def test_less_perplexity_is_better(results_page):
    run = json.loads(json.dumps(kept(model=[20.0], nothing=[900.0])).replace('"f1"', '"perplexity"'))
    assert (
        results_page.judged({**run, "baseline": {"what": "before", "scores": {"perplexity": 30.0}}})
        == "above before and the same from nothing"
    )
    assert "not above" in results_page.judged({**run, "baseline": {"what": "before", "scores": {"perplexity": 10.0}}})


def test_a_kept_comparison_without_words_of_its_own_is_shown_with_what_was_asked(results_page, tmp_path):
    result = {"ratios": {"time": 2.55}, "peer": {"asked": {"time": 2.5}}, "command": "python benchmarks/new_thing.py"}
    (tmp_path / "new_thing.json").write_text(json.dumps(result), encoding="utf-8")
    text = results_page.page(tmp_path)
    assert "## new thing" in text
    assert "| time | 2.550 | at least 2.500 |" in text
