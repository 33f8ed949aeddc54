"""Two workers of a Ray cluster against one, on the two cores of this machine: `predict` and `corpus build`.

Real texts: reviews for a classifier that is trained first, from the model that comes with the package, on the example
reviews; books and Wikipedia for the corpus. A cluster is there before a reading begins, as on real ones; the start of
workers and the loading of the model count. One worker and two take turns, and their outputs are compared.

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
ROWS, CHARS = 32_768, 60
"""Rows, and the characters of each: eight blocks."""


def texts(name: str, count: int) -> list[str]:
    with lzma.open(common.DATA / "corpus" / name, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for _, line in zip(range(count), file, strict=False)]


def review_rows(folder: Path, rows: int) -> Path:
    whole = " ".join(texts("imdb-unsup-00.jsonl.xz", 3_000))
    path = folder / "reviews.jsonl"
    parts = [whole[number * CHARS : (number + 1) * CHARS] for number in range(rows)]
    path.write_text("".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(parts)))
    return path


def documents(folder: Path, megabytes: float) -> Path:
    path, size = folder / "documents.jsonl", 0
    with path.open("w", encoding="utf-8") as file:
        for name in ("books-00.jsonl.xz", "enwiki-00.jsonl.xz"):
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


def predict(model: Path, rows: Path, output: Path, workers: int) -> float:
    """Seconds of a run."""
    asked = Cluster(workers=workers)
    request = run.Request({"task": None, "model": str(model)}, [str(rows)], output, overwrite=True, threads=1)
    begun = time.perf_counter()
    run.run(request, engine=by_workers(asked))
    return time.perf_counter() - begun


def build(source: Path, output: Path, workers: int) -> float:
    """Seconds of a build."""
    tokenizer = AlbertTokenizerFast(common.DATA / "vocab" / "spiece.model")
    begun = time.perf_counter()
    builder.build([source], output, tokenizer, elsewhere=Actors(Cluster(workers=workers)), overwrite=True)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=1)
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
        size = source.stat().st_size / 1e6
        outputs = {count: folder / f"answers-{count}.jsonl" for count in (1, 2)}
        corpora = {count: folder / f"corpus-{count}" for count in (1, 2)}
        answering = common.in_turn(
            lambda: predict(model, rows, outputs[2], 2), lambda: predict(model, rows, outputs[1], 1), options.rounds, 0
        )
        building = common.in_turn(
            lambda: build(source, corpora[2], 2), lambda: build(source, corpora[1], 1), options.rounds, 0
        )
        if outputs[1].read_bytes() != outputs[2].read_bytes():
            raise SystemExit("the answers differ")
        heads = [json.loads((folder / "corpus.json").read_text())["fingerprint"] for folder in corpora.values()]
        if heads[0] != heads[1]:
            raise SystemExit("the corpora differ")
    common.write(
        "ray_scale",
        {"predict, rows/s of two workers over one": answering["ratio"], "corpus build, MB/s": building["ratio"]},
        {
            "workers": 2,
            "rows": options.rows,
            "rows/s": round(options.rows / answering["ours"], 1),
            "MB/s": round(size / building["ours"], 2),
            "seconds": {"predict": answering["readings"]["ours"], "corpus build": building["readings"]["ours"]},
        },
        {
            "workers": 1,
            "rows/s": round(options.rows / answering["peer"], 1),
            "MB/s": round(size / building["peer"], 2),
            "seconds": {"predict": answering["readings"]["peer"], "corpus build": building["readings"]["peer"]},
        },
        ("albertkit", "ray", "torch", "pyarrow"),
    )
    ray.shutdown()


if __name__ == "__main__":
    main()
