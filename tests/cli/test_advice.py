"""Every option that a message names is one of the commands that may print the message."""

import ast
import re
from pathlib import Path

import pytest
import typer

pytest.importorskip("torch")

import albertkit
from albertkit.cli.app import app
from albertkit.tasks import registry
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe

PACKAGE = Path(albertkit.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
KEY = re.compile(r"(?<![\w./-])(?:data|training|model)\.(?!ckpt)[a-z_]+(?!\w*[.(])")
COMMAND = re.compile(r"albertkit ([a-z-]+(?: [a-z-]+)*)")
OF_OTHERS = {"--nproc-per-node", "--head"}
"""Options of other programs."""

FINETUNE, TRAIN, BUILD = "finetune text-classification", "tokenizer train", "corpus build"
READERS = ["predict", "calibrate", "embed", "score", "quantize", "export", "bench"]
"""What reads data files beside training and `evaluate`."""
PRINTED_BY = {
    "cli/options.py": ["evaluate", "predict"],
    "cli/predict.py": ["predict"],
    "cli/long_run.py": ["predict"],
    "prediction/": ["predict"],
    "cli/answer_inputs.py": ["predict"],
    "cli/hub_file.py": ["evaluate", "predict"],
    "cli/embed.py": ["embed"],
    "cli/evaluate.py": ["evaluate"],
    "cli/data.py": ["data check"],
    "cli/score.py": ["score"],
    "cli/finetune.py": [FINETUNE],
    "cli/pretrain.py": ["pretrain"],
    "cli/convert.py": ["convert"],
    "cli/info.py": ["info"],
    "checkpoint/report.py": ["info"],
    "cli/corpus.py": [BUILD],
    "cli/tokenizer.py": [TRAIN],
    "corpus/builder.py": [BUILD],
    "cli/engines.py": ["predict", "embed", "pretrain", FINETUNE],
    "distributed/training.py": ["pretrain", FINETUNE],
    "distributed/": ["predict", "embed", "pretrain", FINETUNE],
    "corpus/": [BUILD, TRAIN],
    "tokenization/learning_process.py": [TRAIN],
    "tokenization/train.py": [TRAIN],
    "hub_upload.py": ["push"],
    "data_check/repeats.py": ["data check"],
    "data_check/check.py": [FINETUNE, "evaluate"],  # what is said there to be left out by them
    "training/pretrain": ["pretrain"],
    "training/finetune": [FINETUNE],
    "training/defaults": [FINETUNE],
    "training/option_names": [FINETUNE],
    "training/seeds": [FINETUNE],
    "training/hub_data": [FINETUNE],
    "training/": [FINETUNE, "pretrain"],
    "serving/": ["serve"],
    "tasks/base.py:TrainableTask": [FINETUNE, "data check"],
    "tasks/held_out.py": [FINETUNE],
    "tasks/multiple_choice/task.py": READERS,
    "tasks/multiple_choice/choice_columns.py": [
        FINETUNE,
        "evaluate",
        "predict",
        "calibrate",
        "quantize",
        "export",
        "bench",
    ],
    "tasks/question_answering/task.py:_pairs": ["predict"],
    "tasks/question_answering/task.py": READERS,
    "tasks/bad_rows.py": [FINETUNE, "evaluate", *READERS],
    "tasks/texts.py": [FINETUNE, "evaluate", "predict", "quantize", "export", "bench"],
    "tasks/tables.py:Table": [FINETUNE, "evaluate", "predict", "calibrate", "quantize", "export", "bench"],
    "tasks/tables.py": [FINETUNE, "evaluate", *READERS],
    "tasks/table_formats.py": [FINETUNE, "evaluate", *READERS],
    "tasks/fill_mask/answers.py": ["predict"],
    "tasks/fill_mask/task.py": ["predict"],
    "tasks/fill_mask/": ["finetune fill-mask", "evaluate"],
    # What is said of the labels of training alone.
    "tasks/text_classification/labels.py:schema": [FINETUNE],
    "tasks/text_classification/labels.py:_names_of_positions": [FINETUNE],
    "tasks/text_classification/labels.py:_tell": [FINETUNE],
    "tasks/text_classification/label_forms.py:guess": [FINETUNE],
    "tasks/text_classification/label_forms.py:require": [FINETUNE],
    "tasks/text_classification/label_forms.py:tell_of_numbers": [FINETUNE],
    "tasks/text_classification/task.py:_check": [FINETUNE],
    "tasks/text_classification/task.py:_require": [FINETUNE],
    "tasks/text_classification/labelled_rows.py:_require": [FINETUNE],
    "tasks/sentence_embedding/task.py:_require": ["finetune sentence-embedding"],
    "tasks/sentence_embedding/": ["finetune sentence-embedding", "evaluate"],
    "tasks/": [FINETUNE, "evaluate"],
    "tools/convert.py": ["convert"],
    "tools/summary.py": ["info"],
    "inference/exported.py:_require_trusted": ["bench", "calibrate", "embed", "evaluate", "predict", "score"],
    "pipelines.py": ["evaluate", "predict"],
    "bench/": ["bench"],
    "cli/bench.py": ["bench"],
    "exporting.py": ["export"],
    "exports/": ["export"],
    "inference/export_folder.py": ["export"],
    "quantizing/quantize.py": ["quantize"],
    "sampling.py": [],
    "inference/pipeline_options.py": ["evaluate", *READERS],
    "inference/early_exit.py": [FINETUNE],
    "inference/record_files.py": ["predict"],
    "inference/result_files.py": ["evaluate", "predict"],
}
"""Who prints what a function says: the first that its place begins with. Others name no option of a command."""


def messages():
    """(place, line, text) of every string of the package that is no docstring; parts put in are left out.

    A place is the file and the outermost function or class.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        for outer in ast.parse(path.read_text(encoding="utf-8")).body:
            place = f"{path.relative_to(PACKAGE).as_posix()}:{getattr(outer, 'name', '')}"
            nodes = list(ast.walk(outer))
            described = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
            inside = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
            for node in nodes:
                if isinstance(node, ast.JoinedStr):
                    text = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    text = "" if id(node) in described | inside else node.value
                else:
                    continue
                yield place, node.lineno, text


def options():
    """Option names by command."""
    found = {}

    def add(command, name):
        if not hasattr(command, "list_commands"):
            found[name] = {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)}
            return
        for sub in command.list_commands(None):
            add(command.get_command(None, sub), f"{name} {sub}".strip())

    add(typer.main.get_command(app), "")
    return found


OPTIONS = options()


@pytest.mark.parametrize(("place", "line", "text"), [m for m in messages() if len(m[2]) > 20 and OPTION.search(m[2])])
def test_an_option_that_a_message_names_is_known_to_the_command(place, line, text):
    named = {*OPTION.findall(text)} - OF_OTHERS
    for other in COMMAND.findall(text):  # what stands behind a command is its own
        known = next(
            (OPTIONS[" ".join(other.split()[:n])] for n in (2, 1) if " ".join(other.split()[:n]) in OPTIONS), set()
        )
        named -= known
    commands = next((names for prefix, names in PRINTED_BY.items() if place.startswith(prefix)), None)
    assert commands or not named, f"{place}:{line} names {named}: say in PRINTED_BY which commands print it"
    for command in commands or ():
        assert named <= OPTIONS[command], f"{place}:{line}, {command}"


@pytest.mark.parametrize(("place", "line", "text"), [m for m in messages() if " " in m[2] and KEY.search(m[2])])
def test_a_key_that_a_message_names_is_one_of_a_recipe(place, line, text):
    tasks = [FinetuneRecipe.load(None, {"task": task}) for task in registry.trainable_names()]
    known = {*PretrainRecipe.keys(), *(key for recipe in tasks for key in recipe.keys())}  # noqa: SIM118  (no mapping)
    for key in KEY.findall(text):
        assert key in known, f"{place}:{line}"


def test_what_is_collected_is_what_is_there():
    found = list(messages())
    assert sum(bool(OPTION.search(text)) for _, _, text in found) > 20
    assert "--skip-bad-rows" in OPTIONS[FINETUNE] & OPTIONS["evaluate"]
