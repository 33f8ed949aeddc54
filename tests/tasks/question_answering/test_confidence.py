"""The confidence of answers to questions: a temperature, a threshold of none, where to abstain."""

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import calibration, registry, trained_on
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.question_answering.questions import Questions
from albertkit.tasks.spans import Span

pytest.importorskip("scipy")

TASK = registry.get("question-answering")
WORDS = "alpha beta gamma delta"
SPANS = [Span(0, 5, ""), Span(6, 10, ""), Span(11, 16, ""), Span(17, 22, "")]
PIECES = Pieces([5] * 4, SPANS, SPANS, np.arange(4))
COUNT, TOKENS = 300, 6  # [CLS], four words, [SEP]


def rows_of(count):
    columns = {
        "pieces": [PIECES] * count,
        "window": [range(4)] * count,
        "first": [1] * count,
        "n_best": [20],
        "longest": [4] * count,
    }
    rows = [[0] * TOKENS] * count
    return Features(rows, rows, example=list(range(count)), columns=columns)


def questions(true):
    names = [str(number) for number in range(len(true))]
    return Questions("dev.json", names, ["which?"] * len(true), [WORDS] * len(true), None, names, true)


ANSWERS = [(start, end) for start in range(1, 5) for end in range(start, 5)]
NONE = (0, 0)


def drawn(sharpness, may_lack, seed=0):
    """Questions whose true answers were drawn from the probabilities of scores, and scores `sharpness` times those."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, 2, (COUNT, 2, TOKENS))
    listed = [*ANSWERS, *([NONE] if may_lack else [])]
    true = []
    for starts, ends in scores:
        chances = np.exp([starts[start] + ends[end] for start, end in listed])
        start, end = listed[rng.choice(len(listed), p=chances / chances.sum())]
        true.append([WORDS[SPANS[start - 1].start : SPANS[end - 1].stop]] if start else [])
    outputs = [{"start_logits": one, "end_logits": two} for one, two in (scores * sharpness).astype(np.float32)]
    return questions(true), outputs


def calibrated(sharpness=3, may_lack=False, target=None, config=None):
    examples, outputs = drawn(sharpness, may_lack)
    config = config or AlbertConfig()
    found, results = TASK.calibrate(config, examples, rows_of(COUNT), outputs, target)
    entry = calibration.entry(None, TASK.name, found, TASK.fitted(results))
    return AlbertConfig(task=entry), found, results, outputs


@pytest.mark.parametrize(("sharpness", "may_lack"), [(3, False), (0.5, False), (3, True)])
def test_a_temperature_undoes_scores_that_are_too_sharp_or_too_flat(sharpness, may_lack):
    _, found, results, _ = calibrated(sharpness, may_lack)
    assert found.temperature == pytest.approx(sharpness, rel=0.25)
    before, after = (results[f"expected_calibration_error_{when}"] for when in ("before", "after"))
    assert after < 0.08 < 0.1 < before
    assert results["examples"] == COUNT
    assert ("best_f1_threshold" in results) == may_lack


def test_a_temperature_is_fitted_to_answers_as_long_as_calls_give_them_whatever_the_data_were_read_with():
    examples, outputs = drawn(3, may_lack=False)
    short = rows_of(COUNT)
    short.columns["longest"] = [1] * COUNT
    found, _ = TASK.calibrate(AlbertConfig(), examples, short, outputs)
    assert found.temperature == pytest.approx(calibrated()[1].temperature)


def test_answers_of_a_calibrated_model_are_the_same_ones_with_other_scores():
    config, found, _, outputs = calibrated()
    examples = questions([[""]] * COUNT)
    plain = TASK.decode(None, AlbertConfig(), examples, rows_of(COUNT), outputs)
    scaled = TASK.decode(None, config, examples, rows_of(COUNT), outputs)
    assert [one["answer"] for one in plain] == [one["answer"] for one in scaled]
    assert np.mean([one["score"] for one in scaled]) < np.mean([one["score"] for one in plain]) - 0.05
    by_hand = [{name: one / found.temperature for name, one in row.items()} for row in outputs]
    wanted = TASK.decode(None, AlbertConfig(), examples, rows_of(COUNT), by_hand)
    np.testing.assert_allclose([one["score"] for one in scaled], [one["score"] for one in wanted], rtol=1e-5)


def test_words_made_whole_have_the_probability_of_their_parts_under_a_temperature():
    config = AlbertConfig(task=calibration.entry(None, TASK.name, Calibration(2.0)))
    whole = [Span(0, 10, ""), *SPANS[2:]]
    columns = {**rows_of(1).columns, "pieces": [Pieces([5] * 4, SPANS, whole, np.array([0, 0, 1, 2]))]}
    features = Features([[0] * TOKENS], [[0] * TOKENS], example=[0], columns=columns)
    outputs = [{name: np.array([0, 4, 3, 0, 0, 0], np.float32) for name in ("start_logits", "end_logits")}]
    [answer] = TASK.decode(None, config, questions([[""]]), features, outputs)
    ends = np.exp(outputs[0]["start_logits"].astype(float) / 2)
    parts = ends[1] * (ends[1] + ends[2]) + ends[2] * ends[2]
    every = sum(ends[start] * ends[end] for start, end in ANSWERS)
    assert answer["score"] == pytest.approx(parts / every, rel=1e-6)


def test_the_best_threshold_of_no_answer_is_kept_and_no_other_option_is_lost():
    config, _, results, outputs = calibrated(may_lack=True)
    fitted = trained_on.fitted(config, TASK)
    threshold = results["best_f1_threshold"]
    assert fitted == {"handle_impossible_answer": True, "null_score_diff_threshold": threshold}
    examples, _ = drawn(3, True)
    scores = TASK.score(config, examples, rows_of(COUNT), outputs)
    assert scores["f1"] == pytest.approx(results["best_f1"])
    assert results["f1_after"] < results["best_f1"] + 1e-9
    answers = TASK.decode(None, config, examples, rows_of(COUNT), outputs, **fitted)
    right = np.mean([one["answer"] in (true or [""]) for one, true in zip(answers, examples.true, strict=True)])
    assert right == pytest.approx(results["accuracy"], abs=0.02)
    assert calibration.entry({"name": TASK.name, "fitted": {"a": 1}}, TASK.name, Calibration(), fitted)["fitted"] == {
        "a": 1,
        **fitted,
    }


def test_the_empty_answer_has_its_probability_whatever_the_threshold_that_puts_it_first():
    outputs = [{name: np.array([2, 3, 0, 0, 0, 0], np.float32) for name in ("start_logits", "end_logits")}]
    options = {"handle_impossible_answer": True, "top_k": 2}
    [one], [other] = (
        TASK.decode(None, AlbertConfig(), questions([[""]]), rows_of(1), outputs, **options, **more)
        for more in ({}, {"null_score_diff_threshold": -5.0})
    )
    assert [each["answer"] for each in one] == ["alpha", ""]
    assert other == one[::-1]


def test_an_accuracy_is_reached_by_answers_that_do_not_abstain_and_a_call_may_ask_for_another_bound():
    config, found, results, outputs = calibrated(target=0.6)
    assert results["accuracy"] < 0.6 <= results["accuracy_answered"]
    examples = questions([[""]] * COUNT)

    def abstained(**options):
        answers = TASK.decode(None, config, examples, rows_of(COUNT), outputs, align_to_words=False, **options)
        return [one["abstained"] for one in answers]

    assert np.mean(abstained()) == pytest.approx(1 - results["coverage"], abs=0.01)
    assert all(abstained(abstain_below=1.0))
    assert 0 < found.abstain_below < 1
    with pytest.raises(KeyError):
        abstained(abstain_below=0)
    with pytest.raises(InputError, match=r"probability from 0 to 1\. Received: 7"):
        abstained(abstain_below=7)


def test_a_model_that_may_give_no_answer_is_judged_so_on_questions_that_all_have_one():
    examples, outputs = drawn(1, False)
    told = {"handle_impossible_answer": True, "null_score_diff_threshold": 0.0}
    config = AlbertConfig(task=calibration.entry(None, TASK.name, Calibration(), told))
    _, results = TASK.calibrate(config, examples, rows_of(COUNT), outputs)
    answers = TASK.decode(None, config, examples, rows_of(COUNT), outputs, align_to_words=False, **told)
    right = [one["answer"] in true for one, true in zip(answers, examples.true, strict=True)]
    assert results["accuracy"] == pytest.approx(np.mean(right))
    assert results["accuracy"] < TASK.calibrate(AlbertConfig(), examples, rows_of(COUNT), outputs)[1]["accuracy"]
    assert "best_f1_threshold" not in results


def test_too_few_questions_are_refused():
    with pytest.raises(InputError, match=r"100 rows at least.*dev\.json has 3"):
        TASK.calibrate(AlbertConfig(), questions([["alpha"]] * 3), rows_of(3), drawn(1, False)[1][:3])
