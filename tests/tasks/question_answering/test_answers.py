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
    [(found, null)] = answers.of_questions(features, [{"start_logits": starts, "end_logits": starts}], 5, 1)
    assert [(one.start, one.stop, one.score) for one in found] == [(0, 1, 18), (2, 6, 12)]
    assert null == 0


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
    [(found, null)] = answers.of_questions(features, rows, 20, 30)
    assert [(one.start, one.stop, one.score) for one in found] == [
        (3, 9, -0.75),
        (0, 2, -1.5),
        (0, 7, -2.0),
        (3, 7, -2.5),
    ]
    assert found[0].parts == (-0.5, -0.25)
    assert null - found[0].score == 1.5


def test_beams_that_reach_out_of_the_context_or_backwards_or_too_far_are_no_answers():
    starts = [(0, -0.1), (1, -0.2), (5, -0.3), (3, -0.4)]
    ends = [(4, -0.1), (5, -0.1), (4, -0.1), (3, -0.1), (4, -0.1), (6, -0.1), (5, -0.1), (3, -9.0)]
    features, rows = beams(SENTENCE, range(3), 3, starts, ends, -2.0)
    [(found, null)] = answers.of_questions(features, rows, 20, 2)
    assert [(one.start, one.stop) for one in found] == [(0, 2)]
    assert null == found[0].score - 2
    [(nothing, odds)] = answers.of_questions(
        *beams(SENTENCE, range(3), 3, [(0, -0.1)], [(0, -0.1), (1, -3)], 4.0), 20, 2
    )
    assert (nothing, odds) == ([], 4.0)


def test_beams_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match=r"finite numbers"):
        list(answers.of_questions(*beams(SENTENCE, range(3), 3, [(3, np.nan)], [(3, -1), (4, -1)], 0.0), 20, 2))
