"""Write what the demonstration trains on beside the reviews: short lives of people who do not exist.

The same lives are given as entities (CoNLL) and as questions with answers in the text (the form of SQuAD). Questions
with options (JSON lines) are made of the reviews.

Run from the root of the project: python examples/people/make.py FOLDER
"""

import csv
import json
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

WORDS = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
PEOPLE = {"train": 500, "dev": 80, "new": 2}


class Life(NamedTuple):
    """What is known of a person."""

    name: str
    city: str
    firm: str
    trade: str


class Part(NamedTuple):
    """Some words, and what they are: PER, LOC, ORG, or nothing."""

    words: str
    kind: str = ""


def told(rng: random.Random, life: Life) -> list[Part]:
    """The life in two sentences, in one of several forms."""
    name, city, firm = Part(life.name, "PER"), Part(life.city, "LOC"), Part(life.firm, "ORG")
    born = rng.choice(
        (
            [name, Part("was born in"), city, Part(".")],
            [name, Part("came from"), city, Part(".")],
            [Part("The family of"), name, Part("lived in"), city, Part(".")],
        )
    )
    worked = rng.choice(
        (
            [Part("Work was found at"), firm, Part(f", as a {life.trade} .")],
            [Part(f"As a {life.trade} ,"), firm, Part("was the place to be .")],
            [firm, Part(f"took on the young {life.trade} .")],
        )
    )
    return [*born, *worked] if rng.random() < 0.7 else [*worked, *born]


def sentence(parts: Iterable[Part]) -> str:
    """Parts as one writes them, without a space before a full stop or a comma."""
    return " ".join(part.words for part in parts).replace(" .", ".").replace(" ,", ",")


def columns(parts: Iterable[Part]) -> str:
    """Parts as lines of a word and its tag in IOB2, with an empty line behind them."""
    lines = []
    for words, kind in parts:
        for number, word in enumerate(words.split()):
            lines.append(f"{word} {('I-' if number else 'B-') + kind if kind else 'O'}")
    return "\n".join(lines) + "\n\n"


def asked(life: Life) -> dict[str, str]:
    """Questions and their answers."""
    return {
        f"Where did {life.name} come from?": life.city,
        f"Where did {life.name} work?": life.firm,
        f"What was the trade of {life.name}?": life.trade,
    }


def questions(life: Life, context: str, number: str) -> list[dict[str, object]]:
    """The questions on a life as SQuAD has them, with the places of their answers."""
    return [
        {
            "id": f"{number}-{place}",
            "question": question,
            "answers": [{"text": answer, "answer_start": context.index(answer)}],
        }
        for place, (question, answer) in enumerate(asked(life).items())
    ]


def choices(rng: random.Random, reviews: Path, count: int) -> str:
    """Lines of a question with one good and three bad reviews to choose from."""
    with reviews.open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    good, bad = ([text for text, label in rows if label == kind] for kind in ("positive", "negative"))
    lines = []
    for _ in range(count):
        praise = rng.choice(good)
        listed = rng.sample([praise, *rng.sample(bad, 3)], 4)
        row = {"question": "Which of these is praise?", "choices": listed, "label": listed.index(praise)}
        lines.append(json.dumps(row) + "\n")
    return "".join(lines)


def main(folder: Path) -> None:
    """Write the files; nobody is in two of `train`, `dev` and `new`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1942)
    names = [f"{first} {last}" for first in WORDS["first"] for last in WORDS["last"]]
    rng.shuffle(names)
    shares = {"train": names[:300], "dev": names[300:390], "new": names[390:]}
    for part, count in PEOPLE.items():
        kinds = (shares[part], WORDS["cities"], WORDS["firms"], WORDS["trades"])
        lives = [Life(*map(rng.choice, kinds)) for _ in range(count)]
        texts = [told(rng, life) for life in lives]
        contexts = [sentence(parts) for parts in texts]
        pairs = list(zip(lives, contexts, strict=True))
        paragraphs = [
            {"context": context, "qas": questions(life, context, f"{part}-{number}")}
            for number, (life, context) in enumerate(pairs)
        ]
        squad = {"version": "1.1", "data": [{"title": "People who do not exist", "paragraphs": paragraphs}]}
        reviews = Path(__file__).parents[1] / "reviews" / ("train.csv" if part == "train" else "dev.csv")
        (folder / f"entities_{part}.conll").write_text("".join(map(columns, texts)), encoding="utf-8")
        (folder / f"questions_{part}.json").write_text(json.dumps(squad) + "\n", encoding="utf-8")
        (folder / f"choices_{part}.jsonl").write_text(choices(rng, reviews, count), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
