"""What `--help` says: the defaults, which for recipes are those of the recipe; and completion in the shell."""

import dataclasses
import re

import pytest
from typer.testing import CliRunner

pytest.importorskip("pydantic")

from albertkit.cli.app import app
from albertkit.errors import InputError
from albertkit.tasks import registry
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe


def help_of(*command):
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "250", "TERM": "dumb"})
    assert shown.exit_code == 0, shown.output
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.output)


def default_of(text, option):
    """What stands as the default in the line of an option."""
    [line] = [line for line in text.splitlines() if re.search(rf"{option}\s", line)]
    found = re.search(r"\[default: \(?(.*?)\)?\]", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize(
    ("command", "recipe", "keys"),
    [
        (
            ("finetune", "text-classification"),
            FinetuneRecipe.load(None, {}),
            ("model.name", "framework", "seed", "training.epochs", "training.batch_size"),
        ),
        (
            ("pretrain",),
            PretrainRecipe.load(None, {}),
            *[
                (
                    "model.name",
                    "framework",
                    "seed",
                    "data.objective",
                    "data.length",
                    "training.steps",
                    "training.batch_size",
                )
            ],
        ),
    ],
)
def test_the_defaults_that_are_shown_are_those_of_the_recipe(command, recipe, keys):
    shown = help_of(*command)
    for key in keys:
        value = recipe
        for name in key.split("."):
            value = getattr(value, name)
        option = "--model" if key == "model.name" else f"--{key.rpartition('.')[2].replace('_', '-')}"
        assert default_of(shown, option) == str(value), key


def test_a_mistyped_task_brings_the_nearest_to_mind():
    for typed, told in (
        ("text-clasification", "Did you mean `text-classification`?"),
        ("fill-masks", "Did you mean `fill-mask`?"),
        ("feature-extraction", "A task to fine-tune must be one of text-classification"),
    ):
        error = CliRunner().invoke(app, ["finetune", typed, "--train", "a.csv"]).exception
        assert isinstance(error, InputError)
        assert told in str(error)


def test_the_defaults_of_a_tasks_data_are_shown():
    shown = help_of("finetune", "text-classification")
    for field in dataclasses.fields(registry.get_trainable("text-classification").options):
        if field.default not in ("", dataclasses.MISSING):
            expected = str(field.default).lower() if field.type is bool else str(field.default)
            assert default_of(shown, f"--{field.name.replace('_', '-')}") == expected


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (("predict",), ("--output", "--batch-size", "--device", "--framework", "--max-length", "--task", "--top-k")),
        (("evaluate",), ("--label-column", "--batch-size", "--device", "--framework", "--max-length", "--task")),
        (("convert",), ("--architecture", "--dtype", "--config")),
        (("corpus", "build"), ("--format", "--language", "--workers", "--shard-tokens")),
        (("tokenizer", "train"), ("--vocab-size", "--character-coverage", "--seed")),
        (("finetune", "text-classification"), ("--learning-rate", "--tokenizer")),
        (("pretrain",), ("--learning-rate",)),
    ],
)
def test_the_defaults_of_every_command_are_shown(command, options):
    shown = help_of(*command)
    assert all(default_of(shown, option) for option in options)


def test_the_shell_can_complete_commands():
    assert "--install-completion" in help_of()
    words = {"_ALBERTKIT_COMPLETE": "complete_bash", "COMP_WORDS": "albertkit pre", "COMP_CWORD": "1"}
    done = CliRunner().invoke(app, [], prog_name="albertkit", env=words)
    assert done.output.split() == ["pretrain", "predict"]


@pytest.mark.parametrize("command", ["predict", "score", "embed"])
def test_a_file_of_texts_has_the_same_two_names_in_every_command(command):
    text = help_of(command)
    assert re.search(r"--file\b", text)
    assert re.search(r"--data\b", text)
