"""A task of GLUE by name, from its folder to the file for its server."""

import json
import logging

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from albertkit.cli.app import app
from albertkit.training import plots
from training import common

pytestmark = pytest.mark.torch


def command(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def sst(tmp_path_factory):
    """The folder of a task whose test has no labels."""
    folder = tmp_path_factory.mktemp("glue") / "SST-2"
    folder.mkdir()
    rows = [line.rsplit(",", 1) for line in common.reviews(folder / "r.csv").read_text().splitlines()[1:]]
    (folder / "r.csv").unlink()
    texts = "".join(f"{text}\t{int(label == 'pos')}\n" for text, label in rows)
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text(f"sentence\tlabel\n{texts}")
    test = "".join(f"{number}\t{text}\n" for number, (text, _) in enumerate(rows))
    (folder / "test.tsv").write_text(f"index\tsentence\n{test}")
    return folder


@pytest.fixture(scope="module")
def model(sst, tmp_path_factory):
    output = tmp_path_factory.mktemp("model") / "sst2"
    sizes = [f"--set=model.config.{name}={value}" for name, value in common.TINY.items()]
    command(
        *("finetune", "text-classification", "--task", "SST-2", "--data", sst, "--output", output),
        *("--set=model.vocab_size=80", "--batch-size", 8, "--epochs", 6, "--learning-rate", 1e-2, *sizes),
        *("--max-length", 32, "--framework", "torch"),
    )
    return output


def test_a_folder_is_trained_and_evaluated_on_by_the_name_of_its_task(sst, model):
    results = json.loads((model / "eval_results.json").read_text())
    assert (results["examples"], results["data"]) == (60, str(sst / "dev.tsv"))
    assert results["accuracy"] > 0.9
    scores = json.loads(command("evaluate", model, sst, "--framework", "torch"))
    assert (scores["accuracy"], scores["data"]) == (results["accuracy"], str(sst / "dev.tsv"))


def test_two_files_to_evaluate_on_are_scored_apart(sst, model, tmp_path):
    for name in ("matched", "mismatched"):
        rows = "premise\thypothesis\tlabel\nthe film was good\tthe film was dull\tpositive\n"
        (tmp_path / f"dev_{name}.tsv").write_text(rows.replace("positive", "neutral"))
    done = CliRunner().invoke(app, ["evaluate", str(model), str(tmp_path), "--task-name", "mnli"])
    assert "Every label must be one of negative, positive" in str(done.exception)
    config = json.loads((model / "config.json").read_text())
    config["id2label"] = {"0": "neutral", "1": "entailment"}
    relabelled = tmp_path / "model"
    relabelled.mkdir()
    for file in model.iterdir():
        if file.is_file():
            (relabelled / file.name).write_bytes(file.read_bytes())
    (relabelled / "config.json").write_text(json.dumps({**config, "label2id": None}))
    found = json.loads(command("evaluate", relabelled, tmp_path, "--task-name", "mnli", "--framework", "torch"))
    assert list(found) == ["validation_matched", "validation_mismatched"]
    assert found["validation_mismatched"]["data"].endswith("dev_mismatched.tsv")


def test_answers_for_the_server_are_written(sst, model, tmp_path, caplog):
    output = tmp_path / "SST-2.tsv"
    with caplog.at_level(logging.WARNING):
        command("predict", model, "--file", sst / "test.tsv", "--output", output, "--framework", "torch")
    head, *rows = output.read_text().splitlines()
    assert head == "index\tprediction"
    expected = [line.rsplit("\t", 1)[1] for line in (sst / "dev.tsv").read_text().splitlines()[1:]]
    answered = [row.split("\t") for row in rows]
    assert [number for number, _ in answered] == [str(number) for number in range(60)]
    assert sum(one == other for (_, one), other in zip(answered, expected, strict=True)) > 54
    assert "1,821 for SST-2.tsv. These are 60" in caplog.text


def test_a_task_that_is_no_benchmark_writes_no_file_for_a_server(sst, tmp_path):
    arguments = ["predict", "albertkit/small-en", "A [MASK] of tea.", "--output", str(tmp_path / "a.tsv")]
    done = CliRunner().invoke(app, [*arguments, "--framework", "torch"])
    assert "fill-mask has none here. Write to .jsonl" in str(done.exception)
    assert not (tmp_path / "a.tsv").exists()


def test_a_model_is_calibrated_in_its_folder(sst, model, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in model.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    rows = (sst / "dev.tsv").read_text().splitlines()
    wrong = [f"{text}\t{1 - int(label)}" for text, label in (row.rsplit("\t", 1) for row in rows[1::3])]
    held_out = tmp_path / "held_out.tsv"
    held_out.write_text("\n".join([*rows, *rows[1:], *wrong]) + "\n")
    for _ in range(2):  # a second time in place of the first
        results = json.loads(command("calibrate", folder, held_out, "--framework", "torch"))
    assert results["temperature"] > 1
    assert results["expected_calibration_error_after"] < results["expected_calibration_error_before"]
    assert json.loads((folder / "calibration.json").read_text()) == results
    entry = json.loads((folder / "config.json").read_text())["task"]
    assert entry == {
        "name": "text-classification",
        "data": {"task_name": "SST-2"},
        "calibration": {"temperature": results["temperature"]},
    }
    card = (folder / "README.md").read_text()
    assert card.count("## Calibration") == 1
    assert card.index("## Results") < card.index("## Calibration") < card.index("## Data")
    assert f"| temperature | {results['temperature']:.4f} |" in card
    for when in ("before", "after"):
        assert card.count(f"### Confidence {when} calibration") == 1
        assert f"| {results[f'bins_{when}'][-1]['confidence']:.3f} |" in card.partition(f"{when} calibration")[2]
        assert (folder / f"figure_calibration_{when}.png").exists() == plots.are_possible()
    [answer] = command("predict", folder, "the film was good", "--framework", "torch").splitlines()
    [before] = command("predict", model, "the film was good", "--framework", "torch").splitlines()
    assert json.loads(answer)["score"] < json.loads(before)["score"]
    [abstained] = command(
        "predict", folder, "the film was good", "--abstain-below", "0.99999", "--framework", "torch"
    ).splitlines()
    assert json.loads(abstained)["abstained"]


def test_a_calibration_needs_a_folder_of_its_own(sst):
    done = CliRunner().invoke(app, ["calibrate", "albertkit/small-en", str(sst)])
    assert "must be a folder with a config.json. Received: albertkit/small-en" in str(done.exception)
