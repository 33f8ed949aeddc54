"""The files of answers that the scripts of SQuAD read."""

import pytest

from albertkit.errors import InputError
from albertkit.tasks.question_answering import answer_files
from albertkit.tasks.question_answering.answers import Candidate, Found
from albertkit.tasks.question_answering.questions import Questions

CONTEXT = "It came from York to London."
YORK, LONDON = Candidate(13, 17, 5.0, (3.0, 2.0)), Candidate(21, 27, 4.0, (3.0, 1.0))


def found(candidates, null):
    return Found(candidates, null, [], None)


def asked(*ids):
    count = len(ids)
    return Questions("dev.json", list(ids), ["where?"] * count, [CONTEXT] * count, None, ["here"] * count)


def test_answers_stand_by_id_and_none_where_its_odds_are_above_the_threshold():
    answers = [found([YORK, LONDON], 6.0), found([LONDON], 2.0), found([], 3.0)]
    files = answer_files.of(asked("a", "b", "c"), answers, 0.5)
    assert files["predictions.json"] == {"a": "", "b": "London", "c": ""}
    assert files["null_odds.json"] == {"a": 1.0, "b": -2.0, "c": 0.0}
    assert answer_files.of(asked("a", "b", "c"), answers, 1.0)["predictions.json"]["a"] == "York"


def test_the_best_answers_have_chances_among_themselves_and_none_is_one_of_them():
    files = answer_files.of(asked("a"), [found([YORK, LONDON], 6.0)], 0.0)
    listed = files["nbest_predictions.json"]["a"]
    assert [one["text"] for one in listed] == ["", "York", "London"]
    assert sum(one["probability"] for one in listed) == pytest.approx(1)
    assert listed[0]["probability"] / listed[1]["probability"] == pytest.approx(2.718281828)
    assert (listed[1]["start_logit"], listed[1]["end_logit"]) == (3.0, 2.0)


def test_where_every_question_has_an_answer_there_are_no_odds_and_an_answer_is_given():
    files = answer_files.of(asked("a"), [found([YORK], 99.0)], None)
    assert list(files) == ["predictions.json", "nbest_predictions.json"]
    assert files["predictions.json"] == {"a": "York"}
    assert [one["text"] for one in files["nbest_predictions.json"]["a"]] == ["York"]


def test_two_questions_of_one_id_are_refused():
    with pytest.raises(InputError, match=r"ids that differ\. 1 stand twice in dev\.json: a\."):
        answer_files.of(asked("a", "a"), [found([YORK], 0.0)] * 2, None)
