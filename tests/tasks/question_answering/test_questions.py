"""Files of questions."""

import json
from dataclasses import replace

import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.question_answering import questions
from albertkit.tasks.question_answering.questions import QuestionOptions
from albertkit.tasks.question_answering.task import QuestionAnswering
from albertkit.tokenization.sentencepiece import AlbertTokenizer

CONTEXT = "The cat sat. Later the cat slept."


def squad(tmp_path, *asked, name="squad.json", context=CONTEXT):
    content = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": list(asked)}]}]}
    path = tmp_path / name
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return str(path)


def question(name, *answers, **more):
    listed = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": f"{name}?", "answers": listed, **more}


def spans(found):
    return [[(one.start, one.stop) for one in each] for each in found.answers]


@pytest.mark.parametrize("start", [23, "23", " 23", 23.0])
def test_places_that_are_written_as_texts_or_with_a_point_are_places(tmp_path, start):
    """Else the first "cat" would be learned in the place of the one that is meant."""
    found = questions.read(squad(tmp_path, question("a", ("cat", start))), QuestionOptions())
    assert (spans(found), found.found) == ([[(23, 26)]], "")


@pytest.mark.parametrize("start", [10**400, "9" * 5000, True, 2.5, "x"])
def test_what_is_no_place_of_the_text_is_looked_for_by_its_words(tmp_path, start):
    found = questions.read(squad(tmp_path, question("a", ("cat", start))), QuestionOptions())
    assert len(spans(found)[0]) == 1


def test_squad_of_both_versions_is_read(tmp_path):
    path = squad(
        tmp_path,
        question("a", ("cat", 4), ("The cat", 0)),
        question("b", is_impossible=True),
        question("c", is_impossible=False) | {"answers": [{"text": "slept", "answer_start": 27}]},
    )
    found = questions.read(path, QuestionOptions())
    assert found.ids == ["a", "b", "c"]
    assert found.questions == ["a?", "b?", "c?"]
    assert set(found.contexts) == {CONTEXT}
    assert spans(found) == [[(4, 7), (0, 7)], [], [(27, 32)]]
    assert found.true == [["cat", "The cat"], [], ["slept"]]
    assert found.has_unanswerable
    assert not found.found
    assert found.take([2]).true == [["slept"]]


def test_answers_that_are_not_where_the_file_says_are_found_nearest_to_it_and_counted(tmp_path):
    found = questions.read(squad(tmp_path, question("a", ("cat", 20)), question("b", ("cat", -1))), QuestionOptions())
    assert spans(found) == [[(23, 26)], [(4, 7)]]
    assert found.found.startswith("2 questions have an answer that is not where the file says")


def test_an_answer_that_is_not_in_its_context_is_refused_or_left_out_and_counted(tmp_path):
    path = squad(tmp_path, question("a", ("cat", 4)), question("lost", ("dog", 4)))
    with pytest.raises(InputError, match=r"in 1 of 2 rows: .*'lost' of article 1, paragraph 1\. .*--skip-bad-rows"):
        questions.read(path, QuestionOptions())
    found = questions.read(path, QuestionOptions(skip_bad_rows=True))
    assert (found.ids, len(found.left_out)) == (["a"], 1)
    with pytest.raises(InputError, match=r"at least one row to use.*must stand in its context\. Not so in 1"):
        questions.read(squad(tmp_path, question("lost", ("dog", 4))), QuestionOptions(skip_bad_rows=True))


def test_an_answer_that_is_elsewhere_still_counts_as_a_true_text(tmp_path):
    found = questions.read(squad(tmp_path, question("a", ("cat", 4), ("feline", -1))), QuestionOptions())
    assert (spans(found), found.true) == ([[(4, 7)]], [["cat", "feline"]])


@pytest.mark.parametrize(
    "answers",
    [
        {"text": ["cat"], "answer_start": [4]},
        [{"text": "cat", "answer_start": 4}],
        {"text": "cat", "answer_start": 4},
        "cat",
    ],
)
def test_tables_hold_answers_in_the_usual_forms(tmp_path, answers):
    path = tmp_path / "a.jsonl"
    empty = {"text": [], "answer_start": []}
    rows = [{"question": "q?", "context": CONTEXT, "answers": one} for one in (answers, empty, None)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = questions.read(str(path), QuestionOptions())
    assert spans(found) == [[(4, 7)], [], []]
    assert found.where([1]) == f"{path}, line 2"


def test_questions_to_answer_need_no_answers(tmp_path):
    path = squad(tmp_path, question("a", ("dog", 4)))
    [part] = questions.stream(path, QuestionOptions())
    assert (part.ids, part.answers) == (["a"], None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"data": [{}]}', "KeyError 'paragraphs'"),
        ('{"data": 1}', "TypeError"),
        ('{"data": []}', "must hold at least one question"),
        ('{"data": [', "must be a JSON file in the form of SQuAD"),
    ],
)
def test_what_is_not_squad_is_refused(tmp_path, content, why):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=why):
        questions.read(str(path), QuestionOptions())


def test_empty_contexts_and_answers_of_another_form_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"needs a context that is not empty.*breaks that in 1 of 1 rows: question 'a' of article 1"
    ):
        questions.read(squad(tmp_path, question("a", ("cat", 4)), context=" "), QuestionOptions())
    with pytest.raises(InputError, match=r"a mapping of `text` and `answer_start`.*has 7"):
        questions.read(squad(tmp_path, question("a") | {"answers": [7]}), QuestionOptions())


def test_unknown_answers_are_not_taken_for_questions_without_one(tmp_path):
    bare = question("b")
    del bare["answers"]
    with pytest.raises(InputError, match=r"must stand in its context.*in 1 of 2 rows: .*'b'"):
        questions.read(squad(tmp_path, question("a", ("cat", 4)), bare), QuestionOptions())


def test_questions_repeat_each_other_by_what_is_asked_and_not_by_their_number(tmp_path):
    asked = [question("a", ("cat", 4)), question("a", ("cat", 4)) | {"id": "other"}, question("c", ("cat", 4))]
    found = questions.read(squad(tmp_path, *asked), QuestionOptions())
    assert found.key(0) == found.key(1) != found.key(2)


def rows(tmp_path, *records):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


ROW = {"question": "q?", "context": CONTEXT, "answers": "cat"}


def test_a_question_without_a_context_is_refused_or_left_out_and_counted(tmp_path):
    path = rows(tmp_path, ROW, {**ROW, "context": ""}, {**ROW, "context": None}, {**ROW, "answers": "dog"})
    with pytest.raises(InputError, match=r"in 2 of 4 rows: line 2, line 3\..*--skip-bad-rows"):
        questions.read(path, QuestionOptions())
    found = questions.read(path, QuestionOptions(skip_bad_rows=True))
    assert (found.places, len(found.left_out)) == (["line 1"], 3)


def test_a_file_without_answers_is_not_one_of_questions_that_have_none(tmp_path):
    path = rows(tmp_path, {"question": "q?", "context": CONTEXT})
    with pytest.raises(InputError, match=r"The answer column must be in the file.*Received: 'answers'"):
        questions.read(path, QuestionOptions())
    named = rows(tmp_path, {"question": "q?", "context": CONTEXT, "answer": "cat"})
    assert spans(questions.read(named, QuestionOptions(answer_column="answer"))) == [[(4, 7)]]
    with pytest.raises(InputError, match=r"Received: 'answer'"):
        questions.read(rows(tmp_path, ROW), QuestionOptions(answer_column="answer"))
    asked = {"id": "a", "question": "a?"}
    with pytest.raises(InputError, match=r"in 1 of 1 rows: .*'a' of article 1"):
        questions.read(squad(tmp_path, asked), QuestionOptions())
    [part] = questions.stream(squad(tmp_path, asked), QuestionOptions())
    assert part.ids == ["a"]
    with pytest.raises(InputError, match=r"at least one question.*holds none"):
        questions.read(squad(tmp_path), QuestionOptions())


@pytest.mark.parametrize("starts", [[1, 2], 1])
def test_starts_that_do_not_go_with_their_texts_are_refused(tmp_path, starts):
    path = rows(tmp_path, {**ROW, "answers": {"text": ["cat"], "answer_start": starts}})
    with pytest.raises(InputError, match=r"as many `answer_start` as `text`.*line 1, has"):
        questions.read(path, QuestionOptions())


def test_a_row_whose_id_is_empty_is_called_by_its_line(tmp_path):
    assert questions.read(rows(tmp_path, {**ROW, "id": "x"}, {**ROW, "id": None}), QuestionOptions()).ids == ["x", "2"]


def test_a_column_that_is_not_there_and_a_question_without_room_are_named(tmp_path, pytestconfig):
    path = tmp_path / "asked.jsonl"
    path.write_text('{"frage": "who?", "context": "Peter came."}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"Received: 'question'.*Name it with --set data\.question_column=NAME"):
        list(questions.stream(str(path), QuestionOptions()))
    [given] = questions.stream(str(path), QuestionOptions(question_column="frage"))
    tokenizer = AlbertTokenizer(pytestconfig.rootpath / "tests/data/spiece.model")
    given = replace(given, questions=["who " * 40])
    options = QuestionOptions(max_length=16, max_query_length=13)
    with pytest.raises(InputError, match=r"asked.jsonl, line 1 has 13 tokens of 16. Make `max_length` larger"):
        QuestionAnswering().encode(tokenizer, AlbertConfig(), given, options)
