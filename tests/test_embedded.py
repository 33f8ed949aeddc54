"""Models that come with the package: found by name without a network, and packaged by models/pretrained.py."""

import importlib
import importlib.util
import json
import re
import shutil
import socket
import zlib
from pathlib import Path

import numpy as np
import pytest

import albertkit
from albertkit import backends, hub
from albertkit import embedded as embedded_models
from albertkit.checkpoint import files, weight_files
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound, InputError
from albertkit.inference import parts
from albertkit.pipelines import pipeline
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training.backends import train_backend
from frameworks.adapters import ADAPTERS
from frameworks.common import random_tensors, small

ROOT = Path(__file__).parents[1]
NAME = "albertkit/small-en"
FOLDER = ROOT / "src" / "albertkit" / "models" / "small-en"
FRAMEWORKS = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ADAPTERS]


@pytest.fixture(scope="module")
def packager():
    spec = importlib.util.spec_from_file_location("pretrained", ROOT / "models" / "pretrained.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(tmp_path, data):
    """What `albertkit pretrain` leaves, and its corpus, without the training."""
    folder = tmp_path / "run"
    tokenizer = AlbertTokenizerFast(data / "spiece.model")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64)
    files.save(folder, config, random_tensors(config, "ForPreTraining"), "AlbertForPreTraining")
    tokenizer.save_pretrained(folder)
    training = {"batch_size": 4, "optimizer": "adamw", "learning_rate": 1e-3, "schedule": "linear", "precision": "bf16"}
    training["evaluation_rows"] = 512
    resolved = {
        "framework": "torch",
        "data": {"corpus": str(tmp_path), "length": 32, "objective": "mlm+sop", "masked_lm_prob": 0.15, "ngram": 3},
        "training": training,
    }
    results = {"step": 50, "mlm_accuracy": 0.25, "sop_accuracy": 0.625, "tokens_held_out": 4321, "epoch": 1.5}
    corpus = {"documents": 77, "tokens": 12345, "statistics": {"text_bytes": 2_000_000}}
    (folder / "run.json").write_text(json.dumps({"resolved": resolved, "cores": 2, "platform": "a machine"}))
    (folder / "eval_results.json").write_text(json.dumps(results))
    (tmp_path / "corpus.json").write_text(json.dumps(corpus))
    steps = [{"step": step, "tokens": 128, "seconds": 36.0} for step in (10, 50)]
    log = [steps[0], {"evaluation": {"step": 20, "loss": 1.0}}, steps[1]]
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    return folder


@pytest.fixture
def embedded(packager, run, tmp_path, monkeypatch):
    """A packaged model under a name of its own."""
    packager.package([run], None, tmp_path / "models" / "tiny", None)
    tiny = {"albertkit/tiny": embedded_models.Embedded("en", ("fill-mask",))}
    monkeypatch.setattr(embedded_models, "MODELS", tiny | embedded_models.MODELS)
    monkeypatch.setattr(embedded_models.importlib.resources, "files", lambda package: tmp_path)
    monkeypatch.setattr(socket, "socket", None)
    return "albertkit/tiny"


def test_a_folder_is_complete_and_says_what_it_is(packager, run, tmp_path):
    said = packager.package([run, run], None, tmp_path / "out", None)
    assert "changes no weight by more than" in said
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    plain = ["README.md", "config.json", "model.safetensors", "special_tokens_map.json", "spiece.model"]
    assert found == [*plain, "tokenizer_config.json"]
    card = (tmp_path / "out" / "README.md").read_text()
    # Two runs of fifty steps: 100 steps of 128 tokens, an hour.
    assert "0 million tokens in all: 1.0 times the corpus" in card
    assert "| 2 | mlm+sop | 15%, 3 words at most together | 50 | 4 | 32 | adamw | 0.001 | linear | bf16 |" in card
    for words in ("77 documents", "12,345 tokens", "4,321 were held out", "100 steps in 2 stages", "About 1.0 hours"):
        assert words in card
    for words in (
        "| sop_accuracy | 0.6250 |",
        "No reviews",
        "rows of 32 tokens",
        "On 512 rows held out",
        "2 cores (a machine)",
    ):
        assert words in card
    stored = weight_files.read_safetensors(tmp_path / "out" / "model.safetensors").tensors
    assert {tensor.dtype.name for tensor in stored.values()} == {"float16"}


def test_a_first_stage_may_have_been_ended_early(packager, run, tmp_path):
    first = tmp_path / "first"
    (first / "checkpoints").mkdir(parents=True)
    shutil.copy(run / "log.jsonl", first)
    (first / "checkpoints" / "recipe.toml").write_text("[data]\nlength = 48\nngram = 1\n[training]\nbatch_size = 7\n")
    packager.package([first, run], None, tmp_path / "out", None)
    assert (
        "| 1 | mlm+sop | 15%, 1 word at most together | 50 | 7 | 48 | lamb |"
        in (tmp_path / "out" / "README.md").read_text()
    )
    assert AlbertTokenizerFast.from_pretrained(tmp_path / "out").model_max_length == 48


def test_a_folder_replaces_an_older_one_whole(packager, run, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "tokenizer.json").write_text("old")
    packager.package([run], None, out, None)
    assert not (out / "tokenizer.json").exists()


def test_figures_of_the_benchmark_go_into_the_card(packager, run, tmp_path):
    scores = {"mlm_accuracy": 0.5, "pseudo_perplexity": 12.0, "sop_accuracy": 0.75}
    task = {"scratch": {"accuracy": 0.8}, "embedded": {"accuracy": 0.85}}
    results = tmp_path / "small_en.json"
    results.write_text(json.dumps({"ours": {"tasks": {"SST-2": task}, "wikitext2": {"test": scores}}}))
    packager.package([run], None, tmp_path / "out", results)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| SST-2, accuracy | 0.8000 | 0.8500 |" in card
    assert "| test | 0.5000 | 12.00 | 0.7500 |" in card


def test_what_half_precision_cannot_hold_is_refused(packager):
    with pytest.raises(CheckpointError, match=r"within 65,504. b holds up to 70,000"):
        packager.rounded({"a": np.ones(2, np.float32), "b": np.array([7e4, 1], np.float32)})
    halves, said = packager.rounded({"a": np.array([1.0], np.float32), "b": np.array([2.0003], np.float32)})
    assert halves["b"].dtype == np.float16
    assert "3.0e-04 (in b" in said


def test_a_folder_that_is_too_large_is_refused_and_nothing_is_left(packager, run, tmp_path, monkeypatch):
    monkeypatch.setattr(packager, "LIMIT", 1000)
    with pytest.raises(CheckpointError, match="at most 1,000 bytes"):
        packager.package([run], None, tmp_path / "out", None)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_embedded_model_is_found_by_name_without_a_network(embedded, run):
    checkpoint = files.load(embedded)
    assert AlbertConfig.from_pretrained(embedded).vocab_size == checkpoint.config.vocab_size
    tokenizer = AlbertTokenizerFast.from_pretrained(embedded)
    assert tokenizer.model_max_length == 32
    assert tokenizer("the good")["input_ids"] == AlbertTokenizerFast.from_pretrained(run)("the good")["input_ids"]
    for name, tensor in files.load(run).tensors.items():
        assert checkpoint.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(checkpoint.tensors[name], tensor.astype(np.float16))


def test_a_subfolder_and_a_folder_of_the_same_name_are_respected(embedded, tmp_path, monkeypatch):
    assert hub.fetch(embedded, ["*"], subfolder="inner").name == "inner"
    own = tmp_path / "work" / "albertkit" / "tiny"
    own.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    assert hub.fetch(embedded, ["*"]).resolve() == own


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_weights_in_half_precision_load_and_train_as_float32(framework, packager, run, tmp_path):
    ADAPTERS[framework]()  # which skips where it is not installed
    packager.package([run], None, tmp_path / "out", None)
    loader = getattr(albertkit, f"{backends.PREFIXES[framework]}ForPreTraining")
    model = loader.from_pretrained(tmp_path / "out")
    found = importlib.import_module(f"albertkit.{framework}.weights").extract(model, "")
    assert {array.dtype.name for array in found.values()} == {"float32"}
    train = train_backend(framework)
    checkpoint = files.load(tmp_path / "out")
    state = train.init_state(checkpoint.config, "ForPreTraining", checkpoint.tensors)
    assert {array.dtype.name for array in train.get_weights(state).values()} == {"float32"}


def test_a_copy_without_the_model_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded_models.importlib.resources, "files", lambda package: tmp_path)
    with pytest.raises(CheckpointNotFound, match=r"comes with the package. This copy lacks it.*Install albertkit anew"):
        hub.fetch(NAME, ["*"])


def test_the_packaged_folder_is_complete_and_small():
    found = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert {"config.json", "model.safetensors", "README.md", "tokenizer_config.json", "spiece.model"} <= set(found)
    assert sum(found.values()) < 12_000_000
    checkpoint = files.load(NAME)
    assert checkpoint.config.architectures == ["AlbertForPreTraining"]
    assert all(np.isfinite(tensor).all() for tensor in checkpoint.tensors.values())
    assert len(AlbertTokenizerFast.from_pretrained(NAME)) == checkpoint.config.vocab_size


def test_a_task_without_a_model_takes_that_of_the_package_and_says_so(embedded, monkeypatch, caplog):
    assert parts.chosen_model("masked-lm", None, None) == embedded
    assert f"masked-lm is answered by {embedded}, a small model" in caplog.text
    assert parts.chosen_model("ner", "mine", None) == "mine"


@pytest.mark.parametrize(
    ("task", "model", "language", "told"),
    [
        ("fill-mask", None, "xx", r"`language` must be that of a model of the package: en.*Received: 'xx'"),
        (
            "text-classification",
            None,
            "ja",
            r"For text-classification in 'ja' there is none; there are some for .*fill-mask \(ja\)",
        ),
        ("fill-mask", "mine", "en", r"`language` chooses among the models.*Received: 'en' beside 'mine'"),
        ("fil-mask", None, None, r"A task must be one of .*Received: 'fil-mask'. Did you mean `fill-mask`"),
        (None, None, None, r"A pipeline needs a model, .* or a task.*Received: neither"),
    ],
)
def test_where_the_package_has_no_model_it_says_what_there_is(task, model, language, told):
    with pytest.raises(InputError, match=told):
        parts.chosen_model(task, model, language)


def test_a_task_may_stand_in_place_of_a_model(embedded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parts.model_or_task("mlm", "auto", None) == (embedded, "fill-mask")
    assert parts.model_or_task("mlm", "feature-extraction", "en") == (embedded, "feature-extraction")
    assert parts.model_or_task(NAME, "auto", None) == (NAME, "auto")
    (tmp_path / "mlm").mkdir()
    assert parts.model_or_task("mlm", "auto", None) == ("mlm", "auto")


@pytest.mark.parametrize("name", embedded_models.MODELS)
def test_every_model_of_the_package_has_a_folder_with_a_card_and_its_terms(name):
    folder = embedded_models.folder(name)
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"# {name}\n" in card
    assert re.search(r"^license: (apache-2\.0|cc-by-4\.0|cc-by-sa-[34]\.0)$", card, re.MULTILINE)
    assert f"language: {embedded_models.MODELS[name].language}\n" in card
    assert re.search(r"^## (Figures|Scores)$", card, re.MULTILINE)
    assert files.load(name).config.architectures


def test_every_folder_is_of_a_model_and_all_fit_into_a_wheel():
    folders = {path.name: path for path in FOLDER.parent.iterdir()}
    assert {f"albertkit/{name}" for name in folders} == embedded_models.MODELS.keys()
    held = [path for folder in folders.values() for path in folder.rglob("*") if path.is_file()]
    assert sum(len(zlib.compress(path.read_bytes(), 6)) for path in held) < 38_000_000, "a wheel is at most 40 MB"


@pytest.mark.torch
def test_the_embedded_model_knows_some_english():
    pytest.importorskip("torch")

    fill = pipeline("fill-mask", NAME, framework="torch")
    words = [answer["token_str"] for answer in fill("He went to [MASK] house.", top_k=20)]
    assert {"the", "his", "her"} & set(words)


@pytest.mark.torch
def test_the_example_of_its_card_answers_with_words():
    pytest.importorskip("torch")

    fill = pipeline("fill-mask", NAME, framework="torch")
    text = "The capital of France is [MASK]."
    assert text in (hub.fetch(NAME, ["README.md"]) / "README.md").read_text(encoding="utf-8")
    for one in (text, "He went to the [MASK], and then home."):
        answers = fill(one, top_k=50)
        assert len(answers) == 50
        assert all(answer["token_str"].strip() for answer in answers)
        assert not any("is  ." in answer["sequence"] for answer in answers)


def test_the_pages_on_models_say_what_is_in_the_package():
    spec = importlib.util.spec_from_file_location("models_page", ROOT / "models" / "page.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    for name, head in page.HEADS.items():
        assert page.table(head) in (ROOT / "docs" / name).read_text(encoding="utf-8"), "python models/page.py writes it"


@pytest.mark.torch
def test_the_model_of_entities_is_right_where_that_is_easy():
    pytest.importorskip("torch")
    text = "Mary Walker lives in London."
    answer = pipeline("token-classification", language="en", aggregation_strategy="simple")(text)
    found = {(one["entity_group"], text[one["start"] : one["end"]]) for one in answer}
    assert found == {("PER", "Mary Walker"), ("LOC", "London")}


def test_the_card_of_the_japanese_model_is_in_both_languages(packager, run, tmp_path):
    about = json.loads((run / "run.json").read_text())
    about["resolved"]["data"]["eval"] = "held-out"
    (run / "run.json").write_text(json.dumps(about))
    packager.package([run], None, tmp_path / "out", name="small-ja")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for words in (
        "# albertkit/small-ja\n",
        "language: ja\n",
        "濁点・半濁点は残ります",
        "12,345 tokens, and 4,321 more held out",
    ):
        assert words in card
    assert "small-en" not in card


@pytest.mark.torch
def test_vectors_of_sentences_that_mean_the_same_are_closer():
    pytest.importorskip("torch")
    texts = ["A man is playing a guitar.", "A man plays the guitar.", "The train is late today."]
    one, same, other = pipeline("sentence-embedding", language="en")(texts)
    assert one @ same > one @ other + 0.2
