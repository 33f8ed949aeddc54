"""SST-2 from scratch by recipes/sst2_scratch.toml: dev accuracy and time of three seeds.

Run in the project's environment: python benchmarks/sst2_scratch.py
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

ROOT = Path(__file__).parents[1]
ASKED = {"accuracy": 0.81, "seconds": 600}
DATA = common.DATA / "glue" / "SST-2"


def run(seed: int, output: Path) -> dict[str, float]:
    """Accuracy and seconds of one whole run of the command."""
    start = time.perf_counter()
    command = ["finetune", "text-classification", "--recipe", str(ROOT / "recipes" / "sst2_scratch.toml")]
    files = ["--train", str(DATA / "train.tsv"), "--eval", str(DATA / "dev.tsv"), "--output", str(output)]
    subprocess.run([sys.executable, "-m", "albertkit", *command, *files, "--seed", str(seed)], check=True)
    seconds = time.perf_counter() - start
    results = json.loads((output / "eval_results.json").read_text())
    return {"seed": seed, "accuracy": results["accuracy"], "step": results["step"], "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    seeds = parser.parse_args().seeds
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(seed, Path(folder) / str(seed)) for seed in seeds]
    accuracy = statistics.median(one["accuracy"] for one in runs)
    seconds = max(one["seconds"] for one in runs)
    ratios = {"accuracy": accuracy / ASKED["accuracy"], "time": ASKED["seconds"] / seconds}
    ours = {"median accuracy": accuracy, "longest run in seconds": seconds, "runs": runs}
    common.write("sst2_scratch", ratios, ours, {"asked": ASKED}, ("albertkit", "torch", "sentencepiece", "numpy"))


if __name__ == "__main__":
    main()
