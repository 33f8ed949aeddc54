"""Which columns hold the texts, and what is said of those that are left out."""

import pytest

from albertkit.errors import InputError
from albertkit.tasks import tables, texts
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification

PAIRS = """text text_pair|sentence1 sentence2|premise hypothesis|question1 question2|question sentence|question passage
query passage|query document|sentence_A sentence_B|s1 s2|anchor positive|text1 text2|text_a text_b|question answer
question context|claim evidence|#1_String #2_String""".replace("\n", "|").split("|")


def table(*names, **columns):
    filled = {name.replace("1_S", "1 S").replace("2_S", "2 S"): [f"some {name}", f"more {name}"] for name in names}
    return tables.Table("train.csv", filled | columns, [2, 3])


@pytest.mark.parametrize("pair", PAIRS)
def test_every_usual_pair_is_found(pair, caplog):
    first, second = pair.split()
    data = table(first, second, label=["0", "1"])
    examples, _ = TextClassification().take(data, Options())
    assert [examples.first[0], examples.second[0]] == [f"some {first}", f"some {second}"]
    assert not caplog.messages
    [examples] = [texts.taken(data, texts.with_columns(data, Options()))]
    assert examples.second is not None


@pytest.mark.parametrize("name", ["comment_text", "tweet", "message", "Headline"])
def test_usual_names_of_texts_are_known(name):
    assert texts.with_columns(table(name), Options()).text_column == name


def test_a_column_of_text_that_is_left_out_is_said_once(caplog):
    data = table("text", "title", "summary", label=["0", "1"], id=["a-1", "a-2"])
    _, found = TextClassification().take(data, Options())
    assert len(caplog.messages) == 1
    assert "has text in 'title' and 'summary', which is left out: 'text' is read" in caplog.text
    TextClassification().take(data, found)
    TextClassification().take(data, Options(text_column="text"))
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("asked", [{"text_column": "label"}, {"pair_column": "premise"}, {"label_column": "premise"}])
def test_a_column_is_not_taken_for_two_uses(asked):
    """A label would be learned from itself, and a text paired with itself."""
    with pytest.raises(InputError, match=r"A column has one use. Received: '\w+' as `\w+_column` and as `\w+_column`"):
        TextClassification().take(table("premise", "hypothesis", label=["0", "1"]), Options(**asked))


def test_a_column_that_is_named_alone_of_a_pair_is_said(caplog):
    """As a model's training names it, too, when it is given a file of pairs."""
    data = table("premise", "hypothesis", label=["0", "1"])
    TextClassification().take(data, Options(text_column="premise", pair_column="hypothesis"))
    TextClassification().take(table("premise", label=["0", "1"]), Options(text_column="premise"))
    assert not caplog.messages
    TextClassification().take(data, Options(text_column="premise"))
    assert "'premise' alone is read. For both pass --pair-column hypothesis" in caplog.text


def test_it_is_said_once_of_a_file_that_is_answered(tmp_path, caplog):
    (tmp_path / "t.csv").write_text("title,text\n" + "a title,a text\n" * 200)
    assert sum(map(len, texts.stream(str(tmp_path / "t.csv"), Options()))) == 200
    assert len(caplog.messages) == 1
