"""Milliseconds of the compiled encoder with AVX2 alone and with AVX-VNNI, against what else there is with the same.

Run on a processor that has AVX-VNNI: python benchmarks/engine_levels.py [--rounds 20]

One text of 16 and of 128 tokens, and the first sentences of SST-2's validation file together. Weights are random.
Against PyTorch's operators, which answer where there is no compiled encoder. Every side is a process of its own that is
told to use no more than the instructions; a processor that has more than these still has its own clock, caches and
widths. OpenVINO 2026.4 does not run so: limited in the same way it finds nothing that computes a softmax.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import common
from engine_throughput import Side, save_model, sst2

LEVELS = {"avx2": "AVX2", "avx2_vnni": "AVX2_VNNI"}
"""The compiled encoder's name of a level, and oneDNN's."""


def limited(level: str, is_compiled: bool) -> dict[str, str]:
    """The environment in which libraries use no more than a level's instructions."""
    return {
        "ALBERTKIT_KERNELS": level if is_compiled else "0",
        "ONEDNN_MAX_CPU_ISA": LEVELS[level],
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    }


def texts() -> dict[str, list[list[int]]]:
    """The ids of what is answered at once."""
    random = np.random.default_rng(0)
    single = {f"{length} tokens": random.integers(5, 30000, (1, length)).tolist() for length in (16, 128)}
    return {**single, "sst2": sst2(64)}


def started(folder: Path) -> dict[str, Side]:
    """The processes of all sides."""
    files = folder, folder / "rows.json"
    sides = {}
    for level in LEVELS:
        for precision in ("fp32", "int8") if level == "avx2" else ("int8",):
            for side in (precision, f"operators-{precision}"):
                variables = limited(level, is_compiled=side == precision)
                sides[f"{level}: {side}"] = Side(side, sys.executable, *files, None, **variables)
    return sides


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="base")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        groups = texts()
        rows = [row for group in groups.values() for row in group]
        folder = Path(work) / "model"
        save_model(folder, options.size)
        (folder / "rows.json").write_text(json.dumps(rows))
        ends = np.cumsum([len(group) for group in groups.values()]).tolist()
        asked = {name: f"run {start} {end}" for name, start, end in zip(groups, [0, *ends], ends, strict=False)}
        found = medians(started(folder), asked, options.rounds)
    about = common.about(("albertkit", "torch", "numpy"))
    result = {"milliseconds": found, "tokens of sst2": sum(map(len, groups["sst2"])), **about}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


def medians(sides: dict[str, Side], asked: dict[str, str], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds by text and side; in each round a side answers twice, and the second answer counts."""
    readings: dict[str, dict[str, list[float]]] = {name: {label: [] for label in sides} for name in asked}
    for _ in range(rounds):
        for name, line in asked.items():
            for label, side in sides.items():
                side.ask(line)
                readings[name][label].append(1000 * side.ask(line))
    for side in sides.values():
        side.end()
    return {
        name: {label: round(statistics.median(one), 2) for label, one in of_sides.items()}
        for name, of_sides in readings.items()
    }


if __name__ == "__main__":
    main()
