"""Whether training has stayed the same: twenty steps of fine-tuning and pre-training by this code and an older commit.

python benchmarks/same_training.py COMMIT      in the project's own environment, with git

Both run the commands that people run, on the same data, in every framework. In PyTorch all weights must be equal to the
last bit, elsewhere to 1e-6. Dropout is on, so that everything random is compared too.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import safetensors.numpy

ROOT = Path(__file__).parents[1]
FRAMEWORKS = {"torch": 0.0, "tensorflow": 1e-6, "flax": 1e-6}
"""The frameworks, and how far weights may lie apart."""
MODEL = (
    "embedding_size=32, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128, "
    "max_position_embeddings=64, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1"
)
STEPS = 20


def albertkit(source: Path, *arguments: object) -> None:
    """Run a command of the code below `source`."""
    environment = os.environ | {"PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "albertkit", *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def corpus(source: Path, folder: Path) -> Path:
    """A corpus of the example reviews, ten a document."""
    vocabulary, text = ROOT / "tests" / "data" / "spiece.model", folder.with_suffix(".jsonl")
    with (ROOT / "examples" / "reviews" / "train.csv").open(encoding="utf-8", newline="") as file:
        reviews = [row["text"] for row in csv.DictReader(file)]
    documents = ["\n".join(reviews[start : start + 10]) for start in range(0, len(reviews), 10)]
    text.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents), encoding="utf-8")
    albertkit(source, "corpus", "build", text, "--output", folder, "--tokenizer", vocabulary, "--workers", 1)
    return folder


def fine_tuned(source: Path, framework: str, folder: Path) -> Path:
    """A classifier of reviews after some steps from fresh weights."""
    data, vocabulary = ROOT / "examples" / "reviews", ROOT / "tests" / "data" / "spiece.model"
    settings = (f"model.config={{{MODEL}}}", f"training.max_steps={STEPS}", "training.evaluate_every=10")
    options = ["--train", data / "train.csv", "--eval", data / "dev.csv", "--tokenizer", vocabulary, "--model", "base"]
    options += ["--framework", framework, "--batch-size", 16, "--max-length", 48, "--learning-rate", "1e-3"]
    options += [part for setting in settings for part in ("--set", setting)]
    albertkit(source, "finetune", "text-classification", "--output", folder, *options)
    return folder


def pre_trained(source: Path, framework: str, folder: Path, text: Path) -> Path:
    """A model after some steps of masked words and sentence order."""
    settings = (f"model.config={{{MODEL}}}", "data.held_out=0.1", "training.evaluate_every=10")
    recipe = source / "src" / "albertkit" / "training" / "recipe.py"
    is_renamed = "gradient_accumulation" in recipe.read_text(encoding="utf-8")
    settings += ("training.evaluation_rows=32", f"training.{'gradient_' if is_renamed else ''}accumulation=2")
    options = [
        "--framework",
        framework,
        "--steps",
        STEPS,
        "--batch-size",
        16,
        "--length",
        48,
        "--learning-rate",
        "1e-3",
    ]
    options += [part for setting in settings for part in ("--set", setting)]
    albertkit(source, "pretrain", "--corpus", text, "--output", folder, *options)
    return folder


def apart(one: Path, other: Path) -> float:
    """The largest difference between the weights of two runs, and between the losses of their steps."""
    first, second = (safetensors.numpy.load_file(folder / "model.safetensors") for folder in (one, other))
    if first.keys() != second.keys():
        raise SystemExit(f"Other weights: {sorted(first.keys() ^ second.keys())}")
    weights = max(float(np.abs(first[name].astype(np.float64) - second[name]).max()) for name in first)
    return max(weights, float(np.abs(np.subtract(losses(one), losses(other))).max()))


def losses(folder: Path) -> list[float]:
    """The loss of each step of a run."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    found = [row["loss"] for row in rows if "loss" in row]
    if len(found) != STEPS:
        raise SystemExit(f"Every step must be logged. {folder} has {len(found)} of {STEPS}.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="what to compare with")
    parser.add_argument("--framework", choices=FRAMEWORKS, action="append", help="default: all")
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as place:
        older = Path(place) / "older"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", older, options.commit], cwd=ROOT, check=True)
        try:
            texts = {name: corpus(source, Path(place) / f"corpus-{name}") for name, source in _sides(older).items()}
            for framework in options.framework or FRAMEWORKS:
                runs = {}
                for name, source in _sides(older).items():
                    folder = Path(place) / f"{framework}-{name}"
                    runs[name] = (
                        fine_tuned(source, framework, folder / "classifier"),
                        pre_trained(source, framework, folder / "language", texts[name]),
                    )
                for what, *pair in zip(("fine-tuning", "pre-training"), *runs.values(), strict=True):
                    difference = apart(*pair)
                    is_same = difference <= FRAMEWORKS[framework]
                    failed = failed or not is_same
                    sys.stdout.write(f"{framework}, {what}: {difference:.2g} {'same' if is_same else 'NOT THE SAME'}\n")
                    sys.stdout.flush()
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", older], cwd=ROOT, check=True)
    sys.exit(failed)


def _sides(older: Path) -> dict[str, Path]:
    return {"older": older, "this": ROOT}


if __name__ == "__main__":
    main()
