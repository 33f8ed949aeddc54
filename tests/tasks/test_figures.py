"""Figures of scores: their numbers, as a table and as JSON, and what each task has of them."""

import json

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import figures, registry
from albertkit.tasks.features import Features
from albertkit.tasks.figures import Bars, Confusion, Reliability
from albertkit.tasks.multiple_choice.choices import Choices
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.question_answering.questions import Questions
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples


def test_a_confusion_matrix_counts_the_predictions_of_each_class():
    found = figures.confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), ["a", "b", "c"])
    assert found.counts == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert found.table()[:2] == [["true, then predicted", "a", "b", "c"], ["a", "1", "1", "0"]]


def test_the_rarest_of_many_classes_are_taken_together_and_none_is_lost():
    names = [f"class {number}" for number in range(30)]
    true = np.repeat(np.arange(30), np.arange(1, 31))
    found = figures.confusion(true, true, names)
    assert (len(found.labels), found.labels[0], found.labels[-1]) == (20, "class 11", "others")
    assert np.sum(found.counts) == len(true)
    assert found.counts[-1][-1] == sum(range(1, 12))


def test_scores_by_class_are_precision_recall_and_f1():
    true, predicted = np.array([[1, 0], [1, 1], [0, 1]]), np.array([[1, 0], [0, 1], [0, 0]])
    found = figures.of_classes(true, predicted, ["a", "b"])
    assert found.scores == {"precision": [1.0, 1.0], "recall": [0.5, 0.5], "F1": [pytest.approx(2 / 3)] * 2}
    assert found.counts == [2, 2]
    nothing = figures.of_classes(np.zeros((2, 1)), np.zeros((2, 1)), ["a"])
    assert nothing.scores == {"precision": [0.0], "recall": [0.0], "F1": [0.0]}


def test_groups_stand_in_the_order_of_their_numbers():
    groups = [figures.length_group(length) for length in (1, 2, 3, 4, 5, 8, 9, 17)]
    assert groups == ["1", "2", "3 to 4", "3 to 4", "5 to 8", "5 to 8", "9 to 16", "17 to 32"]
    found = figures.grouped("n", "t", "words", groups, {"right": [1, 0, 1, 0, 1, 1, 0, 1]})
    assert found.labels == ["1", "2", "3 to 4", "5 to 8", "9 to 16", "17 to 32"]
    assert found.scores == {"right": [1.0, 0.0, 0.5, 1.0, 0.0, 1.0]}
    assert found.counts == [1, 1, 2, 2, 1, 1]


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_accuracy():
    found = figures.reliability(np.array([0.95, 0.95, 0.55, 1.0]), np.array([True, False, True, True]), "answers")
    assert found.counts == [1, 3]
    assert found.accuracy == [1.0, pytest.approx(2 / 3)]
    assert found.error == pytest.approx((abs(0.55 - 1) + 3 * abs(2.9 / 3 - 2 / 3)) / 4)
    assert figures.reliability(np.array([]), np.array([]), "answers") is None


@pytest.mark.parametrize(
    "figure",
    [
        Confusion("c", "t", ["a", "|"], [[1, 0], [0, 2]]),
        Bars("b", "t", ["a"], {"F1": [0.5]}, [3], "type"),
        Reliability("r", "t", [0.5], [0.25], [4], 0.25),
    ],
)
def test_figures_come_back_from_json(figure):
    again = figures.of_record(json.loads(json.dumps(figure.as_record())))
    assert again == figure
    widths = {len(row) for row in figure.table()}
    assert len(widths) == 1
    with pytest.raises(InputError, match="one of Confusion, Bars, Reliability"):
        figures.of_record({"kind": "Pie"})


def test_classes_have_a_matrix_scores_and_reliability_and_numbers_have_none():
    task = registry.get_trainable("text-classification")
    config = AlbertConfig(id2label={0: "neg", 1: "pos"})
    features, rows = Features([], [], {"labels": np.array([0, 1, 1])}), [[2, 0], [0, 2], [1, 0]]
    outputs = [{"logits": np.array(row, np.float32)} for row in rows]
    matrix, bars, reliability = task.figures(config, rows, features, outputs)
    assert matrix.counts == [[1, 0], [1, 1]]
    assert bars.scores["recall"] == [1.0, 0.5]
    assert reliability.counts == [1, 2]
    numbers = AlbertConfig(num_labels=1, problem_type="regression")
    assert task.figures(numbers, rows, features, [{"logits": np.array([1.0])}] * 3) == []
    several = AlbertConfig(id2label={0: "a", 1: "b"}, problem_type="multi_label_classification")
    features = Features([], [], {"labels": np.array([[1, 0], [0, 1], [1, 1]])})
    bars, reliability = task.figures(several, rows, features, outputs)
    assert bars.counts == [2, 2]
    assert sum(reliability.counts) == 6


def pieces_of(*words):
    text, spans = " ".join(words), []
    for word in words:
        start = text.index(word)
        spans.append(Span(start, start + len(word), ""))
    return text, Pieces(list(range(len(words))), spans, spans, np.arange(len(words)))


def test_entities_have_scores_by_type_and_reliability():
    task = registry.get_trainable("token-classification")
    config = AlbertConfig(id2label=dict(enumerate(["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])))
    text, whole = pieces_of("Ann", "saw", "Rome")
    examples = TaggedExamples("", [text], None, [[Span(0, 3, "PER"), Span(8, 12, "LOC")]], [1])
    features = Features([[0] * 5], [[0] * 5], example=[0], columns={"pieces": [whole], "window": [range(3)]})
    logits = np.zeros((5, 5), np.float32)
    logits[[1, 2, 3], [3, 0, 3]] = 9
    bars, reliability = task.figures(config, examples, features, [{"logits": logits}])
    assert (bars.labels, bars.scores["recall"], bars.counts) == (["LOC", "PER"], [0.0, 1.0], [1, 1])
    assert bars.scores["precision"] == [0.0, 0.5]
    assert reliability.accuracy == [pytest.approx(2 / 3)]


def test_answers_have_scores_by_length_and_a_group_of_their_own_where_there_is_none():
    task = registry.get_trainable("question-answering")
    text, whole = pieces_of("Ann", "saw", "Rome", "fall")
    answers = [[Span(8, 12, "")], [Span(0, 12, "")], []]
    true = [[text[one.start : one.stop] for one in found] for found in answers]
    examples = Questions("", ["a", "b", "c"], ["q"] * 3, [text] * 3, answers, ["1", "2", "3"], true)
    columns = {
        "pieces": [whole] * 3,
        "window": [range(4)] * 3,
        "first": [2] * 3,
        "longest": [30] * 3,
        "n_best": [20] * 3,
    }
    features = Features([[0] * 7] * 3, [[0] * 7] * 3, example=[0, 1, 2], columns=columns)
    outputs = []
    for start, end in ((4, 4), (4, 4), (0, 0)):
        logits = np.zeros((2, 7), np.float32)
        logits[0, start] = logits[1, end] = 9
        outputs.append({"start_logits": logits[0], "end_logits": logits[1]})
    bars, reliability = task.figures(AlbertConfig(), examples, features, outputs)
    assert (bars.labels, bars.counts) == (["no answer", "1", "3 to 4"], [1, 1, 1])
    assert bars.scores["exact match"] == [1.0, 1.0, 0.0]
    assert bars.scores["F1"] == [1.0, 1.0, pytest.approx(0.5)]
    assert sum(reliability.counts) == 3


def test_choices_have_accuracy_by_place_and_length_and_reliability():
    task = registry.get_trainable("multiple-choice")
    examples = Choices("", ["a", "b " * 150], ["q", "q"], [["x", "y"]] * 2, [0, 1], ["1", "2"], ["", ""])
    outputs = [{"logits": np.array(row, np.float32)} for row in ([2, 0], [2, 0])]
    lengths, places, reliability = task.figures(AlbertConfig(), examples, Features([], []), outputs)
    assert (lengths.labels, lengths.scores) == (["1 to 100", "101 to 200"], {"accuracy": [1.0, 0.0]})
    assert (places.labels, places.scores) == (["1", "2"], {"accuracy": [1.0, 0.0]})
    assert reliability.counts == [2]
