"""What early exit saves and costs: accuracy, layers and tokens a second by patience, of the embedded model on SST-2.

Run in the project's environment: python benchmarks/early_exit.py [--models FOLDER] [--steps 500] [--rounds 5]

Two models are fine-tuned from the same start with the same batches, one of them after every layer. They are kept in
FOLDER, where one is named, and taken from there the next time; with `--rounds 0` nothing is measured. All settings
answer for the rows of the validation file in turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

import common
from albertkit.pipelines import Pipeline, pipeline
from albertkit.training import finetune
from albertkit.training.recipe import FinetuneRecipe

SST2 = common.DATA / "glue" / "SST-2"
BATCH = 32
PATIENCE = (1, 2, 3)


def trained(folder: Path, steps: int, early_exit: bool) -> Path:
    """The folder of a model that was trained with early exit or without, in so many steps of one epoch."""
    output = folder / ("early-exit" if early_exit else "plain")
    if not (output / "eval_results.json").exists():
        changes = {
            "framework": "torch",
            "data.train": str(SST2 / "train.tsv"),
            "data.eval": str(SST2 / "dev.tsv"),
            "data.max_train_samples": BATCH * steps,
            "training.batch_size": BATCH,
            "training.epochs": 1.0,
            "training.evaluate_every": steps,
            "training.early_exit": early_exit,
        }
        recipe = FinetuneRecipe.load("small_en_sst2", changes)
        finetune.run(recipe, output, overwrite=True, console=Console(soft_wrap=True, stderr=True))
    return output


def settings(folder: Path, steps: int) -> dict[str, tuple[Path, dict[str, int]]]:
    """Model and options by name."""
    plain, early_exit = (trained(folder, steps, way) for way in (False, True))
    found = {"plain": (plain, {}), "all layers": (early_exit, {})}
    return found | {f"patience {number}": (early_exit, {"patience": number}) for number in PATIENCE}


def scored(answerer: Pipeline, layers: int) -> dict[str, float]:
    """Accuracy, and the layers after which a text stopped in the mean."""
    scores = answerer.evaluate(SST2 / "dev.tsv")
    return {"accuracy": scores["accuracy"], "mean_layers": scores.get("mean_layers", layers)}


def readings(sides: dict[str, Pipeline], rounds: int) -> tuple[int, dict[str, list[float]]]:
    """Tokens, and the seconds of each round by side, one side after the other."""
    lines = (SST2 / "dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    one = next(iter(sides.values()))
    features = one.features(one.task.examples([line.split("\t")[0] for line in lines])[0])
    asked: dict[str, Callable[[], Any]] = {
        name: lambda engine=side._engine: list(engine.run(features)) for name, side in sides.items()
    }
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in asked.items():
            start = time.perf_counter()
            run()
            if number:  # the first one warms up
                found[name].append(time.perf_counter() - start)
    return sum(features.lengths()), found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", default="", help="where the two models are kept")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = settings(Path(options.models or folder), options.steps)
        if options.rounds:
            measure(models, options.precisions, options.rounds)


def measure(models: dict[str, tuple[Path, dict[str, int]]], precisions: list[str], rounds: int) -> None:
    """Write the results."""
    sides = {
        f"{precision}, {name}": pipeline("auto", folder, "torch", device="cpu", precision=precision, **given)
        for precision in precisions
        for name, (folder, given) in models.items()
    }
    layers = next(iter(sides.values())).config.num_hidden_layers
    curve: dict[str, dict[str, float]] = {name: scored(side, layers) for name, side in sides.items()}
    tokens, seconds = readings(sides, rounds)
    ratios = {}
    for name, times in seconds.items():
        curve[name]["tokens_per_second"] = round(tokens / statistics.median(times))
        whole = seconds[f"{name.partition(', ')[0]}, all layers"]
        if "patience" in name:
            pairs = zip(whole, times, strict=True)
            ratios[f"{name}: speed over all layers"] = statistics.median(slow / fast for slow, fast in pairs)
    ours = {"layers": layers, "tokens": tokens, "curve": curve, "seconds": seconds}
    peer = {"the peer is": "the same model through all its layers"}
    common.write("early_exit", ratios, ours, peer, ("albertkit", "torch", "numpy"))


if __name__ == "__main__":
    main()
