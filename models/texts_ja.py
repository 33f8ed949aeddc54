"""Texts for albertkit/small-ja: books of Aozora Bunko and the texts of the Japanese training data, as JSON lines.

    python models/texts_ja.py FOLDER

writes aozora.jsonl, what is learned from of the books; held_out.jsonl, the works that are kept for judging; and
tasks.jsonl, the texts of the training parts of the Japanese tasks (benchmarks/scoring/japanese.py).

A work is held out where the hash of its id is among the first hundredth (`scoring.data.digest`). Of works that are
given more than once under one id only the first is taken, so that no other edition of a held-out work is learned from.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring import japanese
from scoring.data import corpus_files, is_held_out, lines, records

HELD_OUT = 0.01
REPEATED = re.compile("(?P<text>[^、。「」\n]{2}|[^、。「」\n][ゃゅょャュョ][^、。「」\n])／(?P<voiced>″?)＼")
"""The mark of vertical text that says two syllables once more, and before it the syllables."""
VOICED = str.maketrans(
    "かきくけこさしすせそたちつてとはひふへほカキクケコサシスセソタチツテトハヒフヘホ",
    "がぎぐげござじずぜぞだぢづでどばびぶべぼガギグゲゴザジズゼゾダヂヅデドバビブベボ",
)
TABLE = re.compile("[│┌┐└┘├┤┬┴┼]|\u3000{3}|\t")
HIRAGANA = re.compile("[ぁ-ゖ]")
SHORT = 12
"""Characters of a line below which it is nothing without a hiragana: a number of a chapter, asterisks, a speaker."""


def spelled_out(text: str) -> str:
    """A text with marks of repetition as what they stand for: いろ／＼ as いろいろ, それ／″＼ as それぞれ."""
    found = 1
    while found:  # a mark may follow another
        text, found = REPEATED.subn(_twice, text)
    return text


def _twice(mark: re.Match[str]) -> str:
    text = mark["text"]
    return text + (text[0].translate(VOICED) if mark["voiced"] else text[0]) + text[1:]


def is_prose(line: str) -> bool:
    """Whether a line is no row of a table, no heading of a number and no row of signs."""
    return not TABLE.search(line) and (len(line) >= SHORT or bool(HIRAGANA.search(line)))


def cleaned(text: str) -> str:
    """The prose of a work, a paragraph a line."""
    return "\n".join(line for line in spelled_out(text).split("\n") if is_prose(line))


def works() -> Iterator[dict[str, Any]]:
    """The works of Aozora Bunko, each id once."""
    seen: set[str] = set()
    for path in corpus_files("ja/aozora-*.jsonl.xz"):
        for work in records(path):
            if work["id"] not in seen:
                seen.add(work["id"])
                yield {**work, "text": cleaned(work["text"])}


def main() -> None:
    """Parse, write, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    parts: tuple[list[Any], list[Any]] = ([], [])
    for work in works():
        parts[is_held_out(work["id"], HELD_OUT)].append(work)
    lines(folder / "aozora.jsonl", parts[0])
    lines(folder / "held_out.jsonl", parts[1])
    texts = [{"text": text} for text in japanese.documents(folder)]
    lines(folder / "tasks.jsonl", texts)
    counts = {"aozora": parts[0], "held_out": parts[1], "tasks": texts}
    told = {name: [len(rows), sum(len(row["text"]) for row in rows)] for name, rows in counts.items()}
    print(json.dumps({"documents, characters": told}))  # noqa: T201


if __name__ == "__main__":
    main()
