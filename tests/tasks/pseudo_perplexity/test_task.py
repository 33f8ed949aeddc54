"""Pseudo-log-likelihoods against the model itself, asked once for every piece."""

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

import torch

from albertkit import AlbertForMaskedLM
from albertkit.checkpoint import files
from albertkit.cli.app import app
from albertkit.errors import InputError
from albertkit.pipelines import pipeline
from albertkit.tasks.pieces import of_texts
from albertkit.tokenization.fast import AlbertTokenizerFast
from frameworks.common import random_tensors, small

pytestmark = pytest.mark.torch

TEXTS = ["The cat sat on the unbelievable mat, and slept.", "Yes.", "internationalization was unbelievable"]


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    made = tmp_path_factory.mktemp("scored")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, num_hidden_layers=1)
    files.save(made, config, random_tensors(config, "ForMaskedLM"), "AlbertForMaskedLM")
    tokenizer.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def score(folder):
    return pipeline("pseudo-perplexity", folder, "torch")


@pytest.fixture(scope="module")
def model(folder):
    return AlbertForMaskedLM.from_pretrained(folder).eval()


def direct(model, tokenizer, ids, hidden):
    """The log-probability of each piece of a text (P,), while the pieces `hidden` for it are masked."""
    found = []
    for place, masked in enumerate(hidden):
        row = tokenizer.build_inputs_with_special_tokens(
            [tokenizer.mask_token_id if one in masked else piece for one, piece in enumerate(ids)]
        )
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([row])).logits[0, place + 1]
        found.append(torch.log_softmax(logits.double(), -1)[ids[place]].item())
    return np.array(found)


def test_a_text_has_the_sum_over_its_pieces_each_masked_alone(score, model, tokenizer):
    answers = score(TEXTS)
    for text, answer in zip(TEXTS, answers, strict=True):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        values = direct(model, tokenizer, ids, [{place} for place in range(len(ids))])
        assert answer["pll"] == pytest.approx(values.sum(), rel=1e-5)
        assert answer["tokens"] == len(ids)
        assert answer["pll_per_token"] == pytest.approx(values.mean(), rel=1e-5)
        assert answer["pseudo_perplexity"] == pytest.approx(np.exp(-values.mean()), rel=1e-4)
        words = len(re.findall(r"\w+|[^\w\s]", text))
        assert (answer["words"], answer["windows"]) == (words, 1)
        assert answer["pll_per_word"] == pytest.approx(values.sum() / words, rel=1e-5)
    assert score(TEXTS[1]) == pytest.approx(answers[1], rel=1e-5)


def test_within_words_the_later_pieces_are_masked_too(score, model, tokenizer):
    text = TEXTS[2]
    (pieces,) = of_texts(tokenizer, [text])
    assert len(pieces) > len(pieces.units) + 3, "a text of words of several pieces"
    word = np.cumsum([piece.startswith("▁") for piece in tokenizer.convert_ids_to_tokens(list(pieces.ids))])
    hidden = [{later for later in range(place, len(word)) if word[later] == word[place]} for place in range(len(word))]
    found = score(text, pll_metric="within_word_l2r")["pll"]
    assert found == pytest.approx(direct(model, tokenizer, list(pieces.ids), hidden).sum(), rel=1e-5)
    assert found != pytest.approx(score(text)["pll"], rel=2e-5)


def test_a_long_text_is_scored_whole_in_windows_or_cut_or_refused(folder, model, tokenizer):
    text = " ".join(["the cat sat on the mat and slept"] * 4)
    short = pipeline("pseudo-perplexity", folder, "torch", max_length=16)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    answer = short(text, stride=4)
    assert answer["tokens"] == len(ids)
    assert answer["windows"] == 1 + -(-(len(ids) - 14) // 10) > 2
    assert short.truncated == 0
    first = direct(model, tokenizer, ids[:14], [{place} for place in range(14)])
    cut = short(text, long="truncate")
    assert cut["pll"] == pytest.approx(first.sum(), rel=1e-5)
    assert (cut["tokens"], cut["windows"], short.truncated) == (14, 1, 1)
    assert answer["pll"] < cut["pll"]
    with pytest.raises(InputError, match="must fit into 16 tokens"):
        short(text, truncation=False)
    with pytest.raises(InputError, match=r"must share fewer tokens than one holds, 14\. Received: 14"):
        short(text, stride=14)


def test_a_piece_is_asked_for_in_the_window_that_sees_most_around_it(folder, model, tokenizer):
    whole_words = [piece[1:] for piece in tokenizer.get_vocab() if piece.startswith("▁") and piece[1:].isalpha()]
    text = " ".join(whole_words[:10])
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == 10
    score = pipeline("pseudo-perplexity", folder, "torch", max_length=10)
    one, other = (direct(model, tokenizer, ids[a:b], [{place} for place in range(b - a)]) for a, b in ((0, 8), (4, 10)))
    answer = score(text, stride=4)
    assert answer["pll"] == pytest.approx(one[:6].sum() + other[2:].sum(), rel=1e-5)


def test_a_text_without_pieces_has_no_mean_and_counts_as_empty(score, caplog):
    answers = score(["", "Yes."])
    assert answers[0] == {
        "pll": 0.0,
        "pll_per_token": None,
        "pll_per_word": None,
        "pseudo_perplexity": None,
        "tokens": 0,
        "words": 0,
        "windows": 0,
    }
    assert answers[1]["tokens"] > 0
    assert "1 of 2 texts are empty" in caplog.text


def test_what_cannot_be_scored_is_told(score, data):
    with pytest.raises(InputError, match="One text is scored at a time"):
        score({"text": "a", "text_pair": "b"})
    with pytest.raises(InputError, match=r"must be one of original, within_word_l2r\. Received: 'within_words'"):
        score("a", pll_metric="within_words")
    with pytest.raises(InputError, match="must have labels and scores"):
        score.evaluate("a.csv")


def test_memory_is_that_of_a_batch_however_many_rows_there_are(score, tokenizer):
    examples, _ = score.task.examples(["the cat sat on the mat " * 8] * 20)
    features = score.task.encode(tokenizer, score.config, examples, score.task.options(max_length=64))
    assert len(features) > 900
    assert not isinstance(features.input_ids, (list, np.ndarray))
    row = features.input_ids[3]
    assert row.count(tokenizer.mask_token_id) == 1
    assert features.input_ids[-1].index(tokenizer.mask_token_id) == len(features.input_ids[-1]) - 2


def test_the_command_writes_a_record_a_text_with_its_fields(folder, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"id": number, "text": text} for number, text in enumerate([*TEXTS, ""])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["score", str(folder), "--data", str(path), "--framework", "torch"]
    done = CliRunner().invoke(app, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["id"], one["text"]) for one in records] == [(row["id"], row["text"]) for row in rows]
    assert "empty" in records[3]["warning"]
    total = sum(one["pll"] for one in records)
    assert f"mean pll {total / 3:.3f} a text" in done.stderr
    assert "1 of them empty" in done.stderr
    refused = CliRunner().invoke(app, [*given, "--max-length", "8", "--long", "refuse"])
    assert isinstance(refused.exception, InputError)
    assert "a.jsonl, line 1: Without truncation a text must fit into 8 tokens" in str(refused.exception)
