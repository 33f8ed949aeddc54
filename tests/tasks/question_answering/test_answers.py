"""The best answers of a question."""

import numpy as np
import pytest

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
    starts, ends = (np.exp([0, *values]).sum() for values in ([1, 2, 0, 3], [1, 3, 0, 3]))
    expected = sum(np.exp(start) * np.exp(end) for start, end in words) / (starts * ends)
    assert found.probability(listed[0].score) == pytest.approx(expected)


def test_windows_without_the_answer_do_not_take_its_probability_away():
    spans = [Span(2 * place, 2 * place + 1, "") for place in range(12)]
    context = Pieces([5] * 12, spans, spans, np.arange(12))
    windows = [range(6), range(4, 10), range(8, 12)]
    columns = {"pieces": [context] * 3, "window": windows, "first": [2] * 3}
    features = Features([[0] * 9] * 3, [[0] * 9] * 3, example=[0] * 3, columns=columns)
    sure, none = np.zeros(9), np.zeros(9)
    sure[3] = none[0] = 20  # the second piece, and that there is none
    outputs = [{"start_logits": one, "end_logits": one} for one in (sure, none, none)]
    [found] = answers.of_questions(features, outputs, 5, 5)
    assert found.probability(found.candidates[0].score) > 0.99
