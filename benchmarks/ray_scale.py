"""Two workers of a Ray cluster against one, on the two cores of this machine: `predict` and `corpus build`.

Real texts: reviews for a classifier that is trained first, from the model that comes with the package, on the example
reviews; books and Wikipedia for the corpus. A cluster is there before a reading begins. Rates are those from the first
results on; the seconds of whole commands, with the start of workers and the loading of the model, stand beside them.
The outputs of one worker and of two are compared.

Run in the project's environment: python benchmarks/ray_scale.py
"""

import argparse
import json
import logging
import lzma
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
from albertkit.corpus import builder
from albertkit.distributed.actors import Actors
from albertkit.distributed.answers import by_workers
from albertkit.distributed.cluster import Cluster
from albertkit.prediction import run
from albertkit.tokenization.fast import AlbertTokenizerFast

ROOT = Path(__file__).parents[1]
ROWS, CHARS = 540_672, 60
"""Rows, and the characters of each: 132 blocks."""
SKIPPED = 4
"""Results behind which a rate begins: by then all workers answer."""


def texts(name: str, count: int) -> list[str]:
    with lzma.open(common.DATA / "corpus" / name, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for _, line in zip(range(count), file, strict=False)]


def review_rows(folder: Path, rows: int) -> Path:
    whole = " ".join(texts("imdb-unsup-00.jsonl.xz", 8_000))
    path = folder / "reviews.jsonl"
    parts = [whole[number * CHARS : (number + 1) * CHARS] for number in range(rows)]
    path.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(parts)))
    return path


def documents(folder: Path, megabytes: float) -> Path:
    path, size = folder / "documents.jsonl", 0
    with path.open("w", encoding="utf-8") as file:
        for name in (*(f"books-0{number}.jsonl.xz" for number in range(4)), "enwiki-00.jsonl.xz"):
            for text in texts(name, 10_000):
                size += file.write(json.dumps({"text": text}) + "\n")
                if size > megabytes * 1e6:
                    return path
    return path


def classifier(folder: Path) -> Path:
    command = ["finetune", "text-classification", "--recipe", "examples/reviews/small_en.toml", "--epochs", "1"]
    script = [sys.executable, "-m", "albertkit", *command, "--output", str(folder / "classifier")]
    subprocess.run(script, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder / "classifier"


class Watch:
    """How much is done when: seconds of the whole, and rates."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.readings: list[tuple[float, float]] = []

    def __call__(self, done: float) -> None:
        """Note that so much is done."""
        if done and (not self.readings or done > self.readings[-1][1]):
            self.readings.append((time.perf_counter(), done))

    def figures(self) -> dict[str, float]:
        """The rate behind the first results, the seconds of the whole, and those until then."""
        seconds, (last, done) = time.perf_counter() - self.begun, self.readings[-1]
        first, before = self.readings[SKIPPED - 1]
        return {"rate": (done - before) / (last - first), "seconds": seconds, "start": first - self.begun}


def predict(model: Path, rows: Path, output: Path, workers: int) -> dict[str, float]:
    request = run.Request({"task": None, "model": str(model)}, [str(rows)], output, overwrite=True, threads=1)
    watch = Watch()
    asked = by_workers(Cluster(workers=workers))
    run.run(request, progress=lambda total, done, totals: watch(totals.answers), engine=asked)
    return watch.figures()


def build(source: Path, output: Path, workers: int) -> dict[str, float]:
    tokenizer = AlbertTokenizerFast(common.DATA / "vocab" / "spiece.model")
    watch = Watch()
    builder.build(
        [source],
        output,
        tokenizer,
        elsewhere=Actors(Cluster(workers=workers)),
        overwrite=True,
        progress=lambda total, read, size, tokens: watch(size / 1e6),
    )
    return watch.figures()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--megabytes", type=float, default=150)
    options = parser.parse_args()
    import ray

    ray.init(address="local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, rows, source = (
            classifier(folder),
            review_rows(folder, options.rows),
            documents(folder, options.megabytes),
        )
        outputs = {count: folder / f"answers-{count}.jsonl" for count in (1, 2)}
        corpora = {count: folder / f"corpus-{count}" for count in (1, 2)}
        found = {count: {"rows/s": predict(model, rows, outputs[count], count)} for count in (2, 1)}
        for count in (2, 1):
            found[count]["MB/s"] = build(source, corpora[count], count)
        if outputs[1].read_bytes() != outputs[2].read_bytes():
            raise SystemExit("the answers differ")
        heads = [json.loads((folder / "corpus.json").read_text())["fingerprint"] for folder in corpora.values()]
        if heads[0] != heads[1]:
            raise SystemExit("the corpora differ")
    ray.shutdown()
    ratios = {}
    for name, figure in (("predict", "rows/s"), ("corpus build", "MB/s")):
        one, two = found[1][figure], found[2][figure]
        ratios[f"{name}, {figure} of two workers over one, from the first results on"] = two["rate"] / one["rate"]
        ratios[f"{name}, the whole command"] = one["seconds"] / two["seconds"]
    sizes = {"rows": options.rows, "characters of a row": CHARS, "MB": options.megabytes}
    kept = {
        count: {name: {key: round(value, 2) for key, value in one.items()} for name, one in figures.items()}
        for count, figures in found.items()
    }
    packages = ("albertkit", "ray", "torch", "pyarrow")
    common.write("ray_scale", ratios, {"workers": 2, **sizes, **kept[2]}, {"workers": 1, **sizes, **kept[1]}, packages)


if __name__ == "__main__":
    main()
