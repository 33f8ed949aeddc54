"""Pre-training runs: from a corpus to a folder that everything else reads."""

import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from rich.console import Console

pytest.importorskip("torch")

from albertkit import backends, weight_table
from albertkit.backends import OptimizerSettings
from albertkit.checkpoint import files, init
from albertkit.corpus import shards
from albertkit.corpus.shards import Corpus
from albertkit.errors import ConfigError, InputError, WeightMismatch
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.schedule import Schedule
from training import pretraining

pytestmark = pytest.mark.torch

WHAT = ("losses", "correct")
"""What a forward pass answers of each item."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return pretraining.corpus(tmp_path_factory.mktemp("corpus") / "stories")


def run(recipe, output, **options):
    with Path(os.devnull).open("w") as nowhere:
        return pretrain.run(recipe, output, console=Console(file=nowhere), **options)


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def losses(folder):
    return [(row["step"], row["loss"]) for row in log(folder) if "loss" in row]


def norms(folder):
    return [row["gradient_norm"] for row in log(folder) if "loss" in row]


def test_a_run_learns_both_tasks_and_leaves_a_model_that_loads(corpus, tmp_path):
    recipe = pretraining.recipe(
        corpus,
        training__steps=300,
        training__batch_size=16,
        training__learning_rate=5e-3,
        training__evaluate_every=150,
        training__optimizer="adamw",
    )
    results = run(recipe, tmp_path / "model")
    assert results["mlm_accuracy"] > 0.25  # the most frequent token is one in seven
    assert results["sop_accuracy"] > 0.85
    assert results["pseudo_perplexity"] == pytest.approx(np.exp(results["mlm_loss"]))
    assert results["loss"] == pytest.approx(results["mlm_loss"] + results["sop_loss"])
    checkpoint = files.load(tmp_path / "model")
    assert checkpoint.config.vocab_size == len(AlbertTokenizerFast.from_pretrained(tmp_path / "model"))
    assert "sop_classifier.classifier.weight" in checkpoint.tensors
    left = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"README.md", "recipe.toml", "run.json", "eval_results.json", "curves.png", "vocab.txt"} <= left
    kept = sorted(path.name for path in (tmp_path / "model" / "checkpoints").iterdir())
    assert kept == ["best", "step-00000300"], "from which the run can be extended"
    table = (tmp_path / "model" / "evaluations.csv").read_text().splitlines()
    assert table[0].startswith("step,loss,mlm_loss")
    assert [line.split(",")[0] for line in table[1:]] == ["150", "300"]
    assert list((tmp_path / "model" / "tensorboard").glob("events.*"))
    assert PretrainRecipe.load(tmp_path / "model" / "recipe.toml", {}) == recipe
    card = (tmp_path / "model" / "README.md").read_text()
    assert f"| mlm_accuracy | {results['mlm_accuracy']:.4f} |" in card
    assert f"On 32 rows of 32 tokens, drawn from {results['tokens_held_out']:,} that were not trained on" in card
    assert "chosen by loss on the same ones" in card


@pytest.mark.parametrize("objective", ["mlm", "mlm+nsp"])
def test_an_objective_is_what_it_says(corpus, tmp_path, objective):
    results = run(pretraining.recipe(corpus, data__objective=objective, training__steps=3), tmp_path / "m")
    assert ("sop_accuracy" in results) == (objective == "mlm+nsp")
    checkpoint = files.load(tmp_path / "m")
    drawn = init.initialize(weight_table.expected(checkpoint.config, "ForPreTraining"), checkpoint.config, 42)
    for name in ("albert.pooler.weight", "sop_classifier.classifier.weight"):
        assert np.array_equal(checkpoint.tensors[name], drawn[name]) == (objective == "mlm")


def test_a_new_model_may_begin_with_attention_to_what_is_near(corpus, tmp_path):
    step = {"training__steps": 1, "training__learning_rate": 1e-9}
    recipe = pretraining.recipe(corpus, **step, model__attention_init="local")
    run(recipe, tmp_path / "model")
    made = files.load(tmp_path / "model")
    drawn = init.initialize(weight_table.expected(made.config, "ForPreTraining"), made.config, recipe.seed)
    wanted = init.with_local_attention(drawn, made.config)
    for name, values in made.tensors.items():
        np.testing.assert_allclose(values, wanted[name], atol=1e-6, err_msg=name)
    again = pretraining.recipe(corpus, **step, model__attention_init="local", model__name=str(tmp_path / "model"))
    with pytest.raises(ConfigError, match=r"a checkpoint has its own.*'local' with .*Leave it out"):
        run(again, tmp_path / "again")


def test_the_same_seed_gives_the_same_run_and_another_seed_another(corpus, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(pretraining.recipe(corpus, seed=seed), tmp_path / name)
    assert losses(tmp_path / "a") == losses(tmp_path / "b") != losses(tmp_path / "c")


def test_parts_give_the_losses_of_the_whole_batch(corpus, tmp_path):
    config = {**pretraining.TINY, "hidden_dropout_prob": 0.0}
    for name, parts in (("one", 1), ("three", 3)):
        run(pretraining.recipe(corpus, training__gradient_accumulation=parts, model__config=config), tmp_path / name)
    one, three = (np.array(losses(tmp_path / name))[:, 1] for name in ("one", "three"))
    np.testing.assert_allclose(one, three, rtol=1e-5)


def test_checkpointing_changes_nothing_but_memory(corpus, tmp_path):
    for name, given in (("plain", False), ("again", True)):
        run(pretraining.recipe(corpus, training__gradient_checkpointing=given), tmp_path / name)
    np.testing.assert_allclose(losses(tmp_path / "plain"), losses(tmp_path / "again"), rtol=1e-5)
    assert not json.loads((tmp_path / "again" / "config.json").read_text()).get("gradient_checkpointing")


def command(recipe, folder, *options):
    recipe.save(folder / "recipe.toml")
    return [sys.executable, "-m", "albertkit", "pretrain", str(folder / "recipe.toml"), *options]


def test_a_run_killed_at_any_moment_resumes_to_the_same_bits(corpus, tmp_path):
    recipe = pretraining.recipe(corpus, training__steps=120, training__evaluate_every=40, training__save_every=7)
    run(recipe, tmp_path / "straight")
    again = command(recipe, tmp_path, "--output", str(tmp_path / "killed"))
    written = tmp_path / "killed" / "log.jsonl"
    for more in (20, 50):
        options = ["--resume"] if written.exists() else []
        process = subprocess.Popen([*again, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until and not (written.exists() and written.read_text().count("\n") > more):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (tmp_path / "killed" / "config.json").exists()
    run(recipe, tmp_path / "killed", resume=True)
    assert losses(tmp_path / "killed") == losses(tmp_path / "straight")
    one, other = (safetensors.numpy.load_file(tmp_path / n / "model.safetensors") for n in ("straight", "killed"))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def cut_off(recipe, output, step):
    """A run that ended in the middle of its course."""

    def stop(self, record):
        if record["step"] == step:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pretrain.reporter.Reporter, "on_step", stop)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, output)


@pytest.mark.parametrize(
    "framework", [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("flax", "tensorflow")]
)
def test_a_run_in_another_framework_resumes_to_the_same_bits(corpus, tmp_path, framework):
    if framework not in backends.installed():
        pytest.skip(f"{framework} is not installed")
    recipe = pretraining.recipe(corpus, framework=framework, training__save_every=4, training__optimizer="adamw")
    run(recipe, tmp_path / "straight")
    cut_off(recipe, tmp_path / "cut", 9)
    run(recipe, tmp_path / "cut", resume=True)
    assert [step for step, _ in losses(tmp_path / "cut")] == [9, 10, 11, 12]
    assert losses(tmp_path / "cut") == losses(tmp_path / "straight")[8:]
    one, other = (files.load(tmp_path / name).tensors for name in ("straight", "cut"))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize(("optimizer", "sharded", "begun"), [("lamb", False, 0), ("lamb", True, 9), ("muon", True, 0)])
def test_two_processes_take_the_steps_of_one(corpus, tmp_path, optimizer, sharded, begun):
    recipe = pretraining.recipe(
        corpus,
        model__config={**pretraining.TINY, "hidden_dropout_prob": 0.0},
        training__batch_size=7,
        training__gradient_accumulation=2,
        training__optimizer=optimizer,
        training__sharded=sharded,
        training__save_every=4,
    )
    run(recipe, tmp_path / "one")
    if begun:
        cut_off(recipe, tmp_path / "two", begun)
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    options = ["--resume"] if begun else []
    given = command(recipe, tmp_path, "--output", str(tmp_path / "two"), *options)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*start, *given[1:]], check=True, capture_output=True, env=environment)
    first = begun // 4 * 4
    np.testing.assert_allclose(losses(tmp_path / "one")[first:], losses(tmp_path / "two"), rtol=1e-5)
    np.testing.assert_allclose(norms(tmp_path / "one")[first:], norms(tmp_path / "two"), rtol=1e-3)
    evaluations = [
        [r["evaluation"]["loss"] for r in log(tmp_path / n) if r.get("evaluation", {"step": 0})["step"] > first]
        for n in ("one", "two")
    ]
    np.testing.assert_allclose(*evaluations, rtol=1e-5)
    assert files.load(tmp_path / "two").config.hidden_size == 32


def planned(recipe, output, monkeypatch):
    """What the loop of a run is given."""
    given = []

    def stop(*args):
        given.extend(args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pretrain.loop, "train", stop)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, output)
    return given


def test_the_loop_is_told_what_the_recipe_says(corpus, tmp_path, monkeypatch):
    recipe = pretraining.recipe(
        corpus,
        seed=5,
        data__objective="mlm",
        training__gradient_accumulation=2,
        training__optimizer="adamw",
        training__learning_rate=0.003,
        training__schedule="polynomial",
        training__power=2.0,
        training__decay_start="zero",
        training__warmup_ratio=0.25,
        training__weight_decay=0.1,
        training__beta1=0.8,
        training__beta2=0.97,
        training__epsilon=1e-5,
        training__bias_correction="off",
        training__max_gradient_norm=2.0,
        training__ema_decay=0.9,
        training__precision="bf16",
        training__gradient_checkpointing=True,
        training__sharded=True,
        training__loss_spike_factor=5.0,
        training__max_skipped_steps=3,
        training__evaluate_every=7,
        training__save_every=3,
    )
    plan, rows, *_ = planned(recipe, tmp_path / "m", monkeypatch)
    assert plan.optimizer == OptimizerSettings(
        name="adamw",
        weight_decay=0.1,
        betas=(0.8, 0.97),
        epsilon=1e-5,
        bias_correction=False,
        max_gradient_norm=2.0,
        frozen=("pooler", "sop_classifier"),
    )
    assert (plan.precision, plan.is_sharded) == ("bf16", True)
    assert plan.schedule == Schedule(0.003, 12, 3, "polynomial", 2.0, decay_from_zero=True)
    assert (plan.seed, plan.gradient_accumulation, plan.ema_decay) == (5, 2, 0.9)
    assert (plan.loss_spike_factor, plan.max_skipped_steps) == (5.0, 3)
    assert (plan.evaluate_every, plan.save_every, plan.metric, plan.lower_is_better) == (7, 3, "loss", True)
    assert plan.config.gradient_checkpointing
    assert (rows.batch_size, rows.examples.seed, rows.examples.objective) == (8, 5, "mlm")


def test_left_alone_a_recipe_is_the_original_and_the_rate_goes_with_the_root_of_the_tokens():
    training = PretrainRecipe.load(None, {}).training
    assert (training.steps, training.batch_size, training.optimizer) == (125_000, 4096, "lamb")
    assert (training.warmup_ratio * training.steps, training.weight_decay, training.max_gradient_norm) == (
        3125,
        0.01,
        1.0,
    )
    assert (training.beta1, training.beta2, training.epsilon) == (0.9, 0.999, 1e-6)
    assert training.decay_start == "warmup"  # where the original has "zero"
    for batch_size, length, rate in ((4096, 512, 0.00176), (1024, 512, 0.00088), (4096, 128, 0.00088)):
        asked = {"training.batch_size": batch_size, "data.length": length}
        resolved = pretrain._resolved(PretrainRecipe.load(None, asked)).training
        assert resolved.learning_rate == pytest.approx(rate)
        assert resolved.evaluate_every == 2500


def test_every_run_on_a_corpus_is_judged_on_the_same_rows(corpus, tmp_path, monkeypatch):
    evaluated = []

    def forward(batch):
        evaluated[-1].append(batch)
        return {
            f"{name}_{what}": np.ones(len(getattr(batch, f"{name}_labels"))) for name in ("mlm", "sop") for what in WHAT
        }

    for seed in (1, 2):
        evaluated.append([])
        _, _, evaluate, *_ = planned(pretraining.recipe(corpus, seed=seed), tmp_path / str(seed), monkeypatch)
        assert evaluate(forward)["mlm_accuracy"] == 1
    for one, other in zip(*evaluated, strict=True):
        for name, array in one.arrays().items():
            np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)
    _, held_out = Corpus.open(corpus).split(0.1)
    examples = PretrainingExamples(held_out, length=32, objective="mlm+sop", seed=0)
    drawn = examples.batch(0, np.sort(examples.order(0)[:32])).input_ids
    np.testing.assert_array_equal(np.concatenate([batch.input_ids for batch in evaluated[0]]), drawn)


def test_going_on_from_a_checkpoint_begins_where_it_ended(corpus, tmp_path):
    first = run(pretraining.recipe(corpus, training__steps=60, training__optimizer="adamw"), tmp_path / "first")
    recipe = pretraining.recipe(
        corpus, model__name=str(tmp_path / "first"), model__config={}, training__steps=1, training__learning_rate=1e-9
    )
    second = run(recipe, tmp_path / "second")
    assert second["loss"] == pytest.approx(first["loss"], rel=1e-4)


def test_a_checkpoint_of_a_run_that_was_cut_off_is_a_model_to_go_on_from(corpus, tmp_path):
    cut_off(pretraining.recipe(corpus, training__save_every=4), tmp_path / "cut", 9)
    checkpoint = tmp_path / "cut" / "checkpoints" / "step-00000008"
    assert len(AlbertTokenizerFast.from_pretrained(checkpoint)) == files.load(checkpoint).config.vocab_size
    run(pretraining.recipe(corpus, model__name=str(checkpoint), model__config={}), tmp_path / "on")


def test_a_vocabulary_may_grow_and_the_old_pieces_keep_what_they_learned(corpus, tmp_path):
    first = run(pretraining.recipe(corpus, training__steps=60, training__optimizer="adamw"), tmp_path / "first")
    tokenizer = AlbertTokenizerFast.from_pretrained(tmp_path / "first")
    size = len(tokenizer)
    tokenizer.add_tokens(["Zeno", "Yara"])
    grown = pretraining.corpus(tmp_path / "grown", tokenizer=tokenizer)
    recipe = pretraining.recipe(
        grown, model__name=str(tmp_path / "first"), model__config={}, training__steps=1, training__learning_rate=1e-9
    )
    second = run(recipe, tmp_path / "second")
    before, after = (files.load(tmp_path / name).tensors for name in ("first", "second"))
    name = "albert.embeddings.word_embeddings.weight"
    assert after[name].shape[0] == size + 2
    np.testing.assert_allclose(after[name][:size], before[name], atol=1e-6)
    assert second["mlm_loss"] == pytest.approx(first["mlm_loss"], rel=0.05)


def test_a_vocabulary_that_was_rounded_up_is_kept_and_new_pieces_begin_anew_there(corpus, tmp_path):
    still = {"training__steps": 1, "training__learning_rate": 1e-9}
    run(pretraining.recipe(corpus, **still, model__config={**pretraining.TINY, "vocab_size": 96}), tmp_path / "first")
    on = {**still, "model__name": str(tmp_path / "first"), "model__config": {}}
    run(pretraining.recipe(corpus, **on), tmp_path / "same")
    tokenizer = AlbertTokenizerFast.from_pretrained(tmp_path / "first")
    size = len(tokenizer)
    tokenizer.add_tokens(["Zeno", "Yara"])
    run(pretraining.recipe(pretraining.corpus(tmp_path / "g", tokenizer=tokenizer), **on), tmp_path / "grown")
    name = "albert.embeddings.word_embeddings.weight"
    first, same, grown = (files.load(tmp_path / each).tensors[name] for each in ("first", "same", "grown"))
    assert first.shape == same.shape == grown.shape == (96, 16)
    np.testing.assert_allclose(same, first, atol=1e-6)
    np.testing.assert_allclose(grown[:size], first[:size], atol=1e-6)
    np.testing.assert_allclose(grown[size:], np.tile(first[:size].mean(axis=0), (96 - size, 1)), atol=1e-4)


def test_a_corpus_of_another_vocabulary_is_refused(corpus, tmp_path):
    run(pretraining.recipe(corpus, training__steps=1), tmp_path / "first")
    other = pretraining.corpus(tmp_path / "other", count=30, seed=9)
    with pytest.raises(ConfigError, match=r"built with the tokenizer of the checkpoint.*--tokenizer"):
        run(pretraining.recipe(other, model__name=str(tmp_path / "first"), model__config={}), tmp_path / "second")
    with pytest.raises(ConfigError, match="the same tokenizer"):
        run(pretraining.recipe(corpus, data__eval=str(other)), tmp_path / "third")


def test_what_cannot_be_trained_is_said_before_anything_is_written(corpus, tmp_path):
    with pytest.raises(ConfigError, match="needs a corpus"):
        run(pretraining.recipe(corpus, data__corpus=""), tmp_path / "m")
    with pytest.raises(InputError, match="A corpus is a folder"):
        run(pretraining.recipe(tmp_path), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"`data.length` must not exceed.*Received: 128 and 64"):
        run(pretraining.recipe(corpus, data__length=128), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"an embedding for every token.*`vocab_size` 20\. .*leave its `vocab_size`"):
        run(pretraining.recipe(corpus, model__config={**pretraining.TINY, "vocab_size": 20}), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"a row for each of the parts.*Received: 8, and 9 parts in 1 processes"):
        run(pretraining.recipe(corpus, training__gradient_accumulation=9), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"`data.eval` must be another corpus.*Leave `data.eval` out"):
        run(pretraining.recipe(corpus, data__eval=str(corpus)), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"`training.learning_rate`.*finite.*Received: inf"):
        pretraining.recipe(corpus, training__learning_rate=math.inf)
    with pytest.raises(ConfigError, match=r"no key `steps`. Did you mean `training.steps`"):
        PretrainRecipe.load(None, {"steps": 3})
    assert not (tmp_path / "m").exists()


def test_a_finished_run_is_extended_to_the_same_bits(corpus, tmp_path):
    """As one that was that long from the beginning, under a constant rate."""
    recipe = pretraining.recipe(corpus, training__schedule="constant", training__warmup_ratio=0.0, training__steps=6)
    run(recipe, tmp_path / "m")
    run(PretrainRecipe.load(tmp_path / "m" / "recipe.toml", {}), tmp_path / "m", extend_to=10)
    run(recipe.with_steps(10), tmp_path / "straight")
    for name in ("model", "optimizer"):
        one, other = (
            safetensors.numpy.load_file(tmp_path / folder / "checkpoints" / "step-00000010" / f"{name}.safetensors")
            for folder in ("m", "straight")
        )
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_a_corpus_of_fewer_rows_than_a_batch_is_told(corpus, tmp_path):
    said = io.StringIO()
    recipe = pretraining.recipe(
        corpus, training__steps=1, training__batch_size=5000, training__gradient_accumulation=50
    )
    pretrain.run(recipe, tmp_path / "m", console=Console(file=said, width=400))
    assert re.search(r"The corpus fills [\d,]+ rows, fewer than the 5,000 of a step", said.getvalue())


def test_text_in_which_nothing_can_be_masked_is_not_judged(corpus, tmp_path):
    tokenizer = Corpus.open(corpus).tokenizer()
    unknown = shards.write(tmp_path / "unknown", tokenizer, [[[tokenizer.unk_token_id] * 9] * 3] * 4)
    with pytest.raises(InputError, match=r"pieces that can be masked. Received: \d+ rows"):
        run(pretraining.recipe(corpus, data__eval=str(unknown.folder)), tmp_path / "m")


def test_a_run_goes_on_with_a_moved_corpus_and_another_guard_and_with_nothing_else(corpus, tmp_path, monkeypatch):
    recipe = pretraining.recipe(corpus)
    moved = shutil.copytree(corpus, tmp_path / "moved")
    plans = {}
    for name, changes in {
        "first": {},
        "moved": {"data__corpus": str(moved)},
        "guard": {"training__loss_spike_factor": 0.0, "training__max_skipped_steps": 2},
        "rate": {"training__learning_rate": 1e-3},
    }.items():
        changed = pretraining.recipe(corpus, **changes)
        plans[name] = planned(changed, tmp_path / name, monkeypatch)[0].fingerprint
        assert bool(recipe.differences(changed)) == (name == "rate")
    assert plans["first"] == plans["moved"] == plans["guard"] != plans["rate"]


def test_another_corpus_may_be_named_to_evaluate_on(corpus, tmp_path):
    tokenizer = AlbertTokenizerFast.from_pretrained(corpus / "tokenizer")
    held_out = pretraining.corpus(tmp_path / "held", count=20, seed=5, tokenizer=tokenizer)
    results = run(pretraining.recipe(corpus, data__eval=str(held_out), training__steps=2), tmp_path / "m")
    assert results["tokens_held_out"] < 1500


def test_a_finished_model_is_judged_as_its_run_judged_it(corpus, tmp_path):
    other = pretraining.corpus(tmp_path / "other", 60, seed=1, tokenizer=Corpus.open(corpus).tokenizer())
    recipe = pretraining.recipe(corpus, data__eval=str(other))
    results = run(recipe, tmp_path / "model")
    found = pretrain.evaluate(str(tmp_path / "model"), other, recipe)
    assert {name: results[name] for name in found} == pytest.approx(found)
    assert {"loss", "mlm_accuracy", "pseudo_perplexity", "sop_accuracy"} <= set(found)


def test_a_corpus_of_another_vocabulary_or_a_model_without_the_heads_is_not_judged(corpus, tmp_path):
    recipe = pretraining.recipe(corpus)
    run(recipe, tmp_path / "model")
    other = pretraining.corpus(tmp_path / "other", 60, seed=1)
    with pytest.raises(ConfigError, match=r"`data.length` must not exceed.*Received: 128 and 64"):
        pretrain.evaluate(str(tmp_path / "model"), corpus, pretraining.recipe(corpus, data__length=128))
    with pytest.raises(
        ConfigError, match=r"model's tokenizer. Received: .*Make it with: albertkit corpus build --tokenizer"
    ):
        pretrain.evaluate(str(tmp_path / "model"), other, recipe)
    checkpoint = files.load(tmp_path / "model")
    kept = {name: tensor for name, tensor in checkpoint.tensors.items() if not name.startswith("sop_")}
    files.save(tmp_path / "model", checkpoint.config, kept, "AlbertForMaskedLM")
    with pytest.raises(WeightMismatch, match=r"lacks sop_classifier"):
        pretrain.evaluate(str(tmp_path / "model"), corpus, recipe)
