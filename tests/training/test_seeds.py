"""Several seeds of one recipe: a folder each, and their scores together."""

import json
import os

import pytest
from rich.console import Console

pytest.importorskip("torch")

from albertkit.errors import CheckpointNotFound, ConfigError
from albertkit.pipelines import pipeline
from albertkit.training import calibration_files, finetune, run_folder
from albertkit.training.recipe import FinetuneRecipe
from training import common

pytestmark = pytest.mark.torch


def run(recipe, output, **options):
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        return finetune.run(recipe, output, console=console, **options), console.export_text()


def recipe(folder, *seeds, **changes):
    found = common.recipe(folder, training__max_steps=4, training__keep_state=False, **changes)
    return found.model_copy(update={"seeds": list(seeds)})


def test_a_cut_off_run_over_seeds_goes_on_and_puts_the_scores_together(tmp_path, monkeypatch):
    output, begun = tmp_path / "m", []
    whole = finetune.loop.train

    def broken_at_the_third(plan, *rest):
        begun.append(plan.seed)
        if plan.seed == 3 and begun.count(3) == 1:
            raise KeyboardInterrupt
        return whole(plan, *rest)

    monkeypatch.setattr(finetune.loop, "train", broken_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(recipe(tmp_path, 1, 2, 3), output)
    assert not (output / "eval_results.json").exists()
    with pytest.raises(ConfigError, match="--resume"):
        run(recipe(tmp_path, 1, 2, 3), output)
    results, said = run(FinetuneRecipe.load(run_folder.own_recipe(output, True, None), {}), output, resume=True)
    assert begun == [1, 2, 3, 3], "what was finished is not done again"
    assert results == json.loads((output / "eval_results.json").read_text())
    each = [json.loads((output / f"seed-{seed}" / "eval_results.json").read_text()) for seed in (1, 2, 3)]
    losses = [one["loss"] for one in each]
    scores = results["scores"]["loss"]
    assert (scores["median"], scores["each"]) == (sorted(losses)[1], losses)
    assert (scores["lowest"], scores["highest"]) == (min(losses), max(losses))
    mean = sum(losses) / 3
    assert scores["standard_deviation"] == pytest.approx((sum((one - mean) ** 2 for one in losses) / 2) ** 0.5)
    assert not {"step", "epoch", "examples"} & set(results["scores"])
    accuracies = [one["accuracy"] for one in each]
    assert results["best_seed"] == 1 + accuracies.index(max(accuracies))
    assert f"The best by accuracy: {output / results['best_model']}" in said
    assert pipeline("text-classification", output / results["best_model"])("good")[0]["label"] in ("neg", "pos")
    for use in (lambda: pipeline("text-classification", output), lambda: calibration_files.require_folder(str(output))):
        with pytest.raises(CheckpointNotFound, match=r"several runs: seed-1, seed-2, seed-3\. Name one of them"):
            use()
    assert run_folder.begun(output) is None
    with pytest.raises(ConfigError, match="only with --overwrite"):
        run(recipe(tmp_path, 1, 2, 3), output)


def test_the_folder_of_every_seed_is_looked_at_before_the_first_run(tmp_path, monkeypatch):
    (tmp_path / "m" / "seed-2").mkdir(parents=True)
    (tmp_path / "m" / "seed-2" / "config.json").write_text("{}")
    monkeypatch.setattr(finetune.loop, "train", lambda *_: pytest.fail("a run began"))
    with pytest.raises(ConfigError, match=r"seed-2 holds config\.json"):
        run(recipe(tmp_path, 1, 2), tmp_path / "m")
    with pytest.raises(ConfigError, match=r"Seeds must differ. Received: 1, 1"):
        run(recipe(tmp_path, 1, 1), tmp_path / "other")


class Second:
    """The second of two processes, told by the first one how far the run of each seed is."""

    def __init__(self, *states):
        self.rank, self.states = (lambda: 1), [*states, 0]

    def broadcast(self, value):
        return self.states.pop(0)


def test_another_process_computes_the_same_seeds_and_writes_nothing(tmp_path):
    from albertkit.training import seeds

    scores = {"loss": {"median": 1, "standard_deviation": 0, "lowest": 1, "highest": 1}}
    written = {"seeds": [4, 5, 6], "metric": "loss", "scores": scores, "best_model": "seed-4"}
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "eval_results.json").write_text(json.dumps(written))  # by the first process
    begun = []

    def one(recipe, place, *, resume, overwrite, console):
        begun.append((recipe.seed, place.name, resume, overwrite))

    backend = Second(2, 1, 0)  # finished, begun, new
    several = recipe(tmp_path, 4, 5, 6)
    assert seeds.run_each(one, several, tmp_path / "m", True, False, Console(quiet=True), backend) == written
    assert begun == [(5, "seed-5", True, False), (6, "seed-6", False, True)]
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["eval_results.json"]


def test_a_run_that_answers_all_alike_says_so_with_what_helps(tmp_path):
    stuck = {"training__learning_rate": 1e-12, "training__max_steps": 2}
    results, said = run(common.recipe(tmp_path, **stuck), tmp_path / "n")
    predicted = {
        answer["label"] for answer in pipeline("text-classification", tmp_path / "n")(["good film", "bad plot"])
    }
    assert len(predicted) == 1, "a model that has learned nothing"
    assert "All 20 answers are alike, " in said
    assert "a lower --learning-rate" in said
    assert "All answers of the evaluation are alike." in results["warning"]
    assert "collapsed" not in results
    assert "best so far" not in said
