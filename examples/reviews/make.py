"""Write train.csv and dev.csv: reviews of films that do not exist, for trying things out.

The sentences are put together from parts, with negation and contrast, so that counting words is not quite enough. Run
from the root of the project: python examples/reviews/make.py
"""

import csv
import random
from pathlib import Path

THINGS = (
    *(
        "film",
        "story",
        "plot",
        "cast",
        "ending",
        "score",
        "dialogue",
        "pacing",
        "camera work",
        "lead actor",
        "first act",
    ),
    *("villain", "script", "humour", "romance", "final chase", "opening scene", "sound", "costume design", "editing"),
)
GOOD = (
    *(
        "wonderful",
        "gripping",
        "tender",
        "sharp",
        "funny",
        "moving",
        "inventive",
        "brilliant",
        "warm",
        "elegant",
        "fresh",
    ),
    *("thrilling", "honest", "graceful", "clever", "delightful", "rich", "bold", "charming", "memorable", "lively"),
)
BAD = (
    *(
        "dull",
        "clumsy",
        "tedious",
        "hollow",
        "forced",
        "lifeless",
        "messy",
        "shallow",
        "stale",
        "boring",
        "flat",
        "weak",
    ),
    *("predictable", "painful", "lazy", "noisy", "awkward", "bland", "confused", "cold", "endless"),
)
DEGREES = ("", "", "quite ", "really ", "truly ", "so ", "remarkably ")
OPENINGS = ("", "", "I thought ", "For me ", "In my view ", "We all agreed that ", "To be honest, ")


def clause(rng: random.Random, good: bool) -> str:
    """A statement that is good or bad, now and then by denying its opposite."""
    thing = rng.choice(THINGS)
    if rng.random() < 0.25:
        return f"the {thing} is never {rng.choice(BAD if good else GOOD)}"
    return f"the {thing} is {rng.choice(DEGREES)}{rng.choice(GOOD if good else BAD)}"


def review(rng: random.Random) -> tuple[str, str]:
    """A text and its label. After a "but" it is the second statement that counts."""
    good = rng.random() < 0.5
    opening = rng.choice(OPENINGS)
    if rng.random() < 0.4:
        text = f"{opening}{clause(rng, not good)}, but {clause(rng, good)}"
    else:
        text = f"{opening}{clause(rng, good)} and {clause(rng, good)}"
    return text[0].upper() + text[1:] + rng.choice((".", ".", "!")), "positive" if good else "negative"


def main(folder: Path) -> None:
    """Write both files; no review of one stands in the other."""
    rng = random.Random(1909)
    texts: dict[str, str] = {}
    while len(texts) < 2400:
        text, label = review(rng)
        texts.setdefault(text, label)
    rows = list(texts.items())
    for name, part in (("train.csv", rows[:2000]), ("dev.csv", rows[2000:])):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([("text", "label"), *part])


if __name__ == "__main__":
    main(Path(__file__).parent)
