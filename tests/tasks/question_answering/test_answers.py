"""The best answers of a question."""

import numpy as np

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
