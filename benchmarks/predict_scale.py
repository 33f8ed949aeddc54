"""A million lines through `albertkit predict`, killed three times, and Transformers' pipeline on some of them.

The lines are sentences of books; the classifier is the model of the package with a head of random weights, in int8. One
run is never cut off; another is killed (SIGKILL) at three moments and goes on each time: both outputs must be the same
bytes. The memory of every process is read twice a second. Speed: rows a second of one process with all cores as
threads, and of a process a core with one thread each, in turn on a part of the lines, from the first block on; beside
them Transformers' own pipeline in batches, over the same part of the file, in its best batch size.

Run in the project's environment with psutil: python benchmarks/predict_scale.py
The peer runs in an environment with Transformers, named by --peer: that of benchmarks/README.md.
"""

import argparse
import hashlib
import json
import lzma
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import common
from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.tokenization.fast import AlbertTokenizerFast

EMBEDDED = "albertkit/small-en"
BOOKS = sorted((common.DATA / "corpus").glob("books-*.jsonl.xz"))
SENTENCE = re.compile(r"(?<=[.!?])\s+")
PEER = """
import json, sys, time, torch
from transformers import AlbertForSequenceClassification, AlbertTokenizerFast, pipeline
folder, source, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(int(sys.argv[4]))
model = AlbertForSequenceClassification.from_pretrained(folder).eval()
words = AlbertTokenizerFast.from_pretrained(folder)
classify = pipeline("text-classification", model=model, tokenizer=words, top_k=None)
texts = [json.loads(line)["text"] for line in open(source, encoding="utf-8")]
classify(texts[:64], batch_size=size, truncation=True, max_length=128)
start = time.perf_counter()
with open(source + ".peer", "w", encoding="utf-8") as file:
    for text, answer in zip(texts, classify((one for one in texts), batch_size=size, truncation=True, max_length=128)):
        file.write(json.dumps({"text": text, "scores": answer}) + "\\n")
print(len(texts) / (time.perf_counter() - start))
"""


def sentences() -> Iterator[str]:
    """Sentences of books of 10 to 60 characters, over and over where there are too few."""
    while True:
        for path in BOOKS:
            with lzma.open(path, "rt", encoding="utf-8") as file:
                for line in file:
                    for one in SENTENCE.split(" ".join(json.loads(line)["text"].split())):
                        if 10 <= len(one) <= 60:
                            yield one


def write_lines(path: Path, count: int) -> Path:
    """A file of JSON lines, each with an id, a text and a nested field."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in zip(range(count), sentences(), strict=False):
            record = {"id": number, "text": text, "meta": {"source": "books", "length": len(text)}}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    return path


def classifier(folder: Path) -> Path:
    """The model of the package with a head of random weights."""
    found, random = files.load(EMBEDDED), np.random.default_rng(0)
    classes = {"num_labels": 2, "id2label": {0: "low", 1: "high"}, "label2id": {"low": 0, "high": 1}}
    config = AlbertConfig.from_dict({**found.config.to_dict(), **classes})
    shapes = weight_table.expected(config, "ForSequenceClassification")
    new = {name: random.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    files.save(
        folder,
        config,
        {**new, **{n: found.tensors[n] for n in new if n in found.tensors}},
        "AlbertForSequenceClassification",
    )
    AlbertTokenizerFast.from_pretrained(EMBEDDED).save_pretrained(folder)
    return folder


def command(model: Path, source: Path, output: Path, *more: str) -> list[str]:
    labels = [
        "--label-field",
        "quality",
        "--score-field",
        "quality_score",
        "--precision",
        "int8",
        "--max-length",
        "128",
    ]
    named = ["--file", str(source), "--output", str(output)]
    return [sys.executable, "-m", "albertkit", "predict", str(model), *named, *labels, *more]


def journal(output: Path) -> Path:
    return output.parent / f".albertkit-predict-{output.name}" / "journal.jsonl"


def lines_of(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


class Watched:
    """A process and its children, and the memory of each as long as it runs, in MB."""

    def __init__(self, arguments: list[str]) -> None:
        self.process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
        self.memory: list[list[float]] = []

    def read(self) -> None:
        """Read the memory of all, the largest first."""
        try:
            top = psutil.Process(self.process.pid)
            found = [top, *top.children(recursive=True)]
            self.memory.append(sorted((one.memory_info().rss / 1e6 for one in found), reverse=True))
        except psutil.Error:
            return

    def kill(self) -> None:
        """End the first process, as nothing else does; the others end with it."""
        self.process.kill()
        self.process.communicate()


def uninterrupted(arguments: list[str], output: Path, blocks_before: int) -> dict[str, Any]:
    """A run to its end: seconds, and memory behind its first blocks and at its peak."""
    start, watched, first = time.perf_counter(), Watched(arguments), -1
    while watched.process.poll() is None:
        time.sleep(0.5)
        watched.read()
        if first < 0 and len(lines_of(journal(output))) >= blocks_before:
            first = len(watched.memory) - 1
    if watched.process.returncode:
        raise RuntimeError(watched.process.stderr.read() if watched.process.stderr else "")
    sums, largest = [sum(one) for one in watched.memory], [one[0] for one in watched.memory if one]
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "MB of all processes behind the first blocks": round(sums[first], 1),
        "MB of all processes at the peak": round(max(sums), 1),
        "MB of the largest process behind the first blocks": round(largest[first], 1),
        "MB of the largest process at the peak": round(max(largest), 1),
    }


def killed(arguments: list[str], output: Path, blocks: list[int]) -> list[int]:
    """A run that is killed once so many blocks are finished, and goes on each time. Returns the answers at each."""
    answers = []
    for count in blocks:
        watched = Watched(arguments)
        while watched.process.poll() is None and len(lines_of(journal(output))) < count:
            time.sleep(0.2)
        watched.kill()
        answers.append(lines_of(journal(output))[-1]["totals"]["answers"])
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
    return answers


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_a_second(model: Path, source: Path, output: Path, *more: str) -> float:
    """Rows a second from the first block that is finished to the last."""
    process = subprocess.Popen(command(model, source, output, "--overwrite", *more), stderr=subprocess.DEVNULL)
    seen: list[tuple[float, int]] = []
    while process.poll() is None:
        found = lines_of(journal(output))
        if found and (not seen or found[-1]["totals"]["answers"] > seen[-1][1]):
            seen.append((time.perf_counter(), found[-1]["totals"]["answers"]))
        time.sleep(0.01)
    (start, few), (end, many) = seen[0], seen[-1]
    return (many - few) / (end - start)


def speeds(model: Path, source: Path, folder: Path, peer: str, rounds: int) -> dict[str, list[float]]:
    """Rows a second of each way, in turn."""
    cores = psutil.cpu_count() or 1
    found: dict[str, list[float]] = {}
    few = folder / "few.jsonl"
    few.write_text("".join(source.read_text(encoding="utf-8").splitlines(keepends=True)[:2048]), encoding="utf-8")
    for _ in range(rounds):
        for name, asked in (
            (f"1 process, {cores} threads", ["--workers", "1", "--threads", str(cores)]),
            (f"{cores} processes, 1 thread each", ["--workers", str(cores), "--threads", "1"]),
        ):
            found.setdefault(name, []).append(round(rows_a_second(model, source, folder / "s.jsonl", *asked), 1))
        for size in (8, 64) if peer else ():
            told = subprocess.run(
                [peer, "-c", PEER, str(model), str(few), str(size), str(cores)],
                check=True,
                capture_output=True,
                text=True,
            )
            found.setdefault(f"transformers, batches of {size}", []).append(round(float(told.stdout), 1))
    return found


def scale(model: Path, folder: Path, count: int) -> dict[str, Any]:
    """All lines without a break, and with three kills."""
    source = write_lines(folder / "lines.jsonl", count)
    blocks = count // 4096
    whole, broken = folder / "whole.jsonl", folder / "killed.jsonl"
    run = uninterrupted(command(model, source, whole), whole, 8)
    kills = killed(command(model, source, broken), broken, [max(blocks * part // 100, 1) for part in (10, 45, 80)])
    digests = digest(whole), digest(broken)
    if digests[0] != digests[1]:
        raise RuntimeError("The outputs differ.")
    ids = [json.loads(line)["id"] for line in whole.open(encoding="utf-8")]
    if ids != list(range(count)):
        raise RuntimeError("Rows are lost, doubled or out of order.")
    size = round(source.stat().st_size / 1e6, 1)
    return {"lines": count, "MB": size, "sha256 of both": digests[0], "answers at each kill": kills, **run}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--speed-lines", type=int, default=20_480)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", default="", help="Python of an environment with Transformers.")
    parser.add_argument("--part", choices=("all", "scale", "speed"), default="all")
    parser.add_argument("--keep", type=Path, help="Folder that keeps the readings of each part.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = classifier(folder / "model")
        kept: dict[str, Any] = {}
        for part in ("scale", "speed"):
            place = given.keep / f"{part}.json" if given.keep else folder / f"{part}.json"
            if given.part in ("all", part):
                if part == "scale":
                    made: Any = scale(model, folder, given.lines)
                else:
                    source = write_lines(folder / "part.jsonl", given.speed_lines)
                    made = speeds(model, source, folder, given.peer, given.rounds)
                place.write_text(json.dumps(made), encoding="utf-8")
            if place.exists():
                kept[part] = json.loads(place.read_text(encoding="utf-8"))
    if len(kept) == 2:
        report(kept["scale"], kept["speed"])


def report(run: dict[str, Any], speed: dict[str, list[float]]) -> None:
    median = {name: float(np.median(readings)) for name, readings in speed.items()}
    cores = psutil.cpu_count() or 1
    ours, single = median[f"{cores} processes, 1 thread each"], median[f"1 process, {cores} threads"]
    peer = max((value for name, value in median.items() if name.startswith("transformers")), default=0.0)
    growth = run["MB of all processes at the peak"] - run["MB of all processes behind the first blocks"]
    ratios = {"a process a core over one process": ours / single, "300 MB over growth": 300 / max(growth, 1)}
    if peer:
        ratios["rows a second, over transformers"] = ours / peer
    result = {"documents per second and core": round(ours / cores, 1), "rows/s": speed, **run}
    own = {name: value for name, value in result["rows/s"].items() if not name.startswith("transformers")}
    others = {name: value for name, value in speed.items() if name.startswith("transformers")}
    common.write("predict_scale", ratios, {**result, "rows/s": own}, others, ("albertkit", "torch", "tokenizers"))


if __name__ == "__main__":
    main()
