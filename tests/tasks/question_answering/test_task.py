"""Question answering: rows of questions and windows, answers with characters, and scores."""

import json

import numpy as np
import pytest

from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks.question_answering import answers
from albertkit.tasks.question_answering.questions import Questions
from albertkit.tasks.question_answering.task import QuestionAnswering
from albertkit.tasks.spans import Span
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from training import common

TASK = QuestionAnswering()
CONFIG = AlbertConfig()
CONTEXT = "the film  of Peter Blackburn, shown in (New York) [SEP] again and again and again."
YORK = Span(40, 48, "")


@pytest.fixture(scope="module")
def tokenizer(pytestconfig):
    return AlbertTokenizer(pytestconfig.rootpath / "tests/data/spiece.model")


def asked(*answers, context=CONTEXT, question="where was it shown?"):
    true = [[context[one.start : one.stop] for one in answers]]
    return Questions("", ["1"], [question], [context], [list(answers)], ["number 1"], true)


def perfect(features):
    """Outputs that are sure of the labels."""
    labels = features.labels
    for ids, start, end in zip(features.input_ids, labels["start_positions"], labels["end_positions"], strict=True):
        scores = np.zeros((2, len(ids)), np.float32)
        scores[0, start] = scores[1, end] = 9
        yield {"start_logits": scores[0], "end_logits": scores[1]}


def encoded(tokenizer, given, **options):
    return TASK.encode(tokenizer, CONFIG, given, TASK.options.of(options), labelled=True)


def test_an_answer_comes_back_with_its_characters(tokenizer):
    given = asked(YORK)
    features = encoded(tokenizer, given)
    [ids], [types] = features.input_ids, features.token_type_ids
    assert ids.count(tokenizer.sep_token_id) == 2  # the one that is written in the context is text
    first = ids.index(tokenizer.sep_token_id) + 1
    assert types == [0] * first + [1] * (len(ids) - first)
    [found] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features))
    assert (found["start"], found["end"], found["answer"]) == (40, 48, "New York")
    assert found["score"] > 0.99
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert scores == {"f1": 100, "exact_match": 100, "total": 1}
    assert set(TASK.metrics(CONFIG)) <= set(scores)


def test_a_long_context_fills_windows_and_the_answer_is_learned_where_it_is_whole(tokenizer):
    given = asked(YORK)
    features = encoded(tokenizer, given, max_length=24, doc_stride=6)
    assert len(features) > 2
    assert max(features.lengths()) <= 24
    starts = features.labels["start_positions"]
    assert 0 < sum(start > 0 for start in starts) < len(starts)
    # No answer in the other windows: the place of [CLS] wins there, and the answer over all.
    outputs = [
        {name: np.where(np.arange(len(row)) > 0, row, row - 5) for name, row in one.items()}
        for one in perfect(features)
    ]
    [found] = TASK.decode(tokenizer, CONFIG, given, features, outputs)
    assert found["answer"] == "New York"


def test_answers_never_reach_into_the_question_the_special_tokens_or_nothing_but_blanks(tokenizer):
    given = asked(YORK)
    features = encoded(tokenizer, given)
    rng = np.random.default_rng(0)
    outputs = [
        {name: rng.normal(size=len(ids)) * 3 for name in ("start_logits", "end_logits")} for ids in features.input_ids
    ]
    [found] = TASK.decode(tokenizer, CONFIG, given, features, outputs, top_k=20)
    assert len({(one["start"], one["end"]) for one in found}) == 20
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    for one in found:
        assert one["answer"] == CONTEXT[one["start"] : one["end"]] == one["answer"].strip() != ""


def test_an_answer_is_at_most_so_many_pieces_long(tokenizer):
    given = asked(Span(0, 48, ""))
    features = encoded(tokenizer, given)
    [whole] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features), max_answer_len=40)
    assert (whole["start"], whole["end"]) == (0, 48)
    start, end = (features.labels[name][0] for name in ("start_positions", "end_positions"))
    for longest, is_whole in ((end - start + 1, True), (end - start, False)):
        [found] = TASK.decode(tokenizer, CONFIG, given, features, perfect(features), max_answer_len=longest)
        assert (found["answer"] == CONTEXT[:48]) == is_whole


def test_scores_take_answers_as_long_as_the_options_of_the_data_allow(tokenizer):
    given = asked(Span(0, len(CONTEXT), ""))
    for longest, exact in ((5, 0), (60, 100)):
        features = encoded(tokenizer, given, max_answer_length=longest)
        assert TASK.score(CONFIG, given, features, perfect(features))["exact_match"] == exact


def test_no_answer_is_given_where_it_is_allowed_and_scores_better(tokenizer):
    given = asked()
    features = encoded(tokenizer, given)
    assert features.labels["start_positions"] == [0]

    def decode(**options):
        return TASK.decode(tokenizer, CONFIG, given, features, perfect(features), **options)[0]

    assert decode()["answer"] != ""
    assert decode(handle_impossible_answer=True) == {
        "score": pytest.approx(1, abs=0.01),
        "start": 0,
        "end": 0,
        "answer": "",
    }
    assert decode(handle_impossible_answer=True, null_score_diff_threshold=30.0)["answer"] != ""
    scores = TASK.score(CONFIG, given, features, perfect(features))
    assert (scores["f1"], scores["NoAns_f1"], scores["total"]) == (100, 100, 1)
    assert set(TASK.metrics(CONFIG)) <= set(scores)


def test_there_is_no_answer_only_where_every_window_says_so(tokenizer):
    features = encoded(tokenizer, asked(YORK), max_length=24, doc_stride=6)
    outputs = list(perfect(features))
    assert len(outputs) > 2
    for number, one in enumerate(outputs):
        for row in one.values():
            row[0] = (4, -1, 2)[min(number, 2)]
    [found] = answers.of_questions(features, outputs, 20, 15)
    assert found.null == -2


def test_an_answer_is_taken_from_the_window_that_sees_most_around_its_start(tokenizer):
    given = asked(YORK)
    features = encoded(tokenizer, given, max_length=24, doc_stride=14)
    windows, first = features.columns["window"], features.columns["first"][0]
    outputs = [{name: np.zeros(length) for name in ("start_logits", "end_logits")} for length in features.lengths()]
    edge = windows[0].stop - 1  # the last piece of the first window, which others see better
    assert any(edge in window for window in windows[1:])
    outputs[0]["start_logits"][first + edge] = 9
    [whole] = answers.of_questions(features, outputs, 20, 15)
    found = whole.candidates
    assert {one.score for one in found} == {0}


def test_questions_that_are_cut_are_counted_and_windows_need_room(tokenizer):
    given = asked(YORK, question="where " * 30)
    assert encoded(tokenizer, given, max_query_length=8).truncated == 1
    length = len(tokenizer.tokenize(given.questions[0]))
    assert encoded(tokenizer, given, max_query_length=length).truncated == 0
    with pytest.raises(InputError, match=r"room for a context beside the question\. Question 1 has 40 tokens of 32"):
        encoded(tokenizer, given, max_length=32, max_query_length=40)


@pytest.mark.parametrize(
    ("inputs", "count", "is_single"),
    [
        (("q", "c"), 1, True),
        (({"question": "q", "context": "c"},), 1, True),
        ((["q", "r"], "c"), 2, False),
        ((["q", "r"], ["c", "d"]), 2, False),
        (([{"question": "q", "context": "c"}],), 1, False),
    ],
)
def test_questions_are_passed_in_the_usual_forms(inputs, count, is_single):
    found, single = TASK.examples(*inputs)
    assert (len(found), single) == (count, is_single)
    assert (found.questions[0], found.contexts[0]) == ("q", "c")


@pytest.mark.parametrize(
    "inputs",
    [
        *(("q",), ("q", ""), (" ", "c"), ("q", None), ({"question": "q"},), (["q"], ["c", "d"]), (7,)),
        *(({"context": "c"},), (["q"], None), ([("q", "c"), ("r", "d")],), ([["q", "r"], ["c", "d"]],)),
    ],
)
def test_other_forms_are_refused(inputs):
    with pytest.raises(InputError, match=r"question|contexts"):
        TASK.examples(*inputs)


def test_outputs_that_are_not_finite_are_refused(tokenizer):
    given = asked(YORK)
    features = encoded(tokenizer, given)
    broken = [{name: np.full(features.lengths()[0], np.nan) for name in ("start_logits", "end_logits")}]
    with pytest.raises(InputError, match=r"finite numbers"):
        TASK.decode(tokenizer, CONFIG, given, features, broken)


@pytest.fixture
def data(tmp_path):
    """The answer is the good word of a context."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(200):
        words = [str(rng.choice(common.THINGS)) for _ in range(6)]
        place = int(rng.integers(6))
        words[place] = str(rng.choice(common.GOOD))
        context = " ".join(words)
        answer = {"text": [words[place]], "answer_start": [context.index(words[place])]}
        rows.append({"question": "which is good", "context": context, "answers": answer})
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.torch
def test_a_model_is_trained_scored_and_answers(data, tmp_path):
    pytest.importorskip("torch")
    from albertkit.pipelines import pipeline

    output = tmp_path / "model"
    results = common.trained(common.task_recipe(TASK.name, data), output)
    assert results["exact_match"] > 90
    answer = pipeline("auto", output, "torch")
    found = answer("which is good", "film story superb plot cast music")
    assert found["answer"] == "superb"
    assert answer.evaluate(data)["f1"] > 90


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("top_k", value) for value in (0, -1, None, 1.5, True, "3")),
        *(("max_answer_len", value) for value in (0, None, "5", 2.5)),
        *(("handle_impossible_answer", value) for value in ("no", None, 1)),
        *(("null_score_diff_threshold", value) for value in ("x", None, float("nan"), float("inf"), True)),
    ],
)
def test_options_without_a_meaning_are_refused(tokenizer, name, value):
    given = asked(YORK)
    features = encoded(tokenizer, given)
    with pytest.raises(InputError, match=rf"`{name}` must be .*Received: "):
        TASK.decode(tokenizer, CONFIG, given, features, perfect(features), **{name: value})


@pytest.mark.parametrize(
    "inputs", [(None, None), (3, "c"), (["q"], None), (["q"], 5), ({"q"}, "c"), (b"q", "c"), ((q for q in "q"), "c")]
)
def test_what_are_no_texts_nor_lists_of_them_is_refused(inputs):
    with pytest.raises(InputError, match=r"must be texts, or lists of them\. Received: "):
        TASK.examples(*inputs)
