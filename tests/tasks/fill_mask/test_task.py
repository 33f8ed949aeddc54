"""A masked language model from raw text to its scores: trained, resumed, evaluated, and alike in all frameworks."""

import json
import os

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("torch")

from albertkit.errors import InputError
from albertkit.pipelines import pipeline
from albertkit.tasks import registry
from albertkit.tasks.fill_mask.raw_texts import MaskedLMOptions
from albertkit.tasks.fill_mask.task import FillMask
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.torch import train as torch_train
from albertkit.training import finetune
from albertkit.training.backends import train_backend
from albertkit.training.finetune_batches import FinetuneBatches
from albertkit.training.recipe import FinetuneRecipe
from frameworks.common import random_tensors, small
from training import common

pytestmark = pytest.mark.torch


def corpus(path, count=120, seed=0):
    rng = np.random.default_rng(seed)
    lines = [f"the {rng.choice(common.THINGS)} was {rng.choice(common.GOOD + common.BAD)}" for _ in range(count)]
    path.write_text("\n\n".join(lines) + "\n")
    return path


def recipe(folder, **changes):
    keys = {
        "task": "fill-mask",
        "data.train": str(corpus(folder / "train.txt", 120)),
        "data.eval": str(corpus(folder / "dev.txt", 30, 1)),
        "data.max_length": 32,
        "model.vocab_size": 60,
        "model.config": common.TINY,
        "training.epochs": 4,
        "training.batch_size": 16,
        "training.learning_rate": 1e-2,
    }
    return FinetuneRecipe.load(None, keys | {key.replace("__", "."): value for key, value in changes.items()})


def run(recipe, output, **options):
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        return finetune.run(recipe, output, console=console, **options), console.export_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlm")
    results, said = run(
        recipe(folder, data__line_by_line=True, training__epochs=10, training__evaluate_every=20), folder / "model"
    )
    return folder, results, said


def test_a_model_learns_raw_text_and_the_best_weights_are_of_the_lowest_perplexity(trained):
    folder, results, said = trained
    rows = [json.loads(line) for line in (folder / "model" / "log.jsonl").read_text().splitlines()]
    assert "15% of the pieces masked as runs of 1 to 3 words" in " ".join(said.split())
    assert results["perplexity"] == pytest.approx(np.exp(results["loss"]))
    assert results["perplexity"] < 12 < 40 < np.exp(rows[0]["loss"])
    assert results["perplexity"] == min(
        float(line.split(",")[2]) for line in (folder / "model" / "evaluations.csv").read_text().splitlines()[1:]
    )


def test_the_model_is_evaluated_on_the_same_masks_and_fills_gaps(trained):
    folder, results, _ = trained
    fill = pipeline("auto", folder / "model", "torch")
    assert fill.task.name == "fill-mask"
    scores = fill.evaluate(folder / "dev.txt")  # with the masking of its training
    assert scores["loss"] == pytest.approx(results["loss"], rel=1e-5)
    assert scores["masked_accuracy"] == pytest.approx(results["masked_accuracy"])
    assert scores["examples"] == 30
    assert len(fill("the [MASK] was good", top_k=3)) == 3
    assert registry.get("masked-lm").name == registry.get("mlm").name == "fill-mask"


def test_a_run_that_was_cut_off_ends_with_the_same_weights(tmp_path, monkeypatch):
    asked = recipe(tmp_path, training__max_steps=5, training__save_every=2, training__word_dropout=0.2)
    run(asked, tmp_path / "whole")
    step, steps = torch_train.train_step, []

    def cut_off(*arguments):
        steps.append(arguments)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(torch_train, "train_step", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run(asked, tmp_path / "cut")
    monkeypatch.undo()
    run(asked, tmp_path / "cut", resume=True)
    files = [tmp_path / name / "model.safetensors" for name in ("whole", "cut")]
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.fixture(scope="module")
def tokenizer(data):
    return AlbertTokenizerFast(data / "spiece.model")


def batches(tokenizer, texts, seed=0, **options):
    found = MaskedLMOptions.of({"max_length": 32} | options)
    task = FillMask()
    features = task.encode(tokenizer, small(), task.examples(texts)[0], found, labelled=True)
    augment = task.augmentation(tokenizer, found)
    return FinetuneBatches(features, task.collate, 2, seed, 0, 1, augment=augment)


def seen(made, epoch, **options):
    """The bytes of every batch of an epoch."""
    parts = [part for batch in made.epoch(epoch, **options) for part in batch]
    return [{name: array.tobytes() for name, array in part.arrays().items()} for part in parts]


def test_masks_are_new_in_every_epoch_and_follow_from_the_seed_wherever_an_epoch_begins(tokenizer):
    texts = ["a text of several words to be masked anew in each epoch, and more of them"] * 6
    made = batches(tokenizer, texts, line_by_line=True)
    whole = seen(made, 1)
    assert seen(made, 1, start=1) == whole[1:]
    assert seen(batches(tokenizer, texts, line_by_line=True), 1) == whole
    assert seen(batches(tokenizer, texts, seed=1, line_by_line=True), 1) != whole
    rows = np.arange(len(made.features))
    places = [made.batch(rows, epoch).mlm_positions.tolist() for epoch in (1, 1, 2)]
    assert places[0] == places[1] != places[2]
    labels = [b"".join(one["mlm_labels"] for one in found) for found in (whole, seen(made, 1, parts=2))]
    assert labels[0] == labels[1], "a batch in parts has the same masks"


def test_texts_without_masks_are_trained_on_and_those_of_a_call_need_one(tokenizer):
    task = FillMask()
    examples, _ = task.examples(["no mask here"])
    assert len(task.encode(tokenizer, small(), examples, MaskedLMOptions(), labelled=True)) == 1
    with pytest.raises(InputError, match=r"must hold \[MASK\]"):
        task.encode(tokenizer, small(), examples, MaskedLMOptions())


@pytest.mark.tensorflow
@pytest.mark.flax
def test_the_three_frameworks_give_the_same_loss(tokenizer):
    pytest.importorskip("tensorflow")
    pytest.importorskip("flax")
    config = small(vocab_size=len(tokenizer), max_position_embeddings=64, num_hidden_layers=1)
    tensors = random_tensors(config, "ForMaskedLM")
    (batch,) = next(batches(tokenizer, ["a text of several words", "another, and longer than that"]).epoch(0))
    losses = []
    for name in ("torch", "tensorflow", "flax"):
        backend = train_backend(name)
        state = backend.init_state(config, "ForMaskedLM", tensors)
        losses.append(backend.eval_step(state, batch)["mlm_losses"])
    assert len(losses[0]) == batch.items()["mlm"] > 1
    np.testing.assert_allclose(losses[1], losses[0], atol=1e-3)
    np.testing.assert_allclose(losses[2], losses[0], atol=1e-3)
