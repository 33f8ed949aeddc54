"""The confidence of tags and entities: a temperature, and where entities abstain."""

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import calibration, registry
from albertkit.tasks.features import Features
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import entities, tags
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples

pytest.importorskip("scipy")

TASK = registry.get("token-classification")
NAMES = ["O", "B-LOC", "I-LOC"]
TEXT = "alpha beta gamma"
WORDS = [Span(0, 5, ""), Span(6, 10, ""), Span(11, 16, "")]
# The second word is of two pieces, the second of which says nothing of its tag.
SPANS = [Span(0, 5, ""), Span(6, 8, ""), Span(8, 10, ""), Span(11, 16, "")]
PIECES = Pieces([5] * 4, SPANS, WORDS, np.array([0, 1, 1, 2]))
FIRSTS = [0, 1, 3]
COUNT = 400


def features_of(count):
    columns = {"pieces": [PIECES] * count, "window": [range(4)] * count}
    return Features([[0] * 6] * count, [[0] * 6] * count, example=list(range(count)), columns=columns)


def examples_of(count, found=None):
    return TaggedExamples("dev.conll", [TEXT] * count, None, found, list(range(1, count + 1)))


def drawn(sharpness, outside=0.0):
    """Texts whose tags were drawn from the probabilities of logits, and logits `sharpness` times those.

    Logits of O are higher by `outside`.
    """
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (COUNT, 6, 3)) + np.array([outside, 0, 0])
    found = []
    for text in logits:
        rows = np.exp(text[1:-1][FIRSTS])
        drawn = [NAMES[rng.choice(3, p=row / row.sum())] for row in rows]
        # Of an entity that begins with I- the tags as they should be begin with B-.
        found.append([Span(WORDS[a].start, WORDS[b - 1].stop, kind) for a, b, kind in tags.spans(drawn)])
    return examples_of(COUNT, found), [{"logits": one} for one in (logits * sharpness).astype(np.float32)]


def config_of(found=calibration.NONE):
    return AlbertConfig(id2label=dict(enumerate(NAMES)), task=calibration.entry(None, TASK.name, found))


def calibrated(sharpness, target=None):
    examples, outputs = drawn(sharpness)
    found, results = TASK.calibrate(config_of(), examples, features_of(COUNT), outputs, target)
    return found, results, outputs


def test_a_temperature_undoes_logits_that_are_too_sharp():
    (sharp, results, _), (plain, _, _) = calibrated(4), calibrated(1)
    assert sharp.temperature == pytest.approx(4 * plain.temperature, rel=1e-3)
    before, after = (results[f"expected_calibration_error_{when}"] for when in ("before", "after"))
    assert after < 0.1 < before
    assert (results["examples"], results["words"]) == (COUNT, 3 * COUNT)


def test_entities_of_a_calibrated_model_are_the_same_ones_with_the_scores_of_scaled_logits():
    found, few = calibration.Calibration(4.0), 50
    outputs = drawn(4)[1][:few]

    def decoded(found, outputs, **options):
        return TASK.decode(None, config_of(found), examples_of(few), features_of(few), outputs, **options)

    for strategy in entities.STRATEGIES:
        ways = [decoded(one, outputs, aggregation_strategy=strategy) for one in (calibration.NONE, found)]
        places = [[[(one["start"], one["end"]) for one in text] for text in way] for way in ways]
        assert places[0] == places[1]
        plain, scaled = ([one["score"] for text in way for one in text] for way in ways)
        assert np.mean(scaled) < np.mean(plain) - 0.1
    wanted = decoded(calibration.NONE, [{"logits": row["logits"] / 4} for row in outputs])
    scaled = decoded(found, outputs)
    np.testing.assert_allclose(*([one["score"] for text in way for one in text] for way in (scaled, wanted)), rtol=1e-5)


def test_entities_abstain_below_the_score_from_which_on_so_many_are_right():
    found, results, outputs = calibrated(2, target=0.85)
    assert results["entity_precision"] < 0.85 <= results["entity_precision_answered"]
    records = list(TASK.records(None, config_of(found), examples_of(COUNT), features_of(COUNT), outputs))
    told = [one["abstained"] for record in records for one in record["entities"]]
    assert len(told) == results["entities"]
    assert 1 - np.mean(told) == pytest.approx(results["entity_coverage"])
    [first, *_] = TASK.decode(None, config_of(found), examples_of(1), features_of(1), outputs[:1], abstain_below=1)
    assert [one["abstained"] for one in first] == [True] * len(first)
    with pytest.raises(InputError, match=r"probability from 0 to 1\. Received: 'x'"):
        TASK.decode(None, config_of(found), examples_of(1), features_of(1), outputs[:1], abstain_below="x")


def test_what_cannot_be_fitted_is_refused():
    examples, outputs = drawn(1, outside=8.0)
    with pytest.raises(InputError, match=r"100 rows at least.*dev\.conll has 9"):
        TASK.calibrate(config_of(), examples.take(range(9)), features_of(9), outputs[:9])
    with pytest.raises(InputError, match=r"20 answers at least\. With dev\.conll the model gives \d"):
        TASK.calibrate(config_of(), examples, features_of(COUNT), outputs, 0.9)
