"""Sentences to learn from and to be scored on: alone, in pairs with or without a score, with a hard negative.

Letters: N examples, S sentences of each.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from typing import Literal

from albertkit.errors import InputError, NoRows
from albertkit.tasks import tables, texts
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import option
from albertkit.tasks.examples import Examples
from albertkit.tasks.sentence_embedding import entailment
from albertkit.tasks.tables import Table
from albertkit.tasks.texts import TextExamples, TextOptions
from albertkit.typing import Json, Record

logger = logging.getLogger(__name__)

_NEGATIVES = ("negative", "hard_neg", "hard_negative")
_SCORES = ("score", "similarity", "similarity_score", "relatedness_score", "label", "gold_label")
"""Names under which data sets keep these columns, in lower case, first found first taken."""
_SCORE_COLUMN = (
    "Name the column of the scores: `albertkit finetune sentence-embedding --score-column NAME`, `albertkit evaluate "
    "--set score_column=NAME`."
)
_COLUMNS = ("text_column", "pair_column", "negative_column", "score_column")
_HIGHEST = (1.0, 5.0, 10.0, 100.0)
"""The scales on which people score."""


@dataclass(frozen=True)
class SentenceOptions(TextOptions):
    """Which columns hold the sentences and the scores, what becomes of long texts, and how a vector is made."""

    negative_column: str = option("", "Column of a hard negative; default: by the usual names.", is_kept=True)
    score_column: str = option("", "Column of the score of a pair; default: by the usual names.", is_kept=True)
    class_names: list[str] = option(
        [], "Comma-separated names of classes that are numbers, such as entailment,neutral,contradiction."
    )
    highest_score: float = option(0.0, "Score of sentences that mean the same; default: 1, 5, 10 or 100.", ge=0)
    long: Literal["truncate", "windows"] = option(
        "truncate", "Long texts: truncate, or windows, averaged by their tokens."
    )
    pooling: str = option("", "mean, cls or max; default: as the model has it, else mean.")
    special_tokens: bool = option(True, "Pool [CLS] and [SEP] too, as sentence-transformers does.")
    normalize: bool = option(True, "Vectors of length 1.")
    dropout: float = option(0.1, "Dropout by which two vectors of a sentence alone differ in training.", gt=0, lt=1)
    temperature: float = option(0.05, "What cosines are divided by in the contrastive loss.", gt=0)

    @property
    def is_pair(self) -> bool:
        """False: a vector is that of one text, though pairs are learned from."""
        return False


@dataclass(frozen=True)
class Sentences(Examples):
    """Examples of S sentences each."""

    columns = ("sentences", "scores", "lines", "rows")

    sentences: list[list[str]]
    """One; two, of which the second means the same, or as far as their score says; three, the last a hard negative."""
    scores: list[float] | None
    """Of each pair from 0 or -1 to 1, the same; None where there are none."""
    lines: list[int]
    rows: list[Record] | None = None
    """What each is printed with, where that is more than its sentences."""

    @property
    def width(self) -> int:
        """S; 1 where there are no examples."""
        return len(self.sentences[0]) if self.sentences else 1

    def texts(self) -> Iterable[str]:
        """All sentences."""
        return [sentence for row in self.sentences for sentence in row]

    def place(self, number: int) -> str:
        """The line."""
        return f"line {self.lines[number]}"

    def line(self, number: int) -> int:
        """The first line of its row."""
        return self.lines[number]

    def shown(self, number: int) -> Record:
        """The sentence and what else stands in its row, or all sentences of a row of several."""
        row = self.sentences[number]
        if self.rows is not None:
            return self.rows[number]
        return {"text": row[0]} if len(row) == 1 else {"sentences": row}

    def parts(self) -> dict[str, list[str]]:
        """The first sentences, the second ones, and so on."""
        columns = zip(*self.sentences, strict=True)
        return {f"sentence{number}": list(texts) for number, texts in enumerate(columns, start=1)}

    def key(self, number: int) -> tuple[str, ...]:
        """The sentences."""
        return tuple(sentence.strip() for sentence in self.sentences[number])

    def label_key(self, number: int) -> float | None:
        """The score."""
        return None if self.scores is None else self.scores[number]

    def shared(self) -> dict[str, list[tuple[str, ...]]]:
        """One of several sentences of an example."""
        return {"sentence": [self.key(number) for number in range(len(self))]} if self.width > 1 else {}


def given(inputs: Json) -> tuple[Sentences, bool]:
    """Texts that were passed to a pipeline, and whether it is a single one. InputError for pairs."""
    found, is_single = texts.given(inputs)
    if found.second is not None:
        raise InputError("A vector is that of one text. Received: a pair. Pass its texts one after the other.")
    return Sentences("", [[text] for text in found.first], None, [row + 1 for row in found.rows]), is_single


def located(path: str, options: SentenceOptions) -> SentenceOptions:
    """The options with the column of the texts; of pairs that of the first ones, which is said."""
    found = texts.located(path, options)
    if found.pair_column:
        _tell_of_pairs(path, found.text_column)
    return replace(found, pair_column="")


def _tell_of_pairs(path: str, column: str) -> None:
    logger.warning(
        "%s has pairs: the vectors are those of %r alone. Name another column with --text-column.", path, column
    )


def stream(source: str | BufferedReader | Table, options: SentenceOptions) -> Iterator[Sentences]:
    """The texts of a column of a file, or of lines of text, in parts; of pairs the first ones, which is said."""
    is_told = False
    for part in texts.stream(source, options):
        if part.second is not None and not is_told:
            is_told = True
            _tell_of_pairs(part.path, part.sources[0])
        yield _alone(part)


def _alone(part: TextExamples) -> Sentences:
    numbers = range(len(part))
    lines = [part.table.lines[row] for row in part.rows]
    shown = [part.shown(one) for one in numbers]
    return Sentences(part.path, [[text] for text in part.first], None, lines, shown, left_out=part.left_out)


def is_text(path: str) -> bool:
    """Whether a file is lines of text, by its ending, behind which may be that of a compression."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes[-2:]]
    return ".txt" in suffixes and not tables.is_data(path)


def read(path: str, options: SentenceOptions) -> Sentences:
    """The sentences of a file.

    A .txt has a sentence a line. Of a table with classes of entailment a hypothesis that follows from its premise is
    its positive, and one that contradicts it its hard negative. InputError names the rows that lack something, unless
    `options.skip_bad_rows` leaves them out.
    """
    if is_text(path):
        return _of_lines(path)
    bad = BadRows(path, options.skip_bad_rows)
    table = tables.read(path, options.header, bad)
    options = with_columns(table, _fitting(table, options))
    values = None if not options.score_column else table.column(options.score_column, "score")
    if values is not None:
        values = _named(table, options, values)
    if values is not None and entailment.is_of_classes(values):
        return _of_classes(table, options, values, bad)
    return _of_table(table, options, values, bad)


def _fitting(table: Table, options: SentenceOptions) -> SentenceOptions:
    """The options for a table: data to score has columns of its own, where it lacks those of the data to learn from."""
    absent = [name for name in _COLUMNS if getattr(options, name) and getattr(options, name) not in table.columns]
    if not absent or table.path != options.eval:
        return options
    logger.warning("%s lacks the columns of the training data: its own are found by the usual names.", table.path)
    return replace(options, **dict.fromkeys(absent, ""))


def _named(table: Table, options: SentenceOptions, values: Sequence[Json]) -> Sequence[Json]:
    """Classes by their names; data to score may have scores where that to learn from has classes."""
    try:
        found = entailment.named(values, options.class_names, table.path)
    except InputError:
        if table.path != options.eval:
            raise
        return values
    return found if table.path != options.eval or entailment.ENTAILMENT in found else values


def _of_lines(path: str) -> Sentences:
    """The lines of a file that are not blank."""
    found: list[str] = []
    lines: list[int] = []
    with tables.open_bytes(path) as file:
        for table in tables.lines(file, path):
            kept = [row for row, text in enumerate(table.columns["text"]) if text.strip()]
            found += [table.columns["text"][row].strip() for row in kept]
            lines += [table.lines[row] for row in kept]
    if not lines:
        raise NoRows(f"A file of sentences must hold one. {path} holds none.")
    return Sentences(path, [[text] for text in found], None, lines)


def with_columns(table: Table, options: SentenceOptions) -> SentenceOptions:
    """The options with the columns that were found; a column of pairs is needed for one of negatives or scores."""
    options = texts.with_columns(table, options)
    if not options.pair_column:
        for name in ("negative_column", "score_column"):
            if getattr(options, name):
                raise InputError(f"`{name}` needs a pair of sentences. {table.contents}. Name it with --pair-column.")
        return options
    names = texts.usual_names(table)
    negative = options.negative_column or next((names[one] for one in _NEGATIVES if one in names), "")
    score = options.score_column or next((names[one] for one in _SCORES if one in names), "")
    if score and not options.score_column and not options.class_names:
        _require_plain(table, score)
    return replace(options, negative_column=negative, score_column=score)


def _require_plain(table: Table, name: str) -> None:
    """InputError where numbers of a column that was not named may be classes as well as scores."""
    values = {str(value) for value in table.columns[name]} - {"-1"}
    if name.lower().endswith("label") and values == {"0", "1", "2"}:
        raise InputError(
            f"Labels must be scores, or say entailment and contradiction. {table.path} has 0, 1 and 2 in {name!r}, "
            "which may be either. Say what they are: `--class-names entailment,neutral,contradiction` of `albertkit "
            f"finetune sentence-embedding` names classes in their order; for scores: {_SCORE_COLUMN}"
        )


def _of_classes(table: Table, options: SentenceOptions, values: Sequence[Json], bad: BadRows) -> Sentences:
    pairs = list(zip(*_columns(table, options, _COLUMNS[:2], bad), strict=True))
    rule = "Every row needs a premise and a hypothesis."
    kept = _complete(table, pairs, bad, rule)
    premises, hypotheses = ([pairs[row][side] for row in kept] for side in (0, 1))
    found = entailment.of_rows(premises, hypotheses, [values[row] for row in kept])
    if not found.rows:
        raise InputError(
            f"A pair to learn from is one of which the second follows from the first. {table.path} has no row with the "
            f"class entailment in {options.score_column!r}. Name another file. {_SCORE_COLUMN}"
        )
    lines = [table.lines[kept[row]] for row in found.rows]
    return Sentences(table.path, found.sentences, None, lines, left_out=bad.found, found=found.told)


def _of_table(table: Table, options: SentenceOptions, values: Sequence[Json] | None, bad: BadRows) -> Sentences:
    names = [name for name in _COLUMNS[:3] if getattr(options, name)]
    rows = list(zip(*_columns(table, options, names, bad), strict=True))
    rule = "Every row needs its sentences, and a score where there are scores."
    whole = rows if values is None else [(*row, value) for row, value in zip(rows, values, strict=True)]
    kept = _complete(table, whole, bad, rule)
    scores = None if values is None else {row: _number(table.places([row]), values[row], options, bad) for row in kept}
    kept = [row for row in kept if scores is None or math.isfinite(scores[row])]
    bad.require_rest(len(kept))
    sentences, lines = [list(rows[row]) for row in kept], [table.lines[row] for row in kept]
    if scores is None:
        return Sentences(table.path, sentences, None, lines, left_out=bad.found)
    given = [scores[row] for row in kept]
    highest = options.highest_score or _highest(table, given)
    if any(abs(score) > highest for score in given):
        raise InputError(f"No score may be above the highest, {highest:g}. {table.path} has {max(map(abs, given)):g}.")
    told = f"scores in {options.score_column!r}, of which {highest:g} means the same"
    scaled = [score / highest for score in given]
    return Sentences(table.path, sentences, scaled, lines, left_out=bad.found, found=told)


def _complete(table: Table, rows: Sequence[Sequence[Json]], bad: BadRows, rule: str) -> list[int]:
    """The rows of which nothing is empty; others go to `bad`, unless they are there already."""
    known = {one.place for one in bad.found}
    lacking = [row for row, values in enumerate(rows) if any(map(texts.is_empty, values))]
    places = [table.places([row]) for row in lacking]
    bad.add_all([place for place in places if place not in known], len(rows), rule)
    return sorted({*range(len(rows))} - {*lacking})


def _columns(table: Table, options: SentenceOptions, names: Sequence[str], bad: BadRows) -> list[list[str]]:
    return [texts.column(table, getattr(options, name), name.removesuffix("_column"), bad) for name in names]


def _number(place: str, value: Json, options: SentenceOptions, bad: BadRows) -> float:
    """A score; NaN for a row that goes to `bad`."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        rule = "A score must be a number."
        told = f"{bad.path}, {place}, has {str(value)[:60]!r} in {options.score_column!r}."
        bad.add(place, rule, f"{rule} {told} {_SCORE_COLUMN}")
        return math.nan
    return number


def _highest(table: Table, scores: Sequence[float]) -> float:
    largest = max(map(abs, scores))
    found = next((scale for scale in _HIGHEST if largest <= scale), None)
    if found is None:
        raise InputError(
            f"The score of sentences that mean the same must be known. {table.path} has scores up to {largest:g}. Say "
            "it: `albertkit finetune sentence-embedding --highest-score`, `albertkit evaluate --set highest_score=N`."
        )
    return found
