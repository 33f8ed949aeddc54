"""Files of texts with entities: CoNLL columns, or tables of token lists, tagged texts and texts with spans."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from albertkit.errors import InputError
from albertkit.tasks import tables
from albertkit.tasks.tables import Table
from albertkit.tasks.token_classification import conll, tagged_texts
from albertkit.tasks.token_classification.conll import Sentence
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples, TagOptions
from albertkit.typing import Json

_TEXT = ("tokens", "words", "text", "sentence")
_TAGS = ("ner_tags", "tags", "ner", "labels", "label", "entities", "spans")
_TABLES = (".csv", ".jsonl", ".json", ".ndjson", ".parquet", ".pq")
_PIECE = 1024
"""Sentences that are read at a time where they are only to be answered."""


def read(path: str, options: TagOptions) -> TaggedExamples:
    """The labelled texts of a file. InputError for one that has no tags, or whose tags cannot be read."""
    if _is_table(path):
        return _of_table(tables.read(path, options.header), options, labelled=True)
    found = list(_sentences(path))
    if not found:
        raise InputError(f"A data file must hold at least one sentence. {path} holds none.")
    place = conll.tag_column(path, found, options.tag_column)
    tags = [[row[place] for row in sentence.rows] for sentence in found]
    return _of_columns(path, found, tags, options)


def stream(path: str, options: TagOptions) -> Iterator[TaggedExamples]:
    """The texts of a file in parts, without their entities."""
    if _is_table(path):
        for table in tables.pieces(path, options.header):
            yield _of_table(table, options, labelled=False)
        return
    found = _sentences(path)
    while part := list(islice(found, _PIECE)):
        yield _of_columns(path, part, None, options)


def _is_table(path: str) -> bool:
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    return any(suffix in _TABLES for suffix in suffixes[-2:])


def _sentences(path: str) -> Iterator[Sentence]:
    def numbered() -> Iterator[tuple[int, str]]:
        with tables.open_bytes(path) as file:
            for table in tables.lines(file, path):
                yield from zip(table.lines, table.columns["text"], strict=True)

    return conll.sentences(path, numbered())


def _of_columns(
    path: str, found: Sequence[Sentence], tags: Sequence[Sequence[str]] | None, options: TagOptions
) -> TaggedExamples:
    width = len(found[0].rows[0])
    place = conll.column(path, options.text_column, width, "`text_column`") if options.text_column else 0
    words, mark = conll.without_language([[row[place] for row in sentence.rows] for sentence in found])
    examples = tagged_texts.from_tags(path, words, tags, [sentence.line for sentence in found], options)
    return examples.noted(f"{mark!r} before every word was left out") if mark else examples


def _of_table(table: Table, options: TagOptions, labelled: bool) -> TaggedExamples:
    texts = table.column(_column(table, options.text_column, _TEXT, "text"), "text")
    tags = table.column(_column(table, options.tag_column, _TAGS, "tag"), "tag") if labelled else None
    is_spans = tags is not None and all(isinstance(text, str) for text in texts) and any(map(_are_spans, tags))
    if tags is not None and is_spans:
        return tagged_texts.from_spans(table.path, texts, tags, table.lines, options)
    if tags is None and all(isinstance(text, str) for text in texts):
        return TaggedExamples(table.path, list(texts), None, None, table.lines)
    table, texts, tags, left_out = _complete(table, texts, tags, options)
    words = [_words(table, row, text) for row, text in enumerate(texts)]
    named = None if tags is None else [_tags(table, row, one, options) for row, one in enumerate(tags)]
    if named is not None:
        _require_equal_lengths(table, words, named)
    found = tagged_texts.from_tags(table.path, words, named, table.lines, options)
    return replace(found, left_out=found.left_out + left_out)


def _complete(
    table: Table, texts: list[Json], tags: list[Json] | None, options: TagOptions
) -> tuple[Table, list[Json], list[Json] | None, int]:
    """The rows that have words and tags, and how many have not. InputError unless `skip_empty` leaves those out."""
    given = [texts] if tags is None else [texts, tags]
    empty = [
        row
        for row, values in enumerate(zip(*given, strict=True))
        if any(value is None or value == [] or (isinstance(value, str) and not value.strip()) for value in values)
    ]
    if not empty or tags is None:
        return table, texts, tags, 0
    if len(empty) == len(table) or not options.skip_empty:
        raise InputError(
            f"Every row needs words and their tags. {table.path} has {len(empty):,} without of {len(table):,}: "
            f"{table.places(empty)}. Fill them in, or leave them out with --skip-empty, in a recipe "
            "data.skip_empty=true."
        )
    left = set(empty)
    kept = [row for row in range(len(table)) if row not in left]
    shorter = replace(
        table,
        columns={name: [values[row] for row in kept] for name, values in table.columns.items()},
        lines=[table.lines[row] for row in kept],
    )
    return shorter, [texts[row] for row in kept], [tags[row] for row in kept], len(empty)


def _column(table: Table, requested: str, usual: Sequence[str], role: str) -> str:
    if requested:
        return requested
    names = {name.lower(): name for name in table.columns}
    found = next((names[name] for name in usual if name in names), None)
    if found is None:
        raise InputError(
            f"The {role} column must be known. {table.contents}, and none of the usual names: {', '.join(usual)}."
            f"{table.hint} Name it with the option `{role}_column`."
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
    if not options.tag_names:
        raise InputError(
            f"Tags must be names, such as B-PER. {table.path}, {table.places([row])}, has numbers: {value!r:.80}. Say "
            "what they mean, from 0 on, with the option `tag_names`: O,B-PER,I-PER,..."
        )
    named = dict(enumerate(options.tag_names))
    wrong = [one for one in values if type(one) is not int or one not in named]
    if wrong:
        raise InputError(
            f"A tag must be a number below {len(named)}, for so many are named. {table.path}, {table.places([row])}, "
            f"has {wrong[0]!r}."
        )
    return [named[int(one)] for one in values]


def _require_equal_lengths(table: Table, words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]) -> None:
    uneven = [row for row, (one, other) in enumerate(zip(words, tags, strict=True)) if len(one) != len(other)]
    if uneven:
        row = uneven[0]
        raise InputError(
            f"Every word needs a tag. {table.path} has {len(uneven):,} rows with another number: {table.places(uneven)}"
            f", the first with {len(words[row])} words and {len(tags[row])} tags."
        )
