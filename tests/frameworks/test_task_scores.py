"""Scores and answers of each task from one folder: `evaluate` and `pipeline` give the same in every framework."""

import json

import numpy as np
import pytest

from albertkit import pipeline
from albertkit.checkpoint import files
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

CONTEXT = "the man saw an old film and told his children about it"
NAMES = {"id2label": {0: "O", 1: "B-PER", 2: "I-PER"}, "label2id": {"O": 0, "B-PER": 1, "I-PER": 2}}
CLASSES = {"id2label": {0: "bad", 1: "good", 2: "so-so"}, "label2id": {"bad": 0, "good": 1, "so-so": 2}}
QUESTIONS = [
    {"id": "1", "question": "who saw it?", "context": CONTEXT, "answers": {"text": ["the man"], "answer_start": [0]}},
    {"id": "2", "question": "who sang?", "context": CONTEXT, "answers": {"text": [], "answer_start": []}},
    {"id": "3", "question": "what?", "context": CONTEXT * 4, "answers": {"text": ["film"], "answer_start": [19]}},
]
OPTIONS = [
    {"question": "who saw it?", "choices": ["the man", "the film"], "label": 0},
    {"question": "what did he see?", "choices": ["his children", "a story", "an old film"], "label": 2},
]
SENTENCES = [
    {"sentence1": "the man", "sentence2": "his children", "score": 2.0},
    {"sentence1": "a film", "sentence2": "the old film", "score": 4.5},
    {"sentence1": "a story", "sentence2": "it is good", "score": 0.5},
]
TASKS = {
    "text classification": (
        ("text-classification", "ForSequenceClassification", CLASSES),
        [{"text": CONTEXT, "label": "good"}, {"text": "it is bad", "label": "bad"}],
        lambda classify: classify(CONTEXT, top_k=None),
    ),
    "token classification": (
        ("token-classification", "ForTokenClassification", NAMES),
        [{"tokens": CONTEXT.split(), "ner_tags": ["B-PER", "I-PER", *["O"] * 10]}],
        lambda ner: ner(CONTEXT, aggregation_strategy="none", ignore_labels=[]),
    ),
    "question answering": (
        ("question-answering", "ForQuestionAnswering", {}),
        QUESTIONS,
        lambda answer: answer(question="who saw it?", context=CONTEXT, top_k=5),
    ),
    "question answering by beam search": (
        ("question-answering", "ForQuestionAnsweringBeamSearch", {}),
        QUESTIONS,
        lambda answer: answer(question="who saw it?", context=CONTEXT, top_k=5),
    ),
    "multiple choice": (
        ("multiple-choice", "ForMultipleChoice", {}),
        OPTIONS,
        lambda choose: choose({name: OPTIONS[1][name] for name in ("question", "choices")}),
    ),
    "fill-mask": (
        ("fill-mask", "ForMaskedLM", {}),
        [{"text": CONTEXT}, {"text": "it is a story of the man"}],
        lambda fill: fill("the [MASK] saw an old [MASK] and told it", top_k=3),
    ),
    "sentence embedding": (
        ("sentence-embedding", "ForSentenceEmbedding", {}),
        SENTENCES,
        lambda embed: {"vector": embed(CONTEXT).tolist()},
    ),
}
"""By name: the task, its head and what its config knows of labels; rows to score on; and a call that is answered."""


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def flat(value, place=""):
    """The numbers and words of mappings and lists, each by its place."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {name: one for key, each in pairs for name, one in flat(each, f"{place}/{key}").items()}
    return {place: value}


@pytest.mark.torch
@pytest.mark.tensorflow
@pytest.mark.flax
@pytest.mark.parametrize("name", TASKS)
def test_the_frameworks_give_the_same_scores_and_answers(name, tokenizer, tmp_path):
    for package in ("torch", "tensorflow", "flax"):
        pytest.importorskip(package)
    (task, head, labels), rows, call = TASKS[name]
    config = small(vocab_size=len(tokenizer), max_position_embeddings=48, num_hidden_layers=1, **labels)
    files.save(tmp_path, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(tmp_path)
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = {}
    for framework in ("torch", "tensorflow", "flax"):
        answer = pipeline(task, tmp_path, framework)
        found[framework] = flat({"scores": answer.evaluate(data), "answers": call(answer)})
    expected = found.pop("torch")
    numbers = [place for place, value in expected.items() if isinstance(value, float)]
    assert len(numbers) > 3
    assert len({expected[place] for place in numbers}) > 2
    for others in found.values():
        assert others.keys() == expected.keys()
        np.testing.assert_allclose([others[at] for at in numbers], [expected[at] for at in numbers], atol=1e-3)
        assert {at: others[at] for at in expected if at not in numbers} == {
            at: expected[at] for at in expected if at not in numbers
        }
