"""Filling in masks, in every framework; classification is tested where it is trained, in training/test_finetune.py."""

import numpy as np
import pytest

from albertkit.checkpoint import files
from albertkit.errors import InputError, WeightMismatch
from albertkit.pipelines import pipeline
from albertkit.tasks import registry
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.adapters import ADAPTERS
from frameworks.common import random_tensors, small

TEXTS = ["[MASK] is good.", "A [MASK] or the [MASK] of it, and more of that." * 2, "the [MASK]", "[MASK]"]
FRAMEWORKS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ADAPTERS]


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


@pytest.fixture(scope="module", params=["ForPreTraining", "ForMaskedLM"])
def model(request, tmp_path_factory, tokenizer):
    """A folder with a model of random weights, and more embeddings than there are tokens."""
    folder = tmp_path_factory.mktemp(request.param)
    config = small(vocab_size=len(tokenizer) + 8, max_position_embeddings=64)
    files.save(folder, config, random_tensors(config, request.param), f"Albert{request.param}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    ADAPTERS[request.param]()  # which skips where it is not installed
    return request.param


def expected(adapter, model, tokenizer, text):
    """The probabilities of a text's masks by the model itself, (P, V)."""
    ids = np.array([tokenizer(text)["input_ids"]])
    checkpoint = files.load(model)
    built = adapter.evaluating(adapter.build("ForMaskedLM", checkpoint.config, checkpoint.tensors))
    logits = adapter.outputs(built, {"input_ids": ids})["logits"][ids == tokenizer.mask_token_id]
    chances = np.exp(logits.astype(np.float64))
    return chances / chances.sum(-1, keepdims=True)


def test_answers_are_the_best_of_the_models_own_scores(framework, model, tokenizer):
    fill = pipeline("fill-mask", model, framework)
    answers = fill(TEXTS, top_k=3)
    for text, answer in zip(TEXTS, answers, strict=True):
        each = answer if text.count("[MASK]") > 1 else [answer]
        chances = expected(ADAPTERS[framework](), model, tokenizer, text)
        assert len(each) == len(chances) == text.count("[MASK]")
        for row, found in zip(chances, each, strict=True):
            best = np.argsort(-row[: len(tokenizer)])[:3]
            assert [one["token"] for one in found] == best.tolist()
            np.testing.assert_allclose([one["score"] for one in found], row[best], rtol=1e-4)
    assert [one["sequence"] for one in fill(TEXTS[0], top_k=3)] == [one["sequence"] for one in answers[0]]
    assert fill([]) == []


def test_targets_keep_their_share_of_all(framework, model, tokenizer):
    answers = pipeline("fill-mask", model, framework)("the [MASK]", targets=["a", "the"])
    row = expected(ADAPTERS[framework](), model, tokenizer, "the [MASK]")[0]
    vocabulary = tokenizer.get_vocab()
    assert {one["token"] for one in answers} == {vocabulary["▁a"], vocabulary["▁the"]}
    np.testing.assert_allclose(
        [one["score"] for one in answers], sorted(row[one["token"]] for one in answers)[::-1], rtol=1e-4
    )


@pytest.mark.torch
def test_mistakes_are_told(model, tmp_path, tokenizer):
    fill = pipeline("fill-mask", model, "torch", max_length=8)
    with pytest.raises(InputError, match="without"):
        fill("no mask")
    with pytest.raises(InputError, match="one piece"):
        fill("[MASK]", targets="unbelievable")
    fill("[MASK]" + " a" * 20)
    assert fill.truncated == 1
    config = small(vocab_size=len(tokenizer))
    files.save(tmp_path, config, random_tensors(config, "Model"), "AlbertModel")
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(WeightMismatch, match=r"lacks predictions\."):
        pipeline("fill-mask", tmp_path, "torch")
    with pytest.raises(InputError, match="Did you mean `fill-mask`"):
        pipeline("fill_mask", model)


@pytest.mark.torch
def test_the_task_is_found_in_the_config_and_the_checkpoint_read_once(model, monkeypatch):
    loads, load = [], files.load
    monkeypatch.setattr(files, "load", lambda name: loads.append(name) or load(name))
    assert pipeline("auto", model, "torch").task.name == "fill-mask"
    assert loads == [model]
    for name in ("AlbertForSequenceClassification", "AlbertModel"):
        assert registry.of_model([name]).name == "text-classification"
    assert registry.of_model([]).name == "text-classification"


@pytest.mark.torch
def test_options_that_a_task_does_not_have_are_refused(model):
    fill = pipeline("fill-mask", model, "torch")
    with pytest.raises(
        InputError,
        match=r"fill-mask has the options top_k, targets. Received: 'topk'. Leave it out. Did you mean `top_k`",
    ):
        fill("[MASK]", topk=3)
    with pytest.raises(
        InputError, match=r"must have labels and scores. Received: 'fill-mask'.*another task: text-classification"
    ):
        fill.evaluate("dev.csv")


@pytest.mark.torch
def test_options_of_the_data_are_checked_by_name_kind_and_use(model):
    fill = pipeline("fill-mask", model, "torch")
    assert fill.data_options(text_column="body").text_column == "body"
    for given, words in (
        ({"text_colum": "a"}, "Received: 'text_colum'. Did you mean `text_column`"),
        ({"skip_empty": "false"}, "`skip_empty` must be true or false. Received: 'false'"),
        ({"text_column": 3}, "`text_column` must be text. Received: 3"),
        ({"header": "a,b"}, "`header` must be a list"),
        ({"header": 3}, "`header` must be a list"),
        ({"max_length": 5}, "`max_length` is an option of training.*--max-length"),
    ):
        with pytest.raises(InputError, match=words):
            fill.data_options(**given)


@pytest.mark.torch
def test_a_task_without_options_says_so(model, tmp_path, tokenizer):
    config = small(vocab_size=len(tokenizer))
    head = "ForSequenceClassification"
    files.save(tmp_path, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=r"text-classification answers without options. Received: 'top_k'. Leave it out"
    ):
        pipeline("auto", tmp_path, "torch")("a text", top_k=3)
    (tmp_path / "d.csv").write_text("text,label\na,LABEL_0\n")
    with pytest.raises(InputError, match=r"`label_separator` must be of a length of at least 1. Received: ''"):
        pipeline("auto", tmp_path, "torch").evaluate(tmp_path / "d.csv", label_separator="")
    with pytest.raises(
        InputError, match=r"`problem` must be what the model was trained for, single.*Received: 'multi'"
    ):
        pipeline("auto", tmp_path, "torch").evaluate(tmp_path / "d.csv", problem="multi")


@pytest.mark.torch
def test_a_call_says_once_that_texts_are_empty_or_unknown_to_the_vocabulary(model, caplog):
    fill = pipeline("fill-mask", model, "torch")
    fill(["the [MASK] is good", "A [MASK]"])
    assert not caplog.records
    assert fill.unknown.unreadable == 0
    fill(["电影 [MASK] 很好", "好看 [MASK]", "a [MASK] cat"])
    (record,) = caplog.records
    assert "2 of 3 texts are empty or mostly unknown" in record.getMessage()
    assert "another language" in record.getMessage()


@pytest.mark.torch
def test_a_record_says_that_its_text_is_unknown_to_the_vocabulary(model):
    fill = pipeline("fill-mask", model, "torch")
    texts = ["电影 [MASK] 很好", "a [MASK] cat", "[MASK] 的"]
    parts = (fill.task.examples(part)[0] for part in (texts, texts[:1]))
    records = list(fill.stream(parts))
    assert ["warning" in record for record in records] == [True, False, True, True]
    assert "2 of 2 pieces of the text are unknown" in records[0]["warning"]
    assert (fill.unknown.texts, fill.unknown.unreadable) == (4, 3)
