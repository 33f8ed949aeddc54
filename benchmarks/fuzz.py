"""Robustness: damaged files, random texts and killed saves. Nothing may crash, hang, write, or answer wrongly unsaid.

python benchmarks/fuzz.py [--cases 2000] [--workers 2]     everything, written to results/robustness.json
python benchmarks/fuzz.py --only KIND --case N             one case again, with what happened
"""

import argparse
import collections
import concurrent.futures
import json
import sys
import tempfile
import time
from pathlib import Path

import common
from fuzzing import kills, texts
from fuzzing.cases import FINE, Result
from fuzzing.kinds import KINDS
from fuzzing.workers import Worker, reproduce

SEED = 20261129
PACKAGES = ("albertkit", "numpy", "safetensors", "tokenizers", "sentencepiece", "torch", "h5py", "msgpack")
SHOWN = 5
"""Numbers of faulty cases kept for each kind and fault."""


def mutations(kinds: list[str], cases: int, workers: int, seed: int) -> dict[str, list[Result]]:
    """The results of `cases` mutations of each kind of file."""

    def share(place: int) -> list[Result]:
        found = []
        with Worker(seed) as worker:
            for kind in kinds:
                began = time.monotonic()
                found += worker.run(kind, range(place, cases, workers))
                sys.stderr.write(f"{kind}: {time.monotonic() - began:.0f} s\n")
        return found

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        results = [result for part in pool.map(share, range(workers)) for result in part]
    return {kind: sorted((r for r in results if r.kind == kind), key=lambda r: r.number) for kind in kinds}


def summary(results: list[Result]) -> dict[str, object]:
    """Counts by outcome, and the first numbers of each fault."""
    counts = collections.Counter(result.outcome for result in results)
    faults = {
        outcome: [result.number for result in results if result.outcome == outcome][:SHOWN]
        for outcome in counts
        if outcome not in FINE
    }
    ordered = {outcome: counts[outcome] for outcome in (*FINE, *sorted(faults)) if counts[outcome]}
    return {"cases": len(results), "outcomes": ordered} | ({"first faults": faults} if faults else {})


def robustness(options: argparse.Namespace) -> dict[str, object]:
    """All that results/robustness.json holds."""
    began = time.monotonic()
    found = mutations(list(KINDS), options.cases, options.workers, options.seed)
    with tempfile.TemporaryDirectory(prefix="albertkit-fuzz-") as folder:
        strings = texts.faults(Path(folder), options.strings, options.seed)
    killed, within = kills.faults(options.kills, options.seed)
    faults = sum(result.is_fault for results in found.values() for result in results)
    return {
        "faults": faults + len(strings) + len(killed),
        "mutations": {kind: summary(results) for kind, results in found.items()},
        "random strings": {"cases": options.strings, "faults": strings[:SHOWN]},
        "kills": {"cases": options.kills, "within a save": within, "faults": killed[:SHOWN]},
        "seed": options.seed,
        "seconds": round(time.monotonic() - began),
        **common.about(
            ("albertkit", "numpy", "safetensors", "tokenizers", "sentencepiece", "torch", "h5py", "msgpack")
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--cases", type=int, default=2000, help="mutations of each kind of file")
    parser.add_argument("--strings", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=KINDS, action="append", help="these kinds of files alone; nothing is written")
    parser.add_argument("--case", type=int, help="one case of --only")
    options = parser.parse_args()
    if options.case is not None:
        result = reproduce(options.only[0], options.case, options.seed)
        sys.stdout.write(f"{result.outcome}\n{result.what}\n{result.detail}\n")
    elif options.only:
        found = mutations(options.only, options.cases, options.workers, options.seed)
        for result in (result for results in found.values() for result in results if result.is_fault):
            sys.stdout.write(f"{result.kind} {result.number}: {result.outcome}: {result.what}: {result.detail}\n")
        sys.stdout.write(json.dumps({kind: summary(results) for kind, results in found.items()}, indent=1) + "\n")
    else:
        result = robustness(options)
        common.keep("robustness", result)
        sys.exit(1 if result["faults"] else 0)


if __name__ == "__main__":
    main()
