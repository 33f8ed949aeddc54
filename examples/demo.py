"""The road from a file of text to answers, on the example reviews: train, evaluate, predict, look inside.

Prints each command as one would type it, and writes to demo/. At the end every installed framework loads what was
trained, and their answers must agree. Run by `make demo`.
"""

import os
import subprocess
import sys
from pathlib import Path

OUTPUT = "demo/reviews"
TEXTS = (
    "The story is gripping and the cast is remarkably warm.",
    "I thought the plot is clever, but the ending is truly dull.",
    "The dialogue is never boring.",
)
STEPS = (
    (
        "Train a small ALBERT, vocabulary and all, on 2,000 reviews",
        *("finetune", "text-classification", "--recipe", "examples/reviews/recipe.toml"),
        *("--output", OUTPUT, "--overwrite"),
    ),
    ("Score it on the 400 reviews it has not seen", "evaluate", OUTPUT, "examples/reviews/dev.csv"),
    ("Let it answer", "predict", OUTPUT, *TEXTS),
    ("Look inside", "info", OUTPUT),
)


def agree() -> None:
    """Let every installed framework answer with the same weights, and stop where their scores differ."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from albertkit import frameworks
    from albertkit.pipelines import pipeline

    sys.stdout.write("\n== Load it in every installed framework\n")
    scores = {name: pipeline("text-classification", OUTPUT, name).logits(TEXTS) for name in frameworks.installed()}
    first = next(iter(scores.values()))
    for name, found in scores.items():
        apart = float(abs(found - first).max() / abs(first).max())
        shown = "  ".join(f"{score:+.4f}" for score in found[:, -1])
        sys.stdout.write(f"{name:<12}{shown}    largest difference {apart:.1e}\n")
        if apart > 1e-4:
            raise SystemExit(f"The frameworks must agree to 1e-4. {name} differs by {apart:.1e}.")


def main() -> None:
    """Run the steps, and stop at the first that fails."""
    os.chdir(Path(__file__).parents[1])
    for title, *arguments in STEPS:
        shown = " ".join(f'"{argument}"' if " " in argument else argument for argument in arguments)
        sys.stdout.write(f"\n== {title}\n$ albertkit {shown}\n")
        sys.stdout.flush()
        subprocess.run([sys.executable, "-m", "albertkit", *arguments], check=True)
    agree()
    sys.stdout.write(f"\nEverything the run left behind is in {OUTPUT}: start with {OUTPUT}/README.md.\n")


if __name__ == "__main__":
    main()
