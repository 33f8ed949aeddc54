"""Building a corpus against the bare tokenizer: files to shards, and the batch method alone on texts in memory.

In turn in one run, on the same texts, with the same number of cores: `albertkit corpus build` with as many processes,
and three bare tokenizers with as many threads: `encode_batch` of the tokenizers library, on the nearest pipeline that
it can express; albertkit's own batch call; and SentencePiece itself behind ALBERT's cleaning, which is the least that
these ids can take. Then the memory of all processes while the complete corpus is built.

Run in the project's environment with psutil: python benchmarks/corpus_build.py
"""

import argparse
import json
import lzma
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

import common
from albertkit import processors
from albertkit.tokenization.fast import AlbertTokenizerFast

VOCABULARY = common.DATA / "vocab" / "spiece.model"
FILES = [*sorted((common.DATA / "corpus").glob("books-*.jsonl.xz")), common.DATA / "corpus" / "enwiki-00.jsonl.xz"]


def documents(path: Path) -> Iterator[str]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["text"]


def sample(megabytes: float, folder: Path) -> tuple[list[Path], list[str]]:
    """Compressed files like the corpus, books and Wikipedia alike, and their paragraphs in memory."""
    paths, texts = [], []
    for source in (FILES[0], FILES[-1]):
        lines, size = [], 0.0
        for text in documents(source):
            text = text[: round(megabytes / 2 * 1e6 - size) + 1]
            size += len(text.encode())
            lines.append(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            texts += [paragraph for paragraph in text.splitlines() if paragraph.strip()]
            if size >= megabytes / 2 * 1e6:
                break
        paths.append(folder / source.name)
        with lzma.open(paths[-1], "wt", encoding="utf-8") as file:
            file.writelines(lines)
    return paths, texts


def build_in_a_process(inputs: list[Path], output: Path, workers: int) -> subprocess.Popen[bytes]:
    shutil.rmtree(output, ignore_errors=True)
    arguments = ["--output", str(output), "--tokenizer", str(VOCABULARY), "--workers", str(workers)]
    command = [sys.executable, "-m", "albertkit", "corpus", "build", *map(str, inputs), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def build(inputs: list[Path], output: Path, workers: int) -> None:
    if build_in_a_process(inputs, output, workers).wait():
        raise SystemExit("the build failed")


def peak_memory(inputs: list[Path], output: Path, workers: int) -> tuple[float, float]:
    """Bytes that the processes of a build hold at most, summed, shared ones too; and seconds."""
    begun = time.perf_counter()
    running = build_in_a_process(inputs, output, workers)
    root, most = psutil.Process(running.pid), 0
    while running.poll() is None:
        held = 0
        try:
            for process in (root, *root.children(recursive=True)):
                held += process.memory_info().rss
        except psutil.NoSuchProcess:  # ended while we looked
            continue
        most = max(most, held)
        time.sleep(0.05)
    if running.returncode:
        raise SystemExit("the build failed")
    return most, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=float, default=100, help="text for the speeds")
    parser.add_argument("--files", type=int, default=len(FILES), help="files for the memory, from the last backwards")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    cores = processors.count()
    tokenizer = AlbertTokenizerFast(VOCABULARY)
    library, bare = tokenizer.backend_tokenizer, tokenizer._segmenter
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs, texts = sample(options.megabytes, folder)
        megabytes = sum(len(text.encode()) for text in texts) / 1e6
        peers = {
            "tokenizers, encode_batch": lambda: library.encode_batch(texts, add_special_tokens=False),
            "albertkit, batch call": lambda: tokenizer(texts, add_special_tokens=False),
            "cleaning and sentencepiece": lambda: bare.processor.encode(
                [bare.normalizer(text) for text in texts], out_type=int, num_threads=cores
            ),
        }
        speeds = {
            peer: common.in_turn(lambda: build(inputs, folder / "corpus", cores), run, options.rounds)
            for peer, run in peers.items()
        }
        memory, seconds = peak_memory(FILES[-options.files :], folder / "corpus", cores)
        head = json.loads((folder / "corpus" / "corpus.json").read_text())
    common.write(
        "corpus_build",
        {f"speed, against {peer}": speed["ratio"] for peer, speed in speeds.items()}
        | {"2 GB over peak memory": 2e9 / memory},
        {
            "cores": cores,
            "megabytes": round(megabytes, 1),
            "MB/s": round(megabytes / statistics.median(speed["ours"] for speed in speeds.values()), 2),
            "readings": {peer: speed["readings"]["ours"] for peer, speed in speeds.items()},
            "peak memory, MB": round(memory / 1e6, 1),
            "complete corpus": {
                "files": options.files,
                "seconds": round(seconds, 1),
                **{key: head[key] for key in ("documents", "sentences", "tokens")},
                "text, MB": round(head["statistics"]["text_bytes"] / 1e6, 1),
            },
        },
        {
            peer: {"MB/s": round(megabytes / speed["peer"], 2), "readings": speed["readings"]["peer"]}
            for peer, speed in speeds.items()
        },
        ("albertkit", "sentencex", "sentencepiece", "tokenizers"),
    )


if __name__ == "__main__":
    main()
