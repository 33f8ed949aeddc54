"""Scores of answers, with values worked out by hand from the rules of each script."""

import numpy as np
import pytest

from albertkit.tasks.question_answering import answer_scores
from albertkit.tasks.question_answering.answer_scores import CHARACTERS, CMRC, SQUAD_1, SQUAD_2


@pytest.mark.parametrize(
    ("predicted", "true", "exact", "f1"),
    [
        ("The Cat.", "cat", 1, 1),
        ("a cat sat", "the cat", 0, 2 / 3),
        ("cat cat", "cat", 0, 2 / 3),
        ("dog", "cat", 0, 0),
        ("", "cat", 0, 0),
        ("the", "a", 1, 0),
    ],
)
def test_english_answers_are_compared_without_case_punctuation_and_articles(predicted, true, exact, f1):
    assert SQUAD_1.of(predicted, [true]) == pytest.approx((exact, f1))


def test_answers_of_articles_alone_are_equal_in_squad_2_and_share_nothing_in_squad_1():
    assert SQUAD_1.of("the", ["an"]) == (1, 0)
    assert SQUAD_2.of("the", ["an"]) == (1, 1)
    assert SQUAD_2.of("the", ["cat"]) == (0, 0)


def test_the_best_of_several_true_answers_counts():
    assert SQUAD_1.of("New York City", ["York", "new york city"]) == (1, 1)


@pytest.mark.parametrize(
    ("predicted", "true", "exact", "f1"),
    [
        ("《北京》。", "北京", 1, 1),
        ("在北京市", "北京", 0, 2 * 0.5 / 1.5),
        ("北上京", "北京", 0, 2 * (1 / 3 * 1 / 2) / (1 / 3 + 1 / 2)),
        ("Windows 10系统", "windows 10", 0, 2 * 0.5 / 1.5),
        ("", "北京", 0, 0),
    ],
)
def test_chinese_answers_are_compared_by_their_longest_common_run(predicted, true, exact, f1):
    assert CMRC.of(predicted, [true]) == pytest.approx((exact, f1))


def test_japanese_answers_are_compared_by_characters():
    assert CHARACTERS.of("小笠原諸島", ["小笠原諸島を除く"]) == pytest.approx((0, 2 * 5 / 8 / (1 + 5 / 8)))
    assert CHARACTERS.of("雨季", ["雨季"]) == (1, 1)


def test_the_metric_follows_the_script_of_the_contexts():
    assert answer_scores.metric_of(["Where is it?", "Here."]) is None
    assert answer_scores.metric_of(["北京是中国的首都", "x"]) is CMRC
    assert answer_scores.metric_of(["梅雨は、世界的にどのあたりで見られる"]) is CHARACTERS
    assert answer_scores.metric_of([]) is None


def test_scores_of_squad_1_are_means_of_100():
    scores = answer_scores.squad_1(["cat", "a big dog"], [["cat"], ["dog", "big"]])
    assert scores == pytest.approx({"f1": 100 * (1 + 2 / 3) / 2, "exact_match": 50, "total": 2})
    assert answer_scores.squad_1([], [])["f1"] == 0


PREDICTED = ["cat", "dog", "bird", ""]
TRUE = [["cat"], ["cow"], [], []]
ODDS = [-2.0, 1.0, -1.0, 3.0]


def test_scores_of_squad_2_are_also_apart_for_questions_with_and_without_an_answer():
    scores = answer_scores.squad_2(PREDICTED, TRUE, ODDS, 0.0)
    # Given: cat (right), none (wrong), bird (wrong, there is none), none (right).
    assert (scores["exact_match"], scores["HasAns_exact_match"], scores["NoAns_exact_match"]) == (50, 50, 50)
    counts = scores["total"], scores["HasAns_total"], scores["NoAns_total"]
    assert counts == (4, 2, 2)
    assert {type(one) for one in counts} == {int}


def test_the_best_threshold_is_the_lowest_odds_that_give_the_best_score():
    scores = answer_scores.squad_2(PREDICTED, TRUE, ODDS, 0.0)
    # None at all: 2 of 4 right. With cat alone given, 3.
    assert (scores["best_exact_match"], scores["best_exact_match_threshold"]) == (75, -2)
    none = answer_scores.best_threshold(np.zeros(2), [True, True], np.array([False, False]), np.array([1.0, 2.0]))
    assert none == (100, 0)
    # A question without an answer for which nothing was predicted is right whatever the threshold.
    both = answer_scores.best_threshold(np.ones(2), [False, True], np.array([False, True]), np.array([0.5, 1.0]))
    assert both == (100, 1)


def test_a_threshold_is_one_above_which_no_answer_is_given():
    given = answer_scores.squad_2(["cat"], [["cat"]], [0.5], 0.5)
    withheld = answer_scores.squad_2(["cat"], [["cat"]], [0.5], 0.4)
    assert (given["exact_match"], withheld["exact_match"]) == (100, 0)
