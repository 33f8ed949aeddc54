"""Milliseconds of the compiled encoder with AVX2 alone and with AVX-VNNI, against what else there is with the same.

Run on a processor that has AVX-VNNI: python benchmarks/engine_levels.py [--data 16 128 sst2] [--rounds 20]

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


def rows_of(name: str) -> list[list[int]]:
    """The ids of what is answered at once."""
    if name == "sst2":
        return sst2(64)
    return np.random.default_rng(0).integers(5, 30000, (1, int(name))).tolist()


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
    parser.add_argument("--data", nargs="+", choices=["16", "128", "sst2"], default=["16", "128", "sst2"])
    parser.add_argument("--models", default="", help="where models are kept from run to run")
    options = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as work:
        for name in options.data:
            folder, rows = Path(options.models or work) / name, rows_of(name)
            if not (folder / "rows.json").exists():
                save_model(folder, options.size, rows)
                (folder / "rows.json").write_text(json.dumps(rows))
            if options.rounds:
                found[name] = medians(started(folder), len(rows), options.rounds)
    if found:
        common.keep("engine_levels", {"milliseconds": found, **common.about(("albertkit", "torch", "numpy"))})


def medians(sides: dict[str, Side], rows: int, rounds: int) -> dict[str, float]:
    """Milliseconds of each; in each round a side answers twice, and the second answer counts."""
    readings: dict[str, list[float]] = {label: [] for label in sides}
    for side in sides.values():
        side.ask(f"run {rows}")
    for _ in range(rounds):
        for label, side in sides.items():
            side.ask(f"run {rows}")
            readings[label].append(1000 * side.ask(f"run {rows}"))
    for side in sides.values():
        side.end()
    return {label: round(statistics.median(of_side), 2) for label, of_side in readings.items()}


if __name__ == "__main__":
    main()
