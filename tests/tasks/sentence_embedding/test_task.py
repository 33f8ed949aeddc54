"""Sentences in, vectors out: trained, scored, answered, in a folder that sentence-transformers reads."""

import json
import os

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

pytest.importorskip("torch")

from albertkit import AlbertForSentenceEmbedding, AlbertModel, pipeline
from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import finetune
from albertkit.training.recipe import FinetuneRecipe
from frameworks.common import random_tensors, small
from training import common

pytestmark = pytest.mark.torch

WAYS = {"mean": {}, "cls": {"sentence_pooling": "cls"}, "max": {"sentence_pooling": "max"}}
TEXTS = ["the plot was superb", "the cast was very dull and the music was awful", "a b", ""]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Pairs that say the same of a thing, and scored pairs: 5 where both praise or both do not."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    rows, scored = ["sentence1,sentence2"], ["sentence1\tsentence2\tscore"]
    for _ in range(120):
        words = common.GOOD if rng.random() < 0.5 else common.BAD
        first, second, other = (f"the {rng.choice(common.THINGS)} was {rng.choice(words)}" for _ in range(3))
        rows.append(f"{first},{second}")
        opposite = f"the film was {rng.choice(common.BAD if words is common.GOOD else common.GOOD)}"
        scored += [f"{first}\t{other}\t5", f"{first}\t{opposite}\t0"]
    (folder / "pairs.csv").write_text("\n".join(rows) + "\n")
    (folder / "scored.tsv").write_text("\n".join(scored[:121]) + "\n")
    (folder / "sentences.txt").write_text("\n".join(row.partition(",")[0] for row in rows[1:]) + "\n")
    return folder


def recipe(train, evaluated, **changes):
    keys = {
        "task": "sentence-embedding",
        "data.train": str(train),
        "data.eval": str(evaluated) if evaluated else "",
        "data.max_length": 16,
        "model.vocab_size": 70,
        "model.config": common.TINY,
        "training.epochs": 4,
        "training.batch_size": 16,
        "training.learning_rate": 5e-3,
    }
    return FinetuneRecipe.load(None, keys | changes)


def run(asked, output):
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        return finetune.run(asked, output, console=Console(file=nowhere))


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained") / "model"
    scored = data / "scored.tsv"
    asked = recipe(scored, scored, **{"data.pooling": "max"})
    return folder, run(asked, folder)


@pytest.fixture(scope="module")
def random_model(tmp_path_factory, data):
    """A folder of the encoder alone, with its tokenizer."""
    folder = tmp_path_factory.mktemp("random")
    tokenizer = AlbertTokenizerFast(os.path.join(os.path.dirname(__file__), "../../data/spiece.model"))  # noqa: PTH118, PTH120
    config = small(vocab_size=len(tokenizer), max_position_embeddings=24)
    files.save(folder, config, random_tensors(config, "Model"), "AlbertModel")
    tokenizer.model_max_length = 24
    tokenizer.save_pretrained(folder)
    return folder


def test_scored_pairs_are_learned_and_the_folder_answers_as_it_was_trained(trained, data):
    folder, results = trained
    assert results["spearman"] > 0.6
    embed = pipeline("auto", folder, "torch")
    assert (embed.task.name, embed.config.sentence_pooling) == ("sentence-embedding", "max")
    assert embed.evaluate(data / "scored.tsv")["spearman"] == pytest.approx(results["spearman"], abs=1e-6)


def test_pairs_are_told_apart_after_contrastive_training(data, tmp_path, caplog):
    asked = recipe(data / "pairs.csv", data / "scored.tsv", **{"training.epochs": 6})
    results = run(asked, tmp_path / "model")
    assert results["spearman"] > 0.6
    keys = json.loads((tmp_path / "model" / "config.json").read_text())
    assert keys["sentence_special_tokens"] is True
    assert "did not write" not in caplog.text, "the files for sentence-transformers are the run's own"


def test_sentences_alone_teach_by_two_dropout_masks_and_need_pairs_to_be_scored(data, tmp_path):
    with pytest.raises(InputError, match=r"--eval.*STS-B"):
        run(recipe(data / "sentences.txt", None), tmp_path / "none")
    with pytest.raises(InputError, match="Scores need pairs"):
        run(recipe(data / "sentences.txt", data / "sentences.txt"), tmp_path / "none")
    asked = recipe(data / "sentences.txt", data / "scored.tsv", **{"training.epochs": 1, "data.dropout": 0.2})
    run(asked, tmp_path / "model")
    keys = json.loads((tmp_path / "model" / "config.json").read_text())
    assert (keys["hidden_dropout_prob"], keys["attention_probs_dropout_prob"]) == (0.2, 0.2)


def by_hand(folder, texts, mode, special_tokens):
    """Pooled vectors, one text at a time, from the encoder's own states."""
    model, tokenizer = AlbertModel.from_pretrained(folder), AlbertTokenizerFast.from_pretrained(folder)
    found = []
    for text in texts:
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].detach().numpy()
        inner = states if special_tokens else states[1:-1]
        if mode == "cls":
            found.append(states[0])
        else:
            found.append(getattr(inner, mode)(0) if len(inner) else np.zeros(states.shape[1]))
    return np.array(found)


@pytest.mark.parametrize("special_tokens", [False, True])
@pytest.mark.parametrize("mode", WAYS)
def test_vectors_are_pooled_over_tokens_without_padding(random_model, mode, special_tokens):
    embed = pipeline(
        "sentence-embedding", random_model, "torch", pooling=mode, special_tokens=special_tokens, normalize=False
    )
    found = embed(TEXTS)
    np.testing.assert_allclose(found, by_hand(random_model, TEXTS, mode, special_tokens), atol=1e-5)
    np.testing.assert_allclose(embed(TEXTS[0]), found[0], atol=1e-6)
    units = embed(TEXTS, normalize=True)
    np.testing.assert_allclose(np.linalg.norm(units[:2], axis=1), 1, atol=1e-6)


def test_a_generator_is_answered_text_by_text(random_model):
    embed = pipeline("sentence-embedding", random_model, "torch")
    stream = embed(text for text in TEXTS * 3)
    found = list(stream)
    assert len(found) == 12
    np.testing.assert_allclose(np.stack(found[:4]), embed(TEXTS), atol=1e-6)
    assert embed([]).shape == (0, 0)


def test_a_long_text_is_cut_and_counted_or_its_windows_are_averaged_by_their_tokens(random_model):
    embed = pipeline("sentence-embedding", random_model, "torch", special_tokens=True, normalize=False)
    text = " ".join(["the plot was superb and the cast dull"] * 6)
    embed(text)
    assert embed.truncated == 1
    whole = embed(text, long="windows")
    assert embed.truncated == 0
    ids = embed.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    model, parts, sizes = AlbertModel.from_pretrained(random_model), [], []
    import torch

    for start in range(0, len(ids), 22):
        row = embed.tokenizer.build_inputs_with_special_tokens(ids[start : start + 22])
        parts.append(model(torch.tensor([row])).last_hidden_state[0].mean(0).detach().numpy())
        sizes.append(len(row) - 2)
    np.testing.assert_allclose(whole, np.average(parts, axis=0, weights=sizes), atol=1e-5)
    assert len(parts) > 2
    with pytest.raises(InputError, match=r"`long` must be one of truncate, windows\. Received: 'cut'"):
        embed(text, long="cut")


def test_what_is_no_text_or_no_option_is_refused(random_model):
    with pytest.raises(InputError, match="Received: a pair"):
        pipeline("sentence-embedding", random_model, "torch")([("a", "b")])
    with pytest.raises(InputError, match=r"has the options .*'pooling'"):
        pipeline("sentence-embedding", random_model, "torch")("a", pooling="cls")
    model = AlbertForSentenceEmbedding.from_pretrained(random_model)
    with pytest.raises(InputError, match=r"Set `model.config.sentence_pooling`"):
        pipeline("sentence-embedding", model, tokenizer=random_model, pooling="cls")
    assert pipeline("sentence-embedding", model, tokenizer=random_model)("a b").shape == (16,)


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (".npy", np.load),
        (".npz", lambda path: np.load(path)["embedding"]),
        (".jsonl", lambda path: [json.loads(line)["embedding"] for line in path.read_text().splitlines()]),
        (".parquet", lambda path: pytest.importorskip("pyarrow.parquet").read_table(path)["embedding"].to_pylist()),
    ],
)
def test_vectors_are_written_in_the_order_of_the_texts(random_model, tmp_path, ending, read):
    (tmp_path / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS[:3] * 30))
    output = tmp_path / f"vectors{ending}"
    given = ["embed", str(random_model), "--data", str(tmp_path / "texts.txt"), "--framework", "torch"]
    done = CliRunner().invoke(app, [*given, "--output", str(output)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"90 answers are in {output}." in done.stderr
    expected = pipeline("sentence-embedding", random_model, "torch")(TEXTS[:3] * 30)
    np.testing.assert_allclose(np.array(read(output), np.float32), expected, atol=1e-6)


def test_texts_of_a_command_have_a_vector_each(random_model):
    done = CliRunner().invoke(app, ["embed", str(random_model), *TEXTS[:2], "--framework", "torch"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == TEXTS[:2]
    expected = pipeline("sentence-embedding", random_model, "torch")(TEXTS[:2])
    np.testing.assert_allclose([row["embedding"] for row in rows], expected, atol=1e-6)


def test_a_search_prints_the_nearest_texts_of_a_table_with_their_rows(random_model, tmp_path):
    (tmp_path / "texts.csv").write_text("id,text\n7,the plot was superb\n8,a b\n9,the cast was dull\n")
    given = ["embed", str(random_model), "--framework", "torch", "--query", "the plot was superb", "--top-k", "2"]
    done = CliRunner().invoke(app, [*given, "--data", str(tmp_path / "texts.csv")], catch_exceptions=False)
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["score"] == pytest.approx(1, abs=1e-6)
    assert (first["row"], first["id"], first["text"]) == (1, "7", "the plot was superb")
    assert second["score"] < first["score"]
    vectors = tmp_path / "vectors.npy"
    np.save(vectors, pipeline("sentence-embedding", random_model, "torch")(["a b", "the plot was superb"]))
    done = CliRunner().invoke(app, [*given, "--data", str(vectors)], catch_exceptions=False)
    assert json.loads(done.stdout.splitlines()[0])["row"] == 2
    np.save(vectors, np.zeros((2, 3), np.float32))
    with pytest.raises(InputError, match=r"those of the model, \(N, 16\)"):
        CliRunner().invoke(app, [*given, "--data", str(vectors)], catch_exceptions=False)
    with pytest.raises(InputError, match="Leave one out"):
        CliRunner().invoke(app, [*given, "--output", str(tmp_path / "x.npy")], catch_exceptions=False)


def test_hidden_states_come_in_the_shapes_of_transformers(random_model):
    extract = pipeline("feature-extraction", random_model, "torch")
    found = extract("the plot")
    length = len(extract.tokenizer("the plot")["input_ids"])
    assert np.shape(found) == (1, length, 16)
    assert isinstance(found, list)
    several = extract(["the plot", "a b c d"])
    assert [np.shape(one)[0] for one in several] == [1, 1]
    np.testing.assert_allclose(several[0], found, atol=1e-6)
    tensor = extract("the plot", return_tensors="pt")
    assert type(tensor).__module__ == "torch"
    model = AlbertModel.from_pretrained(random_model)
    inputs = extract.tokenizer("the plot", return_tensors="pt")
    np.testing.assert_allclose(tensor, model(**inputs).last_hidden_state.detach(), atol=1e-6)
    np.testing.assert_allclose(
        extract("the plot", pool=True), model(**inputs).pooler_output.detach().numpy(), atol=1e-6
    )


def test_a_model_without_a_pooler_has_hidden_states_and_no_pooled_one(tmp_path, random_model):
    model = AlbertForSentenceEmbedding.from_pretrained(random_model)
    model.save_pretrained(tmp_path)
    AlbertTokenizerFast.from_pretrained(random_model).save_pretrained(tmp_path)
    extract = pipeline("feature-extraction", tmp_path, "torch")
    np.testing.assert_allclose(extract("a b"), pipeline("feature-extraction", random_model, "torch")("a b"), atol=1e-6)
    with pytest.raises(InputError, match="`pool`, of a model that has none"):
        extract("a b", pool=True)


@pytest.mark.parametrize("mode", WAYS)
def test_a_folder_says_to_sentence_transformers_how_it_pools_and_is_read_back_so(tmp_path, random_model, mode):
    keys = {"sentence_pooling": mode, "sentence_special_tokens": True, "sentence_normalize": mode == "mean"}
    AlbertForSentenceEmbedding.from_pretrained(random_model, **keys).save_pretrained(tmp_path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    kinds = ["Transformer", "Pooling", *(["Normalize"] if mode == "mean" else [])]
    assert [one["type"] for one in modules] == [f"sentence_transformers.models.{kind}" for kind in kinds]
    pooling = json.loads((tmp_path / "1_Pooling" / "config.json").read_text())
    on = [key for key, value in pooling.items() if value is True and key.startswith("pooling_mode")]
    assert on == [
        {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}.get(mode, "pooling_mode_max_tokens")
    ]
    assert pooling["word_embedding_dimension"] == 16
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if "sentence_" not in k}))
    read = files.load(tmp_path).config
    assert {key: getattr(read, key) for key in keys} == keys


def test_vectors_that_sentence_transformers_would_make_otherwise_get_no_such_files(tmp_path, random_model, caplog):
    keys = {"sentence_special_tokens": True}
    AlbertForSentenceEmbedding.from_pretrained(random_model, **keys).save_pretrained(tmp_path)
    AlbertForSentenceEmbedding.from_pretrained(random_model).save_pretrained(tmp_path)
    assert not (tmp_path / "modules.json").exists(), "that of the older model"
    assert "would pool special tokens too" in caplog.text
    (tmp_path / "modules.json").write_text('[{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]')
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_weightedmean_tokens": true}')
    assert files.load(tmp_path).config == AlbertConfig.from_dict(
        {**files.load(random_model).config.to_dict(), "sentence_special_tokens": True, "sentence_normalize": False}
        | {"architectures": ["AlbertForSentenceEmbedding"]}
    )
    assert "pools by weightedmean_tokens" in caplog.text
