"""The option names of Transformers' example scripts, in recipes and on the command line."""

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("pydantic")

from albertkit.cli.app import app
from albertkit.errors import ConfigError
from albertkit.tasks import registry
from albertkit.training import finetune, option_names
from albertkit.training.recipe import FinetuneRecipe


def load(tmp_path, text="", *settings, task=None, **overrides):
    (tmp_path / "r.toml").write_text(text)
    return FinetuneRecipe.load(tmp_path / "r.toml", overrides, settings, task)


def told(monkeypatch, *arguments):
    """The recipe and the options that a command line makes."""
    seen = {}
    monkeypatch.setattr(finetune, "run", lambda recipe, output, **options: seen.update(options, recipe=recipe))
    done = CliRunner().invoke(app, ["finetune", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return seen


def test_a_recipe_may_use_the_names_of_the_scripts_flat_or_in_their_section(tmp_path):
    found = load(
        tmp_path, 'num_train_epochs = 5\nmax_seq_length = 64\n[training]\nlr_scheduler_type = "constant_with_warmup"\n'
    )
    assert (found.training.epochs, found.data.max_length, found.training.schedule) == (5, 64, "constant")
    found = load(tmp_path, "", "per-device-eval-batch-size=4", "metric_for_best_model=eval_f1", "max_steps=-1")
    assert (found.training.eval_batch_size, found.training.metric, found.training.max_steps) == (4, "f1", 0)


def test_what_is_given_later_wins_whatever_its_name(tmp_path):
    assert load(tmp_path, "[training]\nepochs = 3\n", "num_train_epochs=7").training.epochs == 7
    assert load(tmp_path, "num_train_epochs = 3\n", "training.epochs=7").training.epochs == 7


def test_two_names_of_one_option_must_agree(tmp_path):
    with pytest.raises(ConfigError, match=r"`max_seq_length` .*two names of one option.*64 and 32"):
        load(tmp_path, "max_seq_length = 64\n[data]\nmax_length = 32\n")


@pytest.mark.parametrize("name", [*option_names.INSTEAD, "fp16"])
def test_a_name_without_meaning_is_refused_with_what_to_do_instead(tmp_path, name):
    instead = option_names.INSTEAD.get(name) or option_names.ALWAYS[name][1]
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "", f"{name}=true")
    assert f"`{name}` is" in str(caught.value)
    assert "Received: True. " + instead in str(caught.value)


def test_every_name_is_a_key_that_some_task_has():
    known = set().union(*(FinetuneRecipe.load(None, {"task": name}).keys() for name in registry.trainable_names()))
    named = [
        *(key for keys in option_names.KEYS.values() for key in keys),
        *(key for key, *_ in option_names.VALUES.values()),
    ]
    assert not set(named) - known
    assert not option_names.INSTEAD.keys() & (
        option_names.KEYS.keys() | option_names.VALUES.keys() | option_names.ALWAYS.keys()
    )


def test_what_a_run_does_anyway_may_be_said_and_not_refused(tmp_path):
    assert load(tmp_path, "do_train = true\ndo_eval = true\nfp16 = false\n") == load(tmp_path)
    with pytest.raises(ConfigError, match=r"`do_train` is always true here. Received: False. .*albertkit evaluate"):
        load(tmp_path, "do_train = false\n")


def test_a_name_of_another_task_is_refused_and_not_ignored(tmp_path):
    assert load(tmp_path, "", "label_all_tokens=true", task="token-classification").data.label_all_tokens
    with pytest.raises(ConfigError, match=r"`label_all_tokens` is no option of this run.*data\.label_all_tokens"):
        load(tmp_path, "", "label_all_tokens=true")


def test_a_mistyped_key_is_still_told(tmp_path):
    with pytest.raises(ConfigError, match=r"no key `training\.epoch`.*training\.epochs"):
        load(tmp_path, "[training]\nepoch = 3\n")


def test_a_command_line_of_the_scripts_runs_here(monkeypatch, tmp_path):
    seen = told(
        monkeypatch,
        *("question-answering", "--model_name_or_path", "some-model", "--train_file", "t.json", "--do_train"),
        *("--validation_file=d.json", "--do_eval", "True", "--max_seq_length", "200", "--doc_stride", "64", "--bf16"),
        *("--learning_rate", "3e-5", "--per-device-train-batch-size", "12", "--gradient_accumulation_steps", "2"),
        *("--version_2_with_negative", "--warmup_steps", "10", "--weight_decay", "0", "--seed", "7"),
        *("--output_dir", str(tmp_path / "m"), "--overwrite_output_dir", "True"),
    )
    recipe = seen["recipe"]
    assert (recipe.model.name, recipe.data.train, recipe.data.eval) == ("some-model", "t.json", "d.json")
    assert (recipe.data.max_length, recipe.data.doc_stride, recipe.seed) == (200, 64, 7)
    training = recipe.training
    assert (training.learning_rate, training.precision, training.defaults) == (3e-5, "bf16", "squad_v2")
    assert (training.per_device_batch_size, training.gradient_accumulation) == (12, 2)
    assert (training.warmup_steps, training.weight_decay) == (10, 0)
    assert (seen["overwrite"], seen["resume"]) == (True, False)


@pytest.mark.parametrize("given", [["--seeds", "1", "2", "3"], ["--seeds", "1,2,3"], ["--seeds=1,2,3"]])
def test_seeds_are_given_with_spaces_or_commas(monkeypatch, tmp_path, given):
    seen = told(monkeypatch, "text-classification", *given, "--train", "t.csv", "--output", str(tmp_path))
    assert seen["recipe"].seeds == [1, 2, 3]


def test_the_help_stays_short_and_says_that_other_names_are_understood():
    shown = CliRunner().invoke(app, ["finetune", "text-classification", "--help"], env={"COLUMNS": "200"}).output
    assert "docs/fine-tuning.md" in shown
    assert "per_device" not in shown


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_name_of_training_is_refused_by_the_other_commands(command):
    done = CliRunner().invoke(app, [command, "model", "data.csv", "--num_train_epochs", "3"])
    assert isinstance(done.exception, ConfigError)
    assert "`num_train_epochs` is no option of this command. Received: 3." in str(done.exception)


def test_models_and_data_of_other_commands_may_be_named(monkeypatch):
    from albertkit import pipelines

    seen = {}

    class Answering:
        def __init__(self, *given, **options):
            seen.update(given=given, options=options)

        def evaluate(self, data, official=None, **options):
            seen.update(data=data, found=options)
            return {"accuracy": 1.0}

    monkeypatch.setattr(pipelines, "pipeline", Answering)
    given = ["--validation_file", "d.csv", "--model_name_or_path", "m", "--per_device_eval_batch_size", "4"]
    done = CliRunner().invoke(app, ["evaluate", *given, "--max_seq_length=64", "--max_eval_samples", "10"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"accuracy": 1.0}
    assert (seen["given"][1], seen["given"][3], seen["options"]["batch_size"]) == ("m", 64, 4)
    assert (seen["data"], seen["found"]) == ("d.csv", {"max_eval_samples": 10})


def test_names_of_older_scripts_and_of_the_original_are_known(monkeypatch, tmp_path):
    found = load(tmp_path, "train_batch_size = 16\npredict_batch_size = 4\nwarmup_proportion = 0.2\n").training
    assert (found.batch_size, found.eval_batch_size, found.warmup_ratio) == (16, 4, 0.2)
    arguments = ("text-classification", "--train", "a.csv", "--output", "o", "--per_gpu_train_batch_size", "3")
    assert told(monkeypatch, *arguments, "--evaluate_during_training")["recipe"].training.per_device_batch_size == 3
    with pytest.raises(ConfigError, match=r"`dataloader_drop_last` is always false here\. Received: True\."):
        load(tmp_path, "dataloader_drop_last = true\n")
