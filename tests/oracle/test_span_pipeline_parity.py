"""Our pipelines of entities, answers and choices against those of Transformers 4, on the same folder.

Where they differ, docs/migration.md says so, and the difference is stated here.
"""

import itertools
import json
from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from albertkit import pipeline  # noqa: E402
from oracle.test_pipeline_parity import both, folder_of, pytestmark  # noqa: E402, F401  # late imports; pytest reads it

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
LABELS = {"id2label": dict(enumerate(NAMES)), "label2id": {name: number for number, name in enumerate(NAMES)}}
STRATEGIES = ["none", "simple", "first", "average", "max", "FIRST"]
CONTEXT = "a story of the man who saw it and told his children about old film"
QUESTION = "who saw the film"
# Without punctuation, and no word of which begins with a piece that is a blank: there the peer is right.
TEXTS = ["the film of a man", CONTEXT, "story"]


@pytest.fixture(scope="module")
def ner(data, tmp_path_factory):
    folder = folder_of(tmp_path_factory.mktemp("ner"), data, "ForTokenClassification", num_labels=5, **LABELS)
    return both("ner", folder)


@pytest.fixture(scope="module")
def qa(data, tmp_path_factory):
    ours, theirs = both("question-answering", folder_of(tmp_path_factory.mktemp("qa"), data, "ForQuestionAnswering"))
    return ours, Shared(theirs)


class Shared:
    """The peer, with the score of each answer over the sum of those of all that it could give to the question."""

    def __init__(self, plain):
        self.plain = plain

    def __call__(self, *asked, **options):
        asked = [list(one) if isinstance(one, Iterator) else one for one in asked]
        found, every = (self.plain(*asked, **each) for each in (options, {**options, "top_k": 4000}))
        return over_all(found, every)


def over_all(found, every):
    """Answers to a question, or to each of several, with scores over the sum of those of `every` answer to it."""
    if not every or isinstance(every[0], list):
        return [over_all(one, other) for one, other in zip(found, every, strict=True)]
    if isinstance(found, list):
        return [over_all(one, every) for one in found]
    return {**found, "score": found["score"] / sum(one["score"] for one in every)}


def without_blanks(found, text):
    """What the peer answers, with spans that begin at a letter and the text between them, and nothing empty."""
    kept = []
    for one in found:
        start = one["end"] - len(text[one["start"] : one["end"]].lstrip())
        if start < one["end"]:
            kept.append({**one, "start": start, "word": text[start : one["end"]]})
    return kept


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert list(one) == list(other)
        assert one["score"] == pytest.approx(float(other["score"]), rel=1e-3, abs=1e-6)
        assert {key: one[key] for key in one if key != "score"} == {key: other[key] for key in one if key != "score"}


@pytest.mark.parametrize("ignored", [["O"], [], ["B-PER"], ["PER", "O"]])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_entities_come_with_the_keys_and_scores_of_transformers(ner, strategy, ignored):
    ours, theirs = ner
    options = {"aggregation_strategy": strategy, "ignore_labels": ignored}
    for text in TEXTS:
        assert_equal(ours(text, **options), without_blanks(theirs(text, **options), text))


def test_entities_of_lists_and_generators_come_in_the_shapes_of_transformers(ner):
    ours, theirs = ner
    for given in (TEXTS, TEXTS[:1], iter(TEXTS)):
        found = list(ours(given))
        expected = list(theirs(list(TEXTS) if given not in (TEXTS[:1],) else given))
        assert [len(one) for one in found] == [len(without_blanks(*two)) for two in zip(expected, TEXTS, strict=False)]
    assert ours([]) == []


def test_entities_are_ready_for_json_and_their_words_are_the_text_between_their_offsets(ner):
    """The peer's scores are of NumPy, its words are pieces or join what the text has apart, its spans hold a blank."""
    text = 'He said: "Paris (France) is nice"...'
    for strategy in STRATEGIES:
        found = ner[0](text, aggregation_strategy=strategy, ignore_labels=[])
        json.dumps(found)
        assert found
        for one in found:
            assert one["word"] == text[one["start"] : one["end"]] == one["word"].strip() != ""
    theirs = ner[1](text, aggregation_strategy="first", ignore_labels=[])
    assert isinstance(theirs[0]["score"], np.float32)
    assert any(one["word"] != text[one["start"] : one["end"]] for one in theirs)


def test_long_texts_are_answered_whole_where_transformers_cuts_them(ner):
    text = " ".join([CONTEXT] * 8)
    for options in ({}, {"stride": 8}):
        found = ner[0](text, aggregation_strategy="simple", ignore_labels=[], **options)
        assert found[-1]["end"] == len(text)


def assert_same_answers(ours, theirs, context=CONTEXT):
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same_answers(one, other, context)
        return
    assert list(ours) == list(theirs)
    assert ours["score"] == pytest.approx(theirs["score"], rel=1e-3, abs=1e-6)
    assert ours["answer"] == theirs["answer"].strip() == context[ours["start"] : ours["end"]]
    assert ours["end"] == theirs["end"]


PAIR = {"question": QUESTION, "context": CONTEXT}
CALLS = {
    "keywords": lambda pipe, **options: pipe(question=QUESTION, context=CONTEXT, **options),
    "positions": lambda pipe, **options: pipe(QUESTION, CONTEXT, **options),
    "a mapping": lambda pipe, **options: pipe(dict(PAIR), **options),
    "mappings": lambda pipe, **options: pipe([PAIR, {**PAIR, "question": "what"}], **options),
    "lists": lambda pipe, **options: pipe(question=[QUESTION, "what"], context=[CONTEXT, CONTEXT], **options),
    "one context": lambda pipe, **options: pipe(question=[QUESTION, "what"], context=CONTEXT, **options),
    "a mapping of lists": lambda pipe, **o: pipe({"question": [QUESTION, "what"], "context": [CONTEXT] * 2}, **o),
    "a generator": lambda pipe, **options: list(pipe((one for one in [PAIR, PAIR]), **options)),
    "nothing": lambda pipe, **options: pipe([], **options),
}


@pytest.mark.parametrize("options", [{}, {"top_k": 3}])
@pytest.mark.parametrize("name", CALLS)
def test_questions_are_asked_in_all_the_ways_of_transformers(qa, name, options):
    assert_same_answers(*(CALLS[name](pipe, **options) for pipe in qa))


OPTIONS = [
    {"top_k": 5},
    {"max_answer_len": 1, "top_k": 4},
    {"max_answer_len": 40, "top_k": 4},
    {"align_to_words": False, "top_k": 6},
    {"handle_impossible_answer": True, "top_k": 60},
    {"max_seq_len": 62, "doc_stride": 8},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_answers_mean_what_they_mean_in_transformers(qa, options):
    assert_same_answers(*(CALLS["keywords"](pipe, **options) for pipe in qa))


@pytest.mark.filterwarnings("ignore:topk parameter is deprecated:UserWarning")
def test_top_k_has_its_older_name(qa):
    assert_same_answers(*(CALLS["keywords"](pipe, topk=2) for pipe in qa))


def test_answers_of_many_windows_share_one_probability(qa):
    """The peer takes each window for itself and adds up equal texts wherever they stand: more than 1 in all."""
    context = " ".join([CONTEXT] * 3)
    ours, theirs = summed(qa, context, max_seq_len=40, doc_stride=8, max_answer_len=40)
    assert ours == pytest.approx(1)
    assert theirs > 1


@pytest.mark.parametrize("options", [{}, {"max_answer_len": 40}, {"handle_impossible_answer": True}])
def test_answers_that_may_be_given_share_one_probability(qa, options):
    """The peer's starts and ends share it with what is no answer: ends before a start or too far from it, and [CLS]."""
    ours, theirs = summed(qa, CONTEXT, **options)
    assert ours == pytest.approx(1)
    assert theirs < 0.9


def test_an_answer_takes_no_punctuation_where_that_of_transformers_does(qa):
    asked = {"question": QUESTION, "context": "the man saw a film.", "top_k": 4000, "max_answer_len": 40}
    ours, theirs = ({one["answer"].strip() for one in pipe(**asked)} for pipe in (qa[0], qa[1].plain))
    assert {"film", "film."} <= ours
    assert "film." in theirs
    assert "film" not in theirs


def summed(qa, context, **options):
    """The sums of the scores of all answers, ours and the peer's as it gives them."""
    asked = {"question": QUESTION, "context": context, "top_k": 4000, **options}
    return [sum(one["score"] for one in pipe(**asked)) for pipe in (qa[0], qa[1].plain)]


def test_a_list_of_one_question_is_answered_by_a_list(qa):
    ours, theirs = (pipe([PAIR]) for pipe in qa)
    assert isinstance(ours, list)
    assert isinstance(theirs, dict)
    assert_same_answers(ours[0], theirs)


def test_choices_are_scored_as_the_model_of_transformers_scores_them(data, tmp_path):
    folder = folder_of(tmp_path, data, "ForMultipleChoice")
    question, listed = "who saw it", ["the man", "a story", "his own children"]
    found = pipeline("multiple-choice", folder, framework="torch")(
        {"context": CONTEXT, "question": question, "choices": listed}
    )
    tokenizer = transformers.AlbertTokenizer.from_pretrained(folder)
    model = transformers.AlbertForMultipleChoice.from_pretrained(folder).eval()
    rows = tokenizer([CONTEXT] * 3, [f"{question} {one}" for one in listed], padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**{name: values[None] for name, values in rows.items()}).logits[0]
    assert found["scores"] == pytest.approx(logits.softmax(-1).tolist(), abs=1e-5)
    assert found["label"] == int(logits.argmax())


@pytest.mark.parametrize("batch_size", [None, 4])
def test_answers_of_a_generator_come_in_order_while_it_is_being_read(ner, batch_size):
    taken = []

    def inputs():
        for number in itertools.count():
            taken.append(number)
            yield " ".join(["the"] * (1 + number % 7))

    found = ner[0](inputs(), ignore_labels=[], batch_size=batch_size)
    for number, answer in enumerate(itertools.islice(found, 20)):
        assert answer[-1]["end"] == len(" ".join(["the"] * (1 + number % 7)))
        assert len(taken) <= (number + 4 if batch_size else 1 + 8 + 64)
