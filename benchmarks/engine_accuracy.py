"""What bfloat16 and int8 change of the scores and the answers of models fine-tuned from the embedded one.

Run in the project's environment: python benchmarks/engine_accuracy.py [--tasks sst2 sick conll squadshifts]
Each model is fine-tuned for an epoch, quantised with rows that it was trained on, and scored on all rows for
evaluation in three precisions. Agreement is the share of rows whose best answer stays: all entities of a sentence, the
span of a question. That of single labels, and of starts and ends of windows, is what `quantize` measures on rows
beside those of the scales. It takes half an hour on two cores.
"""

import argparse
import contextlib
import csv
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import common
import finetune_vs_peer as data
from finetune_vs_peer import Record

PRECISIONS = ("fp32", "bf16", "int8")


@dataclass(frozen=True)
class Job:
    """A data set: the task, its score, how many rows to train on and to be scored on, and options of training."""

    task: str
    metric: str
    train: int
    dev: int
    options: tuple[str, ...] = ()


JOBS = {
    "sst2": Job("text-classification", "accuracy", 12000, 872),
    "sick": Job("text-classification", "accuracy", 4439, 2000),
    "conll": Job("token-classification", "f1", 6000, 1500),
    "squadshifts": Job("question-answering", "f1", 6000, 1000, ("--max-length", "192", "--doc-stride", "64")),
}


def sick(name: str) -> Iterator[Record]:
    """Pairs of SICK."""
    with (common.DATA / "nli" / f"sick_{name}.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def files(name: str, job: Job, folder: Path) -> list[Path]:
    """The rows to train on, those for the scales, and those to be scored on."""
    ending, write = data.WRITERS.get(name, ("jsonl", data.as_lines))
    train, dev = data.drawn(name, "train", job.train), data.drawn(name, "dev", job.dev)
    written = []
    for part, rows in (("train", train), ("scales", train[:1024]), ("dev", dev)):
        path = folder / f"{part}.{ending}"
        path.write_text(write(rows), encoding="utf-8")
        written.append(path)
    return written


def scored(name: str, job: Job, folder: Path) -> dict[str, Record]:
    """Scores and agreement by precision."""
    import sys

    from albertkit.pipelines import pipeline
    from albertkit.quantizing.quantize import quantize

    train, scales, dev = files(name, job, folder)
    model = folder / "model"
    command = [sys.executable, "-m", "albertkit", "finetune", job.task, "--model", "albertkit/small-en", "--seed", "1"]
    command += ["--train", str(train), "--eval", str(dev), "--output", str(model), "--epochs", "1", *job.options]
    seconds = data.timed(command)["seconds"]
    report = quantize(model, scales, min_agreement=0.9).report
    kept = report["tried"][-1]
    found: dict[str, Record] = {"training": {"seconds": seconds}}
    found["int8"] = {"inputs": kept["inputs"], "agreement of single labels": kept["agreement"]}
    answers: dict[str, list[Record]] = {}
    for precision in PRECISIONS:
        answerer = pipeline("auto", model, "torch", device="cpu", precision=precision)
        found[precision] = found.get(precision, {}) | {job.metric: float(answerer.evaluate(dev)[job.metric])}
        parts = answerer.task.stream(str(dev), answerer.file_options(dev))
        answers[precision] = [_without_numbers(one) for one in answerer.stream(parts)]
    for precision in PRECISIONS[1:]:
        same = [one == other for one, other in zip(answers["fp32"], answers[precision], strict=True)]
        found[precision]["agreement"] = sum(same) / len(same)
    return found


def _without_numbers(answer: object) -> object:
    """The best answer: what it says, but for how sure it is of that."""
    if isinstance(answer, dict):
        kept = {name: one for name, one in answer.items() if name not in ("scores", "probabilities")}
        return {name: _without_numbers(one) for name, one in kept.items() if not isinstance(one, float)}
    return [_without_numbers(one) for one in answer] if isinstance(answer, list) else answer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", nargs="+", choices=JOBS, default=list(JOBS))
    options = parser.parse_args()
    data.READERS["sick"] = sick
    ours, ratios = {}, {}
    for name in options.tasks:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            ours[name] = scored(name, JOBS[name], Path(folder))
        metric, exact = JOBS[name].metric, ours[name]["fp32"]
        for precision in PRECISIONS[1:]:
            points = ours[name][precision][metric] - exact[metric]
            ratios[f"{name}: {precision}, change of {metric}"] = points
            ratios[f"{name}: {precision}, agreement"] = ours[name][precision]["agreement"]
        ratios[f"{name}: int8, agreement of single labels"] = ours[name]["int8"]["agreement of single labels"]
        print(json.dumps({name: ours[name]}), flush=True)  # noqa: T201  (a run is long: each task is told when it is done)
    common.write("engine_accuracy", ratios, ours, {}, ("albertkit", "torch", "numpy"))


if __name__ == "__main__":
    main()
