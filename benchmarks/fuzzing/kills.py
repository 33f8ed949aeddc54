"""Saves that are killed at a random moment. A reader finds the old model or the new one, and the next save works."""

import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.tokenization.fast import AlbertTokenizerFast
from fuzzing import folders

LONGEST = 0.15
"""Seconds behind the first save at which a kill comes at the latest: some ten saves later."""


def save(folder: Path, age: int) -> None:
    """Save the model of an age: every weight is its age, which stands in its config too. Then its tokenizer."""
    config = folders.config()
    config.age = age  # type: ignore[attr-defined]  (unknown keys are kept)
    shapes = weight_table.expected(config, "ForSequenceClassification")
    tensors = {name: np.full(shape, age, np.float32) for name, shape in shapes.items()}
    files.save(folder, config, tensors, folders.ARCHITECTURE, max_shard_size=(8_000, "5GB", 30_000)[age % 3])
    tokenizer = folders.tokenizer()
    tokenizer.model_max_length = 8 + age % 50
    tokenizer.add_tokens([f"<age{age % 50}>"])
    tokenizer.save_pretrained(folder)


def save_on(folder: Path, age: int) -> None:
    """Save model after model, until the process is killed."""
    save(folder, age)
    sys.stdout.write("saved\n")
    sys.stdout.flush()
    while True:
        age += 1
        save(folder, age)


def complaint(folder: Path) -> str | None:
    """What is wrong with a folder that a reader finds, or None."""
    try:
        checkpoint = files.load(folder)
        age = vars(checkpoint.config)["age"]
        if any((tensor != age).any() for tensor in checkpoint.tensors.values()):
            return "weights of another age than the config"
        tokenizer = AlbertTokenizerFast.from_pretrained(folder)
        if f"<age{tokenizer.model_max_length - 8}>" not in tokenizer.added_tokens_encoder:
            return "tokens of another age than the tokenizer's settings"
        AlbertConfig.from_pretrained(folder)
        save(folder, age + 1)
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.200}"
    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    return f"left behind: {', '.join(left)}" if left else None


def faults(count: int, seed: int) -> tuple[list[str], int]:
    """Kill so many processes. A line for each after which something is wrong, and how many died within a save."""
    found, within = [], 0
    command = "import sys; from pathlib import Path; from fuzzing import kills; "
    command += "kills.save_on(Path(sys.argv[1]), int(sys.argv[2]))"
    with tempfile.TemporaryDirectory(prefix="albertkit-kill-") as root:
        folder = Path(root) / "model"
        for number in range(count):
            moment = random.Random(f"{seed} kill {number}").random() * LONGEST
            arguments = [sys.executable, "-c", command, str(folder), str(1000 * number)]
            with subprocess.Popen(
                arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]
            ) as process:
                if process.stdout is None or process.stdout.readline() != "saved\n":
                    found.append(f"kill {number}: the process could not save")
                time.sleep(moment)
                process.kill()
            within += any(path.name.startswith(".albertkit-") for path in folder.iterdir())
            if what := complaint(folder):
                found.append(f"kill {number}, after {moment:.3f} s: {what}")
                shutil.rmtree(folder)
    return found, within
