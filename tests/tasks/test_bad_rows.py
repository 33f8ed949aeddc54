"""Rows that cannot be used, of every task: an error that names file, line and rule, or left out and counted."""

import json

import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import registry
from albertkit.tasks.bad_rows import BadRow, BadRows, told
from albertkit.tasks.examples import usable
from albertkit.tokenization.sentencepiece import AlbertTokenizer

CONTEXT = "The cat slept. Then it ate."
GOOD = {
    "text-classification": [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}],
    "token-classification": [{"tokens": ["Paris", "fell"], "tags": ["B-LOC", "O"]}] * 2,
    "question-answering": [{"question": "Who?", "context": CONTEXT, "answers": "cat"}] * 2,
    "multiple-choice": [{"question": "q", "choices": ["a", "b"], "label": 1}] * 2,
}
BAD = [
    ("text-classification", '{"text": "cut sh', "one JSON object"),
    ("text-classification", "[1, 2]", "must be a JSON object"),
    ("text-classification", {"text": " ", "label": "pos"}, "needs a text"),
    ("text-classification", {"text": "x", "label": None}, "and a label"),
    ("text-classification", {"text": ["x"], "label": "pos"}, "must hold text"),
    ("text-classification", {"text": "x", "label": {"a": 1}}, "a label must be|A label must be"),
    ("token-classification", '{"tokens": [', "one JSON object"),
    ("token-classification", {"tokens": ["a", "b"], "tags": ["O", "I-LOC"]}, "must follow IOB2"),
    ("token-classification", {"tokens": ["a", "b"], "tags": ["O"]}, "Every word needs a tag"),
    ("token-classification", {"tokens": [1], "tags": ["O"]}, "Words must be a list of texts"),
    ("token-classification", {"tokens": None, "tags": ["O"]}, "needs words and their tags"),
    ("question-answering", "}", "one JSON object"),
    ("question-answering", {"question": "Who?", "context": CONTEXT, "answers": "dog"}, "must stand in its context"),
    ("question-answering", {"question": "Who?", "context": " ", "answers": "dog"}, "a context that is not empty"),
    ("question-answering", {"question": 3, "context": CONTEXT, "answers": "cat"}, "A question must be a text"),
    ("question-answering", {"question": " ", "context": CONTEXT, "answers": "cat"}, "A question must be a text that"),
    ("question-answering", {"question": "Who?", "context": CONTEXT, "answers": [7]}, "An answer must be a mapping"),
    ("multiple-choice", "null", "must be a JSON object"),
    ("multiple-choice", {"question": "q", "choices": ["a"], "label": 0}, "at least two options"),
    ("multiple-choice", {"question": "q", "choices": ["a", "b"], "label": 5}, "The right option must be named"),
    ("multiple-choice", {"question": "", "choices": ["a", "b"], "label": 0}, "one of the first two not empty"),
]


def lines(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def read(task, path, skip):
    task = registry.get_trainable(task)
    return task.read(path, task.options.of({"skip_bad_rows": skip}))[0]


@pytest.mark.parametrize(("task", "row", "rule"), BAD)
def test_a_bad_row_is_named_with_its_file_and_line_or_left_out_and_counted(tmp_path, task, row, rule):
    first, last = GOOD[task]
    path = lines(tmp_path / "data.jsonl", first, row, last)
    with pytest.raises(InputError, match=rf"(?s){rule}.*Mend them, or .*--skip-bad-rows") as caught:
        read(task, path, skip=False)
    assert path in str(caught.value)
    assert "line 2" in str(caught.value)
    found = read(task, path, skip=True)
    assert [found.place(number) for number in range(len(found))] == ["line 1", "line 3"]
    [left] = found.left_out
    assert left.place == "line 2"
    assert left.rule.endswith(".")


@pytest.mark.parametrize("task", sorted(GOOD))
def test_a_broken_line_deep_in_a_file_costs_itself_alone(tmp_path, task):
    first, last = GOOD[task]
    path = lines(tmp_path / "data.jsonl", *([first] * 6999), '{"text":', last)
    with pytest.raises(InputError, match=r"line 7000, must be one JSON object"):
        read(task, path, skip=False)
    found = read(task, path, skip=True)
    assert (len(found), [row.place for row in found.left_out]) == (7000, ["line 7000"])


@pytest.mark.parametrize("task", sorted(GOOD))
def test_a_file_in_which_no_row_can_be_used_is_refused_with_the_reasons(tmp_path, task):
    with pytest.raises(
        InputError, match=r"at least one row to use.*2 rows were left out.*one JSON object\. Not so in 2"
    ):
        read(task, lines(tmp_path / "data.jsonl", "{", "{"), skip=True)


def test_fields_that_are_too_many_cost_a_row_and_quotes_that_swallow_rows_the_file(tmp_path):
    path = lines(tmp_path / "a.csv", "text,label", "good,pos", "so, so,neg", "bad,neg")
    with pytest.raises(InputError, match=r"as many fields as the header.*line 3, has 3.*--skip-bad-rows"):
        read("text-classification", path, skip=False)
    found = read("text-classification", path, skip=True)
    assert (found.first, [row.place for row in found.left_out]) == (["good", "bad"], ["line 3"])
    path = lines(tmp_path / "b.csv", "text,label", 'good,"pos', "bad,neg", '",x', "fine,pos")
    with pytest.raises(InputError, match=r"line 2, has 3"):
        read("text-classification", path, skip=True)


def test_labels_that_are_no_numbers_are_bad_rows_of_regression(tmp_path):
    task = registry.get_trainable("text-classification")
    path = lines(tmp_path / "a.csv", "text,label", "a,1.5", "b,n/b", "c,inf", "d,2")
    options = {"problem": "regression"}
    with pytest.raises(
        InputError, match=r"must be a finite number.*in 2 of 4 rows: line 3, line 4\. The first is 'n/b'"
    ):
        task.read(path, task.options.of(options))
    found, _ = task.read(path, task.options.of({**options, "skip_bad_rows": True}))
    assert (found.labels, len(found.left_out)) == (["1.5", "2"], 2)


def test_a_sentence_with_a_line_of_other_columns_is_left_out_whole(tmp_path):
    path = lines(tmp_path / "a.conll", "a B-X", "b O", "", "c", "d O", "", "e B-X", "f O")
    with pytest.raises(InputError, match=r"as many columns as the first.*line 4, has 1.*--skip-bad-rows"):
        read("token-classification", path, skip=False)
    found = read("token-classification", path, skip=True)
    assert (found.sentences, [row.place for row in found.left_out]) == (["a b", "e f"], ["line 4"])


def test_a_question_of_squad_without_an_id_costs_itself_alone(tmp_path):
    good = {"id": "1", "question": "Who?", "answers": [{"text": "cat", "answer_start": 4}]}
    bad = {"question": "Who?", "answers": []}
    content = {"data": [{"paragraphs": [{"context": CONTEXT, "qas": [good, bad]}, {"qas": [good]}]}]}
    path = lines(tmp_path / "a.json", content)
    with pytest.raises(InputError, match=r"must have an id and a question.*article 1, paragraph 1, has"):
        read("question-answering", path, skip=False)
    found = read("question-answering", path, skip=True)
    assert (found.ids, [row.place for row in found.left_out]) == (["1"], [f"article 1, paragraph {n}" for n in (1, 2)])


def test_what_only_answers_offers_no_option_that_it_has_not():
    with pytest.raises(InputError) as caught:
        BadRows("a.csv", may_skip=False).add("line 2", "A rule.", "A rule. a.csv, line 2, has none.")
    assert str(caught.value) == "A rule. a.csv, line 2, has none."


def test_rows_that_were_left_out_are_told_by_rule():
    rows = [BadRow(f"line {n}", "One." if n % 2 else "Two.") for n in range(1, 4)]
    assert told(rows) == "3 rows were left out. One. Not so in 2: line 1, line 3. Two. Not so in 1: line 2."
    assert told(rows[:1]).startswith("1 row was left out.")
    assert told([]) == ""
    of_files = [BadRow("line 1", "One.", "a.csv"), BadRow("line 2", "One.", "b.csv")]
    assert told(of_files) == (
        "2 rows were left out. One. Not so in 1 of a.csv: line 1. One. Not so in 1 of b.csv: line 2."
    )


NO_MODEL = AlbertConfig()
REFUSED = [
    ("question-answering", NO_MODEL, {"question": "Who? " * 20, "context": CONTEXT, "answers": "cat"}, "have room"),
    (
        "token-classification",
        AlbertConfig(id2label={0: "O", 1: "B-LOC", 2: "I-LOC"}),
        None,
        "be one of the model's, LOC",
    ),
    ("text-classification", AlbertConfig(id2label={0: "neg", 1: "pos"}), {"text": "x", "label": "odd"}, "of neg, pos"),
]


@pytest.mark.parametrize(("task", "config", "row", "rule"), REFUSED)
def test_a_row_that_a_model_cannot_be_given_is_named_or_left_out_and_counted(data, tmp_path, task, config, row, rule):
    first, last = GOOD[task]
    row = row or {"tokens": ["Paris", "fell"], "tags": ["B-PER", "O"]}
    path, task = lines(tmp_path / "data.jsonl", first, row, last), registry.get_trainable(task)
    tokenizer, options = AlbertTokenizer(data / "spiece.model"), task.options.of({"max_length": 32})
    examples = task.read(path, options)[0]

    def made(some):
        return task.encode(tokenizer, config, some, options, labelled=True)

    with pytest.raises(InputError, match=rf"{rule}.*Mend them, or .*--skip-bad-rows") as caught:
        usable(examples, made, skip=False)
    assert path in str(caught.value)
    assert "line 2" in str(caught.value)
    kept, features = usable(examples, made, skip=True)
    assert [kept.place(number) for number in range(len(kept))] == ["line 1", "line 3"]
    assert len(features) == 2
    assert [(one.path, one.place) for one in kept.left_out] == [(path, "line 2")]
    assert rule in kept.left_out[0].rule
    with pytest.raises(InputError, match=rf"at least one row to use. .*1 row was left out.*{rule}"):
        usable(examples.take([1]), made, skip=True)


def test_a_label_that_is_not_among_the_named_classes_costs_its_row(tmp_path):
    task = registry.get_trainable("text-classification")
    path = lines(tmp_path / "a.csv", "text,label", "a,pos", "b,odd", "c,neg")
    options = task.options.of({"class_names": ["neg", "pos"]})
    examples, _ = task.read(path, options)
    kept, keys = usable(examples, lambda some: task.config_keys(some, options), skip=True)
    assert (kept.first, keys["id2label"]) == (["a", "c"], {0: "neg", 1: "pos"})
    twice = task.options.of({"class_names": ["neg", "neg"]})
    with pytest.raises(InputError, match="`class_names` must name each class once") as caught:
        usable(examples, lambda some: task.config_keys(some, twice), skip=True)
    assert "--skip-bad-rows" not in str(caught.value)
