"""Our pipelines against those of Transformers 4, on the same folder: equal shapes, keys, labels and scores."""

import pytest

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from albertkit import pipeline  # noqa: E402
from albertkit.checkpoint import files  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.torch,
    pytest.mark.skipif(transformers.__version__ >= "5", reason="version 5 has other pipelines"),
]

PAIR = {"text": "the film", "text_pair": "a story of it"}
INPUTS = ["the film", ["the film"], ["the film", "a story"], PAIR, [PAIR], [PAIR, {"text": "the film"}], []]
PROBLEMS = {
    "no problem stated": {"num_labels": 3},
    "single": {"num_labels": 3, "problem_type": "single_label_classification"},
    "multi": {"num_labels": 3, "problem_type": "multi_label_classification"},
    "number, not stated": {"num_labels": 1},
    "regression": {"num_labels": 1, "problem_type": "regression"},
    "two numbers": {"num_labels": 2, "problem_type": "regression"},
    "one class": {"num_labels": 1, "problem_type": "single_label_classification"},
}


def folder_of(folder, data, head, **changes):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, **changes)
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return str(folder)


def both(task, folder, **options):
    given = {"model": folder, "device": -1, **options}
    return pipeline(task, framework="torch", **given), transformers.pipeline(task, framework="pt", **given)


def assert_same(ours, theirs):
    assert type(ours) is type(theirs)
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    else:
        assert ours.keys() == theirs.keys()
        assert ours["score"] == pytest.approx(theirs["score"], rel=1e-3, abs=1e-6)
        assert [ours[key] for key in ("label", "token", "token_str") if key in ours] == [
            theirs[key] for key in ("label", "token", "token_str") if key in theirs
        ]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("options", [{}, {"top_k": None}, {"top_k": 1}, {"top_k": 2}, {"top_k": 9}])
def test_classes_come_in_the_shapes_of_transformers(tmp_path, data, problem, options):
    folder = folder_of(tmp_path, data, "ForSequenceClassification", **PROBLEMS[problem])
    ours, theirs = both("text-classification", folder)
    for given in INPUTS:
        assert_same(ours(given, **options), theirs(given, **options))
    generator = ours(iter(INPUTS[2]), **options)
    assert_same(list(generator), list(theirs((text for text in INPUTS[2]), **options)))


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none", "SoftMax"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_scores_are_made_by_the_function_that_is_asked_for(tmp_path, data, problem, function):
    folder = folder_of(tmp_path, data, "ForSequenceClassification", **PROBLEMS[problem])
    ours, theirs = both("sentiment-analysis", folder)
    options = {"function_to_apply": function, "top_k": None}
    assert_same(ours(INPUTS[2], **options), theirs(INPUTS[2], **options))


@pytest.mark.parametrize("options", [{"top_k": None}, {"top_k": 2}, {"top_k": 1}, {"function_to_apply": "none"}])
def test_options_of_the_pipeline_are_those_of_its_calls_in_the_same_shapes(tmp_path, data, options):
    folder = folder_of(tmp_path, data, "ForSequenceClassification", num_labels=3)
    ours, theirs = both("text-classification", folder, **options)
    for given in INPUTS:
        assert_same(ours(given), theirs(given))


MASKED = ["the [MASK] is", ["the [MASK] is"], ["the [MASK] is", "a [MASK]"], "[MASK] of [MASK]", ["[MASK] of [MASK]"]]


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"top_k": None}, {"targets": ["▁the", "▁a"]}, {"targets": "▁a"}])
def test_tokens_come_in_the_shapes_of_transformers(tmp_path, data, options):
    ours, theirs = both("fill-mask", folder_of(tmp_path, data, "ForMaskedLM"))
    for given in (*MASKED, ["[MASK] of [MASK]", "a [MASK]"]):
        assert_same(ours(given, **options), theirs(given, **options))
    assert ours([]) == theirs([]) == []
    generator = ours(iter(MASKED[2]), **options)
    assert_same(list(generator), list(theirs((text for text in MASKED[2]), **options)))
