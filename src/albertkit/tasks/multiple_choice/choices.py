"""Questions with several answers to choose from: RACE, SWAG, DREAM, COPA, and tables.

An item is a context, which may be empty, a question, and its options.
"""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from albertkit.errors import InputError, NoRows
from albertkit.tasks import tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.examples import Examples, streamed
from albertkit.tasks.multiple_choice import choice_columns
from albertkit.tasks.multiple_choice.choice_columns import LABEL, ChoiceOptions
from albertkit.tasks.tables import Table
from albertkit.typing import Json, Record

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PIECE = 256
"""Questions that are read at a time where they are only to be answered."""
_ASKED = {"cause": "What was the cause of this?", "effect": "What happened as a result?"}


@dataclass(frozen=True)
class Choices(Examples):
    """Questions with their options, the right one if it is known, and where they come from."""

    columns = ("questions", "contexts", "options", "labels", "places", "groups")
    bound = frozenset({"context", "question"})

    contexts: list[str]
    questions: list[str]
    options: list[list[str]]
    labels: list[int] | None
    places: list[str]
    groups: list[str]
    """A part of the data that has scores of its own, such as middle and high; may be empty."""

    def texts(self) -> Iterable[str]:
        """Each context once, then questions and options."""
        return [*dict.fromkeys(self.contexts), *self.questions, *(one for row in self.options for one in row)]

    def place(self, number: int) -> str:
        """As the file names it."""
        return self.places[number]

    def line(self, number: int) -> int | None:
        """The line, of a question that is one row of a table."""
        name, _, line = self.places[number].partition(" ")
        return int(line) if name == "line" and line.isdecimal() else None

    def shown(self, number: int) -> Record:
        """Where it stands, the question, for those of a file may all be the same, and what else stands in its row."""
        return self.with_rest({"id": self.places[number], "question": self.questions[number]}, number)

    def parts(self) -> dict[str, list[str]]:
        """Contexts, questions, and the options of each question as one text."""
        named = {"context": self.contexts, "question": self.questions}
        used = {name: texts for name, texts in named.items() if any(text.strip() for text in texts)}
        return {**used, "options": [" ".join(listed) for listed in self.options]}

    def label_key(self, number: int) -> str | None:
        """The text of the right option."""
        return None if self.labels is None else self.options[number][self.labels[number]]

    def shared(self) -> dict[str, list[tuple[str, ...]]]:
        """The context, or the question of one that has none."""
        both = zip(self.contexts, self.questions, strict=True)
        name = "context" if any(map(str.strip, self.contexts)) else "question"
        return {name: [(context if context.strip() else question,) for context, question in both]}

    def key(self, number: int) -> tuple[str, str, tuple[str, ...]]:
        """The context, the question and its options: many items may ask the same."""
        return self.contexts[number], self.questions[number], tuple(self.options[number])


@dataclass(frozen=True)
class Item:
    """A question as it was read: `answer` is the number from 0, the letter or the text of the right option."""

    context: Json
    question: Json
    options: Json
    answer: Json
    place: str
    group: str = ""
    rest: Record = field(default_factory=dict)
    """What else stands in the row of a table."""


def read(path: str, options: ChoiceOptions, labelled: bool = True) -> Choices:
    """The questions of a file, or of a folder in the form of RACE.

    InputError for a question without options to choose from, or whose right one is not among them, unless
    `skip_bad_rows` leaves it out.
    """
    bad = BadRows(path, options.skip_bad_rows)
    found = checked(path, list(_items(path, options, bad, labelled)), labelled, bad)
    bad.require_rest(len(found))
    if not found:
        raise NoRows(f"A data file must hold at least one question. {path} holds none.")
    return found


def stream(source: str | Table, options: ChoiceOptions) -> Iterator[Choices]:
    """The questions of a file, or of a table, in parts and without the right options."""
    path = source if isinstance(source, str) else source.path
    bad = BadRows(path, options.skip_bad_rows)
    is_file = isinstance(source, str)
    items = _items(source, options, bad) if is_file else _of_table(source, options, labelled=False, bad=bad)
    return streamed(_parts(path, items, bad), bad)


def is_table(path: str) -> bool:
    """Whether the questions of a file are the rows of a table: not those of RACE, COPA and DREAM."""
    return not Path(path).is_dir() and Path(path).suffix != ".xml" and not _is_dream(Path(path))


def tell_of_others(path: str, options: ChoiceOptions) -> None:
    """Log the columns of text that are left out of a table, as its first rows are."""
    table = next(tables.pieces(path, options.header, BadRows(path, options.skip_bad_rows)), None)
    if table is not None and not choice_columns.are_of_race(table):
        choice_columns.tell_of_others(table, options)


def _parts(path: str, items: Iterator[Item], bad: BadRows) -> Iterator[Choices]:
    while part := list(islice(items, _PIECE)):
        yield checked(path, part, labelled=False, bad=bad)


def checked(path: str, items: Sequence[Item], labelled: bool, bad: BadRows | None = None) -> Choices:
    """Items as examples; those that cannot be go to `bad`."""
    bad = bad or BadRows(path, may_skip=False)
    errors: list[tuple[str, InputError]] = []
    kept: list[tuple[Item, int]] = []
    for item in items:
        try:
            _require_texts(item)
            kept.append((item, _number(item) if labelled else 0))
        except InputError as error:
            errors.append((item.place, error))
    if errors and labelled:
        _require_numbers_from_zero(path, items)
    bad.add_errors(errors, len(items))
    found = [item for item, _ in kept]
    return Choices(
        path,
        [item.context or "" for item in found],
        [item.question or "" for item in found],
        [list(item.options) for item in found],
        [number for _, number in kept] if labelled else None,
        [item.place for item in found],
        [item.group for item in found],
        left_out=bad.found,
        rest=[item.rest for item in found],
    )


def _require_numbers_from_zero(path: str, items: Sequence[Item]) -> None:
    """InputError where right options are numbered from 1: all are wrong then, and not only those beyond the last."""
    numbers = [int(item.answer) for item in items if str(item.answer).strip().isdecimal()]
    counts = {len(item.options) for item in items if isinstance(item.options, (list, tuple))}
    if len(numbers) == len(items) and min(numbers) == 1 and max(numbers) == max(counts, default=0):
        raise InputError(
            f"The right option must be named by its number from 0, its letter or its text. {path} counts from 1: no "
            "number is 0, and some are that of the last option. Take 1 off each, or write letters."
        )


def _require_texts(item: Item) -> None:
    asked = ["" if one is None else one for one in (item.context, item.question)]
    if not isinstance(item.options, (list, tuple)) or len(item.options) < 2:
        raise InputError(f"A question must have at least two options. Received: {item.options!r:.80}.")
    if not all(isinstance(one, str) for one in (*asked, *item.options)) or not any(one.strip() for one in asked):
        raise InputError(
            "A question, its context and its options must be texts, and one of the first two not empty. Received: "
            f"{(item.context, item.question, item.options)!r:.120}."
        )


def _number(item: Item) -> int:
    """The right option by its number, letter or text."""
    answer, options = item.answer, list(item.options)
    if isinstance(answer, str):
        text = answer.strip()
        letter = _LETTERS.find(text) if len(text) == 1 else -1
        if text.isdecimal() and (text not in options or options.index(text) == int(text)):
            answer = int(text)
        elif text.isdecimal():
            raise InputError(
                "A right option that is a number and the text of another one can be meant in two ways. Received: "
                f"{item.answer!r:.60} for the options {', '.join(options):.80}. Name it by its letter."
            )
        elif 0 <= letter < len(options) and text not in options:
            answer = letter
        elif options.count(text) == 1:
            answer = options.index(text)
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(options):
        raise InputError(
            "The right option must be named by its number from 0, its letter or its text. Received: "
            f"{item.answer!r:.60} for {len(options)} options."
        )
    return answer


def _items(path: str, options: ChoiceOptions, bad: BadRows, labelled: bool = False) -> Iterator[Item]:
    place = Path(path)
    if place.is_dir():
        files = sorted(place.rglob("*.txt"))
        if not files:
            raise InputError(f"A folder of questions must hold .txt files in the form of RACE. {path} holds none.")
        for file in files:
            name = f"file {file.relative_to(place)}"
            try:
                content = _json(file)
            except InputError as error:
                bad.add(name, "A file of RACE must be JSON.", str(error))
                continue
            yield from _race(path, content, name, file.parent.name, bad)
    elif place.suffix == ".xml":
        yield from _copa(place)
    elif _is_dream(place):
        yield from _dream(place, bad)
    else:
        tell_of_others(path, options)
        for table in tables.pieces(path, options.header, bad):
            yield from _of_table(table, options, labelled, bad)


def _json(file: Path) -> Json:
    try:
        with tables.open_bytes(file) as opened:
            return json.loads(opened.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} must be a JSON file. Reading it failed: {error}.") from error


def _race(path: str, record: Json, place: str, group: str, bad: BadRows) -> Iterator[Item]:
    """The questions of a passage: lists of questions, options and answers by letter."""
    columns = [record.get(name) if isinstance(record, dict) else None for name in ("questions", "options", "answers")]
    if not all(isinstance(one, list) for one in columns) or len({len(one or ()) for one in columns}) > 1:
        rule = "A passage of RACE must be a mapping with lists of equal length: questions, options and answers."
        bad.add(place, rule, f"{rule} {path}, {place}, has {record!r:.120}.")
        return
    rows = zip(*columns, strict=True)
    for number, (question, listed, answer) in enumerate(rows, start=1):
        yield Item(record.get("article"), question, listed, answer, f"question {number} of {place}", group)


def _copa(file: Path) -> Iterator[Item]:
    with tables.open_bytes(file) as opened:
        content = opened.read()
    if b"<!ENTITY" in content:
        raise InputError(f"A file of questions must not define entities. {file} does. Take them out.")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"{file} must be XML in the form of COPA. Reading it failed: {error}.") from error
    for item in root.iter("item"):
        place = f"item {item.get('id')}"
        answer = item.get("most-plausible-alternative", "")
        listed = [item.findtext(name) for name in ("a1", "a2")]
        number = int(answer) - 1 if answer.isdecimal() else answer
        yield Item(item.findtext("p"), _ASKED.get(item.get("asks-for", "")), listed, number, place)


def _is_dream(file: Path) -> bool:
    """Whether a file is a JSON array of [turns, questions, id], as DREAM is."""
    if file.suffix != ".json":
        return False
    with tables.open_bytes(file) as opened:
        return "".join(opened.read(4096).decode("utf-8", "ignore").split()).startswith("[[[")


def _dream(file: Path, bad: BadRows) -> Iterator[Item]:
    for number, record in enumerate(_json(file), start=1):
        yield from _dialogue(str(file), record, number, bad)


def _dialogue(path: str, record: Json, number: int, bad: BadRows) -> Iterator[Item]:
    """The questions of one dialogue of DREAM."""
    try:
        turns, asked, name = record
        rows = [("\n".join(turns), one["question"], one["choice"], one["answer"]) for one in asked]
        right = [listed.index(answer) if answer in listed else answer for *_, listed, answer in rows]
    except (KeyError, TypeError, ValueError, AttributeError):
        rule = (
            "A dialogue of DREAM must be a list of its turns, its questions and its name, each question with "
            "`question`, `choice` and `answer`."
        )
        bad.add(f"dialogue {number}", rule, f"{rule} {path}, dialogue {number}, has {record!r:.120}.")
        return
    for count, ((context, question, listed, _), answer) in enumerate(zip(rows, right, strict=True), start=1):
        # where it stands among the options, not its text, which may be a number
        yield Item(context, question, listed, answer, f"question {count} of dialogue {name or number}")


def _of_table(table: Table, options: ChoiceOptions, labelled: bool, bad: BadRows) -> Iterator[Item]:
    if choice_columns.are_of_race(table):
        records = zip(*(table.columns[name] for name in ("questions", "options", "answers")), strict=True)
        articles = table.columns.get("article") or [None] * len(table)
        names = table.columns.get("id") or [None] * len(table)
        for line, article, name, record in zip(table.lines, articles, names, records, strict=True):
            whole = {"article": article, **dict(zip(("questions", "options", "answers"), record, strict=True))}
            yield from _race(table.path, whole, f"line {line}", _level(name), bad)
        return
    found = choice_columns.context_question_label(table, options)
    if labelled and not found[-1]:
        raise InputError(
            f"The column of the right option must be known. {table.contents}, and none of the usual names: "
            f"{', '.join(LABEL)}.{table.hint} Name it with --set data.label_column=NAME."
        )
    columns = [table.column(name, "data") if name else [None] * len(table) for name in found]
    names = choice_columns.option_columns(table, options)
    listed, rest = choice_columns.options_of_rows(table, names, options), table.rest([*found[:2], *names])
    rows = zip(*columns, table.lines, listed, rest, strict=True)
    for context, question, label, line, row, others in rows:
        yield Item(context, question, row, label, f"line {line}", rest=others)


def _level(name: Json) -> str:
    return next((level for level in ("middle", "high") if isinstance(name, str) and level in name), "")
