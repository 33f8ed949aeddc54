"""From data files to a folder with a trained model, and everything that can go wrong on the way."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from rich.console import Console

pytest.importorskip("torch")

from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import AlbertkitError, CheckpointNotFound, ConfigError, InputError, TrainingError
from albertkit.pipelines import pipeline
from albertkit.tasks import registry
from albertkit.tasks.features import Features
from albertkit.training import finetune, finetune_plan, reporter, run_folder
from albertkit.training.recipe import FinetuneRecipe
from terminal import albertkit
from training import common

pytestmark = pytest.mark.torch
WORDS = [(word, label) for label, words in (("pos", common.GOOD), ("neg", common.BAD)) for word in words[:3]]


def run(recipe, output, **options):
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        return finetune.run(recipe, output, console=console, **options), console.export_text()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    results, said = run(common.learnable(folder), folder / "model")
    return folder, results, said


def test_a_run_learns_and_leaves_everything_behind(trained):
    folder, results, said = trained
    assert results["accuracy"] == 1.0
    left = {path.name for path in (folder / "model").iterdir()}
    assert {name for name in left if not name.startswith("figure_")} == {
        *("config.json", "model.safetensors", "tokenizer_config.json", "special_tokens_map.json", "spiece.model"),
        *("tokenizer.json", "recipe.toml", "eval_results.json", "run.json", "log.jsonl", "curves.png"),
        *("evaluations.csv", "README.md", "checkpoints", "figures.json"),
    }
    kept = sorted(path.name for path in (folder / "model" / "checkpoints").iterdir())
    assert len(kept) == 2, "the best weights, and the last state, from which the run can be extended"
    assert kept[0] == "best"
    assert json.loads((folder / "model" / "eval_results.json").read_text()) == results
    assert "60 training and 20 evaluation examples" in said


def test_a_run_says_that_its_texts_are_unknown_to_the_vocabulary(trained, tmp_path):
    folder, _, said = trained
    assert "unknown to the vocabulary" not in said
    rows = [f"电影{'很好' if number % 2 else '无聊'},{'pos' if number % 2 else 'neg'}" for number in range(20)]
    (tmp_path / "zh.csv").write_text("\n".join(["text,label", *rows]), "utf-8")
    changes = {"data.train": str(tmp_path / "zh.csv"), "data.eval": str(tmp_path / "zh.csv"), "training.epochs": 1}
    recipe = FinetuneRecipe.load(
        None,
        {"model.name": str(folder / "model"), "data.max_length": 32, "training.batch_size": 8, **changes},
    )
    _, said = run(recipe, tmp_path / "model")
    assert said.count("texts are empty or mostly unknown") == 2


def test_two_processes_go_the_course_of_one(tmp_path):
    """Batches of 7 rows and a last one of a single row, which two processes cannot share."""
    rows = [f"the film was {'very ' * (row % 4)}{word},{label}" for row in range(4) for word, label in WORDS][:15]
    (tmp_path / "odd.csv").write_text("\n".join(["text,label", *rows]))
    changes = {"training__batch_size": 7, "training__epochs": 2, "training__gradient_accumulation": 2}
    recipe = common.recipe(tmp_path, data__train=str(tmp_path / "odd.csv"), **changes)
    recipe.save(tmp_path / "recipe.toml")
    expected, _ = run(recipe, tmp_path / "one")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "albertkit"]
    given = ["finetune", "text-classification", "--recipe", str(tmp_path / "recipe.toml")]
    output = ["--output", str(tmp_path / "two")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*start, *given, *output], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("15 training and 20 evaluation examples") == 1, "one process speaks"
    found = json.loads((tmp_path / "two" / "eval_results.json").read_text())
    assert found == {**expected, "loss": pytest.approx(expected["loss"], abs=1e-5)}
    logs = [[row for row in reporter.read_log(tmp_path / one / "log.jsonl") if "loss" in row] for one in ("one", "two")]
    assert len(logs[0]) == len(logs[1]) == 6
    for one, two in zip(*logs, strict=True):
        for name in ("loss", "gradient_norm"):
            assert two[name] == pytest.approx(one[name], rel=1e-4, abs=1e-5)
        assert (two["step"], two["tokens"]) == (one["step"], one["tokens"])
    weights = [safetensors.numpy.load_file(tmp_path / one / "model.safetensors") for one in ("one", "two")]
    for name in weights[0]:
        np.testing.assert_allclose(weights[1][name], weights[0][name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_recipe_left_behind_is_what_was_asked_and_runs_again(trained, tmp_path):
    folder, results, _ = trained
    recipe = FinetuneRecipe.load(folder / "model" / "recipe.toml", {})
    assert recipe == common.learnable(folder).model_copy(update={"framework": "torch"})
    resolved = json.loads((folder / "model" / "run.json").read_text())["resolved"]
    assert (resolved["data"]["text_column"], resolved["data"]["label_column"]) == ("text", "label")
    assert (resolved["training"]["max_steps"], resolved["training"]["metric"]) == (64, "accuracy")
    again, _ = run(recipe, tmp_path / "model")
    assert again == results
    for name in ("model.safetensors", "spiece.model", "recipe.toml"):
        assert (tmp_path / "model" / name).read_bytes() == (folder / "model" / name).read_bytes()


def test_config_holds_labels_problem_and_the_tokenizer_limits_length(trained):
    folder, _, _ = trained
    config = AlbertConfig.from_pretrained(folder / "model")
    assert (config.id2label, config.problem_type) == ({0: "neg", 1: "pos"}, "single_label_classification")
    settings = json.loads((folder / "model" / "tokenizer_config.json").read_text())
    assert settings["model_max_length"] == 32


def test_pipeline_and_evaluation_give_the_results_of_the_run(trained):
    folder, results, _ = trained
    classify = pipeline("text-classification", folder / "model")
    scores = classify.evaluate(folder / "dev.csv")
    assert {key: scores[key] for key in ("accuracy", "f1", "examples")} == {
        key: results[key] for key in ("accuracy", "f1", "examples")
    }
    assert classify("the plot was superb")[0]["label"] == "pos"
    assert [answer["label"] for answer in classify(["the cast was dull", "the film was great"])] == ["neg", "pos"]


def test_the_log_and_the_card_tell_the_course(trained):
    folder, results, _ = trained
    rows = [json.loads(line) for line in (folder / "model" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, 65))
    assert [row["evaluation"]["step"] for row in rows if "evaluation" in row] == list(range(8, 65, 8))
    card = (folder / "model" / "README.md").read_text()
    assert f"| accuracy | {results['accuracy']:.4f} |" in card
    assert f"On 20 examples of `dev.csv`, with the weights of step {results['step']}" in card
    assert "chosen by accuracy on the same ones" in card
    assert (folder / "model" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_trained_model_can_be_trained_on_with_its_head_and_vocabulary(trained, tmp_path):
    folder, _, _ = trained
    recipe = common.recipe(tmp_path, model__name=str(folder / "model"), model__config={}, training__max_steps=1)
    recipe = recipe.changed("training", learning_rate=1e-9)
    results, said = run(recipe, tmp_path / "more")
    assert results["accuracy"] == 1.0
    assert "newly initialised" not in said
    other = common.reviews(tmp_path / "other.csv")
    other.write_text(other.read_text().replace(",pos", ",up").replace(",neg", ",down"))
    _, said = run(recipe.changed("data", train=str(other), eval=str(other)), tmp_path / "renamed")
    assert "newly initialised: classifier.weight" in said


def test_without_an_evaluation_file_a_part_is_held_out(tmp_path):
    recipe = common.recipe(tmp_path, data__eval="", data__held_out=0.25, training__max_steps=1)
    results, said = run(recipe, tmp_path / "model")
    assert "45 training and 15 evaluation examples" in said
    assert "pieces was learned from the training texts" in said
    assert results["examples"] == 15


def test_pairs_are_read_from_tsv(tmp_path):
    rows = [(a, b, str(int(a == b))) for a in common.GOOD for b in common.GOOD]
    path = tmp_path / "pairs.tsv"
    path.write_text("sentence1\tsentence2\tlabel\n" + "".join("\t".join(row) + "\n" for row in rows))
    _, said = run(
        common.recipe(tmp_path, data__train=str(path), data__eval=str(path), training__max_steps=1), tmp_path / "m"
    )
    assert "pair 'sentence2'" in said
    assert pipeline("text-classification", tmp_path / "m")("good", "good")[0]["label"] in ("0", "1")


def test_several_labels_are_read_from_json_lines(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"text": word, "labels": [word[0], "word"]} for word in (*common.GOOD, *common.BAD)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = common.recipe(tmp_path, data__train=str(path), data__eval=str(path), training__epochs=40)
    results, _ = run(recipe, tmp_path / "m")
    assert results["f1_micro"] > 0.6
    classify = pipeline("text-classification", tmp_path / "m")
    assert classify("good")[0]["label"] == "word"
    [record] = classify.stream([classify.task.examples("good")[0]])
    assert "word" in record["labels"]


def test_numbers_are_read_from_parquet(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts = [f"{'very ' * n}good" for n in range(6)] * 4
    table = pa.table({"text": texts, "score": [text.count("very") / 2 for text in texts]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    path = str(tmp_path / "rows.parquet")
    recipe = common.recipe(tmp_path, data__train=path, data__eval=path, training__epochs=30)
    results, _ = run(recipe, tmp_path / "m")
    assert results["pearson"] > 0.8
    assert pipeline("text-classification", tmp_path / "m")("very very good")[0]["score"] == pytest.approx(1, abs=1.0)


def test_long_texts_are_cut_and_counted(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("text,label\n" + "good film good film good film good film,pos\nbad,neg\n" * 4)
    recipe = common.recipe(
        tmp_path, data__train=str(path), data__eval=str(path), data__max_length=8, training__max_steps=1
    )
    _, said = run(recipe, tmp_path / "m")
    assert f"4 of 8 texts of {path} are longer than 8 tokens, or than another bound, and were cut." in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is none"),
        ("", "at least one row"),
        ("text,label\n", "at least one row"),
        ("text,label\na,pos\nb\n", "line 3, has 1 where the header has 2"),
        ("text,label\na,pos\n,neg\n", "in 1 of 2 rows: line 3"),
        ("text,label\na,pos\nb,\n", "in 1 of 2 rows: line 3"),
        ("body,mark\na,pos\nb,neg\n", "columns body, mark, and none of the usual names"),
        ("text,label\na,pos\nb,pos\n", "at least two classes"),
    ],
)
def test_training_data_that_cannot_be_used_is_an_error_that_says_where(tmp_path, content, words):
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError) as caught:
        run(common.recipe(tmp_path, data__train=str(path)), tmp_path / "m")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "m" / "config.json").exists()


def test_labels_unseen_in_training_are_named_with_their_lines(tmp_path):
    path = tmp_path / "dev.csv"
    recipe = common.recipe(tmp_path)
    path.write_text("text,label\ngood,pos\nodd,mixed\nodder,mixed\n")
    with pytest.raises(InputError, match=r"one of neg, pos\..*'mixed' \(line 3, line 4\)"):
        run(recipe, tmp_path / "m")


def test_rows_without_text_can_be_left_out_and_are_counted(tmp_path):
    path = common.reviews(tmp_path / "gaps.csv")
    path.write_text(path.read_text() + ",pos\n ,neg\n")
    _, said = run(
        common.recipe(tmp_path, data__train=str(path), data__skip_bad_rows=True, training__max_steps=1), tmp_path / "m"
    )
    assert "2 rows were left out. Every row needs a text" in said


def test_rows_that_a_model_cannot_be_given_are_left_out_of_both_sides_and_counted(tmp_path):
    dev = tmp_path / "odd.csv"
    dev.write_text("text,label\ngood,pos\nodd,mixed\nbad,neg\n")
    changes = {"data__eval": str(dev), "data__skip_bad_rows": True, "training__max_steps": 1}
    results, said = run(common.recipe(tmp_path, **changes), tmp_path / "m")
    assert results["examples"] == 2
    assert f"1 row was left out. Every label must be one of neg, pos. Not so in 1 of {dev}: line 3." in said


def test_what_was_said_of_a_former_model_goes_with_it_and_what_is_no_runs_is_told(tmp_path, caplog):
    output = tmp_path / "m"
    run(common.recipe(tmp_path, training__max_steps=1), output)
    assert "did not write" not in caplog.text
    stale = {"calibration.json", "quantization.json", "export.json", "figure_calibration_after.png"}
    for name in (*stale, "notes.txt"):
        (output / name).write_text("{}")
    (output / "1_Pooling").mkdir()
    (output / "1_Pooling" / "config.json").write_text("{}")
    config = json.loads((output / "config.json").read_text())
    config["task"]["calibration"] = {"temperature": 3.0}
    (output / "config.json").write_text(json.dumps(config))
    run(common.recipe(tmp_path, training__max_steps=1, model__name=str(output)), output, overwrite=True)
    left = {path.name for path in output.iterdir()}
    assert not left & {*stale, "1_Pooling"}
    assert "calibration" not in json.loads((output / "config.json").read_text())["task"]
    assert "also holds what this run did not write: notes.txt." in caplog.text


def test_a_run_of_several_seeds_leaves_no_former_model_beside_theirs(tmp_path):
    output, recipe = tmp_path / "m", common.recipe(tmp_path, training__max_steps=1)
    run(recipe, output)
    (output / "calibration.json").write_text("{}")
    run(recipe.model_copy(update={"seeds": [1]}), output, overwrite=True)
    assert not {"config.json", "model.safetensors", "calibration.json"} & {path.name for path in output.iterdir()}
    assert (output / "seed-1" / "model.safetensors").exists()


def test_length_beyond_the_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"`data.max_length` must not exceed .* Received: 33 and 32"):
        run(common.recipe(tmp_path, data__max_length=33), tmp_path / "m")


def test_a_tokenizer_of_another_model_is_refused(trained, tmp_path):
    folder, _, _ = trained
    from albertkit.tokenization.fast import AlbertTokenizerFast

    other = AlbertTokenizerFast.from_pretrained(folder / "model")
    other.add_tokens(["<one>", "<two>"])
    other.save_pretrained(tmp_path / "tokenizer")
    recipe = common.recipe(tmp_path, model__name=str(folder / "model"), model__tokenizer=str(tmp_path / "tokenizer"))
    recipe = recipe.changed("model", config={})
    with pytest.raises(ConfigError, match=r"a tokenizer of .* tokens and a model of `vocab_size`"):
        run(recipe, tmp_path / "m")


def test_a_tokenizer_that_no_path_can_name_is_refused_in_words(tmp_path):
    with pytest.raises(CheckpointNotFound, match=r"A model is a folder or .*File name too long. Check the path"):
        run(common.recipe(tmp_path, model__tokenizer="x" * 300), tmp_path / "m")


def test_a_folder_that_holds_something_is_not_overwritten_unasked(trained, tmp_path):
    folder, _, _ = trained
    before = (folder / "model" / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match=r"only with --overwrite.*holds config\.json"):
        run(common.recipe(tmp_path), folder / "model")
    assert (folder / "model" / "model.safetensors").read_bytes() == before
    with pytest.raises(ConfigError, match="nothing to resume"):
        run(common.recipe(tmp_path), tmp_path / "m", resume=True)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="which is a file"):
        run(common.recipe(tmp_path), tmp_path / "file")


def test_other_peoples_files_are_not_replaced_unasked(tmp_path):
    for name in ("README.md", "log.jsonl", "vocab.txt"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text("mine")
        (folder / "notes.txt").write_text("mine too")
        with pytest.raises(ConfigError, match=rf"holds {re.escape(name)}\."):
            run(common.recipe(tmp_path), folder)
        run(common.recipe(tmp_path, training__max_steps=1), folder, overwrite=True)
        assert (folder / "notes.txt").read_text() == "mine too"
        assert not (folder / "vocab.txt").exists()


def test_nothing_is_thrown_away_before_there_is_data_to_train_on(tmp_path):
    folder = tmp_path / "m"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "mine").write_text("work")
    with pytest.raises(InputError, match="there is none"):
        run(common.recipe(tmp_path, data__train="typo.csv"), folder, overwrite=True)
    assert (folder / "checkpoints" / "mine").read_text() == "work"


def test_a_run_is_resumed_only_with_its_own_recipe_which_is_named_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune.reporter.Reporter, "on_evaluation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(common.learnable(tmp_path), tmp_path / "m")
    kept = run_folder.begun(tmp_path / "m").read_bytes()
    with pytest.raises(ConfigError, match=r"Then and now: `training\.learning_rate` 0\.005 and 0\.02"):
        run(common.learnable(tmp_path, training__learning_rate=0.02), tmp_path / "m", resume=True)
    assert run_folder.begun(tmp_path / "m").read_bytes() == kept
    monkeypatch.undo()
    results, _ = run(FinetuneRecipe.load(run_folder.begun(tmp_path / "m"), {}), tmp_path / "m", resume=True)
    assert results["accuracy"] == 1.0
    assert run_folder.begun(tmp_path / "m") is None


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_metric_that_the_task_lacks_is_refused_before_training(tmp_path):
    with pytest.raises(ConfigError, match=r"`training\.metric` must be one of loss, accuracy, .*'acc'"):
        run(common.recipe(tmp_path, training__metric="acc"), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_weights_that_are_not_finite_never_become_a_model(tmp_path):
    wild = {"training__learning_rate": 1e30, "training__max_steps": 1, "training__warmup_ratio": 0.0}
    with pytest.raises(TrainingError, match=r"must be finite|must stay finite"):
        run(common.recipe(tmp_path, **wild), tmp_path / "m")
    assert not (tmp_path / "m" / "config.json").exists()


def test_a_config_that_asks_for_more_outputs_trains_and_answers(tmp_path):
    more = {**common.TINY, "output_attentions": True, "output_hidden_states": True, "return_dict": False}
    run(common.recipe(tmp_path, model__config=more, training__max_steps=1), tmp_path / "m")
    assert AlbertConfig.from_pretrained(tmp_path / "m").output_attentions
    assert pipeline("text-classification", tmp_path / "m")("good")[0]["label"] in ("neg", "pos")


def test_a_rare_class_stays_in_training_where_a_part_is_held_out(tmp_path):
    path = common.reviews(tmp_path / "three.csv")
    path.write_text(path.read_text() + "the film was so and so,neutral\n")
    for seed in range(5):
        recipe = common.recipe(tmp_path, data__eval="", training__max_steps=1, seed=seed)
        recipe = recipe.changed("data", train=str(path))
        run(recipe, tmp_path / str(seed))
        assert set(AlbertConfig.from_pretrained(tmp_path / str(seed)).label2id) == {"neg", "neutral", "pos"}


def test_a_finished_model_is_replaced_where_that_is_asked(tmp_path):
    recipe = common.recipe(tmp_path, training__max_steps=1)
    run(recipe, tmp_path / "m")
    first = (tmp_path / "m" / "model.safetensors").read_bytes()
    run(recipe.model_copy(update={"seed": 1}), tmp_path / "m", overwrite=True)
    assert (tmp_path / "m" / "model.safetensors").read_bytes() != first
    rows = (tmp_path / "m" / "log.jsonl").read_text().splitlines()
    assert len(rows) == 2


def test_an_old_model_stays_until_a_new_one_is_complete(tmp_path, monkeypatch):
    recipe = common.recipe(tmp_path, training__max_steps=1)
    run(recipe, tmp_path / "m")
    before = files.load(tmp_path / "m").tensors

    def broken(*_):
        raise OSError("no picture")

    monkeypatch.setattr(finetune.reporter, "draw_curves", broken)
    with pytest.raises(AlbertkitError, match="no picture"):
        run(recipe.model_copy(update={"seed": 1}), tmp_path / "m", overwrite=True)
    after = files.load(tmp_path / "m").tensors
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_a_finished_run_is_extended_with_the_state_of_its_optimizer(tmp_path):
    recipe = common.recipe(tmp_path, training__schedule="constant", training__max_steps=8)
    run(recipe, tmp_path / "m")
    _, said = run(FinetuneRecipe.load(run_folder.finished(tmp_path / "m"), {}), tmp_path / "m", extend_to=12)
    assert "Extended from 8 to 12 steps." in said
    assert "it was 1.00e-02 at last and goes on at 1.00e-02" in said
    run(recipe.with_steps(12), tmp_path / "straight")
    for name in ("model", "optimizer"):
        one, other = (
            safetensors.numpy.load_file(tmp_path / folder / "checkpoints" / "step-00000012" / f"{name}.safetensors")
            for folder in ("m", "straight")
        )
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)
    assert FinetuneRecipe.load(tmp_path / "m" / "recipe.toml", {}).training.max_steps == 12
    assert run_folder.begun(tmp_path / "m") is None


def test_an_extension_that_was_cut_off_is_resumed(tmp_path, monkeypatch):
    run(common.recipe(tmp_path, training__max_steps=8), tmp_path / "m")
    recipe = FinetuneRecipe.load(run_folder.finished(tmp_path / "m"), {})
    monkeypatch.setattr(finetune.reporter.Reporter, "on_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "m", extend_to=12)
    monkeypatch.undo()
    assert run_folder.finished(tmp_path / "m") is None
    _, said = run(FinetuneRecipe.load(run_folder.begun(tmp_path / "m"), {}), tmp_path / "m", resume=True)
    assert "Resumed from step-00000008." in said
    assert run_folder.finished(tmp_path / "m") is not None


def test_what_cannot_be_extended_is_said(tmp_path):
    recipe = common.recipe(tmp_path, training__max_steps=4)
    with pytest.raises(ConfigError, match=r"A run can be extended that is finished.*holds none"):
        run(recipe, tmp_path / "m", extend_to=12)
    run(recipe, tmp_path / "m")
    with pytest.raises(ConfigError, match=r"extended to more steps than it had\. Received: 4, and it had 4"):
        run(recipe, tmp_path / "m", extend_to=4)
    with pytest.raises(ConfigError, match=r"goes without --resume and --overwrite"):
        run(recipe, tmp_path / "m", extend_to=12, overwrite=True)
    with pytest.raises(ConfigError, match=r"extended with the recipe it began with. Then and now: `seed` 42 and 1"):
        run(recipe.model_copy(update={"seed": 1}), tmp_path / "m", extend_to=12)
    data = tmp_path / "train.csv"
    kept = data.read_text()
    data.write_text(kept.replace("film", "book"))
    with pytest.raises(TrainingError, match="recipe and data it began with"):
        run(recipe, tmp_path / "m", extend_to=12)
    assert run_folder.finished(tmp_path / "m"), "what was refused leaves a finished run, which can be extended"
    data.write_text(kept)
    assert "Resumed from step-00000004." in run(recipe, tmp_path / "m", extend_to=6)[1]
    run(recipe.changed("training", keep_state=False), tmp_path / "m", overwrite=True)
    assert not (tmp_path / "m" / "checkpoints").exists()
    with pytest.raises(ConfigError, match=r"`training\.keep_state` false is begun again"):
        run(recipe, tmp_path / "m", extend_to=12)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The command of a run that is cut off in the tests below, and what it leaves when it is not."""
    folder = tmp_path_factory.mktemp("straight")
    common.recipe(folder, training__epochs=12, training__save_every=5).save(folder / "recipe.toml")
    command = ["finetune", "text-classification", "--recipe", str(folder / "recipe.toml")]
    assert albertkit(*command, "--output", folder / "straight").returncode == 0
    return command, folder / "straight"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_ended_at_any_moment_resumes_to_the_same_weights(straight, tmp_path, number):
    command, whole = straight
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores it
    again = [*command, "--output", str(tmp_path / "killed")]
    killed = subprocess.Popen(
        [sys.executable, "-m", "albertkit", *again], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, before)
    log = tmp_path / "killed" / "log.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and not (log.exists() and log.read_text().count("\n") > 20):
        time.sleep(0.01)
    killed.send_signal(number)
    _, told = killed.communicate()
    assert killed.returncode == (-number if number == signal.SIGKILL else 128 + number)
    assert (b"Go on with --resume." in told) == (number != signal.SIGKILL)
    assert not (tmp_path / "killed" / "config.json").exists()
    refused = albertkit(*again)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    resumed = albertkit(*again, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "Resumed from step-" in resumed.stdout
    folders = whole, tmp_path / "killed"
    one, other = (safetensors.numpy.load_file(folder / "model.safetensors") for folder in folders)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    rows = [[json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] for folder in folders]
    losses = [[(row["step"], row["loss"]) for row in each if "loss" in row] for each in rows]
    assert losses[0] == losses[1]


def test_a_fingerprint_looks_at_the_form_of_the_rows_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(Features, "choices", lambda self: calls.append(self))
    features = Features([[1, 2]] * 50, [[0, 0]] * 50, {"labels": np.zeros(50)})
    finetune_plan.fingerprint(common.recipe(tmp_path), features)
    assert len(calls) == 1


def test_the_tokens_of_a_step_are_those_of_all_choices(tmp_path):
    features = Features([[[1, 2, 3]] * 4] * 8, [[[0, 0, 0]] * 4] * 8, {"labels": np.zeros(8, np.int64)})
    recipe = common.recipe(tmp_path).changed("training", max_steps=1, learning_rate=1e-3, batch_size=2)
    recipe = recipe.changed("training", metric="accuracy", evaluate_every=1)
    words = SimpleNamespace(pad_token_id=0, unk_token_id=1)
    start = SimpleNamespace(config=AlbertConfig(), tokenizer=words, tensors={}, is_new=False)
    side = SimpleNamespace(features=features, examples=None)
    _, plan = finetune_plan.planned(registry.get("multiple-choice"), None, recipe, start, side)
    assert plan.tokens == 2 * 4 * 3
