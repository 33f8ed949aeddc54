"""Scores of answers against the definitions of SQuAD 1.1 and 2.0, written down here once more in another way.

That of Rajpurkar et al. 2016 (section 6.1) and 2018 (section 5), with what their scripts decide beside: which signs are
punctuation, what answers without words score, and that a threshold is searched among the odds in their order.
"""

import functools
import string
from itertools import pairwise

import numpy as np
import pytest

from albertkit.tasks.question_answering import answer_scores

WORDS = [
    *("a", "A", "an", "The", "the", "cat", "Cat,", "cats", "dog.", "Dog's", "dogs", "12", "1,2", "10th", "--", "..."),
    *("'", "ü", "U.S.", "of", "İstanbul", "ß", "東京", "。", "a-b", "the-the", "athe", "x", "é", "e\u0301", "\u3000"),
]
COUNT = 10_000


@functools.cache
def words_of(text):
    """The words of an answer that count: without case, ASCII punctuation and articles, parted by blanks."""
    kept = "".join(sign for sign in text.lower() if sign not in string.punctuation)
    marked = [sign if sign.isalnum() or sign == "_" else None for sign in kept]
    runs, begin = [], 0
    for place, (before, here) in enumerate(pairwise([None, *marked, None])):
        if (before is None) != (here is None):
            runs.append((begin, place))
            begin = place
    runs.append((begin, len(kept)))
    without = "".join(" " if kept[one:other] in ("a", "an", "the") else kept[one:other] for one, other in runs)
    return without.split()


def pair(predicted, true, empty_is_equal):
    """Exact match and F1 of two answers."""
    one, other = words_of(predicted), words_of(true)
    exact = float(" ".join(one) == " ".join(other))
    if empty_is_equal and not (one and other):
        return exact, exact
    left, common = list(other), 0
    for word in one:
        if word in left:
            left.remove(word)
            common += 1
    return exact, 2 * common / (len(one) + len(other)) if common else 0.0


def best(predicted, true, empty_is_equal):
    return tuple(max(column) for column in zip(*(pair(predicted, one, empty_is_equal) for one in true), strict=True))


def squad_2(predicted, true, odds, threshold):
    """Exact match and F1 of every question, and those with and without an answer, under a threshold."""
    golds = [[one for one in each if words_of(one)] or [""] for each in true]
    rows = []
    for one, gold, each, odd in zip(predicted, golds, true, odds, strict=True):
        rows.append((float(not each),) * 2 if odd > threshold else best(one, gold, True))
    table, lacks = np.array(rows), np.array([not each for each in true])
    found = {}
    for kind, chosen in (("", lacks | True), ("HasAns_", ~lacks), ("NoAns_", lacks)):
        for column, name in enumerate(("exact_match", "f1")):
            found[kind + name] = 100 * table[chosen, column].mean()
    return found


def thresholds(predicted, true, odds, column):
    """The best score of any threshold, and the lowest odds that give it: each is tried by itself.

    Without an answer, an empty prediction is right whatever the threshold is.
    """
    golds = [[one for one in each if words_of(one)] or [""] for each in true]
    scores = np.array([best(one, gold, True)[column] for one, gold in zip(predicted, golds, strict=True)])
    lacks, given = np.array([not each for each in true]), np.array([bool(one) for one in predicted])
    order = np.argsort(odds, kind="stable")
    gains = np.where(lacks, -given.astype(float), scores)[order]
    totals = lacks.sum() + np.concatenate([[0.0], np.cumsum(gains)])
    place = int(totals.argmax())
    return 100 * totals[place] / len(odds), float(odds[order[place - 1]]) if place else 0.0


def drawn(seed):
    """Predictions, true answers, of none to three each, and odds, some of them equal; a third are right, or nearly."""
    rng = np.random.default_rng(seed)
    texts = [" ".join(WORDS[one] for one in rng.integers(len(WORDS), size=length)) for length in (0, 1, 1, 2, 6)]
    texts += [" ".join(WORDS[one] for one in row) for row in rng.integers(len(WORDS), size=(300, 3))]
    predicted, *golds = ([texts[one] for one in rng.integers(len(texts), size=COUNT)] for _ in range(4))
    kept = rng.integers(0, 4, COUNT)
    true = [list(each[:count]) for each, count in zip(zip(*golds, strict=True), kept, strict=True)]
    for number in range(0, COUNT, 3):
        if true[number]:
            predicted[number] = true[number][-1].upper() + ("", " the", ".", " x")[number % 4]
    return predicted, true, np.where(rng.random(COUNT) < 0.3, 0.5, rng.normal(size=COUNT))


def test_ten_thousand_random_answers_score_as_squad_1_defines_it():
    predicted, true, _ = drawn(0)
    true = [each or ["x y"] for each in true]
    wanted = np.array([best(one, each, False) for one, each in zip(predicted, true, strict=True)])
    found = np.array([answer_scores.SQUAD_1.of(one, each) for one, each in zip(predicted, true, strict=True)])
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    assert (wanted.mean(0) > 0.1).all(), "some are right, and some are not"
    assert (wanted.mean(0) < 0.9).all()
    scores = answer_scores.squad_1(predicted, true)
    assert (scores["exact_match"], scores["f1"]) == pytest.approx(tuple(100 * wanted.mean(0)), abs=1e-9)


def test_ten_thousand_random_answers_score_as_squad_2_defines_it_with_the_best_thresholds():
    predicted, true, odds = drawn(1)
    scores = answer_scores.squad_2(predicted, true, odds.tolist(), 0.3)
    wanted = squad_2(predicted, true, odds, 0.3)
    assert {name: scores[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)
    for column, name in enumerate(("exact_match", "f1")):
        value, threshold = thresholds(predicted, true, odds, column)
        assert (scores[f"best_{name}"], scores[f"best_{name}_threshold"]) == (pytest.approx(value, abs=1e-9), threshold)
    assert scores["best_f1"] > scores["f1"]


@pytest.mark.parametrize(
    ("predicted", "true", "in_squad_1", "in_squad_2"),
    [
        # Articles and punctuation.
        ("The cat.", ["cat"], (1, 1), (1, 1)),
        ("a", ["the"], (1, 0), (1, 1)),
        ("U.S.", ["US"], (1, 1), (1, 1)),
        ("1,000", ["1000"], (1, 1), (1, 1)),
        ("well-known", ["wellknown"], (1, 1), (1, 1)),
        ("well known", ["well-known"], (0, 0), (0, 0)),
        ("theatre", ["atre"], (0, 0), (0, 0)),
        ("Apple’s", ["Apples"], (0, 0), (0, 0)),  # a sign that ASCII has not is no punctuation
        ("a’cat", ["’cat"], (1, 1), (1, 1)),  # and ends a word, so that what stands before it is an article
        # Unicode.
        ("ÉTÉ", ["été"], (1, 1), (1, 1)),
        ("e\u0301", ["é"], (0, 0), (0, 0)),  # no form of Unicode is made of another
        ("STRASSE", ["straße"], (0, 0), (0, 0)),
        ("new\u00a0york", ["new york"], (1, 1), (1, 1)),
        ("\u3000北京 市", ["北京 市"], (1, 1), (1, 1)),
        # Empty answers.
        ("", [""], (1, 0), (1, 1)),
        ("...", [""], (1, 0), (1, 1)),
        ("", ["cat"], (0, 0), (0, 0)),
        ("cat", ["the"], (0, 0), (0, 0)),
        # Several true answers, and words that stand twice.
        ("cat dog", ["bird", "dog", "the cat dog"], (1, 1), (1, 1)),
        ("cat cat dog", ["cat dog dog"], (0, 2 / 3), (0, 2 / 3)),
        ("dog", ["cat", "big dog"], (0, 2 / 3), (0, 2 / 3)),
    ],
)
def test_corner_cases_score_as_both_scripts_have_them(predicted, true, in_squad_1, in_squad_2):
    for metric, wanted, empty_is_equal in (
        (answer_scores.SQUAD_1, in_squad_1, False),
        (answer_scores.SQUAD_2, in_squad_2, True),
    ):
        assert metric.of(predicted, true) == pytest.approx(wanted)
        assert best(predicted, true, empty_is_equal) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("predicted", "true", "odds", "wanted"),
    [
        # One question with an answer: its odds are the best threshold, or nothing where it is answered wrongly.
        (["cat"], [["cat"]], [4.0], (100, 4.0)),
        (["dog"], [["cat"]], [4.0], (0, 0.0)),
        # None has an answer: giving none at all is best, with the threshold 0.
        (["cat", "dog"], [[], []], [-1.0, -2.0], (100, 0.0)),
        # Equal odds: the ones that come first are taken first, as in the order of the file.
        (["cat", "dog"], [["cat"], []], [1.0, 1.0], (100, 1.0)),
        # A true answer of articles alone is none that can be found, and the question still has one.
        (["", "x"], [["the"], ["x"]], [0.0, 5.0], (100, 5.0)),
        # An empty prediction takes no point away from a question that has no answer.
        (["", "cat"], [[], ["cat"]], [-3.0, 2.0], (100, 2.0)),
    ],
)
def test_best_thresholds_of_corner_cases(predicted, true, odds, wanted):
    scores = answer_scores.squad_2(predicted, true, odds)
    assert (scores["best_f1"], scores["best_f1_threshold"]) == wanted
    assert thresholds(predicted, true, np.array(odds), 1) == wanted


def test_odds_at_the_threshold_still_answer_and_kinds_without_questions_have_no_scores():
    scores = answer_scores.squad_2(["cat", ""], [["cat"], []], [0.5, 0.6], 0.5)
    assert (scores["exact_match"], scores["HasAns_f1"], scores["NoAns_f1"]) == (100, 100, 100)
    assert answer_scores.squad_2(["cat"], [["cat"]], [0.4], 0.5).keys().isdisjoint({"NoAns_f1", "NoAns_total"})
