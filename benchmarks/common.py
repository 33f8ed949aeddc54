"""What every benchmark shares: timing in turn, what machine this is, and the file that keeps the result."""

import importlib.metadata
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("ALBERTKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""Real texts and vocabularies, which are not part of the project; see benchmarks/README.md."""


def in_turn(ours: Callable[[], Any], peer: Callable[[], Any], rounds: int = 5, warmup: int = 1) -> dict[str, Any]:
    """Seconds of both, run A B A B ...: medians, all readings, and the median of the peer/ours ratios of the rounds."""
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    for number in range(warmup + rounds):
        for name, run in (("ours", ours), ("peer", peer)):
            start = time.perf_counter()
            run()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - start)
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["peer"], strict=True)]
    return {
        "ours": statistics.median(seconds["ours"]),
        "peer": statistics.median(seconds["peer"]),
        "ratio": statistics.median(ratios),
        "readings": seconds,
    }


def write(name: str, ratios: dict[str, float], ours: Any, peer: Any, packages: tuple[str, ...]) -> None:
    """Keep a comparison under benchmarks/results and print it."""
    rounded = {key: round(value, 4) for key, value in ratios.items()}
    keep(name, {"ratios": rounded, "ours": ours, "peer": peer, **about(packages)})


def about(packages: tuple[str, ...]) -> dict[str, Any]:
    """The command, the machine and the versions of a result."""
    return {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *map(portable, sys.argv[1:])]),
        "machine": machine(),
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages},
    }


def keep(name: str, result: dict[str, Any]) -> None:
    """Write a result under benchmarks/results and print it."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


def portable(argument: str) -> str:
    """An argument as it would be typed elsewhere: of an absolute path, the last part."""
    return Path(argument).name if Path(argument).is_absolute() else argument


def machine() -> dict[str, Any]:
    """The processor, its cores, and the memory in GiB."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"processor": model, "cores": os.cpu_count(), "memory_gib": round(memory, 1)}
