"""Files of questions with options."""

import json

import pytest

from albertkit.errors import InputError
from albertkit.tasks import registry
from albertkit.tasks.multiple_choice import choices
from albertkit.tasks.multiple_choice.choice_columns import ChoiceOptions

TASK = registry.get("multiple-choice")


def rows(tmp_path, *records, name="a.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def read(path, **options):
    return choices.read(path, ChoiceOptions(**options))


PASSAGE = {
    "article": "A text.",
    "questions": ["One _ ?", "Two?"],
    "options": [["a", "b", "c", "d"], ["e", "f", "g", "h"]],
    "answers": ["C", "A"],
}


def test_race_is_read_as_json_lines_and_as_its_tree_of_files(tmp_path):
    lines = read(rows(tmp_path, {**PASSAGE, "id": "middle1.txt"}, {**PASSAGE, "id": "high2.txt"}))
    for level in ("middle", "high"):
        (tmp_path / "RACE" / level).mkdir(parents=True)
        (tmp_path / "RACE" / level / "1.txt").write_text(json.dumps(PASSAGE))
    tree = read(str(tmp_path / "RACE"))
    for found in (lines, tree):
        assert found.contexts == ["A text."] * 4
        assert found.questions == ["One _ ?", "Two?"] * 2
        assert found.labels == [2, 0, 2, 0]
        assert sorted(found.groups) == ["high", "high", "middle", "middle"]
    assert tree.places[0] == "question 1 of file high/1.txt"


def test_swag_dream_copa_and_tables_of_the_usual_names_are_read(tmp_path):
    told = {"sent1": "He sat.", "sent2": "Then he", "startphrase": "He sat. Then he"}
    swag = {**told, **{f"ending{n}": f"e{n}" for n in range(4)}, "label": 3}
    found = read(rows(tmp_path, swag))
    assert (found.contexts, found.questions, found.options, found.labels) == (
        ["He sat."],
        ["Then he"],
        [["e0", "e1", "e2", "e3"]],
        [3],
    )
    dream = tmp_path / "dream.json"
    asked = {"question": "How many?", "choice": ["10", "2", "25"], "answer": "2"}
    dream.write_text(json.dumps([[["M: Hi.", "W: Oh."], [asked], "7-1"]], indent=1))
    found = read(str(dream))
    assert (found.contexts, found.labels, found.places) == (["M: Hi.\nW: Oh."], [1], ["question 1 of dialogue 7-1"])
    copa = tmp_path / "copa.xml"
    copa.write_text(
        '<corpus><item id="1" asks-for="cause" most-plausible-alternative="2">'
        "<p>It fell.</p><a1>x</a1><a2>y</a2></item>"
        "</corpus>"
    )
    found = read(str(copa))
    assert (found.contexts, found.questions) == (["It fell."], ["What was the cause of this?"])
    assert (found.options, found.labels) == ([["x", "y"]], [1])
    table = tmp_path / "a.csv"
    table.write_text("question,choice_1,choice_2,choice_3,answer\nq,a,b,c,B\nr,d,e,,d\n")
    found = read(str(table))
    assert (found.options, found.labels) == ([["a", "b", "c"], ["d", "e"]], [1, 0])
    found = read(rows(tmp_path, {"question": "q", "one": "a", "two": "b", "label": 1}), choice_columns=["two", "one"])
    assert (found.options, found.labels) == ([["b", "a"]], [1])
    found = read(rows(tmp_path, *({"question": "q", "choices": ["B", "A"], "label": one} for one in ("A", "B", "1"))))
    assert found.labels == [1, 0, 1]  # a text goes before a letter


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"question": "q", "choices": ["a"], "label": 0}, r"at least two options\. Received: \['a'\]"),
        ({"question": "q", "choices": ["a", "b"], "label": 2}, r"Received: 2 for 2 options"),
        ({"question": "q", "choices": ["a", "b"], "label": "c"}, r"Received: 'c' for 2 options"),
        ({"question": "q", "choices": ["2", "3", "4"], "label": "2"}, r"Received: '2' for the options 2, 3, 4"),
        ({"question": "q", "choices": ["a", "a"], "label": "a"}, r"Received: 'a' for 2 options"),
        ({"question": "q", "choices": ["a", "b"], "label": True}, r"Received: True for 2 options"),
        ({"question": "q", "choices": ["a", "b"]}, r"Received: None for 2 options"),
        ({"question": "q", "choices": "ab", "label": 0}, r"at least two options\. Received: 'ab'"),
        ({"question": 0, "context": "c", "choices": ["a", "b"], "label": 0}, r"must be texts"),
        ({"question": " ", "choices": ["a", "b"], "label": 0}, r"one of the first two not empty"),
        ({"question": "q", "choices": ["a", 3], "label": 0}, r"must be texts"),
    ],
)
def test_a_question_that_cannot_be_is_refused_or_left_out_and_counted(tmp_path, record, why):
    path = rows(tmp_path, {"question": "q", "choices": ["a", "b"], "label": "b"}, record)
    with pytest.raises(InputError, match=rf"{why}(.|\n)*in 1 of 2 rows: line 2\. Mend them, or .*--skip-bad-rows"):
        read(path)
    found = read(path, skip_bad_rows=True)
    assert (found.labels, len(found.left_out)) == ([1], 1)


@pytest.mark.parametrize("labels", [(1, 2, 1), ("1", "2", "2"), ("2", "1", "1")])
def test_options_that_are_numbered_from_1_are_not_taken_for_the_next_ones(tmp_path, labels):
    """Leaving out the rows whose number is too large would keep those whose number means another option."""
    path = rows(tmp_path, *({"question": "q", "choices": ["a", "b"], "label": label} for label in labels))
    with pytest.raises(InputError, match=r"counts from 1: no number is 0, and some are that of the last option"):
        read(path, skip_bad_rows=True)


def test_files_of_another_form_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"--set data\.choice_columns=one,two,three"):
        read(rows(tmp_path, {"question": "q", "label": 0}))
    with pytest.raises(InputError, match=r"lists of equal length: questions, options and answers.*line 1"):
        read(rows(tmp_path, {**PASSAGE, "answers": ["A"]}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"must hold \.txt files in the form of RACE"):
        read(str(tmp_path / "empty"))
    (tmp_path / "a.xml").write_text('<!DOCTYPE c [<!ENTITY a "b">]><corpus><item id="1"><p>&a;</p></item></corpus>')
    with pytest.raises(InputError, match=r"must not define entities"):
        read(str(tmp_path / "a.xml"))
    (tmp_path / "a.xml").write_text("<corpus>")
    with pytest.raises(InputError, match=r"XML in the form of COPA"):
        read(str(tmp_path / "a.xml"))


def test_the_column_of_the_right_option_must_be_there(tmp_path):
    path = rows(tmp_path, {"question": "q", "choices": ["a", "b"], "key": 1})
    with pytest.raises(InputError, match=r"columns question, choices, key, and none of the usual names: label"):
        read(path)
    assert read(path, label_column="key").labels == [1]
    [part] = choices.stream(path, ChoiceOptions())
    assert len(part) == 1


def test_a_table_without_a_question_and_a_context_is_refused_by_its_columns(tmp_path):
    path = rows(tmp_path, {"goal": "Open a jar.", "choices": ["a", "b"], "label": 1})
    for skip_bad_rows in (False, True):
        with pytest.raises(InputError, match=r"columns goal, choices, label, and none of the usual names: question"):
            read(path, skip_bad_rows=skip_bad_rows)
    assert read(path, question_column="goal").questions == ["Open a jar."]


def test_texts_that_are_left_out_where_no_question_was_found_are_said(tmp_path, caplog):
    row = {"context": "He went home.", "frage": "Why did he go?", "choices": ["a", "b"], "label": 1}
    path = rows(tmp_path, row, row)
    read(path)
    assert "has text in 'frage', which is left out: no column is known as the question." in caplog.text
    assert "--set data.question_column=NAME" in caplog.text
    caplog.clear()
    TASK.located(path, ChoiceOptions())
    assert "'frage'" in caplog.text
    caplog.clear()
    read(path, question_column="frage")
    read(rows(tmp_path, {**row, "question": "Who?", "note": "a note of three"}))
    read(rows(tmp_path, {**PASSAGE, "note": "a note of three"}))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "dialogue",
    [
        [["M: Hi."], [{"question": "q", "choice": ["x", "y"]}], "1"],
        [["M: Hi."], [{"question": "q", "choice": None, "answer": "x"}], "1"],
        [["M: Hi.", 3], [{"question": "q", "choice": ["x", "y"], "answer": "x"}], "1"],
        [["M: Hi."], ["q"], "1"],
        [["M: Hi."], []],
    ],
)
def test_dialogues_of_another_form_are_refused(tmp_path, dialogue):
    path = tmp_path / "dream.json"
    path.write_text(json.dumps([dialogue]))
    with pytest.raises(InputError, match=r"A dialogue of DREAM must be.*dream\.json, dialogue 1, has"):
        read(str(path))


@pytest.mark.parametrize("record", [{**PASSAGE, "options": None}, {**PASSAGE, "questions": "ab"}])
def test_passages_of_another_form_are_refused(tmp_path, record):
    with pytest.raises(InputError, match=r"A passage of RACE must be.*line 1, has"):
        read(rows(tmp_path, record))


def test_a_question_repeats_another_only_with_its_context_and_options(tmp_path):
    row = {"context": "c", "question": "What happened?", "choices": ["a", "b"], "label": 0}
    found = read(rows(tmp_path, row, {**row, "label": 1}, {**row, "context": "d"}, {**row, "choices": ["a", "c"]}))
    assert found.key(0) == found.key(1)
    assert len({found.key(number) for number in range(4)}) == 3
