"""The speed of this version against an older commit, in turn: steps of training, loading and answers.

Run in the environment of the tests: python benchmarks/redesign.py COMMIT
Each side is a process that waits for its turn, so that nothing is compiled in a turn. Four pairs of processes are
started, for equal code differs by up to 5 % from process to process. Ratios: the median of the older time over ours.
"""

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import common

ROOT = Path(__file__).parents[1]
MODEL = {
    "vocab_size": 8000,
    "embedding_size": 128,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": 128,
}
PAIRS = 4
ROWS, LENGTH, EXAMPLES = 8, 128, 32
CASES = (
    *("pre-training, torch", "pre-training, tensorflow", "pre-training, flax"),
    *("fine-tuning, torch", "fine-tuning, tensorflow", "fine-tuning, flax"),
    *("loading", "answers"),
)


def pretraining_arrays() -> dict[str, np.ndarray]:
    """Rows of two sequences each, 15 % of their pieces masked."""
    rng, half = np.random.default_rng(0), LENGTH // 2
    shape = ROWS, LENGTH
    sequence = np.repeat([[1, 2]], half, axis=1).repeat(ROWS, axis=0)
    masked = np.sort(rng.choice(ROWS * LENGTH, int(0.15 * ROWS * LENGTH), replace=False))
    arrays = {
        "input_ids": rng.integers(5, MODEL["vocab_size"], shape),
        "token_type_ids": np.zeros(shape),
        "position_ids": np.tile(np.arange(half), (ROWS, 2)),
        "sequence": sequence,
        "mlm_positions": masked,
        "mlm_labels": rng.integers(5, MODEL["vocab_size"], len(masked)),
        "cls_positions": np.arange(0, ROWS * LENGTH, half),
        "sop_labels": rng.integers(0, 2, 2 * ROWS),
    }
    return {name: array.astype(np.int32) for name, array in arrays.items()}


def finetuning_arrays() -> dict[str, np.ndarray]:
    """Sentences as long as those of SST-2, padded."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(8, 41, EXAMPLES)
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
    ids = rng.integers(5, MODEL["vocab_size"], mask.shape) * mask
    labels = rng.integers(0, 2, EXAMPLES)
    return {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": mask, "labels": labels}


def step(framework: str, head: str, arrays: dict[str, np.ndarray]) -> Callable[[], Any]:
    """A step of training, with the interface of whichever version is imported."""
    from albertkit.checkpoint import init
    from albertkit.config import AlbertConfig

    is_moved = importlib.util.find_spec("albertkit.weight_table")
    table = importlib.import_module("albertkit.weight_table" if is_moved else "albertkit.checkpoint.names")
    config = AlbertConfig(**MODEL)
    initialise = getattr(init, "initialize", None) or init.fresh
    train = importlib.import_module(f"albertkit.{framework}.train")
    state = train.init_state(config, head, initialise(table.expected(config, head), config, 0))
    batch: Any = arrays
    if importlib.util.find_spec("albertkit.batches"):
        from albertkit import batches

        batch = (batches.PretrainingBatch if "sequence" in arrays else batches.PaddedBatch)(**arrays)
    return lambda: train.train_step(state, [batch], 1e-4, 0)


def case(name: str, folder: Path) -> Callable[[], Any]:
    """What is timed."""
    if name == "loading":
        from albertkit import AlbertForSequenceClassification

        return lambda: AlbertForSequenceClassification.from_pretrained(folder)
    if name == "answers":
        from albertkit.pipelines import pipeline

        classify = pipeline("text-classification", folder, "torch")
        texts = ["the film was " + "very " * (number % 25) + "good" for number in range(32)]
        return lambda: classify(texts)
    kind, framework = name.split(", ")
    if kind == "pre-training":
        return step(framework, "ForPreTraining", pretraining_arrays())
    return step(framework, "ForSequenceClassification", finetuning_arrays())


def work(name: str, folder: Path) -> None:
    """The process of one side: a line in, the seconds of one turn out."""
    run = case(name, folder)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        sys.stdout.write(f"seconds {time.perf_counter() - start}\n")
        sys.stdout.flush()


class Side:
    """A version of the package in a process of its own."""

    def __init__(self, source: Path, name: str, folder: Path) -> None:
        self.seconds: list[float] = []
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--work", name, "--folder", str(folder)],
            env={**os.environ, "PYTHONPATH": str(source / "src"), "TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def turn(self) -> float:
        """One turn, and its seconds."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise SystemExit("A side of the comparison ended before its time.")

    def end(self) -> None:
        """Let the process go."""
        self._process.stdin.close()
        self._process.wait()


def compared(older: Path, name: str, folder: Path, rounds: int) -> tuple[float, list[float], list[float]]:
    """The median of the ratios of all rounds, and the readings of both sides."""
    mine: list[float] = []
    theirs: list[float] = []
    for pair in range(PAIRS):
        ours, peer = (Side(source, name, folder) for source in (ROOT, older))
        order = ((ours, mine), (peer, theirs))[:: 1 if pair % 2 else -1]
        for side, _ in order:
            for _ in range(3):
                side.turn()
        for _ in range(rounds):
            for side, readings in order:
                readings.append(side.turn())
        for side, _ in order:
            side.end()
    return float(np.median([b / a for a, b in zip(mine, theirs, strict=True)])), mine, theirs


def model(folder: Path) -> None:
    """A classifier as large as `base`, with its tokenizer."""
    sys.path.insert(0, str(ROOT / "src"))
    from albertkit import AlbertConfig, AlbertForSequenceClassification, AlbertTokenizerFast

    tokenizer = AlbertTokenizerFast(ROOT / "tests" / "data" / "spiece.model")
    AlbertForSequenceClassification(AlbertConfig.base(vocab_size=30000)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("commit", nargs="?")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--work")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.folder)
        return
    with tempfile.TemporaryDirectory() as place:
        older, folder = Path(place) / "older", Path(place) / "model"
        subprocess.run(["git", "worktree", "add", "--detach", older, options.commit], check=True, cwd=ROOT)
        try:
            model(folder)
            found = {name: compared(older, name, folder, options.rounds) for name in CASES}
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", older], check=True, cwd=ROOT)
    ratios = {name: ratio for name, (ratio, _, _) in found.items()}
    ours, peer = ({name: float(np.median(one[at])) for name, one in found.items()} for at in (1, 2))
    common.write("redesign", ratios, ours, peer, ("torch", "tensorflow-cpu", "jax", "flax", "keras", "numpy"))
    sys.stdout.write(json.dumps({name: f"{value:.3f}" for name, value in ratios.items()}) + "\n")


if __name__ == "__main__":
    main()
