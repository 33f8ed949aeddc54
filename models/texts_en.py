"""Texts for the second edition of albertkit/small-en: books and articles of Wikipedia, as JSON lines.

    python models/texts_en.py FOLDER

writes books.jsonl and wiki.jsonl, what is learned from, and held_out_books.jsonl and held_out_wiki.jsonl, what is kept
for judging: the books and articles whose hash is among the first hundredth (`scoring.data.digest`). Articles are
written three times, in three orders, for there are six times as many words in books, most of them of another century.
"""

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring.data import corpus_files, is_held_out, lines, records

HELD_OUT = 0.01
REPEATED = 3
SOURCES = {"books": "books-*.jsonl.xz", "wiki": "enwiki-*.jsonl.xz"}


def documents(pattern: str) -> Iterator[dict[str, Any]]:
    """The documents of some files of the corpus, their id, title and text."""
    for path in corpus_files(f"corpus/{pattern}"):
        yield from records(path)


def orders(rows: list[dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """All rows as they are, and then in as many other orders as are wanted."""
    yield from rows
    for seed in range(1, count):
        yield from random.Random(seed).sample(rows, len(rows))


def main() -> None:
    """Parse, write, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    told = {}
    for name, pattern in SOURCES.items():
        parts: tuple[list[Any], list[Any]] = ([], [])
        for document in documents(pattern):
            parts[is_held_out(document["id"], HELD_OUT)].append(document)
        lines(folder / f"{name}.jsonl", orders(parts[0], REPEATED if name == "wiki" else 1))
        lines(folder / f"held_out_{name}.jsonl", parts[1])
        told[name] = [[len(rows), sum(len(row["text"]) for row in rows)] for rows in parts]
    print(json.dumps({"documents, characters of both parts": told}))  # noqa: T201


if __name__ == "__main__":
    main()
