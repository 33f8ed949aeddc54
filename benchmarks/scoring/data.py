"""Data of the runs of quality.py: files as they are published, or parts of them that share nothing.

What is split or joined here is written to a folder of the caller's, and is the same each time. A part is drawn by a
hash of what its rows must not share with the other part, such as an article, so that both have whole ones.
"""

import hashlib
import json
import lzma
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from csv import DictReader
from pathlib import Path
from typing import Any, NamedTuple

from common import DATA


class Files(NamedTuple):
    """Two files, and in words how they were made of those that are published."""

    train: Path
    eval: Path
    made: str = ""


Source = Callable[[Path], Files]
"""A folder for what is written -> the files of a run."""


def published(train: str, evaluated: str) -> Source:
    """Files as they are."""
    return lambda folder: Files(DATA / train, DATA / evaluated)


def digest(text: str) -> float:
    """A number of 0 to 1 that follows from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def is_held_out(group: str, share: float) -> bool:
    """Whether the rows of a group are evaluated on."""
    return digest(group) < share


def split(
    name: str, rows: Iterable[dict[str, Any]], group: Callable[[dict[str, Any]], Any], share: float, folder: Path
) -> tuple[Path, Path]:
    """Rows as two files of JSON lines."""
    parts: tuple[list[Any], list[Any]] = ([], [])
    for row in rows:
        parts[is_held_out(str(group(row)), share)].append(row)
    return lines(folder / f"{name}_train.jsonl", parts[0]), lines(folder / f"{name}_eval.jsonl", parts[1])


def lines(path: Path, rows: Iterable[Any]) -> Path:
    """Rows as a file of JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def records(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, packed or not."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def corpus_files(pattern: str) -> list[Path]:
    """The files of the data that match, in order. SystemExit where there is none."""
    found = sorted(DATA.glob(pattern))
    if not found:
        raise SystemExit(f"There must be texts in {pattern}. {DATA} has none: name their folder by ALBERTKIT_DATA.")
    return found


def table(path: str, delimiter: str = ",") -> list[dict[str, Any]]:
    """The rows of a table; one of tabs has no quoting."""
    with (DATA / path).open(encoding="utf-8", newline="") as file:
        return list(DictReader(file, delimiter=delimiter, quoting=3 if delimiter == "\t" else 0))


def qnli(folder: Path) -> Files:
    """A fifth of the sentences of the one file that there is."""
    rows = table("glue/QNLI/dev.tsv", "\t")
    parts = split("qnli", rows, lambda row: row["sentence"], 0.2, folder)
    return Files(*parts, "QNLI's dev file alone, a fifth of its sentences held out with all their questions")


def nli(folder: Path) -> Files:
    """SNLI's dev file and SICK, a tenth of the premises of each held out: simple sentences in three classes."""
    rows = [*table("nli/snli_dev.csv"), *table("nli/sick_train.csv"), *table("nli/sick_dev.csv")]
    wanted = [row for row in rows if row["label"] in ("entailment", "neutral", "contradiction")]
    wanted.sort(key=lambda row: row["premise"])
    parts = split("nli", wanted, lambda row: row["premise"], 0.1, folder)
    return Files(*parts, "SNLI's dev file and SICK, a tenth of their premises held out with all that is said of them")


def wikiann(folder: Path) -> Files:
    """The marks of the language before each word taken off."""
    found = []
    for part in ("train", "test"):
        text = (DATA / "ner" / f"wikiann_en_{part}.txt").read_text(encoding="utf-8")
        path = folder / f"wikiann_{part}.conll"
        path.write_text("\n".join(line.removeprefix("en:") for line in text.split("\n")), encoding="utf-8")
        found.append(path)
    return Files(found[0], found[1], "WikiANN's English train and test files")


def squad_shifts(folder: Path) -> Files:
    """Two sources to train on, their paragraphs mixed, and the third."""
    of = [json.loads((DATA / "qa" / f"squadshifts_{name}_v1.0.json").read_bytes()) for name in ("new_wiki", "reddit")]
    joined = folder / "squadshifts_two.json"
    paragraphs = [one for each in of for article in each["data"] for one in article["paragraphs"]]
    paragraphs.sort(key=lambda one: digest(one["context"]))
    content = {"version": "1.1", "data": [{"title": "", "paragraphs": paragraphs}]}
    joined.write_text(json.dumps(content), encoding="utf-8")
    made = "the Wikipedia and Reddit parts to train on, the Amazon part to be judged by"
    return Files(joined, DATA / "qa" / "squadshifts_amazon_reviews_v1.0.json", made)


def by_article(name: str, path: str, share: float) -> Source:
    """A file in the form of SQuAD, with a share of its articles held out."""

    def files(folder: Path) -> Files:
        content, parts = json.loads((DATA / path).read_bytes()), ([], [])
        for article in content["data"]:
            parts[is_held_out(article["title"], share)].append(article)
        paths = [folder / f"{name}_{side}.json" for side in ("train", "eval")]
        for target, articles in zip(paths, parts, strict=True):
            target.write_text(json.dumps({**content, "data": articles}, ensure_ascii=False), encoding="utf-8")
        counts = " and ".join(f"{len(articles):,}" for articles in parts)
        return Files(paths[0], paths[1], f"{Path(path).name} split by article, {counts} of them")

    return files


def copa(folder: Path) -> Files:
    """The one file of COPA, a fifth of its items held out."""
    items = ElementTree.parse(DATA / "choice" / "copa-dev.xml").getroot()
    paths = []
    for side in (False, True):
        root = ElementTree.Element("copa-corpus")
        root.extend(one for one in items if is_held_out(one.attrib["id"], 0.4) is side)
        paths.append(folder / f"copa_{'eval' if side else 'train'}.xml")
        ElementTree.ElementTree(root).write(paths[-1], encoding="utf-8")
    return Files(paths[0], paths[1], "COPA's dev file alone, two fifths of its items held out")


def imdb(folder: Path) -> Files:
    """A part of the labelled reviews, and others."""
    rows = [row for row in records(DATA / "sentiment" / "imdb_train.jsonl.xz") if is_held_out(f"{row['id']}", 0.06)]
    wanted = [{"text": row["text"], "label": row["label"]} for row in rows]
    parts = split("imdb", wanted, lambda row: row["text"], 1 / 3, folder)
    return Files(*parts, "6 % of the labelled reviews of IMDB, drawn by their ids, a third of these held out")


def reviews(folder: Path) -> Files:
    """Unlabelled reviews: some to train on, and others."""
    found = [row["text"] for row in records(DATA / "corpus" / "imdb-unsup-00.jsonl.xz")[:1100]]
    trained = lines(folder / "reviews_train.jsonl", ({"text": text} for text in found[:1000]))
    held = lines(folder / "reviews_eval.jsonl", ({"text": text} for text in found[1000:]))
    return Files(trained, held, "1,000 unlabelled reviews of IMDB, and 100 others")


CONLL = published("ner/conll2003_train.txt", "ner/conll2003_valid.txt")
WNUT = published("ner/wnut17train.conll", "ner/emerging.dev.conll")
