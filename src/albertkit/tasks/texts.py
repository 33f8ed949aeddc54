"""Texts and pairs of texts from tables: which columns hold them, and what is said of rows that hold none."""

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BufferedReader
from typing import TypeVar

from albertkit.errors import InputError
from albertkit.tasks import inputs, relatives, tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.data_options import DataOptions, option
from albertkit.tasks.examples import Examples, beside, streamed
from albertkit.tasks.tables import Table
from albertkit.typing import Json, Record

# Names under which data sets keep these columns, in lower case, first found first taken.
_PAIRS = (
    *(("text", "text_pair"), ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2")),
    *(("question", "sentence"), ("question", "passage"), ("question", "answer"), ("question", "context")),
    *(("query", "passage"), ("query", "document"), ("query", "answer"), ("query", "text"), ("claim", "evidence")),
    *(("sentence_a", "sentence_b"), ("text_a", "text_b"), ("text1", "text2"), ("text_1", "text_2"), ("s1", "s2")),
    *(("sentence_1", "sentence_2"), ("question_1", "question_2"), ("q1", "q2"), ("sent1", "sent2")),
    *(("#1 string", "#2 string"), ("anchor", "positive"), ("sent0", "sent1")),
)
_TEXT = (
    *("text", "sentence", "review", "content", "sentence1", "premise", "question"),
    *("comment_text", "comment", "tweet", "message", "utterance", "document", "headline"),
)
USUAL = frozenset((*_TEXT, *(name for pair in _PAIRS for name in pair)))
"""Names by which a column of texts is known, in lower case."""
_LOOKED_AT = 64
"""Rows by which a column is known as one of texts."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TextOptions(DataOptions):
    """Which columns hold the texts. An empty name means: find it by the usual names."""

    text_column: str = option("", "Column of the text; default: by the usual names.", is_kept=True)
    pair_column: str = option("", "Column of the second text of a pair; default: by the usual names.", is_kept=True)

    @property
    def is_pair(self) -> bool:
        """Whether the texts are known to be pairs."""
        return bool(self.pair_column)


OptionsT = TypeVar("OptionsT", bound=TextOptions)


@dataclass(frozen=True)
class TextExamples(Examples):
    """Texts, their pairs and labels if any, and where they come from."""

    columns = ("first", "second", "labels", "rows")

    table: Table
    first: list[str]
    second: Sequence[Json] | None
    """The second texts; None for one of a text alone, and for all where no text has one."""
    labels: list[Json] | None
    rows: list[int]
    """The row of the table that each example is."""
    sources: tuple[str, ...] = ()
    """The columns of the table that the texts come from; none where they were passed."""

    def texts(self) -> Iterable[str]:
        """First texts, then second ones."""
        return [*self.first, *(text for text in self.second or () if text is not None)]

    def place(self, number: int) -> str:
        """The line."""
        return self.table.places([self.rows[number]])

    def line(self, number: int) -> int:
        """The first line of its row."""
        return self.table.lines[self.rows[number]]

    def shown(self, number: int) -> Record:
        """The text, the second one where there is one, and what else stands in the row."""
        second = None if self.second is None or self.sources else self.second[number]
        own: Record = {"text": self.first[number]} | ({} if second is None else {"text_pair": second})
        return beside(own, {name: values[self.rows[number]] for name, values in self._others.items()})

    @cached_property
    def _others(self) -> dict[str, list[Json]]:
        """The columns of the table beside the first text."""
        return {name: values for name, values in self.table.columns.items() if name not in self.sources[:1]}

    def parts(self) -> dict[str, list[str]]:
        """The texts by their columns."""
        names = self.sources or ("text", "text_pair")
        second = [] if self.second is None else [[text or "" for text in self.second]]
        return dict(zip(names, [self.first, *second], strict=False))

    def label_key(self, number: int) -> str | None:
        """The label as it is written."""
        return None if self.labels is None else str(self.labels[number]).strip()

    def shared(self) -> dict[str, list[tuple[Hashable, ...]]]:
        """One of the two texts of a pair, and what the table says of their source."""
        found = {
            name: [values[row] for row in self.rows]
            for name, values in relatives.of_table(self.table, self.sources).items()
        }
        if self.second is not None:
            found["text of a pair"] = [self.key(number) for number in range(len(self))]
        return found

    def key(self, number: int) -> tuple[str, str]:
        """Both texts."""
        return self.first[number].strip(), self.second[number].strip() if self.second else ""


def given(texts: Json, pairs: Json = None) -> tuple[TextExamples, bool]:
    """Texts or pairs that were passed to a pipeline, and whether it is a single one; see `inputs.pairs`."""
    first, second = inputs.pairs(texts, pairs)
    numbers = list(range(len(first)))
    table = Table("", {}, [number + 1 for number in numbers])
    return TextExamples("", table, first, second, None, numbers), inputs.is_single(texts)


def stream(source: str | BufferedReader | Table, options: TextOptions, kind: str = "") -> Iterator[TextExamples]:
    """The texts of a file, of lines of text, or of a table whose columns are `located`, in parts and without labels.

    `kind` is the ending by which a file is read where its own does not say it.
    InputError where a later part has columns by which others would have been taken from the first on.
    """
    bad = BadRows(source if isinstance(source, str) else "", options.skip_bad_rows)
    if isinstance(source, Table):
        bad.path = source.path
        part = taken(source, with_columns(source, options), bad=bad)
        return streamed([_without(part, bad)], bad)
    if isinstance(source, str):
        pieces = tables.pieces(source, options.header, bad, kind=kind)
    else:
        pieces, options = tables.lines(source), replace(options, text_column="text")
    return streamed(_parts(pieces, options, bad), bad)


def located(path: str, options: OptionsT) -> OptionsT:
    """The options with the columns of the first rows of a file, of which what `stream` says of columns is said.

    InputError where there is no text.
    """
    table = next(tables.pieces(path, options.header, BadRows(path, options.skip_bad_rows)))
    (tell_of_pair if options.text_column else tell_of_others)(table, found := with_columns(table, options))
    for name in filter(None, (found.text_column, found.pair_column)):
        table.column(name, "pair" if name == found.pair_column else "text")
    return found


def _parts(pieces: Iterable[Table], options: TextOptions, bad: BadRows) -> Iterator[TextExamples]:
    first = None
    for table in pieces:
        found = with_columns(table, options)
        if first is None:
            first = found
            (tell_of_pair if options.text_column else tell_of_others)(table, found)
        if found != first:
            names = " and ".join(name for name in (found.text_column, found.pair_column) if name)
            raise InputError(
                f"The text must stand in the same columns from the first row on. {table.path} has {names} only after "
                f"line {table.lines[0] - 1}, and rows before it were read by {first.text_column!r} alone. Name what is "
                "meant with --text-column (and --pair-column for pairs)."
            )
        yield _without(taken(table, found, bad=bad), bad)


def _without(part: TextExamples, bad: BadRows) -> TextExamples:
    """A part without its rows that are left out."""
    left = {row.place for row in bad.found}
    return part.take(number for number in range(len(part)) if part.place(number) not in left) if left else part


def with_columns(table: Table, options: OptionsT) -> OptionsT:
    """The options with the columns that were found. InputError where there is no text."""
    names = usual_names(table)
    text, pair = options.text_column, options.pair_column
    if text:
        return options
    both = next(((one, other) for one, other in _PAIRS if one in names and other in names), None)
    first = both[0] if both else next((name for name in _TEXT if name in names), None)
    if first is None:
        raise InputError(
            f"The text column must be known. {table.contents}, and none of the usual names."
            f"{table.advice('--text-column (and --pair-column for pairs)')}"
        )
    return replace(options, text_column=names[first], pair_column=pair or (names[both[1]] if both else ""))


def tell_of_pair(table: Table, options: TextOptions) -> None:
    """Log where a table has pairs, and options that name a column read one text of each alone."""
    names = usual_names(table)
    found = {names[one]: names[other] for one, other in reversed(_PAIRS) if one in names and other in names}
    if not options.pair_column and (other := found.get(options.text_column)):
        logger.warning(
            "%s has pairs of texts, in %r and %r, of which %r alone is read. For both pass --pair-column %s.",
            *(table.path, options.text_column, other, options.text_column, other),
        )


def tell_of_others(table: Table, options: TextOptions) -> None:
    """Log the columns of text that are left out by options whose columns were found."""
    taken = {options.text_column, options.pair_column, *getattr(options, "label_column", "").split(",")}
    left_out = [name for name in table.columns if name not in taken and is_of_texts(table.columns[name])]
    if left_out:
        read = " and ".join(repr(name) for name in (options.text_column, options.pair_column) if name)
        logger.warning(
            "%s has text in %s, which is left out: %s is read. Name what is meant with --text-column (and "
            "--pair-column for pairs).",
            *(table.path, " and ".join(map(repr, left_out[:8])), read),
        )


def is_of_texts(values: Sequence[Json]) -> bool:
    """Whether most values are texts of several words."""
    found = [value for value in values[:_LOOKED_AT] if not is_empty(value)]
    return sum(isinstance(value, str) and len(value.split()) > 1 for value in found) * 2 > len(found)


def usual_names(table: Table) -> dict[str, str]:
    """The columns of a table by their names, in lower case too."""
    return {name.lower(): name for name in table.columns} | {name: name for name in table.columns}


def taken(
    table: Table, options: TextOptions, labels: list[Json] | None = None, bad: BadRows | None = None
) -> TextExamples:
    """The texts of the columns that are named, every row of them; of a row that goes to `bad` an empty one."""
    bad = bad or BadRows(table.path, may_skip=False)
    second = column(table, options.pair_column, "pair", bad) if options.pair_column else None
    first, rows = column(table, options.text_column, "text", bad), list(range(len(table)))
    columns = (options.text_column, *([options.pair_column] if options.pair_column else []))
    return TextExamples(table.path, table, first, second, labels, rows, sources=columns)


def is_empty(value: Json) -> bool:
    """Whether there is no value, or a text of nothing but spaces."""
    return tables.is_missing(value) or (isinstance(value, str) and not value.strip())


def column(table: Table, name: str, role: str, bad: BadRows) -> list[str]:
    """The texts of a column, empty ones where a value is missing; a row whose value is no text goes to `bad`."""
    values = table.column(name, role)
    wrong = [row for row, value in enumerate(values) if isinstance(value, (dict, list, tuple, bytes))]
    if wrong:
        more = f"It has a {type(values[wrong[0]]).__name__} in {name!r}: write it as text, or name another column."
        bad.add_all([table.places([row]) for row in wrong], len(table), f"The {role} column must hold text.", more)
        values = ["" if row in set(wrong) else value for row, value in enumerate(values)]
    return ["" if tables.is_missing(value) else str(value) for value in values]
