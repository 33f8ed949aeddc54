"""Columns of words and tags."""

import pytest

from albertkit.errors import InputError
from albertkit.tasks.token_classification import conll


def read(text):
    return [sentence.rows for sentence in conll.sentences("f", enumerate(text.splitlines(), start=1))]


def test_columns_stand_between_blanks_or_tabs():
    assert read("EU NNP B-ORG\nrejects  VBZ O\n\nPeter NNP B-PER\n") == [
        [["EU", "NNP", "B-ORG"], ["rejects", "VBZ", "O"]],
        [["Peter", "NNP", "B-PER"]],
    ]
    assert read("New York\tB-LOC\nis\tO") == [[["New York", "B-LOC"], ["is", "O"]]]


def test_a_line_of_white_space_ends_a_sentence():
    assert len(read("a\tO\n\t\nb\tO\n \nc\tO\n\n\n")) == 3


def test_a_word_may_be_of_other_white_space():
    assert read("a\tO\n\u00a0\tO\n") == [[["a", "O"], ["\u00a0", "O"]]]


def test_document_marks_and_comments_are_left_out_and_a_hash_that_is_a_word_stays():
    text = "# id = 1\n-DOCSTART- -X- O\n\n# a comment\nfirst NN O\n# of NN O\n# O O\n"
    assert read(text) == [[["first", "NN", "O"], ["#", "O", "O"]]]
    assert read("# O\nfirst B-X\n") == [[["#", "O"], ["first", "B-X"]]]


def test_a_line_of_another_number_of_columns_is_named():
    with pytest.raises(InputError, match=r"f, line 3, has 3 where the first has 2, separated by blanks"):
        read("a O\n\nb c O\n")


def test_sentences_know_the_line_of_their_first_word():
    found = conll.sentences("f", enumerate("a O\n\n\nb O\nc O".splitlines(), start=1))
    assert [sentence.line for sentence in found] == [1, 4]


def test_the_tags_are_the_last_column_that_holds_nothing_else():
    found = list(conll.sentences("f", [(1, "O B-A B-PER 0"), (2, "b I-A O 0")]))
    assert conll.tag_column("f", found, "") == 2
    assert conll.tag_column("f", found, "2") == 1
    with pytest.raises(InputError, match=r"a number from 1 to 4\. Received: '5'\. Change `tag_column`"):
        conll.tag_column("f", found, "5")
    with pytest.raises(InputError, match=r"f has 2 columns, and none.*'a b'.*--set data\.tag_column=NUMBER"):
        conll.tag_column("f", list(conll.sentences("f", [(1, "a b")])), "")


def test_the_mark_of_a_language_is_left_out_where_every_word_has_it():
    assert conll.without_language([["en:New", "en:York"], ["en:a"]]) == ([["New", "York"], ["a"]], "en:")
    assert conll.without_language([["en:New", "fr:York"]])[1] == ""
    assert conll.without_language([["en:New", "York"]])[0] == [["en:New", "York"]]
    assert conll.without_language([["en:"]])[1] == ""
