import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import tables, texts
from albertkit.tasks.features import Features
from albertkit.tasks.text_classification import answers
from albertkit.tasks.text_classification import labels as sequence_labels
from albertkit.tasks.text_classification import task as text_classification
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, SINGLE, Schema
from albertkit.tasks.text_classification.task import ClassificationOptions as Options
from albertkit.tasks.text_classification.task import TextClassification
from albertkit.tasks.texts import TextExamples

TASK = TextClassification()


def table(columns):
    """A table as read from a file with a header line."""
    rows = len(next(iter(columns.values())))
    return tables.Table("train.csv", columns, list(range(2, rows + 2)))


def labelled(labels):
    """Examples with the given labels."""
    first = [f"text {number}" for number in range(len(labels))]
    found = table({"text": first, "label": labels})
    return TextExamples("train.csv", found, first, None, labels, list(range(len(labels))))


def schema_of(examples, problem="auto", separator="|"):
    return sequence_labels.schema(examples.labels, examples.path, problem, separator)


def targets(examples, schema):
    return TASK.targets(examples, Options(), schema)


def unlabelled(data, options):
    """Texts and pairs as they are read to be answered."""
    return texts.taken(data, texts.with_columns(data, options))


def score(logits, labels, schema):
    features = Features([[]] * len(labels), [[]] * len(labels), {"labels": labels})
    outputs = ({"logits": row} for row in logits)
    return TASK.score(AlbertConfig(**schema.config_keys()), labelled([None] * len(labels)), features, outputs)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["text", "label"], ("text", "", "label")),
        (["sentence", "label"], ("sentence", "", "label")),
        (["idx", "sentence1", "sentence2", "score"], ("sentence1", "sentence2", "score")),
        (["premise", "hypothesis", "label"], ("premise", "hypothesis", "label")),
        (["question1", "question2", "label"], ("question1", "question2", "label")),
        (["question", "sentence", "label"], ("question", "sentence", "label")),
        (["Review", "Rating"], ("Review", "", "Rating")),
        (["CONTENT", "title", "class"], ("CONTENT", "", "class")),
        (["score", "label", "text"], ("text", "", "label")),
        (["sentence1", "target"], ("sentence1", "", "target")),
        (["text", "Text", "Label", "label"], ("text", "", "label")),
        (["Text", "text", "label", "Label"], ("text", "", "label")),
    ],
)
def test_columns_are_found_by_their_usual_names(names, found):
    data = table({name: [f"{name} 1", f"{name} 2"] for name in names})
    examples, columns = TASK.take(data, Options())
    assert (columns.text_column, columns.pair_column, columns.label_column) == found
    assert examples.first == data.columns[found[0]]
    assert examples.second == (data.columns[found[1]] if found[1] else None)
    assert examples.labels == data.columns[found[2]]
    assert examples.rows == [0, 1]
    assert len(examples) == 2


def test_named_columns_win():
    data = table({"text": ["a"], "label": ["b"], "body": ["c"], "kind": ["d"], "title": ["e"]})
    examples, columns = TASK.take(
        data, Options(text_column="body", pair_column="title", label_column="kind", label_separator=";")
    )
    assert (examples.first, examples.second, examples.labels) == (["c"], ["e"], ["d"])
    assert columns == Options(text_column="body", pair_column="title", label_column="kind", label_separator=";")


def test_naming_the_text_alone_brings_no_pair():
    data = table({"sentence1": ["a"], "sentence2": ["b"], "label": ["c"]})
    assert TASK.take(data, Options(text_column="sentence1"))[0].second is None
    examples = unlabelled(data, Options(pair_column="label"))
    assert (examples.first, examples.second) == (["a"], ["c"])


@pytest.mark.parametrize(
    ("columns", "asked", "words"),
    [
        ({"body": ["a"], "label": ["b"]}, Options(), "text column must be known.*body, label.*--text-column"),
        ({"body;label": ["a;b"]}, Options(), "text column must be known.*body;label.*it looks like ';'"),
        ({"text": ["a"], "kind": ["b"]}, Options(), "label column must be known.*text, kind.*--label-column"),
        (
            {"text": ["a"], "label": ["b"]},
            Options(text_column="txt"),
            "text column must be in the file.*Did you mean `text`",
        ),
        ({"text": ["a"], "label": ["b"]}, Options(pair_column="more"), "pair column must be in the file.*'more'"),
        (
            {"text": ["a"], "label": ["b"]},
            Options(label_column="labels"),
            "label column must be .*Did you mean `label`",
        ),
    ],
)
def test_columns_that_cannot_be_found_are_asked_for(columns, asked, words):
    with pytest.raises(InputError, match=words) as caught:
        TASK.take(table(columns), asked)
    assert "train.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("first", "labels", "empty"),
    [
        (["a", "", "c"], ["1", "2", "3"], "in 1 of 3 rows: line 3"),
        (["a", "b", None], ["1", " ", "3"], "in 2 of 3 rows: line 3, line 4"),
        (["a", "\t ", "c"], [1, 2, None], "in 2 of 3 rows: line 3, line 4"),
        (["a", float("nan"), "c"], [1, 2, float("nan")], "in 2 of 3 rows: line 3, line 4"),
    ],
)
def test_rows_without_text_or_label_are_named_or_left_out(first, labels, empty):
    data = table({"text": first, "label": labels})
    with pytest.raises(
        InputError,
        match=f"and a label. train.csv breaks that {empty}.*--skip-bad-rows, .*data.skip_bad_rows=true",
    ):
        TASK.take(data, Options())
    examples, _ = TASK.take(data, Options(skip_bad_rows=True))
    assert examples.first == [first[row] for row in examples.rows]
    assert examples.labels == [labels[row] for row in examples.rows]
    assert 0 in examples.rows
    assert len(examples) == 3 - int(empty[3])


def test_both_texts_of_a_pair_are_needed():
    data = table({"sentence1": ["a", "b"], "sentence2": ["c", " "], "label": ["1", "2"]})
    with pytest.raises(InputError, match="in 1 of 2 rows: line 3"):
        TASK.take(data, Options())
    assert TASK.take(data, Options(skip_bad_rows=True))[0].first == ["a"]


@pytest.mark.parametrize("problem", ["multi", MULTI])
def test_an_empty_label_may_stand_for_no_class(problem):
    data = table({"text": ["a", "b", "c"], "label": ["x|y", " ", "y"]})
    examples, _ = TASK.take(data, Options(problem=problem))
    assert targets(examples, schema_of(examples, problem)).tolist() == [[1, 1], [0, 0], [0, 1]]
    with pytest.raises(InputError, match="in 1 of 3 rows: line 3"):
        TASK.take(data, Options(problem="single"))
    missing = table({"text": ["a", "b"], "label": ["x", None]})
    with pytest.raises(InputError, match="in 1 of 2 rows: line 3"):
        TASK.take(missing, Options(problem=problem))


@pytest.mark.parametrize("value", [{"a": 1}, ["a", "b"], b"bytes"])
@pytest.mark.parametrize("labelled", [True, False])
def test_what_is_no_text_is_refused(value, labelled):
    data = table({"text": ["a", value], "label": ["1", "2"]})
    with pytest.raises(
        InputError, match=rf"text column must hold text\..*line 3\. It has a {type(value).__name__} in 'text'"
    ):
        (TASK.take if labelled else unlabelled)(data, Options())


def test_a_file_of_empty_rows_alone_is_refused():
    data = table({"text": ["", "b"], "label": ["1", None]})
    with pytest.raises(InputError, match=r"at least one row to use. train.csv holds none. 2 rows were left out"):
        TASK.take(data, Options(skip_bad_rows=True))


def test_labels_of_false_and_zero_are_labels():
    data = table({"text": ["a", "b", "c"], "label": [0, False, []]})
    assert len(TASK.take(data, Options())[0]) == 3


def test_texts_to_answer_for_may_be_empty_and_need_no_label():
    examples = unlabelled(table({"text": ["a", "", None, 7, float("nan")]}), Options())
    assert examples.first == ["a", "", "", "7", ""]
    assert examples.labels is None


def test_a_choice_of_examples_keeps_its_rows():
    data = table({"text": list("abcd"), "pair": list("efgh"), "label": list("1212")})
    examples, _ = TASK.take(data, Options(pair_column="pair"))
    chosen = examples.take(number for number in (3, 1))
    assert (chosen.first, chosen.second, chosen.labels, chosen.rows) == (["d", "b"], ["h", "f"], ["2", "2"], [3, 1])
    assert chosen.take([1]).rows == [1]
    assert chosen.table is data


@pytest.mark.parametrize(
    ("labels", "schema"),
    [
        (["yes", "no", "yes"], Schema(SINGLE, ("no", "yes"))),
        (["1", "0", "10", "2"], Schema(SINGLE, ("0", "1", "2", "10"))),
        ([2, 0, 1], Schema(SINGLE, ("0", "1", "2"))),
        (["1", "-1"], Schema(SINGLE, ("-1", "1"))),
        ([True, False], Schema(SINGLE, ("False", "True"))),
        (["1", "2", "none"], Schema(SINGLE, ("1", "2", "none"))),
        ([" a", "b "], Schema(SINGLE, ("a", "b"))),
        (["01", "1", "0"], Schema(SINGLE, ("0", "01", "1"))),
        (["a|b", "b|a"], Schema(MULTI, ("a", "b"))),
        (["a|b", "c|d"], Schema(SINGLE, ("a|b", "c|d"))),
        (["0.5", "1", "2"], Schema(REGRESSION, ("score",))),
        (["5.000", "3.750"], Schema(REGRESSION, ("score",))),
        ([1.25, 3, "4"], Schema(REGRESSION, ("score",))),
        (["1e-3", "2"], Schema(REGRESSION, ("score",))),
        ([1.0, 0.0], Schema(SINGLE, ("0", "1"))),
        (["1.0", "0.0", "10.0", "2"], Schema(SINGLE, ("0", "1", "2", "10"))),
        (["1.0", "2.0", "v1.0"], Schema(SINGLE, ("1.0", "2.0", "v1.0"))),
        ([["a", "b"], [], ["c"]], Schema(MULTI, ("a", "b", "c"))),
        ([["x"], "y"], Schema(MULTI, ("x", "y"))),
        ([[10, 9], [9]], Schema(MULTI, ("9", "10"))),
        ([10**400, 1], Schema(SINGLE, ("1", str(10**400)))),
    ],
)
def test_the_kind_of_problem_is_seen_in_the_labels(labels, schema):
    assert schema_of(labelled(labels)) == schema


@pytest.mark.parametrize(
    ("labels", "problem", "schema"),
    [
        (["a|b", "b", " c | a "], "multi", Schema(MULTI, ("a", "b", "c"))),
        (["a", "a"], "multi", Schema(MULTI, ("a",))),
        (["1", "2"], "regression", Schema(REGRESSION, ("score",))),
        (["0.5", "1.5"], "single", Schema(SINGLE, ("0.5", "1.5"))),
        (["0", "1"], MULTI, Schema(MULTI, ("0", "1"))),
        (["0", "1"], SINGLE, Schema(SINGLE, ("0", "1"))),
    ],
)
def test_the_kind_of_problem_can_be_said(labels, problem, schema):
    assert schema_of(labelled(labels), problem) == schema


def test_another_separator_parts_labels():
    assert schema_of(labelled(["a,b", "c"]), "multi", ",").names == ("a", "b", "c")


def test_an_unknown_problem_is_refused():
    with pytest.raises(InputError, match=r"must be auto, single, multi or regression. Received: 'ranking'"):
        schema_of(labelled(["a", "b"]), "ranking")


@pytest.mark.parametrize(
    ("labels", "problem", "found"),
    [(["a", "a"], "auto", "a"), ([[], []], "auto", "none"), (["|", " | "], "multi", "none")],
)
def test_too_few_classes_are_refused(labels, problem, found):
    with pytest.raises(InputError, match=f"needs at least two classes.*train.csv has only {found}.*--problem regressi"):
        schema_of(labelled(labels), problem)


@given(st.lists(st.text(), min_size=1, max_size=8).filter(lambda labels: len({label.strip() for label in labels}) > 1))
def test_every_label_finds_its_class_again(labels):
    examples = labelled(labels)
    schema = schema_of(examples, "single")
    found = targets(examples, schema)
    assert found.dtype == np.int64
    assert [schema.names[index] for index in found] == [label.strip() for label in labels]
    assert len(set(schema.names)) == len(schema.names)


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=6).filter(any))
def test_several_labels_become_zeros_and_ones(labels):
    for given_labels in (labels, ["|".join(row) for row in labels]):
        examples = labelled(given_labels)
        schema = schema_of(examples, "multi")
        found = targets(examples, schema)
        assert found.shape == (len(labels), len(schema.names))
        assert found.dtype == np.float32
        assert [{name for name, on in zip(schema.names, row, strict=True) if on} for row in found] == list(
            map(set, labels)
        )
        assert set(np.unique(found)) <= {0, 1}


@given(st.lists(st.floats(-(2**60), 2**60, width=32), min_size=1))
def test_numbers_stay_numbers(values):
    for labels in (values, [str(value) for value in values]):
        found = targets(labelled(labels), Schema(REGRESSION, ("score",)))
        assert found.dtype == np.float32
        assert found.tolist() == values


@pytest.mark.parametrize(
    ("labels", "schema", "words"),
    [
        (
            ["a", "c", "c", "d"],
            Schema(SINGLE, ("a", "b")),
            "one of a, b. .* has 2 others: 'c' .line 3, line 4.; 'd' .line 5",
        ),
        ([["a"], ["a", "z"]], Schema(MULTI, ("a", "b")), "one of a, b. .* has 1 others: 'z' .line 3"),
        ([["a", "b"], "a"], Schema(SINGLE, ("a", "b")), "has 1 others: .*'a', 'b'.*line 2"),
        ([[], "a"], Schema(SINGLE, ("a", "b")), "has 1 others: '\\[\\]' .line 2"),
        (["1", "x", None], Schema(REGRESSION, ("score",)), "a finite number.*2 others: 'x' .line 3.; 'None' .line 4"),
        (["nan", "inf", "1"], Schema(REGRESSION, ("score",)), "a finite number.*'nan' .line 2.; 'inf' .line 3"),
        ([1e300, 10**400], Schema(REGRESSION, ("score",)), "a finite number.*'1e.300' .line 2"),
        ([[1.0]], Schema(REGRESSION, ("score",)), "a finite number.*'\\[1.0\\]' .line 2"),
    ],
)
def test_labels_that_the_schema_does_not_know_are_named(labels, schema, words):
    with pytest.raises(InputError, match=f"Every label must be {words}" if words[:3] != "has" else words) as caught:
        targets(labelled(labels), schema)
    assert "train.csv" in str(caught.value)


def test_whole_numbers_are_the_same_class_with_and_without_a_point():
    schema = Schema(SINGLE, ("0", "1"))
    assert targets(labelled([1.0, 0, "1.0", "0"]), schema).tolist() == [1, 0, 1, 0]
    assert targets(labelled(["1.0", "2.0"]), Schema(SINGLE, ("1.0", "2.0"))).tolist() == [0, 1]


def test_long_lists_of_classes_are_cut():
    schema = Schema(SINGLE, tuple(f"class {number}" for number in range(500)))
    with pytest.raises(InputError, match=r"one of class 0, .*class 11 and 488 more. ") as caught:
        targets(labelled(["other"]), schema)
    assert "class 12" not in str(caught.value)
    assert "regression" not in str(caught.value)


def test_labels_that_look_like_numbers_bring_regression_to_mind():
    with pytest.raises(InputError, match=r"'3.5'.*data.problem=.regression"):
        targets(labelled(["1", "3.5"]), Schema(SINGLE, ("1", "2")))


@pytest.mark.parametrize("problem", [SINGLE, MULTI, REGRESSION])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_model_gives_no_answer(problem, value):
    logits = np.array([[0.0, 1.0], [value, 0.0], [1.0, value]])
    for ask in (
        lambda: answers.records(logits, Schema(problem, ("a", "b"))),
        lambda: score(logits, np.zeros(3, np.int64), Schema(problem, ("a", "b"))),
    ):
        with pytest.raises(InputError, match=r"finite numbers. Received: others for 2 of 3 answers"):
            ask()


def test_rows_are_named_by_their_line_in_the_file():
    examples = labelled(["a", "b", "z", "a"]).take([3, 2])
    with pytest.raises(InputError, match=r"'z' .line 4."):
        targets(examples, Schema(SINGLE, ("a", "b")))


@pytest.mark.parametrize(
    "schema",
    [
        Schema(SINGLE, ("no", "yes")),
        Schema(MULTI, ("a", "b", "c")),
        Schema(MULTI, ("a",)),
        Schema(REGRESSION, ("score",)),
    ],
)
def test_a_schema_survives_the_config_and_its_file(schema):
    config = AlbertConfig().changed(**schema.config_keys())
    assert Schema.of(config) == schema
    assert Schema.of(AlbertConfig.from_dict(json.loads(config.to_json_string()))) == schema
    assert config.num_labels == len(schema.names)


def test_a_config_without_a_problem_type_says_it_by_its_classes():
    assert Schema.of(AlbertConfig(num_labels=1)).problem_type == REGRESSION
    assert Schema.of(AlbertConfig(num_labels=3)) == Schema(SINGLE, ("LABEL_0", "LABEL_1", "LABEL_2"))


class Tokenizer:
    """One id a letter, and counts what it cut."""

    def __call__(self, texts, pairs, truncation, max_length):
        assert truncation
        assert isinstance(texts, list)
        whole = [list(map(ord, text)) for text in texts]
        types = [[0] * len(ids) for ids in whole]
        if pairs is not None:
            whole = [ids + list(map(ord, pair)) for ids, pair in zip(whole, pairs, strict=True)]
            types = [row + [1] * (len(ids) - len(row)) for row, ids in zip(types, whole, strict=True)]
        encoded = Encoded(
            input_ids=[ids[:max_length] for ids in whole], token_type_ids=[row[:max_length] for row in types]
        )
        encoded.truncated = [max(len(ids) - max_length, 0) for ids in whole]
        return encoded


class Encoded(dict):
    truncated: list


def encode(first, second, max_length):
    examples, _ = TASK.examples(list(first), *([] if second is None else [list(second)]))
    return TASK.encode(Tokenizer(), AlbertConfig(), examples, Options(max_length=max_length))


def test_what_is_cut_is_counted():
    features = encode(("abc", "abcde", "abcdefg"), None, 4)
    assert list(map(len, features.input_ids)) == list(map(len, features.token_type_ids)) == [3, 4, 4]
    assert features.truncated == 2


def test_pairs_are_encoded_together():
    features = encode(("ab", "c"), ("d", "ef"), 4)
    assert features.input_ids == [[97, 98, 100], [99, 101, 102]]
    assert features.token_type_ids == [[0, 0, 1], [0, 1, 1]]
    assert features.truncated == 0


def test_one_class_comes_with_its_probability():
    found = answers.records(
        np.log([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]]).astype(np.float32), Schema(SINGLE, ("a", "b", "c"))
    )
    assert [answer["label"] for answer in found] == ["b", "a"]
    assert [answer["score"] for answer in found] == pytest.approx([0.5, 0.9])
    assert found[0]["scores"] == pytest.approx({"a": 0.2, "b": 0.5, "c": 0.3})


def test_several_classes_are_those_above_a_half():
    found = answers.records(np.array([[0.1, -0.1, 3], [-1, -1, -1]]), Schema(MULTI, ("a", "b", "c")))
    assert [answer["labels"] for answer in found] == [["a", "c"], []]
    assert found[1]["scores"] == pytest.approx(dict.fromkeys("abc", 1 / (1 + np.e)))


def test_a_number_is_the_value():
    assert answers.records(np.array([[1.5], [-2]], np.float16), Schema(REGRESSION, ("score",))) == [
        {"value": 1.5},
        {"value": -2},
    ]


@pytest.mark.parametrize("problem", [SINGLE, MULTI])
def test_extreme_scores_stay_probabilities(problem):
    found = answers.records(np.array([[1e4, -1e4], [-1e4, -1e4 - 1]]), Schema(problem, ("a", "b")))
    for answer in found:
        assert all(0 <= score <= 1 for score in answer["scores"].values())
    assert found[0]["scores"] == pytest.approx({"a": 1, "b": 0})
    json.dumps(found)


def test_no_texts_get_no_answers():
    for problem in (SINGLE, MULTI, REGRESSION):
        assert answers.records(np.zeros((0, 2), np.float32), Schema(problem, ("a", "b"))) == []


@pytest.mark.parametrize("problem", [SINGLE, MULTI, REGRESSION])
def test_perfect_logits_score_best_on_the_metric_that_chooses(problem):
    pytest.importorskip("sklearn")
    labels = {SINGLE: ["a", "b", "a"], MULTI: [["a"], ["a", "b"], []], REGRESSION: [0.5, 1.5, 3.0]}[problem]
    examples = labelled(labels)
    schema = schema_of(examples)
    assert schema.problem_type == problem
    truth = targets(examples, schema)
    perfect = {SINGLE: lambda: np.eye(2)[truth], MULTI: lambda: truth * 2 - 1, REGRESSION: lambda: truth[:, None]}[
        problem
    ]()
    assert score(perfect, truth, schema)[text_classification.SCORES[problem][0]] == pytest.approx(1)
    assert score(-perfect, truth, schema)[text_classification.SCORES[problem][0]] < 0.5


def test_the_head_is_one_of_the_models():
    assert TASK.head in weight_table.PARTS


def decoded(logits, problem, options, decode="decode"):
    """What the task answers for logits (N, C), whatever the texts."""
    names = dict(enumerate("abc"[: len(logits[0])]))
    config = AlbertConfig(problem_type=problem, id2label=names)
    outputs = [{"logits": np.array(row, np.float32)} for row in logits]
    task = TextClassification()
    examples, _ = task.examples(["x"] * len(logits))
    return list(getattr(task, decode)(None, config, examples, Features([], []), outputs, **options))


LOGITS = [[0.0, 2.0, 1.0], [3.0, -1.0, 3.0]]


def softmax(row):
    return np.exp(row) / np.exp(row).sum()


def test_an_answer_is_the_best_class_and_its_score():
    found = decoded(LOGITS, SINGLE, {})
    assert [one["label"] for one in found] == ["b", "a"]
    assert [list(one) for one in found] == [["label", "score"]] * 2
    assert found[0]["score"] == pytest.approx(softmax(LOGITS[0])[1])
    assert decoded(LOGITS, SINGLE, {"top_k": "best"}) == found


@pytest.mark.parametrize(("top_k", "count"), [(None, 3), (1, 1), (2, 2), (9, 3)])
def test_with_a_top_k_an_answer_is_a_list_best_first(top_k, count):
    first, second = decoded(LOGITS, SINGLE, {"top_k": top_k})
    assert [one["label"] for one in first] == ["b", "c", "a"][:count]
    assert [one["label"] for one in second] == ["a", "c", "b"][:count]


@pytest.mark.parametrize(
    ("problem", "function", "expected"),
    [
        (SINGLE, None, softmax(LOGITS[0])),
        (SINGLE, "default", softmax(LOGITS[0])),
        (SINGLE, "Sigmoid", 1 / (1 + np.exp(-np.array(LOGITS[0])))),
        (MULTI, None, 1 / (1 + np.exp(-np.array(LOGITS[0])))),
        (MULTI, "softmax", softmax(LOGITS[0])),
        (REGRESSION, None, LOGITS[0]),
        (REGRESSION, "none", LOGITS[0]),
    ],
)
def test_scores_follow_the_problem_or_the_function_that_is_asked_for(problem, function, expected):
    [first, _] = decoded(LOGITS, problem, {"top_k": None, "function_to_apply": function})
    assert {one["label"]: one["score"] for one in first} == pytest.approx(dict(zip("abc", expected, strict=True)))


def test_records_have_the_scores_of_all_classes_or_of_so_many():
    first, _ = decoded(LOGITS, SINGLE, {}, "records")
    assert list(first["scores"]) == ["a", "b", "c"]
    first, _ = decoded(LOGITS, SINGLE, {"top_k": 2}, "records")
    assert list(first["scores"]) == ["b", "c"]
    assert first["score"] == first["scores"]["b"] == pytest.approx(softmax(LOGITS[0])[1])
    several, _ = decoded(LOGITS, MULTI, {"top_k": 1}, "records")
    assert (several["labels"], list(several["scores"])) == (["b", "c"], ["b"])
    assert decoded([[2.5]], REGRESSION, {}, "records") == [{"value": 2.5}]


def test_a_broken_answer_is_named():
    for decode in ("decode", "records"):
        with pytest.raises(InputError, match="others for 1 of 2 answers, the first of them number 2"):
            decoded([LOGITS[0], [np.nan, 0, 0]], SINGLE, {}, decode)
