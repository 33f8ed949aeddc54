"""Questions with their contexts and answers: SQuAD 1.1 and 2.0, and tables in the same terms.

An answer is a span of characters of the context.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from albertkit.errors import InputError, NoRows
from albertkit.tasks import piece_splits, tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import DataOptions, option
from albertkit.tasks.examples import Examples, streamed
from albertkit.tasks.spans import Span, is_place
from albertkit.tasks.tables import Table
from albertkit.typing import Json, Record

_PIECE = 256


@dataclass(frozen=True)
class QuestionOptions(DataOptions):
    """Where questions stand, and how long contexts are cut into windows."""

    max_length: int = option(384, "Longest input in tokens; a longer context fills several windows.", ge=16)
    doc_stride: int = option(128, "Tokens that two windows of a long context share.", ge=0, is_kept=True)
    max_query_length: int = option(
        64, "Longest question in tokens; what is beyond is cut off and counted.", ge=1, is_kept=True
    )
    max_answer_length: int = option(
        30, "Longest answer in tokens that scores and files of answers take.", ge=1, is_kept=True
    )
    n_best_size: int = option(20, "Answers of a question in nbest_predictions.json.", ge=1, is_kept=True)
    split_pieces: str = option("", piece_splits.HELP, is_kept=True)
    question_column: str = option("question", "Column of the question in a table.")
    context_column: str = option("context", "Column of the context in a table.")
    answer_column: str = option("answers", "Column of the answers in a table.")
    head: Literal["auto", "linear", "beam_search"] = option(
        "auto", "How answers are scored: linear or beam_search; auto: as the model does, a new one linearly."
    )


@dataclass(frozen=True)
class Questions(Examples):
    """Questions, their contexts and answers if any, and where they come from."""

    columns = ("ids", "questions", "contexts", "answers", "places", "true")
    bound = frozenset({"context"})

    ids: list[str]
    questions: list[str]
    contexts: list[str]
    answers: list[list[Span]] | None
    """For each question those of its answers that stand in its context, as characters of it."""
    places: list[str]
    """Where each question stands in its file."""
    true: list[list[str]] | None = None
    """For each question the texts of all its answers; none where it has no answer."""

    def texts(self) -> Iterable[str]:
        """Questions, then each context once."""
        return [*self.questions, *dict.fromkeys(self.contexts)]

    def place(self, number: int) -> str:
        """As the file names it."""
        return self.places[number]

    def line(self, number: int) -> int | None:
        """The line, of a question that is one row of a table."""
        name, _, line = self.places[number].partition(" ")
        return int(line) if name == "line" and line.isdecimal() else None

    def shown(self, number: int) -> Record:
        """The id, the question, and what else stands in its row beside its context."""
        return self.with_rest({"id": self.ids[number], "question": self.questions[number]}, number)

    def parts(self) -> dict[str, list[str]]:
        """Questions and contexts."""
        return {"question": self.questions, "context": self.contexts}

    def label_key(self, number: int) -> str:
        """The first answer, which is the one that is learned."""
        return next(iter(self.true[number]), "") if self.true else ""

    def shared(self) -> dict[str, list[tuple[str, ...]]]:
        """The context."""
        return {"context": [(context,) for context in self.contexts]}

    def key(self, number: int) -> tuple[str, str]:
        """The question and its context, whatever its id is."""
        return self.questions[number], self.contexts[number]

    @property
    def has_unanswerable(self) -> bool:
        """Whether some questions have no answer, as in SQuAD 2.0."""
        return any(not found for found in self.true or ())


@dataclass
class _Row:
    id: str
    question: Json
    context: Json
    answers: Json
    place: str
    may_lack_answers: bool
    """Whether no answers mean that there is none, and not that they are unknown."""
    rest: Record = field(default_factory=dict)
    """What else stands in the row of a table."""


def read(path: str, options: QuestionOptions) -> Questions:
    """The questions of a file with their answers.

    An answer is where the file says; where its text stands elsewhere, the nearest place is taken, and counted.
    InputError for a question without a context, or none of whose answers is in it or known, unless `skip_bad_rows`
    leaves it out; and for a file that names no answers at all.
    """
    bad = BadRows(path, options.skip_bad_rows)
    rows = list(_rows(path, options, bad, labelled=True))
    bad.require_rest(len(rows))
    if not rows:
        raise NoRows(f"A data file must hold at least one question. {path} holds none. Name another.")
    empty = [row.place for row in rows if _is_empty(row.context)]
    bad.add_all(empty, len(rows), "Every question needs a context that is not empty.")
    usable = [row for row in rows if not _is_empty(row.context) and _are_texts(path, row, bad)]
    found = _located(path, usable, bad)
    bad.require_rest(len(found))
    return replace(found, left_out=bad.found)


def _is_empty(value: Json) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def stream(source: str | Table, options: QuestionOptions) -> Iterator[Questions]:
    """The questions of a file, or of a table, in parts and without their answers."""
    path = source if isinstance(source, str) else source.path
    bad = BadRows(path, options.skip_bad_rows)
    rows = _rows(source, options, bad) if isinstance(source, str) else _of_table(source, options)
    return streamed(_parts(path, rows, bad), bad)


def _parts(path: str, rows: Iterable[_Row], bad: BadRows) -> Iterator[Questions]:
    part: list[_Row] = []
    for row in rows:
        part += [row] if _are_texts(path, row, bad) else []
        if len(part) == _PIECE:
            yield _unlabelled(path, part)
            part = []
    if part:
        yield _unlabelled(path, part)


def _unlabelled(path: str, rows: Sequence[_Row]) -> Questions:
    one, other = [row.question for row in rows], [row.context for row in rows]
    places, rest = [row.place for row in rows], [row.rest for row in rows]
    return Questions(path, [row.id for row in rows], one, other, None, places, rest=rest)


def _located(path: str, rows: Sequence[_Row], bad: BadRows) -> Questions:
    pairs = [(row, given) for row in rows if (given := _stated(path, row, bad)) is not None]
    rows, stated = [row for row, _ in pairs], [given for _, given in pairs]
    examples = _unlabelled(path, rows)
    found: list[list[Span]] = []
    for context, given in zip(examples.contexts, stated, strict=True):
        places = [(_place(context, text, start), text) for text, start in given]
        found.append([Span(place, place + len(text), "") for place, text in places if place is not None])
    left = {
        number
        for number, (row, given, spans) in enumerate(zip(rows, stated, found, strict=True))
        if not spans and (given or not row.may_lack_answers)
    }
    moved = sum(bool(spans) and spans[0].start != given[0][1] for given, spans in zip(stated, found, strict=True))
    bad.add_all([rows[number].place for number in sorted(left)], len(rows), "An answer must stand in its context.")
    which = "1 question has an answer" if moved == 1 else f"{moved:,} questions have an answer"
    note = f"{which} that is not where the file says and was found by its text"
    true = [[text for text, _ in given] for given in stated]
    kept = replace(examples, answers=found, true=true).take(one for one in range(len(rows)) if one not in left)
    return replace(kept, found=note if moved else "")


def _place(context: str, text: str, start: int) -> int | None:
    """Where a text stands in a context: at `start`, or as near to it as there is."""
    if not text:
        return None
    if start >= 0 and context.startswith(text, start):
        return start
    found, place = [], context.find(text)
    while place >= 0:
        found.append(place)
        place = context.find(text, place + 1)
    return min(found, key=lambda one: abs(one - start), default=None)


def _stated(path: str, row: _Row, bad: BadRows) -> list[tuple[str, int]] | None:
    """The answers of a row as (text, start): a list of mappings, or one mapping of lists as `datasets` has it.

    None for a bad row.
    """
    answers = row.answers
    if isinstance(answers, dict) and isinstance(answers.get("text"), list):
        starts = answers.get("answer_start") or [-1] * len(answers["text"])
        if not isinstance(starts, list) or len(starts) != len(answers["text"]):
            rule = "Answers must have as many `answer_start` as `text`, both lists; without it texts are looked for."
            bad.add(row.place, rule, f"{rule} {path}, {row.place}, has {answers!r:.80}.")
            return None
        answers = [{"text": text, "answer_start": start} for text, start in zip(answers["text"], starts, strict=True)]
    answers = answers if isinstance(answers, list) else [] if answers is None else [answers]
    found = []
    for one in answers:
        one = {"text": one} if isinstance(one, str) else one
        if not isinstance(one, dict) or not isinstance(one.get("text"), str):
            rule = "An answer must be a mapping of `text` and `answer_start`."
            bad.add(row.place, rule, f"{rule} {path}, {row.place}, has {one!r:.80}.")
            return None
        start = one.get("answer_start", -1)
        found.append((one["text"], int(start) if is_place(start) else -1))
    return found


def _are_texts(path: str, row: _Row, bad: BadRows) -> bool:
    """Whether a question and its context are texts that are not empty; else it is a bad row."""
    for rule, value, is_right in (
        ("A question must be a text that is not empty.", row.question, bool(_text(row.question).strip())),
        ("A context must be a text that is not empty.", row.context, bool(_text(row.context).strip())),
    ):
        if not is_right:
            bad.add(row.place, rule, f"{rule} {path}, {row.place}, has {value!r:.80}.")
            return False
    return True


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _rows(path: str, options: QuestionOptions, bad: BadRows, labelled: bool = False) -> Iterator[_Row]:
    if is_squad(path):
        yield from _squad(path, bad)
        return
    for table in tables.pieces(path, options.header, bad):
        if labelled:
            table.column(options.answer_column, "answer", "answer_column")
        yield from _of_table(table, options)


def _of_table(table: Table, options: QuestionOptions) -> Iterator[_Row]:
    questions, contexts = (
        table.column(name, role, f"{role}_column")
        for name, role in ((options.question_column, "question"), (options.context_column, "context"))
    )
    answers = table.columns.get(options.answer_column) or [None] * len(table)
    ids = table.columns.get("id") or [str(line) for line in table.lines]
    rest = table.rest(["id", options.question_column, options.context_column])
    columns = ids, questions, contexts, answers, rest
    for line, name, question, context, answer, others in zip(table.lines, *columns, strict=True):
        yield _Row(str(line if name is None else name), question, context, answer, f"line {line}", True, others)


def is_squad(path: str) -> bool:
    """Whether a file is one JSON object, as SQuAD is: its first line alone is none."""
    if ".json" not in path or ".jsonl" in path:
        return False
    with tables.open_bytes(path) as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \r\n\t")
    return start.startswith(b"{") and b'"data"' in start


def _squad(path: str, bad: BadRows) -> Iterator[_Row]:
    with tables.open_bytes(path) as file:
        try:
            content = json.loads(file.read().decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} must be a JSON file in the form of SQuAD. Reading it failed: {error}. A file cut short means "
                "an incomplete copy."
            ) from error
    try:
        for number, article in enumerate(content["data"], start=1):
            for paragraph_number, paragraph in enumerate(article["paragraphs"], start=1):
                for question in paragraph["qas"]:
                    place = f"article {number}, paragraph {paragraph_number}"
                    if (row := _of_squad(path, question, paragraph, place, bad)) is not None:
                        yield row
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} must be in the form of SQuAD: data, with articles of paragraphs, each of a context and qas. "
            f"Reading it failed: {type(error).__name__} {error}."
        ) from error


def _of_squad(path: str, question: Json, paragraph: Json, place: str, bad: BadRows) -> _Row | None:
    """One question, or None for one that lacks something, which is a bad row."""
    if not isinstance(question, dict) or not {"id", "question"} <= question.keys() or "context" not in paragraph:
        rule = "A question of SQuAD must have an id and a question, and its paragraph a context."
        bad.add(place, rule, f"{rule} {path}, {place}, has {question!r:.80}.")
        return None
    answers, texts = question.get("answers"), (question["question"], paragraph["context"])
    is_impossible = bool(question.get("is_impossible", answers == []))
    answers = None if is_impossible else answers  # plausible ones may stand there
    return _Row(str(question["id"]), *texts, answers, f"question {question['id']!r} of {place}", is_impossible)
