"""Files of texts with entities: CoNLL columns, or tables of token lists, tagged texts and texts with spans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from albertkit.errors import InputError, NoRows
from albertkit.tasks import relatives, tables
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.examples import streamed
from albertkit.tasks.tables import Table
from albertkit.tasks.token_classification import conll, tagged_texts
from albertkit.tasks.token_classification.conll import Sentence
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples, TagOptions
from albertkit.typing import Json

_TEXT = ("tokens", "words", "text", "sentence")
_TAGS = ("ner_tags", "tags", "ner", "labels", "label", "entities", "spans")
_TABLES = (".csv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq")
_PIECE = 1024
"""Sentences that are read at a time where they are only to be answered, and lines by which columns are known."""


def read(path: str, options: TagOptions) -> TaggedExamples:
    """The labelled texts of a file. InputError for one that has no tags, or whose tags cannot be read."""
    bad = BadRows(path, options.skip_bad_rows)
    examples = _labelled(path, options, bad)
    bad.require_rest(len(examples))
    return replace(examples, left_out=bad.found)


def _labelled(path: str, options: TagOptions, bad: BadRows) -> TaggedExamples:
    if is_table(path):
        table = tables.read(path, options.header, bad)
        examples = _of_labelled_table(table, options, bad)
        for values in relatives.of_table(table).values():
            documents = dict(zip(table.lines, values, strict=True))
            return replace(examples, documents=[documents[line] for line in examples.lines])
        return examples
    found = list(_sentences(path, bad))
    bad.require_rest(len(found))
    if not found:
        raise NoRows(f"A data file must hold at least one sentence. {path} holds none.")
    place = conll.tag_column(path, found, options.tag_column)
    tags = [[row[place] for row in sentence.rows] for sentence in found]
    return _of_columns(path, found, tags, options, bad)


def stream(source: str | Table, options: TagOptions) -> Iterator[TaggedExamples]:
    """The texts of a file, or of a table, in parts and without their entities."""
    path = source if isinstance(source, str) else source.path
    bad = BadRows(path, options.skip_bad_rows)
    parts = _parts(source, options, bad) if isinstance(source, str) else [_of_table(source, options, bad)]
    return streamed(parts, bad)


def _parts(path: str, options: TagOptions, bad: BadRows) -> Iterator[TaggedExamples]:
    if is_table(path):
        for table in tables.pieces(path, options.header, bad):
            yield _of_table(table, options, bad)
        return
    found = _sentences(path, bad)
    while part := list(islice(found, _PIECE)):
        yield _of_columns(path, part, None, options, bad)


def is_table(path: str) -> bool:
    """Whether a file is a table, by its ending, and not columns of CoNLL."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return any(suffix in _TABLES for suffix in suffixes[-2:])


def is_columns(path: str) -> bool:
    """Whether the first lines of a file that may be plain text are columns, one of which holds tags alone."""
    try:
        found = list(conll.sentences(path, islice(_lines(path), _PIECE), BadRows(path, may_skip=False)))
        return bool(found) and bool(conll.tag_column(path, found, ""))
    except InputError:  # no file, no text, or lines of different lengths
        return False


def _sentences(path: str, bad: BadRows) -> Iterator[Sentence]:
    return conll.sentences(path, _lines(path), bad)


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers."""
    with tables.open_bytes(path) as file:
        for table in tables.lines(file, path):
            yield from zip(table.lines, table.columns["text"], strict=True)


def _of_columns(
    path: str, found: Sequence[Sentence], tags: Sequence[Sequence[str]] | None, options: TagOptions, bad: BadRows
) -> TaggedExamples:
    width = len(found[0].rows[0])
    place = conll.column(path, options.text_column, width, "`text_column`") if options.text_column else 0
    words, mark = conll.without_language([[row[place] for row in sentence.rows] for sentence in found])
    examples = tagged_texts.from_tags(path, words, tags, [sentence.line for sentence in found], options, bad)
    return examples.noted(f"{mark!r} before every word was left out") if mark else examples


def _of_table(table: Table, options: TagOptions, bad: BadRows) -> TaggedExamples:
    """The texts of a table, without their entities, and what else its rows hold."""
    name = _column(table, options.text_column, _TEXT, "text")
    texts, rest = table.column(name, "text"), table.rest([name])
    if all(isinstance(text, str) for text in texts):
        return TaggedExamples(table.path, list(texts), None, None, table.lines, rest=rest)
    words: list[list[str]] = []
    rows: list[int] = []
    for row, text in enumerate(texts):
        try:
            words.append(_words(table, row, text))
            rows.append(row)
        except InputError as error:
            bad.add(table.places([row]), "Words must be a list of texts, or a text.", str(error))
    examples = tagged_texts.from_tags(table.path, words, None, [table.lines[row] for row in rows], options, bad)
    return replace(examples, rest=[rest[row] for row in rows])


def _of_labelled_table(table: Table, options: TagOptions, bad: BadRows) -> TaggedExamples:
    texts = table.column(_column(table, options.text_column, _TEXT, "text"), "text")
    tags = table.column(_column(table, options.tag_column, _TAGS, "tag"), "tag")
    is_spans = all(isinstance(text, str) for text in texts if text is not None) and any(map(_are_spans, tags))
    if is_spans:
        rows = _complete(table, [texts], "Every row needs a text.", bad)
        given = [texts[row] for row in rows], [tags[row] for row in rows], [table.lines[row] for row in rows]
        return tagged_texts.from_spans(table.path, *given, bad)
    _require_names(table, tags, options)
    found: list[tuple[list[str], list[str], int]] = []
    for row in _complete(table, [texts, tags], "Every row needs words and their tags.", bad):
        try:
            found.append((_words(table, row, texts[row]), _tags(table, row, tags[row], options), table.lines[row]))
        except InputError as error:
            bad.add(table.places([row]), "Words and tags must be lists, the tags of names that are known.", str(error))
    uneven = [one for one in found if len(one[0]) != len(one[1])]
    first = f"The first has {len(uneven[0][0])} words and {len(uneven[0][1])} tags." if uneven else ""
    bad.add_all([f"line {line}" for *_, line in uneven], len(table), "Every word needs a tag.", first)
    bad.require_rest(len(found) - len(uneven))
    even = [one for one in found if len(one[0]) == len(one[1])]
    words, named, lines = [one for one, _, _ in even], [one for _, one, _ in even], [line for *_, line in even]
    return tagged_texts.from_tags(table.path, words, named, lines, options, bad)


def _complete(table: Table, columns: Sequence[Sequence[Json]], rule: str, bad: BadRows) -> list[int]:
    """The rows that have a value in each column; the others are bad ones."""
    rows = {
        row
        for row, values in enumerate(zip(*columns, strict=True))
        if not any(value is None or value == [] or (isinstance(value, str) and not value.strip()) for value in values)
    }
    empty = [table.places([row]) for row in range(len(table)) if row not in rows]
    bad.add_all(empty, len(table), rule)
    bad.require_rest(len(rows))
    return sorted(rows)


def _column(table: Table, requested: str, usual: Sequence[str], role: str) -> str:
    if requested:
        return requested
    names = {name.lower(): name for name in table.columns}
    found = next((names[name] for name in usual if name in names), None)
    if found is None:
        option = f"{role}_column"
        raise InputError(
            f"The {role} column must be known. {table.contents}, and none of the usual names: {', '.join(usual)}."
            f"{table.hint} Name it with --set data.{option}=NAME."
        )
    return found


def _are_spans(value: Json) -> bool:
    """Whether the entities of a text are spans: a list of lists or mappings, and not one of tags."""
    return isinstance(value, list) and bool(value) and not isinstance(value[0], (str, int))


def _words(table: Table, row: int, value: Json) -> list[str]:
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise InputError(
            f"Words must be a list of texts, or a text with blanks between them. {table.path}, {table.places([row])}, "
            f"has {value!r:.80}."
        )
    return words


def _tags(table: Table, row: int, value: Json, options: TagOptions) -> list[str]:
    values = value.split() if isinstance(value, str) else value
    if not isinstance(values, list):
        raise InputError(f"Tags must be a list. {table.path}, {table.places([row])}, has {value!r:.80}.")
    if all(isinstance(one, str) for one in values):
        return values
    named = dict(enumerate(options.tag_names))
    wrong = [one for one in values if type(one) is not int or one not in named]
    if wrong:
        raise InputError(
            f"A tag must be a number below {len(named)}, for so many are named. {table.path}, {table.places([row])}, "
            f"has {wrong[0]!r}."
        )
    return [named[int(one)] for one in values]


def _require_names(table: Table, tags: Sequence[Json], options: TagOptions) -> None:
    """InputError where tags are numbers of which nobody says what they mean."""
    row = next(
        (row for row, one in enumerate(tags) if isinstance(one, list) and any(type(v) is int for v in one)), None
    )
    if row is not None and not options.tag_names:
        raise InputError(
            f"Tags must be names, such as B-PER. {table.path}, {table.places([row])}, has numbers: {tags[row]!r:.80}. "
            "Say what they mean, from 0 on: --set data.tag_names=O,B-PER,I-PER,..."
        )
