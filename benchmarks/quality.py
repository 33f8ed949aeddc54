"""What the model of the package reaches on each task, beside what knows nothing, and the same model from nothing.

    python benchmarks/quality.py [RUN ...] [--side model] [--seeds 1 2 3] [--seconds N] [--work FOLDER]

Each run is `albertkit finetune` in a process of its own, and its scores are kept in results/quality. What is kept there
by the same recipe is not run again; one that was cut off goes on from its checkpoint in the work folder. The runs stand
in scoring/runs.py, their data in scoring/data.py.
"""

import argparse
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import common
from scoring import baselines
from scoring.data import Files
from scoring.runs import RUNS, Run, from_nothing

KEPT = common.RESULTS / "quality"
SIDES = ("model", "nothing")
LEAST_SECONDS = 30
"""For less a run is not begun."""
PACKAGES = ("albertkit", "torch", "sentencepiece", "tokenizers", "numpy")


class Job(NamedTuple):
    """One run of fine-tuning."""

    run: Run
    side: str
    seed: int


def missing(runs: list[Run], sides: list[str], seeds: list[int]) -> Iterator[Job]:
    """What is asked for and not kept yet, what others start from in front."""
    for run in runs:
        for side in sides:
            done = {one["seed"] for one in kept(run)["runs"].get(side, ())}
            yield from (Job(run, side, seed) for seed in seeds or run.seeds if seed not in done)


def path(run: Run) -> Path:
    """Where the scores of a run are kept."""
    return KEPT / f"{run.name}.json"


def kept(run: Run) -> dict[str, Any]:
    """What is kept of a run by its present recipe."""
    if path(run).exists():
        found = json.loads(path(run).read_text(encoding="utf-8"))
        if found["recipe"] == run.recipe():
            return found
    return {"recipe": run.recipe(), "runs": {}}


def keys(job: Job, files: Files, work: Path) -> dict[str, Any]:
    """The recipe of a job, by dotted keys."""
    start = {"model.name": str(work / f"{job.run.after}-model-1") if job.run.after else job.run.model}
    if job.side == "nothing":
        start = from_nothing(job.run.model)
    given = {"data.train": str(files.train), "data.eval": str(files.eval), "seed": job.seed, "framework": "torch"}
    return {**given, **job.run.keys, **start, "training.keep_state": False}


def train(job: Job, asked: dict[str, Any], output: Path, limit: float) -> dict[str, Any]:
    """Run a job to its end, and return its eval_results.json and the seconds it took.

    SystemExit where it fails, and where `limit` seconds were not enough: then it has left a checkpoint.
    """
    clock, started = output.with_suffix(".seconds"), time.monotonic()
    command = [sys.executable, "-m", "albertkit", "finetune", job.run.task, "--output", str(output)]
    if (output / "checkpoints" / "recipe.toml").exists():
        command.append("--resume")
    else:
        clock.unlink(missing_ok=True)
        command += [
            "--overwrite",
            *(part for key, value in asked.items() for part in ("--set", f"{key}={toml(value)}")),
        ]
    with output.with_suffix(".log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            code = running.wait(None if math.isinf(limit) else limit)
        except subprocess.TimeoutExpired:
            running.terminate()
            code = running.wait()
    seconds = time.monotonic() - started + (float(clock.read_text()) if clock.exists() else 0.0)
    clock.write_text(str(seconds))
    if code:
        raise SystemExit(f"{job.run.name}, {job.side}, seed {job.seed} ended with {code}: see {log.name}")
    return {**json.loads((output / "eval_results.json").read_bytes()), "seconds": round(seconds)}


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def do(job: Job, work: Path, limit: float) -> None:
    """Do a run, or as much of it as `limit` seconds allow, and keep its scores."""
    run, data = job.run, work / "data"
    data.mkdir(parents=True, exist_ok=True)
    files = run.source(data)
    asked = keys(job, files, work)
    if "baseline" not in kept(run):
        common.keep(f"quality/{run.name}", described(run, files, work))
    results = train(job, asked, work / f"{run.name}-{job.side}-{job.seed}", limit)
    found = kept(run)
    scored = {name: round(results[name], 4) for name in run.scores}
    own = {"seed": job.seed, "scores": scored, "step": results["step"], "seconds": results["seconds"]}
    runs = [*found["runs"].get(job.side, ()), own]
    found["runs"][job.side] = sorted(runs, key=lambda one: one["seed"])
    found |= {
        "command": f"python benchmarks/quality.py {run.name}",
        "machine": common.machine(),
        "versions": versions(),
    }
    common.keep(f"quality/{run.name}", found)


def described(run: Run, files: Files, work: Path) -> dict[str, Any]:
    """What is kept of a run beside the runs themselves: its data, its recipe, and the scores of its baseline."""
    plain = Job(replace(run, after=""), "model", 1)
    scores, rows = baselines.score(run.baseline, run.task, keys(plain, files, work))
    return {
        "title": run.title,
        "task": run.task,
        "start": run.after or run.model,
        "scores": list(run.scores),
        "data": {"train": files.train.name, "eval": files.eval.name, "made": files.made, "rows": rows},
        "baseline": {"what": run.baseline, "scores": {name: round(scores[name], 4) for name in run.scores}},
        "recipe": run.recipe(),
        "runs": {},
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide a run."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join(RUNS)}; default: all")
    parser.add_argument("--side", choices=SIDES, action="append", help="default: both")
    parser.add_argument("--seeds", type=int, nargs="+", default=[], help="default: those of the run")
    parser.add_argument("--seconds", type=float, default=math.inf, help="stop after so many; called again, it goes on")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "albertkit-quality")
    options = parser.parse_args()
    if unknown := set(options.runs) - set(RUNS):
        parser.error(f"There is no run {', '.join(sorted(unknown))}.")
    KEPT.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wanted = [RUNS[name] for name in options.runs or RUNS]
    end = time.monotonic() + options.seconds
    for job in missing(wanted, options.side or list(SIDES), options.seeds):
        if (left := end - time.monotonic()) < LEAST_SECONDS:
            break
        do(job, options.work, left)


if __name__ == "__main__":
    main()
