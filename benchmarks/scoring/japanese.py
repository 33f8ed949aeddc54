"""The Japanese data of quality.py, and the texts of it that a model may be pre-trained on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import DATA
from scoring.data import Files, Source, by_article, lines, records, split


def ner_wikipedia(folder: Path) -> Files:
    """A fifth of the articles held out: sentences of one article share its names."""
    rows = json.loads((DATA / "ja" / "ner_wikipedia.json").read_bytes())
    named = (
        {"text": row["text"], "entities": [[*one["span"], one["type"]] for one in row["entities"]], "id": row["curid"]}
        for row in rows
    )
    parts = split("ner_wikipedia", named, lambda row: row["id"], 0.2, folder)
    return Files(*parts, "the Japanese Wikipedia set, a fifth of its articles held out")


def without(name: str, train: str, evaluated: str, columns: Sequence[str]) -> Source:
    """Two files of JSON lines, the first without the rows that share a text of these columns with the second."""

    def files(folder: Path) -> Files:
        held, rows = records(DATA / evaluated), records(DATA / train)
        seen = {row[column] for row in held for column in columns}
        kept = [row for row in rows if not any(row[column] in seen for column in columns)]
        made = f"{len(rows) - len(kept):,} of {len(rows):,} training rows left out, which share a text with the others"
        return Files(lines(folder / f"{name}_train.jsonl", kept), lines(folder / f"{name}_eval.jsonl", held), made)

    return files


jsts = without("jsts", "ja/jsts_train.json", "ja/jsts_valid.json", ("sentence1", "sentence2"))
jcommonsenseqa = without(
    "jcommonsenseqa", "ja/jcommonsenseqa_train.json", "ja/jcommonsenseqa_valid.json", ("question",)
)
jsquad = by_article("jsquad", "ja/jsquad_valid.json", 0.2)


def jnli(folder: Path) -> Files:
    """A fifth of the images that its sentences tell of held out, of the one file that there is."""
    rows = records(DATA / "ja" / "jnli_valid.json")
    parts = split("jnli", rows, lambda row: row["yjcaptions_id"].partition("-")[0], 0.2, folder)
    return Files(*parts, "JNLI's validation file alone, a fifth of its images held out with all that is said of them")


def documents(folder: Path) -> Iterator[str]:
    """All that these runs are trained on but JNLI, and nothing that they are judged by, as documents to learn from."""
    for row in records(ner_wikipedia(folder).train):
        yield row["text"]
    for row in records(jsts(folder).train):
        yield from (row["sentence1"], row["sentence2"])
    for row in records(jcommonsenseqa(folder).train):
        yield row["question"]
    for article in json.loads(jsquad(folder).train.read_bytes())["data"]:
        # Each context begins with the title of its article and a mark, " [SEP] ".
        yield "\n".join(paragraph["context"].partition(" [SEP] ")[2] for paragraph in article["paragraphs"])
