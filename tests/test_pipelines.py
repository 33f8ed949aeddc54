"""Filling in masks, in every framework; classification is tested where it is trained, in training/test_finetune.py."""

import shutil

import numpy as np
import pytest

import albertkit
from albertkit import backends
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointNotFound, InputError, WeightMismatch
from albertkit.pipelines import pipeline
from albertkit.tasks import registry, trained_on
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
@pytest.mark.torch
def test_the_task_is_found_in_the_config_and_the_checkpoint_read_once(model, monkeypatch):
    loads, load = [], files.load
    monkeypatch.setattr(files, "load", lambda name: loads.append(name) or load(name))
    assert pipeline("auto", model, "torch").task.name == "fill-mask"
    assert loads == [model]
    for name, task in (
        ("AlbertForSequenceClassification", "text-classification"),
        ("AlbertModel", "feature-extraction"),
    ):
        assert registry.of_model(AlbertConfig(), [name]).name == task
    assert registry.of_model(AlbertConfig()).name == "text-classification"


@pytest.mark.torch
@pytest.mark.torch
def test_options_that_a_task_does_not_have_are_refused(model):
    fill = pipeline("fill-mask", model, "torch")
    with pytest.raises(
        InputError,
        match=r"fill-mask has the options top_k, targets. Received: 'top_n'. Leave it out. Did you mean `top_k`",
    ):
        fill("[MASK]", top_n=3)


@pytest.mark.torch
@pytest.mark.torch
def test_options_of_the_data_are_checked_by_name_kind_and_use(model):
    fill = pipeline("fill-mask", model, "torch")
    assert fill.data_options(text_column="body").text_column == "body"
    for given, words in (
        ({"text_colum": "a"}, "Received: 'text_colum'. Did you mean `text_column`"),
        ({"skip_bad_rows": "false"}, "`skip_bad_rows` must be true or false. Received: 'false'"),
        ({"text_column": 3}, "`text_column` must be text. Received: 3"),
        ({"header": "a,b"}, "`header` must be a list"),
        ({"header": 3}, "`header` must be a list"),
        ({"max_length": 5}, "`max_length` is an option of training.*--max-length"),
    ):
        with pytest.raises(InputError, match=words):
            fill.data_options(**given)


@pytest.mark.torch
@pytest.mark.torch
def test_options_of_evaluation_are_checked(model, tmp_path, tokenizer):
    config = small(vocab_size=len(tokenizer))
    head = "ForSequenceClassification"
    files.save(tmp_path, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "d.csv").write_text("text,label\na,LABEL_0\n")
    with pytest.raises(InputError, match=r"`label_separator` must be of a length of at least 1. Received: ''"):
        pipeline("auto", tmp_path, "torch").evaluate(tmp_path / "d.csv", label_separator="")
    with pytest.raises(
        InputError, match=r"`problem` must be what the model was trained for, single.*Received: 'multi'"
    ):
        pipeline("auto", tmp_path, "torch").evaluate(tmp_path / "d.csv", problem="multi")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, tokenizer):
    """A folder with a classifier of three classes and random weights."""
    folder = tmp_path_factory.mktemp("classifier")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=32, num_labels=3)
    head = "ForSequenceClassification"
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


def loaded(framework, folder, head="ForSequenceClassification"):
    return getattr(albertkit, f"{backends.PREFIXES[framework]}{head}").from_pretrained(folder)


@pytest.mark.torch
@pytest.mark.torch
def test_the_pipeline_is_a_public_name_that_takes_what_transformers_takes(classifier):
    classify = albertkit.pipeline(
        task="sentiment-analysis",
        model=str(classifier),
        tokenizer=str(classifier),
        device=-1,
        batch_size=2,
        framework="torch",
        truncation=True,
        max_length=16,
        top_k=2,
        function_to_apply="sigmoid",
        padding=True,
    )
    assert classify.task.name == "text-classification"
    [answers] = classify("the film")
    assert [one.keys() for one in answers] == [{"label", "score"}] * 2
    assert albertkit.pipeline(model=classifier, framework="torch").task.name == "text-classification"


@pytest.mark.torch
@pytest.mark.torch
def test_a_pair_as_a_mapping_has_one_answer(classifier):
    classify = pipeline("text-classification", classifier, "torch")
    pair = {"text": "the good film", "text_pair": "a bad film"}
    apart = classify(["the good film", "a bad film"])
    found = classify(pair)
    assert found["score"] not in [one["score"] for one in apart]
    assert classify(["the good film"], ["a bad film"]) == [found]
    assert classify("the good film", text_pair="a bad film") == [found]
    np.testing.assert_allclose(
        [one["score"] for one in classify([pair, "the good film", pair])],
        [found["score"], apart[0]["score"], found["score"]],
        rtol=1e-5,
    )


@pytest.mark.torch
@pytest.mark.torch
def test_arrays_and_generators_are_answered_in_order(classifier):
    classify = pipeline("text-classification", classifier, "torch")
    texts = [f"the {'very ' * (number % 7)}good film" for number in range(40)]
    expected = [one["score"] for one in classify(texts)]
    for given in (np.array(texts), np.array(texts, object)):
        np.testing.assert_allclose([one["score"] for one in classify(given)], expected, rtol=1e-5)
    for given in (iter(texts), ({"text": text} for text in texts)):
        found = classify(given)
        assert next(found)["score"] == pytest.approx(expected[0], rel=1e-5)
        np.testing.assert_allclose([one["score"] for one in found], expected[1:], rtol=1e-5)
    ranked = classify(iter(texts[:2]), top_k=None)
    assert [len(one) for one in ranked] == [3, 3]


@pytest.mark.torch
@pytest.mark.torch
def test_a_generator_is_read_no_further_than_a_batch(classifier):
    read = []
    given = (read.append(number) or "the film" for number in range(10**9))
    answers = pipeline("text-classification", classifier, "torch", batch_size=3)(given)
    for _ in range(4):
        next(answers)
    assert len(read) == 6


@pytest.mark.torch
@pytest.mark.torch
def test_an_input_of_a_generator_that_is_no_text_is_named_and_those_before_it_are_answered(classifier):
    given = iter(["a"] * 20 + [None, "b"])
    answers = pipeline("text-classification", classifier, "torch")(given)
    found = []
    with pytest.raises(InputError, match=r"text 21: .*Received: None"):
        found.extend(answers)
    assert len(found) == 20


@pytest.mark.torch
def test_what_a_generator_raises_comes_after_the_answers_for_what_it_gave(classifier):
    def given():
        yield from ["the film"] * 30
        raise OSError("the line is dead")

    found = []
    with pytest.raises(OSError, match="the line is dead"):
        found.extend(pipeline("text-classification", classifier, "torch")(given()))
    assert len(found) == 30


@pytest.mark.torch
@pytest.mark.torch
def test_a_text_that_cannot_be_answered_is_named_among_many(classifier, model, tokenizer, tmp_path):
    fill = pipeline("fill-mask", model, "torch")
    answers = fill(iter(["the [MASK]"] * 12 + ["no mask", "the [MASK]"]))
    with pytest.raises(InputError, match="text 13: A text must hold"):
        list(answers)
    config = small(vocab_size=len(tokenizer), tie_word_embeddings=False)
    for head, words in (
        ("ForSequenceClassification", "1 of 3 answers, the first of them number 2"),
        ("ForMaskedLM", "number 2 of 3 texts"),
    ):
        tensors = random_tensors(config, head)
        tensors["albert.embeddings.word_embeddings.weight"][tokenizer.get_vocab()["▁of"]] = 3e38
        folder = tmp_path / head
        files.save(folder, config, tensors, f"Albert{head}")
        tokenizer.save_pretrained(folder)
        broken = pipeline(None, folder, "torch")
        with pytest.raises(InputError, match=f"finite numbers. Received: others for {words}"):
            broken(["a [MASK]", "a [MASK] of", "the [MASK]"])
        with pytest.raises(InputError, match="text 2: A model must answer with finite numbers"):
            list(broken(iter(["a [MASK]", "a [MASK] of", "the [MASK]"])))


def test_the_folder_of_a_run_that_has_not_ended_names_the_model_below_it(model, tmp_path):
    shutil.copytree(model, tmp_path / "checkpoints" / "step-00000002")
    with pytest.raises(CheckpointNotFound, match=r"The newest model below it is .*step-00000002: name that"):
        pipeline("text-classification", tmp_path)


def test_a_loaded_model_answers_as_its_folder(framework, classifier, model, tokenizer):
    built = loaded(framework, classifier)
    texts = ["the good film", {"text": "a film", "text_pair": "the end"}, "[MASK]"]
    found = albertkit.pipeline("text-classification", built, tokenizer=tokenizer)(texts, top_k=None)
    expected = pipeline("text-classification", classifier, framework)(texts, top_k=None)
    for one, other in zip(found, expected, strict=True):
        assert [each["label"] for each in one] == [each["label"] for each in other]
        np.testing.assert_allclose([each["score"] for each in one], [each["score"] for each in other], rtol=1e-5)
    filler = albertkit.pipeline(model=loaded(framework, model, "ForMaskedLM"), tokenizer=str(classifier))
    assert filler.task.name == "fill-mask"
    assert [one["token"] for one in filler("the [MASK]")] == [
        one["token"] for one in pipeline("fill-mask", model, framework)("the [MASK]")
    ]


def test_a_loaded_model_of_pre_training_fills_masks(framework, tmp_path, tokenizer):
    config = small(vocab_size=len(tokenizer), return_dict=False, output_hidden_states=True, output_attentions=True)
    files.save(tmp_path, config, random_tensors(config, "ForPreTraining"), "AlbertForPreTraining")
    tokenizer.save_pretrained(tmp_path)
    fill = albertkit.pipeline("fill-mask", loaded(framework, tmp_path, "ForPreTraining"), tokenizer=tokenizer)
    assert fill("a [MASK]")[0]["score"] == pytest.approx(
        pipeline("fill-mask", tmp_path, framework)("a [MASK]")[0]["score"], rel=1e-4
    )


@pytest.mark.torch
def test_a_model_that_is_being_trained_answers_without_dropout_and_stays_in_training(classifier, tokenizer):
    torch = pytest.importorskip("torch")
    built = loaded("torch", classifier).train()
    classify = albertkit.pipeline("text-classification", built, tokenizer=tokenizer)
    before = classify("the film")
    assert classify("the film") == before
    assert built.training
    assert built.classifier.training
    with torch.no_grad():
        built.classifier.bias += torch.tensor([0.0, 5.0, 0.0])
    assert classify("the film") != before


def test_a_device_is_named_as_in_transformers(framework, classifier, tokenizer):
    expected = pipeline("text-classification", classifier, framework)("the film")
    for device in ("cpu", -1, "cpu:0"):
        given = {"device": device, "framework": framework}
        assert albertkit.pipeline("text-classification", classifier, **given)("the film")[0] == pytest.approx(
            expected[0]
        )
    built = loaded(framework, classifier)
    on_cpu = albertkit.pipeline("text-classification", built, tokenizer=tokenizer, device="cpu")("the film")
    assert on_cpu[0] == pytest.approx(expected[0])
    for given in ((classifier, {"framework": framework}), (built, {"tokenizer": tokenizer})):
        for device in ("cuda:77", 77, "nowhere", "cpu:x"):
            with pytest.raises(InputError, match=r"`device` must be one that .* can use here.*Leave it out"):
                albertkit.pipeline("text-classification", given[0], device=device, **given[1])


@pytest.mark.torch
def test_a_device_of_pytorch_is_taken_and_others_are_refused(classifier):
    torch = pytest.importorskip("torch")
    classify = albertkit.pipeline("text-classification", classifier, device=torch.device("cpu"))
    assert len(classify("the film")) == 1
    for device in (True, -2, 1.0, "", ["cpu"]):
        with pytest.raises(InputError, match="`device` must be a name"):
            albertkit.pipeline("text-classification", classifier, device=device)


@pytest.mark.torch
@pytest.mark.torch
def test_a_loaded_model_that_cannot_answer_is_refused(classifier, tokenizer):
    built = loaded("torch", classifier)
    for options, told in (
        ({}, "needs its tokenizer beside it. Received: AlbertForSequenceClassification alone"),
        ({"tokenizer": 5}, "A tokenizer must be one of this package.*Received: 5"),
        ({"tokenizer": tokenizer, "task": "fill-mask"}, "fill-mask needs a model of the class AlbertForMaskedLM or"),
        ({"tokenizer": tokenizer, "framework": "flax"}, "answers in its own framework, torch. Received: 'flax'"),
    ):
        with pytest.raises(InputError, match=told):
            albertkit.pipeline(**{"task": "text-classification", "model": built, **options})
    with pytest.raises(InputError, match=r"A model must be a name, a folder, or a model of this package. Received: "):
        albertkit.pipeline("text-classification", object())
    with pytest.raises(InputError, match=r"needs a model.*Received: neither. A task comes before it: pipeline\(model="):
        albertkit.pipeline(str(classifier))


@pytest.mark.torch
@pytest.mark.torch
def test_longer_texts_are_refused_where_they_may_not_be_cut(classifier, caplog):
    classify = pipeline("text-classification", classifier, "torch", truncation=False)
    assert len(classify("the film")) == 1
    with pytest.raises(
        InputError, match=r"must fit into 32 tokens. Received: 1 longer of 2, the first of them number 2"
    ):
        classify(["a", "a " * 80])
    assert not caplog.records  # nor is anything said of a tokenizer without a limit
    assert len(classify("a " * 80, truncation=True)) == 1
    assert classify.truncated == 1
    for options, told in (
        ({"truncation": "only_first"}, "`truncation` must be True or False"),
        ({"max_length": 0}, "`max_length` must be a whole number of at least 1. Received: 0"),
        ({"batch_size": "8"}, "`batch_size` must be a whole number of at least 1. Received: '8'"),
        ({"max_batch_tokens": 0}, "`max_batch_tokens` must be a whole number of at least 1. Received: 0"),
        ({"max_batch_tokens": 4096.0}, "`max_batch_tokens` must be a whole number"),
        ({"top_k": 0}, "`top_k` must be a whole number of at least 1. Received: 0"),
        ({"top_k": 1.5}, "`top_k` must be a whole number"),
        ({"function_to_apply": "relu"}, "`function_to_apply` must be .*Received: 'relu'"),
        ({"function_to_apply": 3}, "`function_to_apply` must be .*Received: 3"),
        ({"return_all_scores": True}, "Received: 'return_all_scores'. Leave it out. top_k=None gives all classes"),
        ({"batchsize": 2}, "Received: 'batchsize'. Leave it out. Did you mean `batch_size`"),
    ):
        with pytest.raises(InputError, match=told):
            classify("a", **options)
    with pytest.raises(InputError, match=r"Received: none. Pass a text"):
        classify()


@pytest.mark.torch
@pytest.mark.torch
def test_a_model_of_pairs_says_when_it_is_asked_for_single_texts_and_the_other_way_round(classifier, tmp_path, caplog):
    task, single = registry.get("text-classification"), {"text": "a"}
    pair = {"text": "a", "text_pair": "b"}
    for columns, fitting, other, told in (
        ({"text_column": "a", "pair_column": "b"}, pair, single, "trained on pairs of texts, and is asked for single"),
        ({"text_column": "a"}, single, pair, "trained on single texts, and is asked for pairs"),
    ):
        folder = tmp_path / told[:16]
        checkpoint = files.load(classifier)
        config = trained_on.write(checkpoint.config, task, task.options(**columns))
        files.save(folder, config, checkpoint.tensors, "AlbertForSequenceClassification")
        shutil.copy(classifier / "spiece.model", folder)
        classify = pipeline(None, folder, "torch")
        classify(fitting)
        assert caplog.messages == []
        classify([fitting, other])
        classify(other)
        assert len(caplog.messages) == 1
        assert told in caplog.messages[0]
        caplog.clear()
    pipeline(None, classifier, "torch")([single, pair])
    assert caplog.messages == []


@pytest.mark.torch
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
@pytest.mark.torch
def test_a_record_says_that_its_text_is_unknown_to_the_vocabulary(model):
    fill = pipeline("fill-mask", model, "torch")
    texts = ["电影 [MASK] 很好", "a [MASK] cat", "[MASK] 的"]
    parts = (fill.task.examples(part)[0] for part in (texts, texts[:1]))
    records = list(fill.stream(parts))
    assert ["warning" in record for record in records] == [True, False, True, True]
    assert "2 of 2 pieces of the text are unknown" in records[0]["warning"]
    assert (fill.unknown.texts, fill.unknown.unreadable) == (4, 3)


@pytest.mark.torch
def test_whoever_computes_calls_together_bounds_their_tokens(model):
    answerer = pipeline("fill-mask", model, "torch", max_batch_tokens=40)
    call, seen, forward = answerer.prepare(TEXTS * 3), [], answerer._engine._forward
    answerer._engine._forward = lambda batch: (seen.append(batch.input_ids.size), forward(batch))[1]
    answer = call.finish(answerer.run(call.features))
    assert max(seen) <= 40 < sum(seen)
    seen.clear()
    assert len(call.finish(answerer.run(call.features, 4096))) == len(answer) == len(TEXTS) * 3
    assert len(seen) == 1
