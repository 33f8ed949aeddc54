"""Files of texts with entities."""

import gzip
import json

import pytest

from albertkit.errors import InputError
from albertkit.tasks.token_classification import tagged_files
from albertkit.tasks.token_classification.tagged_texts import TagOptions

CONLL = "EU B-ORG\nrejects O\nBritish B-MISC\nlamb I-MISC\n\nParis B-LOC\n"


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def rows(tmp_path, records, name="data.jsonl"):
    return write(tmp_path, name, "".join(json.dumps(record) + "\n" for record in records))


def entities(examples):
    return [
        [(text[span.start : span.stop], span.type) for span in found]
        for text, found in zip(examples.sentences, examples.entities, strict=True)
    ]


def test_entities_of_rows_that_are_left_out_are_not_counted(tmp_path):
    tagged = write(tmp_path, "a.conll", CONLL + "\nBonn B-LOC\n\nOslo O\nBern I-LOC\n")
    assert tagged_files.read(tagged, TagOptions(skip_bad_rows=True)).found.startswith("4 entities by IOB2 tags")
    spans = rows(
        tmp_path, [{"text": "Bonn", "entities": [[0, 4, "LOC"]]}, {"text": "Oslo", "entities": [[0, 9, "LOC"]]}]
    )
    assert tagged_files.read(spans, TagOptions(skip_bad_rows=True)).found == "1 entity by characters"


ANSWERS = [[("EU", "ORG"), ("British lamb", "MISC")], [("Paris", "LOC")]]


def test_columns_are_read_from_files_of_any_ending_packed_or_not(tmp_path):
    packed = tmp_path / "train.conll.gz"
    packed.write_bytes(gzip.compress(CONLL.encode()))
    for path in (write(tmp_path, "train.txt", CONLL), write(tmp_path, "train", CONLL), str(packed)):
        found = tagged_files.read(path, TagOptions())
        assert found.sentences == ["EU rejects British lamb", "Paris"]
        assert entities(found) == ANSWERS
        assert found.where([1]) == f"{path}, line 6"
        assert found.found == "3 entities by IOB2 tags, words joined by blanks"


def test_lists_of_words_and_tags_are_read(tmp_path):
    path = rows(
        tmp_path,
        [
            {"tokens": ["EU", "rejects", "British", "lamb"], "ner_tags": ["S-ORG", "O", "B-MISC", "E-MISC"]},
            {"tokens": ["Paris"], "ner_tags": ["S-LOC"]},
        ],
    )
    found = tagged_files.read(path, TagOptions())
    assert entities(found) == ANSWERS
    assert "IOBES" in found.found


def test_tags_that_are_numbers_need_their_names(tmp_path):
    path = rows(tmp_path, [{"tokens": ["EU", "a"], "ner_tags": [1, 0]}])
    with pytest.raises(InputError, match=r"line 1, has numbers: \[1, 0\].*--set data\.tag_names=O,B-PER"):
        tagged_files.read(path, TagOptions())
    assert entities(tagged_files.read(path, TagOptions(tag_names=["O", "B-X"]))) == [[("EU", "X")]]
    with pytest.raises(InputError, match=r"a number below 1, .*line 1, has 1"):
        tagged_files.read(path, TagOptions(tag_names=["O"]))


@pytest.mark.parametrize(
    ("named", "scheme"),
    [
        (["B", "I", "O", "B", "B"], "IOB2"),
        (["B-", "E-", "O", "S-", "S-"], "IOBES"),
        (["B", "L", "O", "U", "U"], "BILOU"),
    ],
)
def test_tags_that_name_no_type_mark_entities_of_one(tmp_path, named, scheme):
    """By letters alone B and I would be two types, and a phrase of two words two entities."""
    words = ["neural", "nets", "learn", "images", "sounds"]
    columns = "".join(f"{word} {tag}\n" for word, tag in zip(words, named, strict=True))
    lists = rows(tmp_path, [{"tokens": words, "ner_tags": named}])
    for path in (write(tmp_path, "a.conll", columns), lists):
        found = tagged_files.read(path, TagOptions())
        assert entities(found) == [[("neural nets", "ENTITY"), ("images", "ENTITY"), ("sounds", "ENTITY")]]
        told = f"3 entities by {scheme} tags, words joined by blanks, of the type ENTITY, for the tags name none"
        assert found.found == told


def test_letters_alone_make_no_column_of_tags(tmp_path):
    """Words may be letters: a heading and a list are no columns, but a column of tags may lack O."""
    assert not tagged_files.is_columns(write(tmp_path, "a.txt", "Vitamin B\nVitamin E\n"))
    found = tagged_files.read(write(tmp_path, "b.conll", "# Vitamin B\nthe O\ncat B\n"), TagOptions())
    assert entities(found) == [[("cat", "ENTITY")]]


def test_a_letter_beside_other_types_is_a_type(tmp_path):
    for named in (["I", "O", "I"], ["B", "O", "PER"]):
        found = tagged_files.read(rows(tmp_path, [{"tokens": ["a", "b", "c"], "ner_tags": named}]), TagOptions())
        assert entities(found) == [[("a", named[0]), ("c", named[2])]]


@pytest.mark.parametrize(
    "entity",
    [[0, 2, "ORG"], {"start": 0, "end": 2, "label": "ORG"}, {"name": "EU", "span": [0, 2], "type": "ORG"}],
)
def test_texts_with_spans_of_characters_are_read(tmp_path, entity):
    path = rows(tmp_path, [{"text": "EU lamb", "entities": [entity]}, {"text": "none", "entities": []}])
    found = tagged_files.read(path, TagOptions())
    assert found.words is None
    assert entities(found) == [[("EU", "ORG")], []]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ([[0, 9, "X"]], "0 to 9 in 4 characters"),
        ([[2, 2, "X"]], "2 to 2"),
        ([[0, 3, "X"], [2, 4, "Y"]], "2 to 4 in 4 characters, behind 3"),
        ([{"text": "ab", "span": [0, 3], "type": "X"}], "'ab' where the text has 'abc'"),
        ([{"start": 0}], "line 1"),
        ([[4, 5, "X"]], "4 to 5, where the text has nothing but blanks"),
        ([[0, 3, " "]], "lacks a start, an end or a type"),
        ([[0, 3, "O"]], "lacks a start, an end or a type"),
    ],
)
def test_spans_that_cannot_be_are_refused_or_left_out_and_counted(tmp_path, bad, why):
    text = "abcd" if bad[0] != [4, 5, "X"] else "abcd e"
    path = rows(tmp_path, [{"text": text, "entities": bad}, {"text": "abcd", "entities": [[0, 1, "X"]]}])
    with pytest.raises(InputError, match=rf"(?s)in 1 of 2 rows: line 1\..*{why}.*Mend them, or .*--skip-bad-rows"):
        tagged_files.read(path, TagOptions())
    found = tagged_files.read(path, TagOptions(skip_bad_rows=True))
    assert (entities(found), len(found.left_out)) == ([[("a", "X")]], 1)


def test_sentences_whose_tags_follow_another_scheme_are_refused_or_left_out_and_counted(tmp_path):
    path = write(tmp_path, "a.txt", "a B-X\nb I-X\n\nc O\nd I-X\n\ne B-X\n")
    told = r"follow IOB2, as 2 sentences do\..* in 1 of 3 rows: line 4\. The first has 'O I-X'\. Mend them"
    with pytest.raises(InputError, match=told):
        tagged_files.read(path, TagOptions())
    assert len(tagged_files.read(path, TagOptions(skip_bad_rows=True)).left_out) == 1
    with pytest.raises(InputError, match=r"follow IOB1.* in 2 of 3 rows"):
        tagged_files.read(path, TagOptions(scheme="IOB1"))


def test_an_entity_of_nothing_is_refused_or_left_out_and_counted(tmp_path):
    path = rows(tmp_path, [{"words": ["a", " "], "tags": ["O", "B-X"]}, {"words": ["a", ""], "tags": ["B-X", "O"]}])
    with pytest.raises(InputError, match=r"must have a character that is no blank\. .* in 1 of 2 rows: line 1"):
        tagged_files.read(path, TagOptions())
    found = tagged_files.read(path, TagOptions(skip_bad_rows=True))
    assert (entities(found), [row.place for row in found.left_out]) == ([[("a", "X")]], ["line 1"])


def test_words_and_tags_of_different_number_are_refused(tmp_path):
    path = rows(tmp_path, [{"words": ["a"], "tags": ["O"]}, {"words": ["a", "b"], "tags": ["O"]}])
    with pytest.raises(InputError, match=r"in 1 of 2 rows: line 2\. The first has 2 words and 1 tags"):
        tagged_files.read(path, TagOptions())
    with pytest.raises(InputError, match=r"a list of texts.*line 1, has \[1\]"):
        tagged_files.read(rows(tmp_path, [{"words": [1], "tags": ["O"]}]), TagOptions())
    with pytest.raises(InputError, match=r"The tag column must be known.*--set data\.tag_column=NAME"):
        tagged_files.read(rows(tmp_path, [{"words": ["a"]}]), TagOptions())


def test_words_of_a_script_without_blanks_are_joined_without_them(tmp_path):
    path = write(tmp_path, "zh.txt", "北 B-LOC\n京 I-LOC\n很 O\n大 O\n")
    found = tagged_files.read(path, TagOptions())
    assert found.sentences == ["北京很大"]
    assert entities(found) == [[("北京", "LOC")]]


def test_the_mark_of_a_language_is_left_out_and_said(tmp_path):
    found = tagged_files.read(write(tmp_path, "w.txt", "en:New B-LOC\nen:York I-LOC\n"), TagOptions())
    assert found.sentences == ["New York"]
    assert "'en:' before every word was left out" in found.found


def test_texts_to_answer_need_no_tags(tmp_path):
    for path in (
        write(tmp_path, "a.txt", "a\nb\n\nc\n"),
        rows(tmp_path, [{"tokens": ["a", "b"]}, {"tokens": ["c"]}]),
        rows(tmp_path, [{"text": "a b"}, {"text": "c"}], "b.jsonl"),
    ):
        assert [text for part in tagged_files.stream(path, TagOptions()) for text in part.sentences] == ["a b", "c"]


@pytest.mark.parametrize(
    ("content", "is_columns"),
    [
        (CONLL, True),
        ("-DOCSTART- O\n\nParis B-LOC\n", True),
        ("Paris saw us\nRome saw you\n", False),  # as many words in each line, and no tags
        ("Paris saw us\nRome saw O\n", False),
        ("Paris\nRome\n", False),
        ("He lives in Paris.\n\nShe does not.\n", False),
        ("", False),
    ],
)
def test_a_txt_is_in_columns_where_one_of_them_holds_tags_alone(tmp_path, content, is_columns):
    assert tagged_files.is_columns(write(tmp_path, "a.txt", content)) is is_columns


def test_a_file_that_is_not_there_is_in_no_columns(tmp_path):
    assert not tagged_files.is_columns(str(tmp_path / "a.txt"))


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"at least one sentence"):
        tagged_files.read(write(tmp_path, "a.txt", "\n\n"), TagOptions())


def test_a_scheme_that_there_is_none_of_is_refused(tmp_path):
    path = write(tmp_path, "a.conll", CONLL)
    with pytest.raises(InputError, match=r"one of IOB2, IOB1.*Received: 'bilou'\. Did you mean `BILOU`\?"):
        tagged_files.read(path, TagOptions(scheme="bilou"))


@pytest.mark.parametrize("lacking", [{"tokens": [], "tags": []}, {"tokens": ["a"], "tags": None}, {"tokens": None}])
def test_rows_without_words_or_tags_are_refused_or_left_out_and_counted(tmp_path, lacking):
    path = rows(tmp_path, [{"tokens": ["Paris"], "tags": ["B-LOC"]}, lacking])
    with pytest.raises(InputError, match=r"needs words and their tags.*in 1 of 2 rows: line 2\..*--skip-bad-rows"):
        tagged_files.read(path, TagOptions())
    found = tagged_files.read(path, TagOptions(skip_bad_rows=True))
    assert (found.sentences, found.lines, len(found.left_out)) == (["Paris"], [1], 1)


def test_a_list_without_words_is_an_empty_text_to_answer(tmp_path):
    [part] = tagged_files.stream(rows(tmp_path, [{"tokens": []}, {"tokens": ["a"]}]), TagOptions())
    assert part.sentences == ["", "a"]
