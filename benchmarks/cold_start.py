"""Seconds from a command to the answer for one sentence, in a new process, against Transformers' pipeline.

Run in the project's environment, with that of the peer beside it:
python benchmarks/cold_start.py [--peer .venv-oracle/bin/python] [--rounds 7]

The model is the embedded one with a classifier of random weights. `albertkit predict` and the peer's
`pipeline("text-classification", folder)` take turns, their files in the page cache; ratios are medians over rounds.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

TEXT = "A slow film, and yet I could not look away."
PEER = "import sys, transformers; print(transformers.pipeline('text-classification', sys.argv[1])(sys.argv[2]))"
WAYS = {"predict": [], "predict, PyTorch": ["--framework", "torch"]}
"""Ours: as it is chosen for one sentence, and with the import of PyTorch."""


def save_model(folder: str) -> None:
    from albertkit import AlbertForSequenceClassification, AlbertTokenizerFast

    AlbertForSequenceClassification.from_pretrained("albertkit/small-en").save_pretrained(folder)
    AlbertTokenizerFast.from_pretrained("albertkit/small-en").save_pretrained(folder)


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", default=str(Path(__file__).parents[1] / ".venv-oracle" / "bin" / "python"))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        save_model(folder)
        ours = [sys.executable, "-m", "albertkit", "predict", folder, TEXT]
        commands = {name: [*ours, *others] for name, others in WAYS.items()}
        commands["peer"] = [options.peer, "-c", PEER, folder, TEXT]
        readings: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(options.rounds + 1):
            for name, command in commands.items():
                taken = seconds(command)
                if number:  # the first fills the page cache
                    readings[name].append(taken)
    ratios = {}
    for name in WAYS:
        pairs = zip(readings["peer"], readings[name], strict=True)
        ratios[name] = statistics.median(one / other for one, other in pairs)
    medians = {name: statistics.median(taken) for name, taken in readings.items()}
    ours_of = {name: {"seconds": medians[name], "readings": readings[name]} for name in WAYS}
    peer = {"seconds": medians["peer"], "readings": readings["peer"]}
    common.write("cold_start", ratios, ours_of, peer, ("albertkit", "numpy", "torch"))


if __name__ == "__main__":
    main()
