"""What is read to learn from and to be scored on."""

from dataclasses import replace

import pytest

from albertkit.errors import InputError
from albertkit.tasks.sentence_embedding import sentences
from albertkit.tasks.sentence_embedding.sentences import SentenceOptions


def write(folder, text, name="data.tsv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_lines_of_text_are_sentences_and_blank_ones_are_none(tmp_path):
    found = sentences.read(write(tmp_path, "One here.\n\n Two. \n", "a.txt"), SentenceOptions())
    assert found.sentences == [["One here."], ["Two."]]
    assert found.lines == [1, 3]
    assert found.width == 1
    with pytest.raises(InputError, match="must hold one"):
        sentences.read(write(tmp_path, "\n \n", "b.txt"), SentenceOptions())


def test_scores_are_scaled_by_the_highest_of_their_kind_which_is_said(tmp_path):
    path = write(tmp_path, "sentence1\tsentence2\tscore\na b\tc d\t5.000\ne f\tg h\t1.5\n")
    found = sentences.read(path, SentenceOptions())
    assert found.scores == [1.0, 0.3]
    assert "of which 5 means the same" in found.found
    assert sentences.read(path, SentenceOptions(highest_score=10.0)).scores == [0.5, 0.15]
    with pytest.raises(InputError, match="above the highest, 2"):
        sentences.read(path, SentenceOptions(highest_score=2.0))
    with pytest.raises(InputError, match="--highest-score"):
        sentences.read(write(tmp_path, "s1\ts2\tscore\na b\tc d\t250\n"), SentenceOptions())


def test_a_row_without_a_sentence_or_a_score_is_named_or_left_out_and_counted(tmp_path):
    path = write(tmp_path, "s1\ts2\tscore\na b\tc d\t1\n \tx y\t0.5\nk l\tm n\t\no p\tq r\tbad\n")
    with pytest.raises(InputError, match=r"2 of 4 rows: line 3, line 4.*--skip-bad-rows"):
        sentences.read(path, SentenceOptions())
    found = sentences.read(path, SentenceOptions(skip_bad_rows=True))
    assert found.sentences == [["a b", "c d"]]
    assert [row.place for row in found.left_out] == ["line 3", "line 4", "line 5"]
    with pytest.raises(InputError, match="'bad' in 'score'"):
        sentences.read(write(tmp_path, "s1\ts2\tscore\no p\tq r\tbad\n"), SentenceOptions())


def test_a_broken_line_is_named_or_left_out_and_counted(tmp_path):
    path = write(tmp_path, '{"s1": "a", "s2": "b"}\n{"s1": "c", "s2"\n{"s1": "d", "s2": "e"}\n', "data.jsonl")
    with pytest.raises(
        InputError, match=r"line 2, must be one JSON object: Expecting.*, character 18\..*--skip-bad-rows"
    ):
        sentences.read(path, SentenceOptions())
    found = sentences.read(path, SentenceOptions(skip_bad_rows=True))
    assert found.sentences == [["a", "b"], ["d", "e"]]
    assert [row.place for row in found.left_out] == ["line 2"]


def test_pairs_and_hard_negatives_are_found_by_their_usual_names(tmp_path):
    path = write(tmp_path, "sent0,sent1,hard_neg\na,b,c\n", "data.csv")
    assert sentences.read(path, SentenceOptions()).sentences == [["a", "b", "c"]]
    path = write(tmp_path, "anchor,positive\na,b\n", "pairs.csv")
    found = sentences.read(path, SentenceOptions())
    assert (found.sentences, found.scores) == ([["a", "b"]], None)
    with pytest.raises(InputError, match="needs a pair"):
        sentences.read(write(tmp_path, "text,score\na,1\n", "c.csv"), SentenceOptions(score_column="score"))


NLI = """premise,hypothesis,label
P,yes,entailment
P,perhaps,neutral
P ,no,contradiction
P,never,contradiction
Q,so,entailment
R,so,-
"""


def test_classes_of_entailment_become_triplets_and_what_is_in_none_is_counted(tmp_path):
    found = sentences.read(write(tmp_path, NLI, "nli.csv"), SentenceOptions())
    assert found.sentences == [["P", "yes", "no"]]
    assert found.lines == [2]
    assert found.found == (
        "1 examples of 3 sentences from 6 rows of classes of entailment; in none of them are 1 neutral, 1 of "
        "entailment whose premise nothing contradicts, 1 of contradiction that no example takes, 1 without a class"
    )


def test_classes_of_entailment_become_pairs_where_no_premise_has_a_contradiction(tmp_path):
    rows = "premise,hypothesis,label\nP,yes,entailment\nQ,so,entailment\nR,no,contradiction\n"
    found = sentences.read(write(tmp_path, rows, "e.csv"), SentenceOptions())
    assert found.sentences == [["P", "yes"], ["Q", "so"]]
    assert "1 of contradiction that no example takes" in found.found
    with pytest.raises(InputError, match=r"has no row with the class entailment in 'label'"):
        sentences.read(write(tmp_path, rows.replace("entailment", "neutral"), "n.csv"), SentenceOptions())


def test_each_of_several_hypotheses_takes_a_contradiction_of_its_own_as_far_as_there_are(tmp_path):
    rows = "premise,hypothesis,label\nP,a,entailment\nP,b,entailment\nP,c,entailment\nP,x,contradiction\n"
    rows += "P,y,contradiction\n"
    found = sentences.read(write(tmp_path, rows, "nli.csv"), SentenceOptions())
    assert found.sentences == [["P", "a", "x"], ["P", "b", "y"], ["P", "c", "x"]]


def test_a_row_of_entailment_without_a_sentence_is_named_or_left_out_and_counted(tmp_path):
    path = write(tmp_path, NLI + " ,lost,entailment\n", "nli.csv")
    with pytest.raises(InputError, match=r"a premise and a hypothesis.*1 of 7 rows: line 8.*--skip-bad-rows"):
        sentences.read(path, SentenceOptions())
    found = sentences.read(path, SentenceOptions(skip_bad_rows=True))
    assert found.sentences == [["P", "yes", "no"]]
    assert [row.place for row in found.left_out] == ["line 8"]


def test_classes_that_are_numbers_are_named_in_their_order(tmp_path):
    numbers = {"entailment": "0", "neutral": "1", "contradiction": "2", "-": "-1"}
    rows = "".join(f"{line.rpartition(',')[0]},{numbers[line.rpartition(',')[2]]}\n" for line in NLI.splitlines()[1:])
    path = write(tmp_path, f"premise,hypothesis,label\n{rows}", "numbers.csv")
    with pytest.raises(InputError, match="--class-names entailment,neutral,contradiction"):
        sentences.read(path, SentenceOptions())
    names = ["entailment", "neutral", "contradiction"]
    found, words = sentences.read(path, SentenceOptions(class_names=names)), write(tmp_path, NLI, "words.csv")
    assert found == replace(sentences.read(words, SentenceOptions()), path=path)
    with pytest.raises(InputError, match=r"must have entailment among them.*Received: yes, no"):
        sentences.read(path, SentenceOptions(class_names=["yes", "no"]))
    with pytest.raises(InputError, match=r"must be those of `class_names`, entailment, neutral.*has 2"):
        sentences.read(path, SentenceOptions(class_names=names[:2]))
    scored = write(tmp_path, "sentence1,sentence2,score\na,b,1\n", "eval.csv")
    assert sentences.read(scored, SentenceOptions(class_names=names, eval=scored)).scores == [1.0]


def test_sentences_of_examples_are_what_they_may_share(tmp_path):
    found = sentences.read(write(tmp_path, "s1\ts2\tscore\na b\tc d\t1\n"), SentenceOptions())
    assert found.shared() == {"sentence": [("a b", "c d")]}
    assert found.parts() == {"sentence1": ["a b"], "sentence2": ["c d"]}
    assert found.label_key(0) == 1.0


def test_numbers_that_may_be_classes_are_not_taken_for_scores(tmp_path):
    path = write(tmp_path, "premise,hypothesis,label\na,b,0\nc,d,1\ne,f,2\n", "nli.csv")
    with pytest.raises(InputError, match=r"--class-names.*--set score_column"):
        sentences.read(path, SentenceOptions())
    assert sentences.read(path, SentenceOptions(score_column="label")).scores == [0.0, 0.2, 0.4]


def test_evaluation_data_has_columns_of_its_own(tmp_path, caplog):
    path = write(tmp_path, "sentence1,sentence2,score\na,b,1\n", "eval.csv")
    options = SentenceOptions(eval=path, text_column="premise", pair_column="hypothesis")
    assert sentences.read(path, options).scores == [1.0]
    assert "lacks the columns of the training data" in caplog.text
    with pytest.raises(InputError, match="must be in the file"):
        sentences.read(path, SentenceOptions(text_column="premise", pair_column="hypothesis"))


def test_of_pairs_in_a_file_the_first_are_answered_which_is_said(tmp_path, caplog):
    path = write(tmp_path, "sentence1,sentence2,id\na,b,7\n", "data.csv")
    [part] = sentences.stream(path, SentenceOptions())
    assert part.sentences == [["a"]]
    assert part.shown(0) == {"text": "a", "sentence2": "b", "id": "7"}
    assert "'sentence1' alone" in caplog.text
    with pytest.raises(InputError, match="Received: a pair"):
        sentences.given([("a", "b")])
