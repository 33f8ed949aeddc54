"""The models of tasks that come with the package, trained anew with several seeds, beside what knows nothing.

    python benchmarks/task_models.py [MODEL ...] [--seeds 1 2 3] [--work FOLDER]

Each is trained by its recipe, written as models/task_model.py writes it, and judged by the data that models/models.toml
names; the one in the package is that of seed 1. What is kept by the same recipe, from the same release of the
model that it begins with, is not run again, and a run that was cut off goes on from its checkpoint in the work folder.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
from albertkit import embedded
from albertkit.training.recipe import FinetuneRecipe

sys.path.append(str(Path(__file__).parents[1] / "models"))
import data
import task_model

NAME = "task_models"
PACKAGES = ("albertkit", "torch", "sentencepiece", "numpy")
SHIPPED = tuple(name for name in task_model.ABOUT if f"albertkit/{name}" in embedded.MODELS)


def kept() -> dict[str, Any]:
    """What is kept, by model."""
    path = common.RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8"))["ours"] if path.exists() else {}


def bound(name: str) -> str:
    """A digest of what decides the scores of a model beside the seed: its recipe, and what it begins with."""
    recipe = FinetuneRecipe.load(task_model.ABOUT[name]["recipe"], {"seed": 0}).model_dump_json()
    base = (embedded.folder(f"albertkit/{name}") / "base.json").read_bytes()
    return hashlib.sha256(recipe.encode() + base).hexdigest()[:16]


def train(name: str, seed: int, work: Path) -> Path:
    """The folder of a run, which begins or goes on."""
    about, output = task_model.ABOUT[name], work / f"{name}-{bound(name)}-{seed}"
    task = FinetuneRecipe.load(about["recipe"], {}).task
    command = [sys.executable, "-m", "albertkit", "finetune", task, "--output", str(output)]
    if (output / "checkpoints" / "recipe.toml").exists():
        command.append("--resume")
    elif not (output / "eval_results.json").exists():
        command += ["--recipe", about["recipe"], "--set", f"seed={seed}"]
    else:
        return output
    with output.with_suffix(".log").open("ab") as log:
        subprocess.run(command, cwd=work, stdout=log, stderr=log, check=True)
    return output


def judge(name: str, run: Path, work: Path) -> dict[str, Any]:
    """The scores of a run as the package would hold it, and of the baseline."""
    about = task_model.ABOUT[name]
    recipe = FinetuneRecipe.load(about["recipe"], {})
    with tempfile.TemporaryDirectory() as folder:
        task_model.write(Path(folder), run, recipe.model.name)
        return task_model.scores(about, recipe, Path(folder), work)


def summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each part of the data: the median of each score, and the baseline's."""
    found = {}
    for title, first in runs[0]["scores"].items():
        medians = {
            score: statistics.median(one["scores"][title]["model"][score] for one in runs)
            for score in task_model.ABOUT[name]["scores"]
        }
        of_seeds = [one["scores"][title]["model"][task_model.ABOUT[name]["scores"][0]] for one in runs]
        ends = {"lowest": min(of_seeds), "highest": max(of_seeds)}
        found[title] = {"examples": first["examples"], "median": medians, **ends, "baseline": first["baseline"]}
    return found


def gains(ours: dict[str, Any]) -> dict[str, float]:
    """Points by which the median of the first score is above the baseline; those of answers are in hundredths."""
    found = {}
    for name, one in ours.items():
        score = task_model.ABOUT[name]["scores"][0]
        for title, part in one["scores"].items():
            points = part["median"][score] - part["baseline"][score]
            found[f"{name}, {title}"] = points if name.endswith("-qa") else 100 * points
    return found


def keep(found: dict[str, Any]) -> None:
    """Write the runs of each model, and what they come to."""
    ours = {name: {**one, "scores": summary(name, one["runs"])} for name, one in found.items()}
    peer = {"the peer is": "what models/models.toml names as the baseline of each"}
    common.write(NAME, gains(ours), ours, peer, PACKAGES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"{', '.join(SHIPPED)}; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "albertkit-task-models")
    options = parser.parse_args()
    if unknown := set(options.models) - set(SHIPPED):
        parser.error(f"There is no model {', '.join(sorted(unknown))}.")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    work = options.work.resolve()
    if not (work / "tasks").exists():
        begun = work / "tasks.begun"  # so that what was cut off is not taken for all
        begun.mkdir(parents=True, exist_ok=True)
        data.write(begun)
        begun.rename(work / "tasks")
    for name in options.models or SHIPPED:
        for seed in options.seeds:
            ours = kept()
            decided = bound(name)
            found = ours.get(name, {})
            runs = found.get("runs", []) if found.get("bound") == decided else []
            if seed in {one["seed"] for one in runs}:
                continue
            scores = judge(name, train(name, seed, work), work)
            runs = sorted([*runs, {"seed": seed, "scores": scores}], key=lambda one: one["seed"])
            keep({**ours, name: {"runs": runs, "bound": decided}})
    keep(kept())


if __name__ == "__main__":
    main()
