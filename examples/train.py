"""From the model that comes with the package to answers of one's own, in every task.

Prints each command as one would type it, and writes to demo/. Then every installed framework loads two of the models,
and their answers must agree. Run by `make train-demo`.
"""

import os
import subprocess
import sys
from pathlib import Path

MODEL = "albertkit/small-en"
OUTPUT = "demo/reviews"
SENTENCES = [
    "She opened the [MASK] and went into the room.",
    "The river flows into the [MASK].",
    "He was born in the [MASK] of London.",
]
TEXTS = [
    "The story is gripping and the cast is remarkably warm.",
    "I thought the plot is clever, but the ending is truly dull.",
    "The dialogue is never boring.",
]
RECIPE = "examples/reviews/small_en.toml"
STEPS = (
    ("Let the model that comes with the package fill in words", "predict", MODEL, *SENTENCES, "--top-k", "3"),
    (
        "Train it on 2,000 reviews",
        *("finetune", "text-classification", "--recipe", RECIPE, "--output", OUTPUT, "--overwrite"),
    ),
    ("Score it on the 400 reviews it has not seen", "evaluate", OUTPUT, "examples/reviews/dev.csv"),
    ("Let it answer", "predict", OUTPUT, *TEXTS),
    ("Look inside", "info", OUTPUT),
    (
        "Train another to find people, places and firms",
        *("finetune", "token-classification", "--recipe", "examples/people/entities.toml"),
        *("--output", "demo/entities", "--overwrite"),
    ),
    (
        "Let it find them",
        "predict",
        "demo/entities",
        "Ada Stone was born in Lisbon.",
        "Harland Works took on Hugo Lund.",
    ),
    (
        "Train another to answer questions from a text",
        *("finetune", "question-answering", "--recipe", "examples/people/questions.toml"),
        *("--output", "demo/questions", "--overwrite"),
    ),
    (
        "Ask it",
        *("predict", "demo/questions", "Where did Rosa Marsh work?"),
        *("--pair", "As a baker, Old Town Press was the place to be. Rosa Marsh came from Turin."),
    ),
    (
        "Train another to choose the good one of four reviews",
        *("finetune", "multiple-choice", "--recipe", "examples/people/choices.toml"),
        *("--output", "demo/choices", "--overwrite"),
    ),
    ("Let it choose", "predict", "demo/choices", "--file", "demo/people/choices_new.jsonl"),
    (
        "Let another read the reviews, for the words of their field",
        *("finetune", "fill-mask", "--train", "examples/reviews/train.csv", "--eval", "examples/reviews/dev.csv"),
        *("--model", MODEL, "--output", "demo/words", "--overwrite", "--line-by-line", "--epochs", "1"),
    ),
    ("Let it fill in words of reviews", "predict", "demo/words", "The [MASK] is never boring.", "--top-k", "3"),
    (
        "Find the reviews that are nearest to a sentence",
        *("embed", OUTPUT, "--data", "examples/reviews/dev.csv", "--query", "The music is boring.", "--top-k", "3"),
    ),
)


def agree() -> None:
    """Let every installed framework answer with the same weights, and stop where their scores differ."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from albertkit import backends
    from albertkit.pipelines import pipeline

    sys.stdout.write("\n== Load it in every installed framework\n")
    known: dict[str, list[float]] = {}
    for name in backends.installed():
        answers = pipeline("fill-mask", MODEL, name)(SENTENCES, targets=["the", "door", "sea", "city"])
        scores = {
            "words": [one["score"] for answer in answers for one in answer],
            "classes": [
                float(row["logits"][-1]) for row in pipeline("text-classification", OUTPUT, name).outputs(TEXTS)
            ],
        }
        for kind, found in scores.items():
            first = known.setdefault(kind, found)
            apart = max(abs(a - b) for a, b in zip(found, first, strict=True)) / max(map(abs, first))
            shown = "  ".join(f"{score:+.4f}" for score in found[:3])
            sys.stdout.write(f"{name:<12}{kind:<9}{shown}    largest difference {apart:.1e}\n")
            if apart > 1e-4:
                raise SystemExit(f"The frameworks must agree to 1e-4. {name} differs by {apart:.1e} in {kind}.")


def main() -> None:
    """Run the steps, and stop at the first that fails."""
    os.chdir(Path(__file__).parents[1])
    subprocess.run([sys.executable, "examples/people/make.py", "demo/people"], check=True)
    for title, *arguments in STEPS:
        shown = " ".join(f'"{argument}"' if " " in argument else argument for argument in arguments)
        sys.stdout.write(f"\n== {title}\n$ albertkit {shown}\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "albertkit", *arguments], check=True)
    agree()
    sys.stdout.write(f"\nEverything the runs left behind is in demo/: start with {OUTPUT}/README.md.\n")


if __name__ == "__main__":
    main()
