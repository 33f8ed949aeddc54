"""Scores of entities against seqeval, on random tags: most of them follow no scheme, as those of a bad model."""

import warnings

import numpy as np
import pytest

pytest.importorskip("seqeval")

from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES

from albertkit.tasks.token_classification import tags
from albertkit.tasks.token_classification.entities import Counts

pytestmark = pytest.mark.oracle

SCHEMES = {"IOB2": IOB2, "IOB1": IOB1, "IOBES": IOBES, "BILOU": BILOU}
PREFIXES = {"IOB2": "BI", "IOB1": "BI", "IOBES": "BIES", "BILOU": "BILU"}
TYPES = ("LOC", "PER")
COUNT = 5000


def sequences(scheme, rng):
    """Random tags in the letters of a scheme, those of the same numbers of equal length; every sequence has an O."""
    letters = ["O", *(f"{prefix}-{one}" for one in TYPES for prefix in PREFIXES[scheme])]
    lengths = rng.integers(0, 12, COUNT)
    return [[["O", *rng.choice(letters, length).tolist()] for length in lengths] for _ in range(2)]


def counted(true, predicted, scheme, strict):
    counts = Counts()
    for one, other in zip(true, predicted, strict=True):
        counts.add(*(tags.spans(each, scheme, strict) for each in (one, other)))
    return counts


def assert_equal(true, predicted, scheme, strict):
    told = {"mode": "strict", "scheme": SCHEMES[scheme]} if strict else {}
    counts = counted(true, predicted, scheme, strict)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are none of a scheme
        expected = classification_report(true, predicted, output_dict=True, zero_division=0, **told)
    for kind, row in (("micro avg", None), *((one, one) for one in TYPES)):
        found = counts.scores(row)
        for name in ("precision", "recall", "f1", "support"):
            wanted = expected[kind]["f1-score" if name == "f1" else name]
            assert found[name] == pytest.approx(wanted, abs=1e-12), (kind, name)


@pytest.mark.parametrize("scheme", ["IOB2", "IOBES", "BILOU"])
def test_strict_scores_of_five_thousand_random_sequences_are_those_of_seqeval(scheme):
    assert_equal(*sequences(scheme, np.random.default_rng(0)), scheme, strict=True)


@pytest.mark.parametrize("scheme", ["IOB2", "IOB1", "IOBES"])
def test_lenient_scores_of_five_thousand_random_sequences_are_those_of_seqeval(scheme):
    assert_equal(*sequences(scheme, np.random.default_rng(1)), scheme, strict=False)


def test_lenient_scores_of_five_thousand_random_sequences_in_bilou_are_those_of_the_same_ones_in_iobes():
    """The letters of BILOU are those of IOBES under other names, of which seqeval's lenient way knows one half."""
    true, predicted = sequences("BILOU", np.random.default_rng(3))
    counts = counted(true, predicted, "BILOU", strict=False)
    renamed = str.maketrans("LU", "ES")
    others = [[[tag[0].translate(renamed) + tag[1:] for tag in one] for one in each] for each in (true, predicted)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = classification_report(*others, output_dict=True, zero_division=0)
    for kind, row in (("micro avg", None), *((one, one) for one in TYPES)):
        assert counts.scores(row)["f1"] == pytest.approx(expected[kind]["f1-score"], abs=1e-12)


def test_strict_scores_of_tags_that_follow_iob1_are_those_of_seqeval():
    drawn = sequences("IOB1", np.random.default_rng(2))
    true, predicted = ([tags.to_tags(tags.spans(one, "IOB1"), len(one), "IOB1") for one in each] for each in drawn)
    assert_equal(true, predicted, "IOB1", strict=True)


def test_an_entity_that_begins_wrongly_in_iob1_is_none_where_seqeval_cuts_its_first_word_off():
    wrong = ["O", "B-PER", "I-PER"]
    assert tags.spans(wrong, "IOB1", strict=True) == []
    assert f1_score([["O", "O", "I-PER"]], [wrong], mode="strict", scheme=IOB1) == 1


def test_entities_of_one_word_beside_each_other_are_two_where_seqeval_joins_them():
    """Its lenient way knows no BILOU: U- begins nothing there."""
    true, joined = [["U-LOC", "U-LOC"]], [["B-LOC", "L-LOC"]]
    assert f1_score(true, joined) == 1
    assert counted(true, joined, "BILOU", strict=False).scores()["f1"] == 0
