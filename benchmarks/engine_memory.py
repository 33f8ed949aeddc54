"""The most memory that a process holds which classifies 10,000 sentences of mixed length, against Transformers.

Run in the project's environment, with that of the peers beside it: python benchmarks/engine_memory.py [--size base]
Weights are random, and everything counts: Python, the libraries, the model and what it computes on. Ours answers in
NumPy and in PyTorch, by the same compiled encoder.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import common
from engine_throughput import HERE, PRECISIONS, Side, save_model, sst2

ROWS = 10_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="base")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["fp32", "int8"])
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-engine-peers" / "bin" / "python"))
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    with tempfile.TemporaryDirectory() as work:
        rows = sst2(options.rows, "train")
        folder = Path(work) / "model"
        save_model(folder, options.size)
        (folder / "rows.json").write_text(json.dumps(rows))
        sides = [f"{backend}-{name}" for backend in ("numpy", "torch") for name in options.precisions]
        ours = {name: held(name, sys.executable, folder, len(rows)) for name in sides}
        peer = {"fp32": held("peer", options.peers, folder, len(rows))}
    ratios = {f"{name} over peer": one / peer["fp32"] for name, one in ours.items()}
    common.write("engine_memory", ratios, ours, peer, ("albertkit", "torch", "numpy"))


def held(name: str, python: str, folder: Path, rows: int) -> int:
    """Bytes at the most, of a process of its own."""
    side = Side(name, python, folder, folder / "rows.json", None)
    side.ask(f"run {rows}")
    found = int(side.ask("memory"))
    side.end()
    print(f"{name}: {found / 1e6:,.0f} MB", file=sys.stderr)  # noqa: T201  (a run is long: each side is told when it is done)
    return found


if __name__ == "__main__":
    main()
