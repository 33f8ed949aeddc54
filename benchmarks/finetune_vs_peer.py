"""Fine-tuning by the command against Transformers' Trainer: whole runs of four tasks, their time, memory and scores.

Run in the project's environment, with the peer's beside it (`make .venv-oracle/bin/ready`):

    python benchmarks/finetune_vs_peer.py [--size base] [--seeds 1 2 3]

Both sides begin with the same weights and read the same rows, one epoch of them, with the same batch size, rate, decay
and clipping; both models are scored by `albertkit evaluate`. Time is that of the whole process, reading and saving
included; memory is the most that it held. The peer pads each batch to its longest row. Its batches are random, as its
guides have them; for a model of base size they are of rows of like length (`group_by_length`).
"""

import argparse
import itertools
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import common
from albertkit.typing import Record

PEER = Path(__file__).with_name("finetune_peer.py")
MATRICES = (
    *("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::_scaled_dot_product_flash_attention"),
    "_Encode",
)
"""The operations of PyTorch that are matrix products, attention's among them; a name begins with one of these.

So do the two passes of the encoder by the compiled library, `_Encode` and `_EncodeBackward`, all of which is counted.
"""


@dataclass(frozen=True)
class Job:
    """A task, how many rows of its data are trained on in each size, and how."""

    task: str
    rows: dict[str, int]
    batch_size: int
    metric: str
    options: tuple[str, ...]


JOBS = {
    "sst2": Job("text-classification", {"small": 8000, "base": 640}, 32, "accuracy", ("--max-length", "128")),
    "conll": Job("token-classification", {"small": 4000, "base": 640}, 32, "f1", ("--max-length", "128")),
    "squadshifts": Job(
        "question-answering", {"small": 800, "base": 64}, 8, "f1", ("--max-length", "384", "--doc-stride", "128")
    ),
    "dream": Job("multiple-choice", {"small": 400, "base": 32}, 8, "accuracy", ("--max-length", "256")),
}
RATES = {"small": 5e-4, "base": 2e-5}
SCORED = 600
"""Rows that a model is scored on, after the clock has stopped."""


def sst2(name: str) -> Iterator[Record]:
    """Sentences of SST-2."""
    lines = (common.DATA / "glue" / "SST-2" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    for sentence, label in (line.split("\t") for line in lines):
        yield {"sentence": sentence, "label": label}


def conll(name: str) -> Iterator[Record]:
    """Sentences of CoNLL-2003."""
    path = common.DATA / "ner" / {"train": "conll2003_train.txt", "dev": "conll2003_valid.txt"}[name]
    lines = path.read_text(encoding="utf-8").splitlines()
    for is_sentence, group in itertools.groupby(lines, key=lambda line: bool(line.strip())):
        words = [line.split() for line in group]
        if is_sentence and words[0][0] != "-DOCSTART-":
            yield {"tokens": [word[0] for word in words], "tags": [word[1] for word in words]}


def squadshifts(name: str) -> Iterator[Record]:
    """Questions on Wikipedia and Reddit to train on, and on reviews to be scored on."""
    for source in {"train": ("new_wiki", "reddit"), "dev": ("amazon_reviews",)}[name]:
        path = common.DATA / "qa" / f"squadshifts_{source}_v1.0.json"
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                yield from ({"context": paragraph["context"], **question} for question in paragraph["qas"])


def dream(name: str) -> Iterator[Record]:
    """Questions on dialogues."""
    for turns, questions, _ in json.loads((common.DATA / "choice" / f"dream_{name}.json").read_text(encoding="utf-8")):
        for question in questions:
            rest = {"question": question["question"], "choices": question["choice"], "answer": question["answer"]}
            yield {"context": "\n".join(turns), **rest}


READERS = {"sst2": sst2, "conll": conll, "squadshifts": squadshifts, "dream": dream}


def as_lines(rows: list[Record]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_squad(rows: list[Record]) -> str:
    """The layout of SQuAD, each question with a paragraph of its own."""
    kept = [
        {"context": row["context"], "qas": [{key: row[key] for key in ("id", "question", "answers")}]} for row in rows
    ]
    return json.dumps({"version": "1.1", "data": [{"title": "", "paragraphs": kept}]})


def as_dream(rows: list[Record]) -> str:
    """The layout of DREAM, each question with a dialogue of its own."""
    kept = ([{"question": row["question"], "choice": row["choices"], "answer": row["answer"]}] for row in rows)
    return json.dumps(
        [
            [row["context"].split("\n"), questions, str(i)]
            for i, (row, questions) in enumerate(zip(rows, kept, strict=True))
        ]
    )


WRITERS = {"squadshifts": ("json", as_squad), "dream": ("json", as_dream)}
"""The layout in which our command gets the rows, if it is not JSON lines; the peer gets those."""


def drawn(name: str, part: str, count: int) -> list[Record]:
    """Some rows of a data set, the same on every day."""
    rows = list(READERS[name](part))
    return random.Random(0).sample(rows, min(count, len(rows)))


def model_folder(size: str, folder: Path) -> str:
    """The model to begin with: the one of the package, or one of base size with new weights and its vocabulary."""
    import albertkit
    from albertkit import AlbertConfig, AlbertTokenizer
    from albertkit.torch.models import AlbertForPreTraining

    small = Path(albertkit.__file__).parent / "models" / "small-en"
    if size == "small":
        return str(small)
    tokenizer = AlbertTokenizer.from_pretrained(small)
    config = AlbertConfig.base(
        vocab_size=len(tokenizer),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.1,
    )
    AlbertForPreTraining(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    return str(folder / "base")


def timed(command: list[str]) -> Record:
    """Seconds and peak bytes of a process, and what it printed last."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, text=True)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        lines = output.read().splitlines()
    if status:
        raise SystemExit(f"{' '.join(command)}\n" + "\n".join(lines[-30:]))
    return {"seconds": round(seconds, 1), "peak_bytes": usage.ru_maxrss * 1024, "last": lines[-1]}


def ours(job: Job, model: str, data: Path, output: Path, rate: float, seed: int, precision: str) -> Record:
    """One run of the command."""
    settings = [f"training.precision={precision}", "training.keep_state=false"]
    train, few = (next(data.glob(f"{name}.*")) for name in ("train", "few"))
    files = ["--train", str(train), "--eval", str(few), "--output", str(output)]
    options = ["--model", model, "--epochs", "1", "--batch-size", str(job.batch_size), "--learning-rate", str(rate)]
    options += ["--seed", str(seed), *job.options, *(part for one in settings for part in ("--set", one))]
    return timed([sys.executable, "-m", "albertkit", "finetune", job.task, *files, *options])


def peer(job: Job, model: str, data: Path, output: Path, rate: float, seed: int, precision: str, size: str) -> Record:
    """One run of the Trainer."""
    python = Path(__file__).parents[1] / ".venv-oracle" / "bin" / "python"
    command = [os.environ.get("ALBERTKIT_PEER_PYTHON", str(python)), str(PEER), "--task", job.task, "--model", model]
    command += ["--rows", str(data / "rows.jsonl"), "--output", str(output), "--batch-size", str(job.batch_size)]
    command += ["--learning-rate", str(rate), "--seed", str(seed), "--precision", precision]
    found = timed(command + ["--group-by-length"] * (size == "base"))
    return found | json.loads(found.pop("last"))


def score(job: Job, folder: Path, data: Path) -> float:
    """What `albertkit evaluate` says of a model."""
    command = ["evaluate", str(folder), str(next(data.glob("dev.*"))), "--task", job.task, *job.options[:2]]
    done = subprocess.run([sys.executable, "-m", "albertkit", *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return float(json.loads(done.stdout)[job.metric])


def write_data(name: str, job: Job, size: str, folder: Path) -> Path:
    """The files of a job: train, few (the least that a run may be scored on), dev, and rows for the peer."""
    folder.mkdir()
    suffix, write = WRITERS.get(name, ("jsonl", as_lines))
    train, dev = drawn(name, "train", job.rows[size]), drawn(name, "dev", SCORED)
    for part, rows in (("train", train), ("few", dev[:16]), ("dev", dev)):
        (folder / f"{part}.{suffix}").write_text(write(rows), encoding="utf-8")
    (folder / "rows.jsonl").write_text(as_lines(train), encoding="utf-8")
    return folder


def matrix_share(job: Job, model: str, data: Path, precision: str) -> float:
    """The part of a step's time that is matrix products."""
    import torch
    from rich.console import Console

    from albertkit.tasks import registry
    from albertkit.torch import train
    from albertkit.training import finetune_data, finetune_plan
    from albertkit.training.backends import train_backend
    from albertkit.training.recipe import of_task

    recipe = of_task(job.task)(
        task=job.task,
        framework="torch",
        model={"name": model},
        data={
            "train": str(next(data.glob("train.*"))),
            "eval": str(next(data.glob("few.*"))),
            "max_length": int(job.options[1]),
        },
        training={"batch_size": job.batch_size, "precision": precision, "learning_rate": 1e-5},
    )
    task = registry.get_trainable(job.task)
    made = finetune_data.prepare(task, recipe, Console(quiet=True))
    given = made.options, made.start.config, made.start.is_new, len(made.trained.features)
    recipe = finetune_plan.resolved(task, recipe, *given)
    batches, plan = finetune_plan.planned(task, train_backend("torch"), recipe, made.start, made.trained)
    state = train.init_state(plan.config, plan.head, plan.tensors, plan.optimizer, plan.precision)
    steps = list(itertools.islice(batches.epoch(0), 8))
    train.train_step(state, steps[0], 0.0, 0)
    with torch.profiler.profile() as profile:
        for step in steps:
            train.train_step(state, step, 0.0, 0)
    times = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    return sum(time for name, time in times.items() if name.startswith(MATRICES)) / sum(times.values())


def compare(name: str, options: argparse.Namespace, model: str, folder: Path, earlier: Record) -> Record:
    """All runs of a job: by seed those of both sides, in turn. What was measured before is not measured again."""
    job, size, rate = JOBS[name], options.size, RATES[options.size]
    data = write_data(name, job, size, folder / name)
    runs: Record = {side: list(earlier.get(side, {}).get(name, {}).get("runs", ())) for side in ("ours", "peer")}
    for seed in options.seeds:
        if any(run["seed"] == seed for run in runs["peer"]):
            continue
        for side in runs:
            output = folder / f"{name}-{side}-{seed}"
            given = (job, model, data, output, rate, seed, options.precision)
            found = ours(*given) if side == "ours" else peer(*given, size)
            if options.scored:
                found[job.metric] = score(job, output, data)
            runs[side].append({"seed": seed, **{key: value for key, value in found.items() if key != "last"}})
            sys.stderr.write(f"{name} {side} {runs[side][-1]}\n")
    # In a process of its own: what this one has held would count as held by those that it starts.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        share = pool.apply(matrix_share, (job, model, data, options.precision))
    return {**runs, "matrix_share": round(share, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "base"], default="small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--tasks", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--go-on", action="store_true", help="add to the runs that are kept, of this machine and code")
    parser.add_argument("--no-scores", dest="scored", action="store_false", help="time alone")
    options = parser.parse_args()
    kept = "finetune_vs_peer" if options.size == "small" else "finetune_vs_peer_base"
    earlier = json.loads((common.RESULTS / f"{kept}.json").read_text(encoding="utf-8")) if options.go_on else {}
    readings: Record = {side: earlier.get(side, {}) for side in ("ours", "peer")}
    ratios: Record = earlier.get("ratios", {})
    with tempfile.TemporaryDirectory() as place:
        model = model_folder(options.size, Path(place))
        for name in options.tasks:
            found = compare(name, options, model, Path(place), earlier)
            pairs = list(zip(found["ours"], found["peer"], strict=True))
            ratios[f"time {name}"] = statistics.median(b["seconds"] / a["seconds"] for a, b in pairs)
            ratios[f"memory {name}"] = statistics.median(a["peak_bytes"] / b["peak_bytes"] for a, b in pairs)
            metric = JOBS[name].metric
            for side in readings if options.scored else ():
                readings[side][f"median {metric} {name}"] = statistics.median(run[metric] for run in found[side])
            readings["ours"][name] = {"runs": found["ours"], "matrix_share": found["matrix_share"]}
            readings["peer"][name] = {"runs": found["peer"]}
            # After each task: one that is cut off loses no other.
            common.write(kept, ratios, readings["ours"], readings["peer"], ("albertkit", "torch", "numpy"))


if __name__ == "__main__":
    main()
