"""SST-2 from scratch by the recipe sst2_scratch: dev accuracy and time of three seeds, in one of the frameworks.

Run in the project's environment: python benchmarks/sst2_scratch.py [--framework tensorflow|flax]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

ASKED = {"accuracy": 0.81, "seconds": 600}
DATA = common.DATA / "glue" / "SST-2"


def run(framework: str, seed: int, output: Path) -> dict[str, float]:
    """Accuracy and seconds of one whole run of the command."""
    start = time.perf_counter()
    command = ["finetune", "text-classification", "--recipe", "sst2_scratch"]
    files = ["--train", str(DATA / "train.tsv"), "--eval", str(DATA / "dev.tsv"), "--output", str(output)]
    options = ["--framework", framework, "--seed", str(seed)]
    subprocess.run([sys.executable, "-m", "albertkit", *command, *files, *options], check=True)
    seconds = time.perf_counter() - start
    results = json.loads((output / "eval_results.json").read_text())
    return {"seed": seed, "accuracy": results["accuracy"], "step": results["step"], "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--framework", choices=["torch", "tensorflow", "flax"], default="torch")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(options.framework, seed, Path(folder) / str(seed)) for seed in options.seeds]
    accuracy = statistics.median(one["accuracy"] for one in runs)
    seconds = max(one["seconds"] for one in runs)
    ratios = {"accuracy": accuracy / ASKED["accuracy"], "time": ASKED["seconds"] / seconds}
    ours = {"median accuracy": accuracy, "longest run in seconds": seconds, "runs": runs}
    name = "sst2_scratch" if options.framework == "torch" else f"sst2_{options.framework}"
    package = {"torch": "torch", "tensorflow": "tensorflow-cpu", "flax": "jax"}[options.framework]
    common.write(name, ratios, ours, {"asked": ASKED}, ("albertkit", package, "sentencepiece", "numpy"))


if __name__ == "__main__":
    main()
