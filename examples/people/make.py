"""Write what the demonstration trains on beside the reviews: short lives of people who do not exist.

The same lives are given as entities (CoNLL), as questions with answers in the text (the form of SQuAD) and as questions
with options (JSON lines). Run from the root of the project: python examples/people/make.py FOLDER
"""

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


def options(rng: random.Random, answer: str) -> list[str]:
    """The answer among three others of its kind."""
    kind = next(kind for kind in WORDS.values() if answer in kind)
    others = rng.sample([one for one in kind if one != answer], 3)
    return rng.sample([answer, *others], 4)


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


def choice(rng: random.Random, life: Life, context: str) -> dict[str, object]:
    """One of the questions on a life, with options."""
    question, answer = rng.choice(list(asked(life).items()))
    listed = options(rng, answer)
    return {"context": context, "question": question, "choices": listed, "label": listed.index(answer)}


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
        rows = [json.dumps(choice(rng, life, context)) + "\n" for life, context in pairs]
        (folder / f"entities_{part}.conll").write_text("".join(map(columns, texts)), encoding="utf-8")
        (folder / f"questions_{part}.json").write_text(json.dumps(squad) + "\n", encoding="utf-8")
        (folder / f"choices_{part}.jsonl").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
