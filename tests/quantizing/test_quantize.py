"""albertkit quantize: scales from texts, kept only where the answers stay as they are, and used from then on."""

import json
import re
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from typer.testing import CliRunner  # noqa: E402

from albertkit.checkpoint import files  # noqa: E402
from albertkit.cli.app import app  # noqa: E402
from albertkit.config import AlbertConfig  # noqa: E402
from albertkit.errors import CheckpointError, InputError  # noqa: E402
from albertkit.inference.parity import Parity  # noqa: E402
from albertkit.kernels import library  # noqa: E402
from albertkit.pipelines import Pipeline, pipeline  # noqa: E402
from albertkit.quantization import QUANTIZATION_FILE, SITES, InputStatistics  # noqa: E402
from albertkit.quantizing import plans  # noqa: E402
from albertkit.quantizing.quantize import quantize  # noqa: E402
from albertkit.tokenization.fast import AlbertTokenizerFast  # noqa: E402
from frameworks.common import random_tensors, small  # noqa: E402

pytestmark = pytest.mark.torch

WORDS = "the of and to in a is that for it was on as with his he be by at from"
HEADS = ("ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForSentenceEmbedding")


def sentences(count):
    draw = np.random.default_rng(3)
    return [" ".join(draw.choice(WORDS.split(), draw.integers(3, 12))) for _ in range(count)]


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(sentences(60)))
    return file


@pytest.fixture
def model(request, tmp_path, data):
    return saved(tmp_path / "model", data, getattr(request, "param", "ForSequenceClassification"))


def saved(folder, data, head, **changes):
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "embedding_size": 16} | changes
    config = small(vocab_size=len(tokenizer), max_position_embeddings=48, **{"num_labels": 3, **sizes})
    files.save(folder, config, random_tensors(config, head), f"Albert{head}")
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("model", HEADS, indirect=True)
def test_a_quantized_folder_answers_in_int8_and_is_read_as_before(model, texts):
    before = pipeline(model=model, framework="torch", task="auto")
    found = quantize(model, texts, min_agreement=0.5)
    assert found.folder == model
    assert json.loads((model / QUANTIZATION_FILE).read_text())["report"] == found.report
    assert files.load(model).quantization is not None
    answers = [list(one.outputs(["the [MASK] of it"])) for one in (before, pipeline(model=model, framework="torch"))]
    exact = list(pipeline(model=model, framework="torch", precision="fp32").outputs(["the [MASK] of it"]))
    for name, values in answers[0][0].items():
        np.testing.assert_array_equal(exact[0][name], values)
        assert not np.array_equal(answers[1][0][name], values)
        np.testing.assert_allclose(answers[1][0][name], values, atol=0.2 * np.abs(values).max())


def test_states_and_answers_do_not_depend_on_how_many_tokens_are_computed_together(model, texts):
    quantize(model, texts, min_agreement=0.5)
    for precision, task, name, allowed in (
        ("int8", "feature-extraction", "last_hidden_state", 0),
        ("int8", "text-classification", "logits", 1e-6),
        ("fp32", "text-classification", "logits", 1e-5),
    ):
        given = {"task": task, "model": model, "framework": "torch", "precision": precision}
        usual = list(pipeline(**given).outputs(sentences(30)))
        found = list(pipeline(**given, max_batch_tokens=20).outputs(sentences(30)))
        for one, other in zip(found, usual, strict=True):
            np.testing.assert_allclose(one[name], other[name], rtol=0, atol=allowed)


def test_the_report_says_what_was_tried_and_both_scores(model, tmp_path):
    rows = [{"text": text, "label": f"LABEL_{number % 3}"} for number, text in enumerate(sentences(40))]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    report = quantize(model, file, min_agreement=0.5).report
    assert report["rows"] == 40
    assert report["tried"][0]["answers"] == 20
    assert 0.5 <= report["tried"][-1]["agreement"] <= 1
    assert report["scores"]["fp32"].keys() == report["scores"]["int8"].keys() >= {"accuracy"}


def test_labels_that_the_model_does_not_know_leave_out_the_scores_and_say_why(model, tmp_path):
    rows = [{"text": text, "label": f"other {number % 2}"} for number, text in enumerate(sentences(40))]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    report = quantize(model, file, min_agreement=0.5).report
    assert "scores" not in report
    assert "LABEL_0" in report["no_scores"]


def test_scores_are_of_no_more_examples_than_are_asked_for(model, tmp_path, monkeypatch):
    rows = [{"text": text, "label": "LABEL_0"} for text in sentences(40)]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    counted, evaluate = [], Pipeline.evaluate

    def counting(*given, **options):
        counted.append(options["max_eval_samples"])
        return evaluate(*given, **options)

    monkeypatch.setattr(Pipeline, "evaluate", counting)
    assert "scores" in quantize(model, file, min_agreement=0.5, max_rows=20).report
    assert counted == [20, 20]


def test_where_no_way_is_good_enough_nothing_is_written(model, texts, monkeypatch):
    monkeypatch.setattr(Parity, "agreements", lambda _: {"agreement": 0.0})
    with pytest.raises(InputError, match=r"must leave 99.00% of the answers as they are. Received: 0.00%"):
        quantize(model, texts)
    assert not (model / QUANTIZATION_FILE).exists()


@pytest.mark.parametrize("model", ["ForTokenClassification"], indirect=True)
def test_a_way_must_leave_whole_rows_as_they_are_where_that_is_asked_for(model, texts, monkeypatch):
    told = []
    first = quantize(model, texts, min_agreement=0.5, told=told.append).report["tried"]
    assert len(first) == 1
    assert first[0]["row_agreement"] <= first[0]["agreement"]
    assert f"all of a row in {first[0]['row_agreement']:.2%} of the rows" in told[1]
    shares = iter([0.2, 0.2, 0.2, 0.9, 0.9, 0.9])  # of the first way and of the second, each read three times
    monkeypatch.setattr(Parity, "row_agreement", property(lambda _: next(shares)))
    tried = quantize(model, texts, min_agreement=0.5, min_row_agreement=0.8).report["tried"]
    assert [one["row_agreement"] for one in tried] == [0.2, 0.9]


def test_a_refusal_says_which_of_the_two_was_asked_for(model, texts, monkeypatch):
    monkeypatch.setattr(Parity, "row_agreement", property(lambda _: 0.25))
    with pytest.raises(InputError, match=r"in 90.00% of the rows. Received: .*--min-row-agreement"):
        quantize(model, texts, min_agreement=0.0, min_row_agreement=0.9)
    assert not (model / QUANTIZATION_FILE).exists()


def test_a_copy_holds_the_scales_and_the_model_itself_none(model, texts, tmp_path):
    quantize(model, texts, tmp_path / "copy", min_agreement=0.5)
    assert not (model / QUANTIZATION_FILE).exists()
    assert files.load(tmp_path / "copy").quantization is not None
    assert pipeline(model=tmp_path / "copy", framework="torch")("the of")


def test_scales_of_other_weights_are_not_used_and_that_is_said(model, texts, tmp_path, data):
    quantize(model, texts, min_agreement=0.5)
    other = saved(tmp_path / "other", data, "ForTokenClassification")
    config = AlbertConfig.from_pretrained(model)
    tensors = random_tensors(config, "ForSequenceClassification")
    tensors = {name: values * 1.01 for name, values in tensors.items()}
    files.save(other, config, tensors, "AlbertForSequenceClassification")
    shutil.copyfile(model / QUANTIZATION_FILE, other / QUANTIZATION_FILE)
    found = files.load(other)
    assert found.quantization is None
    assert any("made for other weights" in note for note in found.notes)


@pytest.mark.parametrize(
    "damage",
    [
        {"layers": []},
        {"mapping": -1.0},
        {"mapping": "tensor"},
        {"smoothing": {"ffn": [1.0]}},
        {"smoothing": {"other": []}, "mapping": None},
        {"layers": [{"ffn": 1.0}]},
    ],
)
def test_a_damaged_file_is_refused_with_a_way_out(model, texts, damage):
    quantize(model, texts, min_agreement=0.5)
    file = model / QUANTIZATION_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | damage))
    with pytest.raises(CheckpointError, match="albertkit quantize"):
        files.load(model)


def test_too_few_texts_are_refused(model, tmp_path):
    (tmp_path / "few.txt").write_text("the of\nand to\n")
    with pytest.raises(InputError, match=r"at least 16 rows.*makes 2"):
        quantize(model, tmp_path / "few.txt")


def test_a_folder_that_takes_no_files_is_refused_before_anything_is_computed(model, texts, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("a")
    monkeypatch.setattr("albertkit.quantizing.quantize._load", None)  # it would be called to no end
    with pytest.raises(CheckpointError, match=r"file.out"):
        quantize(model, texts, tmp_path / "file" / "out")


def test_a_model_of_the_package_needs_a_folder_for_a_copy(texts):
    with pytest.raises(InputError, match="--output"):
        quantize("albertkit/small-en", texts)


def test_the_command_prints_the_report(model, texts):
    done = CliRunner().invoke(app, ["quantize", str(model), "--calibrate", str(texts), "--min-agreement", "0.5"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 60
    first, *ways, last = done.stderr.splitlines()
    assert first == "Asking the model about 30 rows in float32, and taking the scales from 30 others."
    assert ways
    assert all(way.endswith("% of the answers stay as they are.") for way in ways)
    assert last.startswith("Kept in")


@pytest.mark.parametrize(
    ("head", "labels", "told"),
    [
        ("ForSentenceEmbedding", 3, r"token: the least cosine of vectors is [01]\.\d{4}"),
        ("ForSequenceClassification", 1, r"token.*: the correlation of numbers is 0\.\d{4}"),
    ],
)
def test_of_vectors_and_numbers_it_is_told_how_near_they_come(tmp_path, data, texts, head, labels, told):
    lines = []
    model = saved(tmp_path / "model", data, head, num_labels=labels)
    with pytest.raises(InputError, match=r"a cosine or correlation of 1\.000000\. Received: 0\.\d{6}, of"):
        quantize(model, texts, min_agreement=1.0, told=lines.append)
    assert re.search(told, "\n".join(lines))


def test_bad_rows_are_left_out_where_that_is_asked_for_and_else_named(model, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join([*(json.dumps({"text": text}) for text in sentences(30)), '{"text": "cut']))
    command = ["quantize", str(model), "--calibrate", str(file), "--min-agreement", "0.5"]
    assert "line 31" in str(CliRunner().invoke(app, command).exception)
    done = CliRunner().invoke(app, [*command, "--skip-bad-rows"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["rows"] == 30


def statistics(config, static, token, outlier=1.0):
    channels = np.ones(config.hidden_size, np.float32)
    channels[0] = outlier
    one = InputStatistics(channels, np.full(8, static), token)
    runs = config.num_hidden_layers * config.inner_group_num
    return {site: [one] * runs for site in SITES} | {"embedding_hidden_mapping_in": [one]}


def test_plans_go_from_the_fastest_to_the_most_exact():
    config = small()
    tensors = random_tensors(config, "Model")
    ways = list(plans.plans(config, statistics(config, 0.1, 0.01, 9.0), tensors, is_compiled=False))
    first, second, third, smoothed, last = (one.quantization for one in ways)
    assert first.layers[0]["ffn"] == 9.0
    assert second.layers[0]["ffn"] == third.layers[0]["ffn"] == "token"
    assert smoothed.smoothing["ffn"][0] > smoothed.smoothing["ffn"][1:].max()
    assert last.smoothing.keys() == {"query_key_value", "ffn"}
    close = list(plans.plans(config, statistics(config, 0.01, 0.009), tensors, is_compiled=False))[1]
    assert close.quantization.layers[0]["ffn"] == 1.0
    compiled = plans.plans(config, statistics(config, 0.01, 0.009), tensors, is_compiled=True)
    assert [one.name for one in compiled] == [one.name for one in ways[2:]]


@pytest.mark.parametrize("kernels", [True, False])
def test_a_scale_for_each_token_comes_first_where_it_costs_hardly_anything(texts, tmp_path, data, monkeypatch, kernels):
    if not kernels:
        monkeypatch.setattr(library, "has_precision", lambda precision: False)
    elif not library.has_precision("int8"):
        pytest.skip("has no compiled library")
    sizes = {"num_attention_heads": 1, "embedding_size": 32}
    model = saved(tmp_path / "model", data, "ForSequenceClassification", **sizes)
    tried = quantize(model, texts, min_agreement=0.0).report["tried"]
    assert [one["inputs"] for one in tried] == ["a scale for each token" if kernels else "one scale a product"]
    assert (files.load(model).quantization.mapping == "token") == kernels
