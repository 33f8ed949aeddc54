"""Loading a base-size checkpoint against Transformers: time, and extra memory over the checkpoint's bytes.

Run in the environment of requirements/oracle.txt: python benchmarks/loading.py
"""

import argparse
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import common

SIDES = ("ours", "peer")


def loader(side: str):
    """The class of a side, and what to call it with."""
    if side == "ours":
        from albertkit.torch.models import AlbertForPreTraining

        return AlbertForPreTraining.from_pretrained
    from transformers import AlbertForPreTraining

    return AlbertForPreTraining.from_pretrained


def extra_memory(side: str, folder: str) -> int:
    """Bytes that the process grows by at its peak while loading and reading every weight once, imports done."""
    load = loader(side)
    load(folder)  # The first call imports what is only imported when needed.
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # Forget the highest mark so far.
    model = load(folder)
    for parameter in model.parameters():  # Both sides map the file: unless it is read, it costs nothing.
        parameter.sum()
    return _status("VmHWM") - before


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def measured_memory(side: str, folder: Path) -> int:
    done = subprocess.run(
        [sys.executable, __file__, "--memory-of", side, str(folder)], check=True, capture_output=True, text=True
    )
    return int(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory-of", choices=SIDES)
    parser.add_argument("folder", nargs="?")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    if options.memory_of:
        sys.stdout.write(f"{extra_memory(options.memory_of, options.folder)}\n")
        return
    from albertkit.config import AlbertConfig
    from albertkit.torch.models import AlbertForPreTraining

    with tempfile.TemporaryDirectory() as folder:
        AlbertForPreTraining(AlbertConfig.base()).save_pretrained(folder)
        size = (Path(folder) / "model.safetensors").stat().st_size
        ours, peer = loader("ours"), loader("peer")
        time = common.in_turn(lambda: ours(folder), lambda: peer(folder), options.rounds, warmup=2)
        memory = {side: measured_memory(side, Path(folder)) / size for side in SIDES}
    sides = {
        side: {"seconds": time[side], "extra memory / checkpoint": memory[side], "readings": time["readings"][side]}
        for side in SIDES
    }
    ratios = {
        "time": time["ratio"],
        "ours over checkpoint bytes in extra memory": memory["ours"],
        "memory": memory["peer"] / memory["ours"],
    }
    common.write("loading", ratios, sides["ours"], sides["peer"], ("albertkit", "transformers", "torch", "safetensors"))


if __name__ == "__main__":
    main()
