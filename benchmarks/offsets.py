"""Entities and answers against the slices of the text that their offsets name, on real paragraphs in three languages.

Every paragraph is answered by random scores, in windows: entities with each aggregation strategy and the best answers.
Then spans that are drawn at random are learned and told again by scores that are sure of their labels, and must come
back; last the true entities and answers of data sets. Run in the project's own environment:
python benchmarks/offsets.py
"""

import argparse
import csv
import itertools
import json
import lzma
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import common
from albertkit.config import AlbertConfig
from albertkit.tasks import pieces
from albertkit.tasks.question_answering import questions
from albertkit.tasks.question_answering.questions import QuestionOptions, Questions
from albertkit.tasks.question_answering.task import QuestionAnswering
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import entities, tagged_files
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples, TagOptions
from albertkit.tasks.token_classification.task import TokenClassification
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.sentencepiece import AlbertTokenizer
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer

TAGS, ANSWERS = TokenClassification(), QuestionAnswering()
NAMES = ("O", "B-A", "I-A", "B-B", "I-B")
CONFIG = AlbertConfig(id2label=dict(enumerate(NAMES)))
LANGUAGES = ("en", "zh", "ja")
SPLIT = {"en": "", "zh": "scripts", "ja": "scripts"}
QUESTION = {"en": "who?", "zh": "谁？", "ja": "誰？"}
PART = 64


def tokenizer_of(language: str) -> AlbertTokenizerBase:
    """The tokenizer of a language's vocabulary."""
    folder = common.DATA / "vocab"
    if language == "zh":
        return AlbertWordPieceTokenizer(folder / "zh_bert_vocab_21128.txt")
    if language == "ja":
        return AlbertTokenizer(folder / "wiki-ja_albert.model", keep_accents=True)
    return AlbertTokenizer(folder / "spiece.model")


def paragraphs(language: str) -> Iterator[str]:
    """Paragraphs of real text that hold more than blanks."""
    if language == "zh":
        with (common.DATA / "zh/ChnSentiCorp_htl_all.csv").open(encoding="utf-8", newline="") as file:
            yield from (row["review"] for row in csv.DictReader(file) if row["review"].strip())
        return
    name = {"en": "corpus/enwiki-00.jsonl.xz", "ja": "ja/aozora-00.jsonl.xz"}[language]
    with lzma.open(common.DATA / name, "rt", encoding="utf-8") as file:
        for line in file:
            yield from (one for one in json.loads(line)["text"].splitlines() if one.strip())


def outputs(features: Any, rng: np.random.Generator, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """Random scores for rows: of classes where one name is asked for, else one a token for each name."""
    for length in features.lengths():
        if len(names) == 1:
            yield {names[0]: 2 * rng.standard_normal((length, len(NAMES))).astype(np.float32)}
        else:
            yield {name: 2 * rng.standard_normal(length).astype(np.float32) for name in names}


def sure(labels: Sequence[int], count: int) -> np.ndarray:
    """Scores that are sure of labels."""
    scores = np.zeros((len(labels), count), np.float32)
    scores[np.arange(len(labels)), np.maximum(labels, 0)] = 20
    return scores


def wrong_entities(text: str, found: Sequence[dict[str, Any]], is_grouped: bool) -> int:
    """How many entities are not the slice that they name, or begin or end in a blank, or overlap the one before."""
    wrong, last = 0, 0
    for one in found:
        word = text[one["start"] : one["end"]]
        is_right = one["word"] == word == word.strip() != "" and 0 <= one["start"] < one["end"] <= len(text)
        wrong += not (is_right and (one["start"] >= last or not is_grouped))
        last = one["end"]
    return wrong


def check_random(tokenizer: Any, language: str, texts: list[str], rng: np.random.Generator, counts: Counter) -> None:
    """Entities and answers of random scores."""
    examples = TaggedExamples("", texts, None, None, list(range(len(texts))))
    options = TagOptions(max_length=128, split_pieces=SPLIT[language])
    features = TAGS.encode(tokenizer, CONFIG, examples, options)
    rows = list(outputs(features, rng, ["logits"]))
    for strategy in entities.STRATEGIES:
        told = {"aggregation_strategy": strategy, "ignore_labels": [] if strategy == "max" else ["O"]}
        for text, found in zip(texts, TAGS.decode(tokenizer, CONFIG, examples, features, rows, **told), strict=True):
            counts["entities"] += len(found)
            counts["wrong entities"] += wrong_entities(text, found, strategy != "none")
    asked = Questions("", ["1"] * len(texts), [QUESTION[language]] * len(texts), texts, None, ["1"] * len(texts))
    features = ANSWERS.encode(tokenizer, CONFIG, asked, QuestionOptions(max_length=128, split_pieces=SPLIT[language]))
    rows = list(outputs(features, rng, ["start_logits", "end_logits"]))
    for is_aligned in (True, False):
        answered = ANSWERS.decode(tokenizer, CONFIG, asked, features, rows, top_k=3, align_to_words=is_aligned)
        for text, listed in zip(texts, answered, strict=True):
            for one in listed:
                counts["answers"] += 1
                counts["wrong answers"] += not one["answer"] == text[one["start"] : one["end"]].strip() != ""


def drawn(tokenizer: Any, language: str, texts: list[str], rng: np.random.Generator) -> list[list[Span]]:
    """Some runs of words of each text that do not touch."""
    found = []
    for whole in pieces.of_texts(tokenizer, texts, split=SPLIT[language]):
        units, place, spans = [whole.units[owner] for owner in whole.owner[whole.firsts()]], 0, []
        while place < len(units):
            stop = min(place + int(rng.integers(1, 5)), len(units))
            spans.append(Span(units[place].start, units[stop - 1].stop, str(rng.choice(["A", "B"]))))
            place = stop + int(rng.integers(1, 12))
        found.append(spans)
    return found


def entities_again(tokenizer: Any, texts: list[str], spans: list[list[Span]], split: str) -> Iterator[set[Span]]:
    """What is told of texts by scores that are sure of the labels of their entities."""
    types = sorted({one.type for each in spans for one in each})
    config = AlbertConfig(id2label=dict(enumerate(["O", *(f"{prefix}-{one}" for one in types for prefix in "BI")])))
    examples = TaggedExamples("", texts, None, spans, list(range(len(texts))))
    features = TAGS.encode(tokenizer, config, examples, TagOptions(max_length=128, split_pieces=split), labelled=True)
    rows = [{"logits": sure(one, config.num_labels)} for one in features.labels["labels"]]
    for found in TAGS.decode(tokenizer, config, examples, features, rows, aggregation_strategy="first"):
        yield {Span(one["start"], one["end"], one["entity_group"]) for one in found}


def answers_again(tokenizer: Any, contexts: list[str], spans: list[Span], split: str) -> Iterator[tuple[int, int]]:
    """What is answered for contexts by scores that are sure of the labels of their answers."""
    numbers = [str(number) for number in range(len(contexts))]
    asked = Questions("", numbers, ["?"] * len(contexts), contexts, [[one] for one in spans], numbers)
    options = QuestionOptions(max_length=384, split_pieces=split)
    features = ANSWERS.encode(tokenizer, CONFIG, asked, options, labelled=True)
    labels, rows = features.labels, []
    for length, start, end in zip(features.lengths(), labels["start_positions"], labels["end_positions"], strict=True):
        ends = {"start_logits": np.zeros(length, np.float32), "end_logits": np.zeros(length, np.float32)}
        if start:
            ends["start_logits"][start] = ends["end_logits"][end] = 20
        rows.append(ends)
    told = {"max_answer_len": 200, "align_to_words": False}
    for one in ANSWERS.decode(tokenizer, CONFIG, asked, features, rows, **told):
        yield one["start"], one["end"]


def check_drawn(tokenizer: Any, language: str, texts: list[str], rng: np.random.Generator, counts: Counter) -> None:
    """Spans that are learned and told again."""
    spans = drawn(tokenizer, language, texts, rng)
    for true, found in zip(spans, entities_again(tokenizer, texts, spans, SPLIT[language]), strict=True):
        counts["drawn entities"] += len(true)
        counts["drawn entities not told again"] += len(set(true) - found)
    rows = [(text, each[0]) for text, each in zip(texts, spans, strict=True) if each]
    told = answers_again(tokenizer, [text for text, _ in rows], [one for _, one in rows], SPLIT[language])
    for (_, true), found in zip(rows, told, strict=True):
        counts["drawn answers"] += 1
        counts["drawn answers not told again"] += (true.start, true.stop) != found


def check_language(language: str, count: int) -> dict[str, int]:
    """The counts of all checks on so many paragraphs of a language."""
    tokenizer, rng, counts = tokenizer_of(language), np.random.default_rng(0), Counter[str]()
    waiting = itertools.islice(paragraphs(language), count)
    while part := list(itertools.islice(waiting, PART)):
        counts["paragraphs"] += len(part)
        counts["characters"] += sum(map(len, part))
        check_random(tokenizer, language, part, rng, counts)
        check_drawn(tokenizer, language, part, rng, counts)
    return dict(counts)


def true_entities(language: str, path: str, split: str) -> dict[str, float]:
    """How many entities of a data set a model that is sure of its labels tells to the character."""
    given = tagged_files.read(str(common.DATA / path), TagOptions())
    texts, spans = given.sentences, given.entities or []
    total = exact = 0
    for true, found in zip(spans, entities_again(tokenizer_of(language), texts, spans, split), strict=True):
        total, exact = total + len(true), exact + len(set(true) & found)
    return {"entities": total, "exact": exact / total}


def true_answers(language: str, path: str, split: str) -> dict[str, float]:
    """The same of answers."""
    given = questions.read(str(common.DATA / path), QuestionOptions(skip_bad_rows=True))
    spans = [listed[0] for listed in given.answers or [] if listed]
    contexts = [one for one, listed in zip(given.contexts, given.answers or [], strict=True) if listed]
    told = answers_again(tokenizer_of(language), contexts, spans, split)
    exact = sum((one.start, one.stop) == found for one, found in zip(spans, told, strict=True))
    return {"answers": len(spans), "exact": exact / len(spans)}


SETS = {
    "ner_wikipedia": (true_entities, "ja", "ja/ner_wikipedia.json"),
    "jsquad": (true_answers, "ja", "ja/jsquad_valid.json"),
    "cmrc2018": (true_answers, "zh", "zh/cmrc2018_dev.json"),
    "squad2": (true_answers, "en", "qa/squad2_cs224n_dev-v2.0.json"),
}


def main() -> None:
    """Check all, and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--paragraphs", type=int, default=6700, help="of each language")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(6) as pool:
        counted = {one: pool.submit(check_language, one, arguments.paragraphs) for one in LANGUAGES}
        never = {name: pool.submit(of, one, path, "never") for name, (of, one, path) in SETS.items()}
        scripts = {name: pool.submit(of, one, path, SPLIT[one]) for name, (of, one, path) in SETS.items()}
        counts, whole, split = (
            {name: one.result() for name, one in each.items()} for each in (counted, never, scripts)
        )
    result = {"random and drawn": counts, "true, pieces whole": whole, "true, pieces split": split}
    common.keep("offsets", {**result, **common.about(("albertkit", "numpy", "sentencepiece"))})
    if any(count for each in counts.values() for name, count in each.items() if "wrong" in name or "not told" in name):
        raise SystemExit(f"Some are wrong: {Path(__file__).name} says which.")


if __name__ == "__main__":
    main()
