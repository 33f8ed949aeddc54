"""Milliseconds for one text of 16 and of 128 tokens on a CPU, by precision, against Transformers and OpenVINO.

Run in the project's environment, with that of the peers beside it (`make .venv-engine-peers/bin/ready`):
python benchmarks/engine_latency.py [--size base]

Weights are random. Every side answers for single texts in a process of its own; in each round each is asked twice, and
the second answer counts: the first one finds the caches and the processor as the side before has left them.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np

import common
from engine_throughput import HERE, PRECISIONS, made_peers, save_model, sides

LENGTHS = (16, 128)
THEIRS = ("peer", "openvino-LATENCY", "exporter-LATENCY")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="base")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["fp32", "int8"])
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-engine-peers" / "bin" / "python"))
    options = parser.parse_args()
    ours: dict[str, dict[str, float]] = {}
    peer: dict[str, dict[str, float]] = {}
    ratios = {}
    with tempfile.TemporaryDirectory() as work:
        for length in LENGTHS:
            rows = np.random.default_rng(0).integers(5, 30000, (64, length)).tolist()
            folder = Path(work) / str(length)
            save_model(folder, options.size)
            made_peers(folder, rows, options.peers)
            started = sides(folder, options.precisions, THEIRS, options.peers)
            readings: dict[str, list[float]] = {side.name: [] for side in started}
            for side in started:
                side.ask("run 5")
            for _ in range(options.rounds):
                for side in started:
                    side.ask("run 1")
                    readings[side.name].append(1000 * side.ask("run 1"))
            for side in started:
                side.end()
            for name, milliseconds in readings.items():
                kept = ours if name in options.precisions else peer
                kept[f"{name}, {length} tokens"] = figures(milliseconds)
                if name not in options.precisions:
                    for precision in options.precisions:
                        medians = statistics.median(readings[precision]) / statistics.median(milliseconds)
                        ratios[f"{length} tokens: {precision} over {name}"] = medians
            for precision in options.precisions:
                found = ours[f"{precision}, {length} tokens"]
                ratios[f"{length} tokens: {precision}, p95 over median"] = found["p95"] / found["median"]
    common.write("engine_latency", ratios, ours, peer, ("albertkit", "torch", "numpy"))


def figures(milliseconds: list[float]) -> dict[str, float]:
    """The median and the tail of readings."""
    p95, p99 = np.percentile(milliseconds, [95, 99])
    return {"median": statistics.median(milliseconds), "p95": float(p95), "p99": float(p99)}


if __name__ == "__main__":
    main()
