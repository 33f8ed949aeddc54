"""The check of data sets: figures and findings of every task, by files in which one thing is wrong each."""

import json

import pytest

from albertkit.data_check import texts
from albertkit.data_check.check import check
from albertkit.errors import InputError

CONTEXT = "The cat slept in the sun all day. Then it ate some fish."


def lines(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def said(report, message):
    """The one finding with such words: its level, how many rows it is of, and where these stand."""
    [found] = [one for one in report.findings if message in one.message]
    return found.level, found.count, list(found.rows)


def reviews(path, *more):
    return lines(path, "text,label", *(f"review number {n},{'pos' if n % 2 else 'neg'}" for n in range(30)), *more)


def test_a_data_set_without_faults_has_figures_and_no_findings(tmp_path):
    report = check("text-classification", reviews(tmp_path / "a.csv"))
    assert report.findings == []
    [file] = report.files
    assert (file.rows, file.left_out, file.inputs, file.truncated) == (30, 0, 30, 0)
    assert file.labels == {"neg": 15, "pos": 15}
    [column] = file.columns
    assert (column.name, column.empty, column.unknown) == ("text", 0, 0.0)
    assert column.characters == {"p50": 16, "p95": 16, "p99": 16, "max": 16}
    assert file.lengths["max"] == column.tokens["max"] + 2
    assert file.scripts == {"Latin": 1.0}


def test_rows_that_repeat_or_contradict_each_other_are_found(tmp_path):
    more = ("review number 3,pos", "review number 4,pos", "Review number 5!,pos")
    report = check("text-classification", reviews(tmp_path / "a.csv", *more))
    assert said(report, "Rows repeat an earlier one.") == ("warning", 2, ["line 32", "line 33"])
    assert said(report, "have different labels") == ("warning", 2, ["line 6", "line 33"])
    assert said(report, "case, blanks and punctuation") == ("warning", 1, ["line 34"])


def test_leaks_across_the_split_are_found(tmp_path):
    pairs = [f"first sentence {n},second sentence {n},{n % 2}" for n in range(40)]
    train = lines(tmp_path / "train.csv", "sentence1,sentence2,label", *pairs)
    held_out = (
        *("first sentence 3,second sentence 3,1", "second sentence 4,first sentence 4,0"),
        *("First sentence 5.,second sentence 5,1", "first sentence 6,something else,0", "quite new,all of it,1"),
    )
    report = check("text-classification", train, lines(tmp_path / "dev.csv", "sentence1,sentence2,label", *held_out))
    assert said(report, "Rows are in the training data, too") == ("warning", 1, ["line 2"])
    assert said(report, "in the training data the other way round") == ("warning", 1, ["line 3"])
    assert said(report, "in the training data but for case") == ("warning", 1, ["line 4"])
    assert said(report, "share the text of a pair with rows of the training data") == ("warning", 1, ["line 5"])
    assert said(report, "too few to score") == ("warning", 0, [])


def test_rows_of_one_article_are_found_before_they_are_split(tmp_path):
    rows = [{"curid": n // 2, "text": f"Paris {n} fell", "entities": [[0, 5, "LOC"]]} for n in range(30)]
    path = lines(tmp_path / "a.jsonl", *rows, {"curid": 99, "text": "Rome fell", "entities": [[0, 4, "LOC"]]})
    level, count, places = said(check("ner", path), "Rows share the document with others")
    assert (level, count, places[:2]) == ("note", 30, ["line 1", "line 2"])
    other = lines(tmp_path / "b.jsonl", {"curid": 3, "text": "Oslo stands", "entities": [[0, 4, "LOC"]]})
    report = check("ner", path, other)
    assert said(report, "Rows share the document with rows of the training data") == ("warning", 1, ["line 1"])


def test_rows_that_cannot_be_used_are_errors_by_their_rule(tmp_path):
    report = check("text-classification", reviews(tmp_path / "a.csv", "cut,short,pos", ",pos"))
    assert said(report, "as many fields as the header") == ("error", 1, ["line 32"])
    assert said(report, "needs a text") == ("error", 1, ["line 33"])
    assert report.files[0].left_out == 2
    asked = [{"question": "Who? " * n, "context": "The cat slept.", "answers": "cat"} for n in (1, 40)]
    report = check("question-answering", lines(tmp_path / "q.jsonl", *asked), options={"max_length": 24})
    assert said(report, "must have room for a context") == ("error", 1, ["line 2"])
    assert (report.files[0].rows, report.files[0].left_out) == (1, 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (["text,label", "a,x", "b,x"], "at least two classes"),
        (["body,label", "a,x", "b,y"], "The text column must be known"),
        ([""], "not be empty|at least one row"),
    ],
)
def test_a_file_that_cannot_be_trained_on_is_an_error_and_not_a_crash(tmp_path, content, message):
    report = check("text-classification", lines(tmp_path / "a.csv", *content))
    assert [one.level for one in report.findings] == ["error"]
    assert any(words in report.findings[0].message for words in message.split("|"))
    assert report.files == []


def test_labels_that_training_has_not_seen_are_an_error(tmp_path):
    report = check("text-classification", reviews(tmp_path / "a.csv"), lines(tmp_path / "b.csv", "text,label", "x,odd"))
    assert said(report, "Every label must be one of neg, pos")[0] == "error"


def test_uneven_and_rare_labels_are_told(tmp_path):
    rows = [f"review {n},{'rare' if n < 2 else 'usual'}" for n in range(60)]
    report = check("text-classification", lines(tmp_path / "a.csv", "text,label", *rows))
    assert said(report, "Labels are uneven: 58 are 'usual', 2 are 'rare'")[0] == "warning"
    assert said(report, "Labels with fewer than 5 examples: 'rare' (2)")[:2] == ("note", 1)


def test_rows_that_are_cut_are_counted_the_longest_first(tmp_path):
    path = reviews(tmp_path / "a.csv", "a few more words than fit into it,pos", "far " * 40 + "too long,neg")
    report = check("text-classification", path, options={"max_length": 8})
    assert said(report, "longer than 8 tokens") == ("warning", 2, ["line 33", "line 32"])
    assert report.files[0].truncated == 2


def test_pieces_that_the_vocabulary_does_not_know_are_told_by_column(tmp_path):
    rows = [f"review {n},これは良い映画 {n},{n % 2}" for n in range(30)]
    report = check("text-classification", lines(tmp_path / "a.csv", "text,text_pair,label", *rows))
    level, count, _ = said(report, "of the pieces of 'text_pair' are unknown")
    assert (level, count) == ("warning", 30)
    assert [column.unknown > 0.1 for column in report.files[0].columns] == [False, True]


def test_answers_that_pieces_cut_through_and_lost_ones_are_found(tmp_path):
    asked = {"question": "Who?", "context": CONTEXT}
    rows = [{**asked, "answers": answer} for answer in ("The cat", "he ca", "dog", [])]
    report = check("question-answering", lines(tmp_path / "a.jsonl", *rows))
    assert said(report, "must stand in its context") == ("error", 1, ["line 3"])
    assert said(report, "An answer begins or ends within a piece") == ("note", 1, ["line 2"])
    assert said(report, "have different labels") == ("warning", 3, ["line 1", "line 2", "line 4"])
    assert report.files[0].labels == {"with an answer": 2, "without an answer": 1}
    assert [column.name for column in report.files[0].columns] == ["question", "context"]


def test_tags_that_do_not_follow_are_errors_and_types_are_counted(tmp_path):
    path = lines(tmp_path / "a.conll", "Paris B-LOC", "fell O", "", "Rome B-LOC", "", "in O", "Oslo I-LOC")
    report = check("ner", path)
    assert said(report, "must follow IOB2") == ("error", 1, ["line 6"])
    assert report.files[0].labels == {"LOC": 2}


def test_options_that_are_alike_are_found(tmp_path):
    rows = [
        {"question": f"q{n}", "context": "c", "choices": choices, "label": n % 2}
        for n, choices in enumerate((["a", "b"], ["a", "b"], ["c", "c"], ["b", "a", "a"], ["d", "d", "e"]))
    ]
    rows[4]["label"] = 2
    report = check("multiple-choice", lines(tmp_path / "a.jsonl", *rows))
    assert said(report, "The text of the right option stands twice") == ("note", 2, ["line 3", "line 4"])
    assert said(report, "The text of a wrong option stands twice") == ("note", 1, ["line 5"])
    assert report.files[0].labels == {"option 1": 2, "option 2": 2, "option 3": 1}


def test_a_report_is_json_with_as_many_rows_as_are_asked_for(tmp_path):
    report = check("text-classification", reviews(tmp_path / "a.csv", *["review number 3,pos"] * 9))
    record = json.loads(json.dumps(report.as_record(2)))
    [found] = [one for one in record["findings"] if "repeat" in one["message"]]
    assert (found["count"], found["rows"]) == (9, ["line 32", "line 33"])
    assert record["files"][0]["labels"] == {"neg": 15, "pos": 24}


def test_options_that_there_are_none_of_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"Did you mean `text_column`"):
        check("text-classification", "a.csv", options={"text_colum": "x"})
    with pytest.raises(InputError, match=r"must be one of"):
        check("no-such-task", "a.csv")


def test_scripts_are_told_by_their_share():
    assert texts.scripts(["abcd", "日本 12", "かな", "コー"]) == {
        "Latin": 0.4,
        "Han": 0.2,
        "Hiragana": 0.2,
        "Katakana": pytest.approx(0.2),
    }
    assert texts.scripts(["12 !"]) == {}
    assert texts.percentiles([]) == {}
    assert texts.percentiles(range(1, 101)) == {"p50": 51, "p95": 96, "p99": 100, "max": 100}
