"""The data of the task models that come with the package, as files that their recipes name.

    python models/data.py FOLDER

Parts that are evaluated on share no article, paragraph or sentence with those that are trained on; how each is made
stands in benchmarks/scoring. Data whose terms do not allow a model to be given out (CoNLL-2003, STS-B) is only judged
by.
"""

import argparse
import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from common import DATA
from scoring import data, japanese
from scoring.data import is_held_out, lines

HELD_OUT = 0.1
TYPES = {
    **{name: name for name in ("PER", "LOC", "ORG")},
    "person": "PER",
    "location": "LOC",
    "corporation": "ORG",
    "group": "ORG",
}
"""What the types of WNUT 2017, WikiANN and CoNLL-2003 are called here; others are none."""


def tagged(source: Path, column: int = 1, prefix: str = "", sign: str | None = "\t") -> Iterable[str]:
    """The lines of a file of words and tags, with the types of this model; sentences end at empty lines."""
    for line in source.read_text(encoding="utf-8").split("\n"):
        fields = line.split(sign)
        if not line.strip() or line.startswith("-DOCSTART-"):
            yield ""
            continue
        mark, _, kind = fields[column].partition("-")
        yield f"{fields[0].removeprefix(prefix)}\t{f'{mark}-{TYPES[kind]}' if kind in TYPES else 'O'}"


def sentences(lines: Iterable[str]) -> list[str]:
    """What stands between empty lines."""
    return [one for one in "\n".join(lines).split("\n\n") if one.strip()]


def conll(path: Path, found: Iterable[str], without: Collection[str] = ()) -> None:
    """Sentences as a file, but for those of which the words are among some."""
    kept = (one.strip("\n") for one in found if words(one) not in without)
    path.write_text("".join(f"{one}\n\n" for one in kept), encoding="utf-8")


def words(sentence: str) -> str:
    """A sentence without its tags."""
    return " ".join(line.split("\t")[0] for line in sentence.strip("\n").split("\n"))


def ner_en(folder: Path) -> None:
    """WikiANN and WNUT 2017, each with its own part to be judged by, and news, which neither has seen.

    283 sentences of WikiANN's test part are also in its training part: they are not judged by.
    """
    ner = DATA / "ner"
    trained = sentences(tagged(ner / "wikiann_en_train.txt", prefix="en:"))
    # WNUT's twice: a seventh of the sentences, but all that are as people write them.
    trained += 2 * sentences(tagged(ner / "wnut17train.conll"))
    conll(folder / "ner_en_train.conll", trained)
    known = set(map(words, trained))
    conll(folder / "ner_en_wikiann.conll", sentences(tagged(ner / "wikiann_en_test.txt", prefix="en:")), known)
    conll(folder / "ner_en_wnut17.conll", sentences(tagged(ner / "emerging.dev.conll")), known)
    conll(folder / "ner_en_conll2003.conll", sentences(tagged(ner / "conll2003_valid.txt", sign=None)), known)


def qa_en(folder: Path) -> None:
    """SQuADShifts and SQuAD 2.0: a tenth of the paragraphs of each held out, of the second a fifth of its articles."""
    trained, judged = [], []
    for name in ("new_wiki", "reddit", "amazon_reviews"):
        content = json.loads((DATA / "qa" / f"squadshifts_{name}_v1.0.json").read_bytes())
        for paragraph in (one for article in content["data"] for one in article["paragraphs"]):
            (judged if is_held_out(paragraph["context"], HELD_OUT) else trained).append(paragraph)
    squad = data.by_article("squad2", "qa/squad2_cs224n_dev-v2.0.json", 0.2)(folder)
    trained += [one for article in json.loads(squad.train.read_bytes())["data"] for one in article["paragraphs"]]
    trained.sort(key=lambda one: data.digest(one["context"]))
    for name, paragraphs in (("train", trained), ("squadshifts", judged)):
        content = {"version": "v2.0", "data": [{"title": "", "paragraphs": paragraphs}]}
        (folder / f"qa_en_{name}.json").write_text(json.dumps(content), encoding="utf-8")
    shutil.copy(squad.eval, folder / "qa_en_squad2.json")


def similarity_en(folder: Path) -> None:
    """Sentences of SNLI and MNLI with what follows from them and what contradicts them; STS-B to be judged by."""
    rows = [row for name in ("snli_dev", "mnli_dev") for row in data.table(f"nli/{name}.csv")]
    kept = [{key: row[key] for key in ("premise", "hypothesis", "label")} for row in rows]
    lines(folder / "similarity_en_train.jsonl", [row for row in kept if row["label"] not in ("-", "")])
    pairs = data.table("glue/STS-B/dev.tsv", "\t")
    scored = [{key: row[key] for key in ("sentence1", "sentence2")} | {"score": float(row["score"])} for row in pairs]
    lines(folder / "similarity_en_stsb.jsonl", scored)


def sentiment_en(folder: Path) -> None:
    """The reviews of the project itself; those of SST-2 to be judged by."""
    own = Path(__file__).parents[1] / "examples" / "reviews"
    shutil.copy(own / "train.csv", folder / "sentiment_en_train.csv")
    shutil.copy(own / "dev.csv", folder / "sentiment_en_eval.csv")
    names = {"0": "negative", "1": "positive"}
    rows = data.table("glue/SST-2/dev.tsv", "\t")
    lines(folder / "sentiment_en_sst2.jsonl", [{"text": one["sentence"], "label": names[one["label"]]} for one in rows])


def japanese_tasks(folder: Path) -> None:
    """Each of benchmarks/scoring/japanese.py."""
    for name in ("ner_wikipedia", "jsquad", "jcommonsenseqa", "jsts"):
        getattr(japanese, name)(folder)


def write(folder: Path) -> None:
    """Write all files into a folder that is there."""
    for made in (ner_en, qa_en, similarity_en, sentiment_en, japanese_tasks):
        made(folder)


def main() -> None:
    """Parse, write, and say what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
    for path in sorted(folder.iterdir()):
        print(f"{path.stat().st_size:>12,}  {path.name}")  # noqa: T201


if __name__ == "__main__":
    main()
