"""The best answers of a question."""

import numpy as np
import pytest

from albertkit.errors import InputError
from albertkit.tasks.features import Features
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.question_answering import answers
from albertkit.tasks.spans import Span


def test_answers_of_pieces_that_stand_for_the_same_characters_are_one_and_the_best_comes_first():
    # One character that the normalizer makes three pieces of, and a word.
    spans = [Span(0, 1, "")] * 3 + [Span(2, 6, "")]
    context = Pieces([5, 5, 5, 7], spans, spans[2:], np.array([0, 0, 0, 1]))
    features = Features(
        [[0] * 8], [[0] * 8], example=[0], columns={"pieces": [context], "window": [range(4)], "first": [3]}
    )
    starts = np.array([0, 0, 0, 9, 1, 0, 6, 0], np.float32)
    [found] = answers.of_questions(features, [{"start_logits": starts, "end_logits": starts}], 5, 1)
    assert [(one.start, one.stop, one.score) for one in found.candidates] == [(0, 1, 18), (2, 6, 12)]
    assert found.null == 0


def one_window(spans, units, owner, starts, ends):
    """What is found for a question without tokens, whose context is one window."""
    context = Pieces([5] * len(spans), spans, units, np.array(owner))
    rows = [[0] * (len(spans) + 3)]
    columns = {"pieces": [context], "window": [range(len(spans))], "first": [2]}
    outputs = {"start_logits": np.array([0, 0, *starts, 0]), "end_logits": np.array([0, 0, *ends, 0])}
    [found] = answers.of_questions(Features(rows, rows, example=[0], columns=columns), [outputs], 20, 9)
    return found


def test_answers_that_become_the_same_words_are_one_of_the_probability_of_both():
    # "unseen film": un|seen film, and after it a piece that is a blank
    spans = [Span(0, 2, ""), Span(2, 6, ""), Span(7, 11, ""), Span(12, 12, "")]
    found = one_window(spans, [Span(0, 6, ""), Span(7, 11, "")], [0, 0, 1, -1], [1, 2, 0, 3], [1, 3, 0, 3])
    listed = answers.of_whole_words(found)
    assert [(one.start, one.stop) for one in listed] == [(0, 6), (0, 11), (7, 11)]
    words = [(1, 1), (1, 3), (2, 3)]  # un, unseen, seen
    others = [(1, 0), (2, 0), (0, 0)]  # un|seen film, seen film, film; the blank is no answer, nor is [CLS]
    expected, rest = (sum(np.exp(start + end) for start, end in each) for each in (words, others))
    assert found.probability(listed[0].score) == pytest.approx(expected / (expected + rest))


WINDOWS = [range(6), range(4, 10), range(8, 12)]
ROW = 9  # [CLS], a question of one piece, six pieces of the context at most, [SEP]


def in_windows(outputs, longest, **options):
    """What is found for a question on a context of twelve pieces in three windows."""
    spans = [Span(2 * place, 2 * place + 1, "") for place in range(12)]
    context = Pieces([5] * 12, spans, spans, np.arange(12))
    columns = {"pieces": [context] * 3, "window": WINDOWS, "first": [2] * 3}
    features = Features([[0] * ROW] * 3, [[0] * ROW] * 3, example=[0] * 3, columns=columns)
    [found] = answers.of_questions(features, outputs, 1000, longest, **options)
    return found


def random_outputs(of_cls=0.0):
    rng = np.random.default_rng(0)
    outputs = [{name: rng.normal(size=ROW) for name in ("start_logits", "end_logits")} for _ in WINDOWS]
    for row in outputs:
        for scores in row.values():
            scores[0] += of_cls
    return outputs


def probabilities(found):
    return {(one.start, one.stop): found.probability(one.score) for one in found.candidates}


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
@pytest.mark.parametrize("longest", [1, 3, 200])
def test_the_probabilities_of_all_answers_that_may_be_given_add_up_to_one(longest, temperature):
    found = in_windows(random_outputs(), longest, temperature=temperature)
    assert sum(probabilities(found).values()) == pytest.approx(1)
    found = in_windows(random_outputs(), longest, temperature=temperature, may_be_none=True)
    assert sum(probabilities(found).values()) + found.probability(found.null) == pytest.approx(1)


def test_how_probable_answers_are_is_no_matter_of_cls_unless_there_may_be_none():
    plain = in_windows(random_outputs(), 3)
    assert probabilities(in_windows(random_outputs(of_cls=9), 3)) == probabilities(plain)
    may = in_windows(random_outputs(of_cls=9), 3, may_be_none=True)
    assert may.probability(may.null) > 0.99
    assert probabilities(may) == pytest.approx(
        {span: chance * (1 - may.probability(may.null)) for span, chance in probabilities(plain).items()}
    )


@pytest.mark.parametrize("may_be_none", [False, True])
def test_windows_without_the_answer_do_not_take_its_probability_away(may_be_none):
    sure, none = np.zeros(ROW), np.zeros(ROW)
    sure[3] = none[0] = 20  # the second piece, and that there is none
    outputs = [{"start_logits": one, "end_logits": one} for one in (sure, none, none)]
    found = in_windows(outputs, 5, may_be_none=may_be_none)
    assert found.probability(found.candidates[0].score) > 0.99


def beams(context, window, first, starts, ends, odds, places=None):
    """An output of the search: starts and ends as (place in the row, log probability), two ends a start."""
    columns = {"pieces": [context], "window": [window], "first": [first]}
    features = Features([[0] * 9], [[0] * 9], example=[0], columns=columns)
    row = {
        "start_top_index": np.array([place for place, _ in starts], np.float32),
        "start_top_log_probs": np.array([score for _, score in starts], np.float32),
        "end_top_index": np.array([place for place, _ in ends], np.float32),
        "end_top_log_probs": np.array([score for _, score in ends], np.float32),
        "cls_logits": np.float32(odds),
    }
    return features, [row]


WORDS = [Span(0, 2, ""), Span(3, 7, ""), Span(8, 9, "")]
SENTENCE = Pieces([5, 6, 7], WORDS, WORDS, np.array([0, 1, 2]))


def test_beams_give_the_ends_of_each_start_and_none_is_as_likely_as_its_odds_say():
    # [CLS] what [SEP] three words [SEP]: the context begins at place 3.
    features, rows = beams(
        SENTENCE, range(3), 3, [(4, -0.5), (3, -1.0)], [(5, -0.25), (4, -2.0), (3, -0.5), (4, -1.0)], 1.5
    )
    [found] = answers.of_questions(features, rows, 20, 30)
    assert [(one.start, one.stop, one.score) for one in found.candidates] == [
        (3, 9, -0.75),
        (0, 2, -1.5),
        (0, 7, -2.0),
        (3, 7, -2.5),
    ]
    assert found.candidates[0].parts == (-0.5, -0.25)
    assert found.odds == 1.5
    whole = sum(np.exp(one.score) for one in found.candidates)
    assert found.probability(-0.75) == pytest.approx(np.exp(-0.75) / whole)
    [found] = answers.of_questions(features, rows, 20, 30, may_be_none=True)
    assert found.probability(-0.75) == pytest.approx(np.exp(-0.75) / (whole + np.exp(found.null)))


def test_beams_that_reach_out_of_the_context_or_backwards_or_too_far_are_no_answers():
    starts = [(0, -0.1), (1, -0.2), (5, -0.3), (3, -0.4)]
    ends = [(4, -0.1), (5, -0.1), (4, -0.1), (3, -0.1), (4, -0.1), (6, -0.1), (5, -0.1), (3, -9.0)]
    features, rows = beams(SENTENCE, range(3), 3, starts, ends, -2.0)
    [found] = answers.of_questions(features, rows, 20, 2)
    assert [(one.start, one.stop) for one in found.candidates] == [(0, 2)]
    assert found.odds == -2
    [nothing] = answers.of_questions(*beams(SENTENCE, range(3), 3, [(0, -0.1)], [(0, -0.1), (1, -3)], 4.0), 20, 2)
    assert (nothing.candidates, nothing.null, nothing.odds) == ([], 4.0, 0.0)
    assert nothing.probability(nothing.null) == 1


def test_beams_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match=r"finite numbers"):
        list(answers.of_questions(*beams(SENTENCE, range(3), 3, [(3, np.nan)], [(3, -1), (4, -1)], 0.0), 20, 2))
