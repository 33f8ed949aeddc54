"""Useful tokens a second of classification on a CPU, by precision, against Transformers, OpenVINO and an older build.

Run in the project's environment, with that of the peers beside it (`make .venv-engine-peers/bin/ready`):
python benchmarks/engine_throughput.py [--before COMMIT] [--rows 256] [--size base]

Rows are the sentences of SST-2's validation file as they are, an eighth as many questions of SQuADShifts with their
contexts, cut at 384 tokens, and 32 rows of 128 tokens each. Weights are random. All sides answer for the same ids, one
after the other: each round asks every side once, and ratios are medians over rounds.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import common

HERE = Path(__file__).parent
PRECISIONS = ("fp32", "bf16", "int8")
THEIRS = ("peer", "openvino-THROUGHPUT", "exporter-THROUGHPUT")


class Side:
    """A process that answers when it is asked to; see engine_side.py."""

    def __init__(self, name: str, python: str, folder: Path, rows: Path, source: Path | None, **variables: str) -> None:
        environment = dict(os.environ) | ({} if source is None else {"PYTHONPATH": str(source / "src")}) | variables
        command = [python, str(HERE / "engine_side.py"), name, str(folder), str(rows)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.name = name
        self._process = subprocess.Popen(command, text=True, env=environment, **pipes)
        while (line := self._line()) != "ready":
            if not line:
                raise SystemExit(f"{name} ended before it was ready.")

    def _line(self) -> str:
        return self._process.stdout.readline().strip()

    def ask(self, what: str) -> float:
        """The answer to one line."""
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return float(self._line())

    def end(self) -> None:
        """Let the process end."""
        self._process.communicate("end\n")


def sst2(count: int, part: str = "dev") -> list[list[int]]:
    lines = (common.DATA / "glue" / "SST-2" / f"{part}.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return _ids([line.split("\t")[0] for line in lines[:count]])


def contexts(count: int) -> list[list[int]]:
    file = common.DATA / "qa" / "squadshifts_new_wiki_v1.0.json"
    paragraphs = (one for article in json.loads(file.read_text())["data"] for one in article["paragraphs"])
    pairs = [(question["question"], one["context"]) for one in paragraphs for question in one["qas"][:1]]
    step = max(len(pairs) // count, 1)
    return _ids(*map(list, zip(*pairs[::step][:count], strict=True)))


def uniform(count: int) -> list[list[int]]:
    return np.random.default_rng(0).integers(5, 30000, (32, 128)).tolist()


def _ids(*texts: list[str]) -> list[list[int]]:
    from albertkit.tokenization.fast import AlbertTokenizerFast

    tokenizer = AlbertTokenizerFast(str(common.DATA / "vocab" / "spiece.model"))
    return tokenizer(*texts, truncation=True, max_length=384)["input_ids"]


DATA = {"sst2": sst2, "squadshifts": contexts, "uniform": uniform}


def save_model(folder: Path, size: str) -> None:
    """A model of random weights; int8 finds the scales of inputs itself."""
    from albertkit.config import AlbertConfig
    from albertkit.tokenization.fast import AlbertTokenizerFast
    from albertkit.torch.models import AlbertForSequenceClassification

    AlbertForSequenceClassification(getattr(AlbertConfig, size)()).save_pretrained(folder)
    AlbertTokenizerFast(str(common.DATA / "vocab" / "spiece.model")).save_pretrained(folder)


def matrix_rate(hidden: int, ffn: int) -> float:
    """Operations a second of the int8 products alone, of the shapes of a layer over 1,024 tokens."""
    import torch

    from albertkit.torch.packed.int8 import fastest_product

    shapes = [(hidden, 3 * hidden), (hidden, hidden), (hidden, ffn), (ffn, hidden)]
    run, times = [], []
    with torch.inference_mode():
        for inputs, outputs in shapes:
            weight, bias = torch.randn(outputs, inputs), torch.randn(outputs)
            product = fastest_product()(weight, bias, torch.float32, [4.0])
            run.append((product, product.prepare(torch.randn(1024, inputs), 0)))
        for _ in range(7):
            start = time.perf_counter()
            for product, x in run:
                product(x)
            times.append(time.perf_counter() - start)
    return sum(2 * 1024 * inputs * outputs for inputs, outputs in shapes) / statistics.median(times)


@contextlib.contextmanager
def build(commit: str) -> Iterator[Path | None]:
    """The sources of a commit, in a folder of their own."""
    if not commit:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit, "src"], check=True, capture_output=True, cwd=HERE.parent)
        subprocess.run(["tar", "-x", "-C", folder], check=True, input=archive.stdout)
        yield Path(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="base")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--before", default="", help="a commit whose build is measured, too")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=["fp32", "int8"])
    parser.add_argument("--peers", default=str(HERE.parent / ".venv-engine-peers" / "bin" / "python"))
    options = parser.parse_args()
    ours, peer, ratios = {}, {}, {}
    with tempfile.TemporaryDirectory() as work, build(options.before) as before:
        for name in options.data:
            rows = DATA[name](options.rows if name == "sst2" else options.rows // 8)
            folder = Path(work) / name
            save_model(folder, options.size)
            readings = measured(folder, rows, options, before)
            tokens = sum(map(len, rows))
            rates = {side: tokens / statistics.median(seconds) for side, seconds in readings.items()}
            ours[name] = {side: rates[side] for side in (*options.precisions, *(["before"] if before else []))}
            peer[name] = {side: rates[side] for side in THEIRS}
            for side in options.precisions:
                for other in rates.keys() - set(options.precisions):
                    pairs = zip(readings[other], readings[side], strict=True)
                    ratios[f"{name}: {side} over {other}"] = statistics.median(one / two for one, two in pairs)
            if name == "uniform":
                ours["matrix rate, GOP/s"] = share(rates, folder, ratios)
    common.write("engine_throughput", ratios, ours, peer, ("albertkit", "torch", "numpy"))


def share(rates: dict[str, float], folder: Path, ratios: dict[str, float]) -> dict[str, float]:
    """The rate of int8 products alone; into `ratios` goes the share of it that uniform rows have, all included."""
    from albertkit.config import AlbertConfig
    from albertkit.tools.summary import forward_flops

    config = AlbertConfig.from_pretrained(folder)
    rate = matrix_rate(config.hidden_size, config.intermediate_size)
    if "int8" in rates:
        ratios["uniform: int8 over its products alone"] = rates["int8"] * forward_flops(config, 128) / 128 / rate
    return {"int8": rate / 1e9}


def measured(folder: Path, rows: list[list[int]], options: argparse.Namespace, before: Path | None) -> dict[str, list]:
    """Seconds of each round by side."""
    made_peers(folder, rows, options.peers)
    started = sides(folder, options.precisions, THEIRS, options.peers, before)
    readings: dict[str, list[float]] = {side.name: [] for side in started}
    for _ in range(options.rounds):
        for side in started:
            readings[side.name].append(side.ask(f"run {len(rows)}"))
    for side in started:
        side.end()
    return readings


def made_peers(folder: Path, rows: list[list[int]], python: str) -> None:
    """Put the rows and OpenVINO's models into the folder of a model."""
    file = folder / "rows.json"
    file.write_text(json.dumps(rows))
    subprocess.run([python, str(HERE / "engine_peers.py"), str(folder), str(file)], check=True)


def sides(
    folder: Path, precisions: Sequence[str], peers: Sequence[str], python: str, before: Path | None = None
) -> list[Side]:
    """The processes of all sides, ready to be asked."""
    own = [(name, sys.executable, None) for name in precisions]
    own += [("before", sys.executable, before)] if before else []
    theirs = [(name, python, None) for name in peers]
    return [Side(name, made, folder, folder / "rows.json", source) for name, made, source in (*own, *theirs)]


if __name__ == "__main__":
    main()
