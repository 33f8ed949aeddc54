"""Tokens a second of pre-training the model of the package, against an earlier commit, the whole command by turns.

Run in the project's environment: python benchmarks/pretrain_small.py CORPUS [--before COMMIT] [--rounds 3]
CORPUS is one that `albertkit corpus build` wrote with the tokenizer of small-en. The recipe is small_en_stable, the
same on both sides: rows of 128 tokens, batches of 32, bfloat16.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import common
from engine_throughput import build

STEPS, SKIPPED = 80, 30
"""Steps of each run, and those at its begin that do not count."""


def rate(source: Path, corpus: Path, folder: Path) -> float:
    """Tokens a second of a run of the sources in a folder."""
    given = {"data.corpus": json.dumps(str(corpus)), "training.steps": STEPS, "training.evaluate_every": 1_000_000}
    command = [sys.executable, "-m", "albertkit", "pretrain", "small_en_stable", "--output", str(folder)]
    command += [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(source)}, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [one for one in lines if "seconds" in one and one["step"] > SKIPPED]
    return statistics.median(one["tokens"] / one["seconds"] for one in steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--before", default="3ba62c2")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {"ours": [], "before": []}
    with tempfile.TemporaryDirectory() as work, build(options.before) as before:
        sources = {"ours": Path(__file__).parents[1] / "src", "before": before / "src"}
        for number in range(options.rounds):
            for side, source in sources.items():
                rates[side].append(rate(source, options.corpus.absolute(), Path(work) / f"{side}-{number}"))
                sys.stderr.write(f"{side}: {rates[side][-1]:,.0f} tokens/s\n")
    ratios = {"tokens a second over before": statistics.median(rates["ours"]) / statistics.median(rates["before"])}
    peer = {"before": rates["before"], "commit": options.before}
    common.write("pretrain_small", ratios, {"tokens a second": rates["ours"]}, peer, ("albertkit", "torch", "numpy"))


if __name__ == "__main__":
    main()
