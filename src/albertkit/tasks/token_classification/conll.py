"""Columns of words and tags, as CoNLL-2003 and many after it keep them.

A word stands on a line, with its tags; a blank line ends a sentence.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from albertkit.errors import InputError
from albertkit.tasks.bad_rows import BadRows

_TAG = re.compile(r"O|[BIESLU][-_]\S+")
_BARE = re.compile(r"[BIESLU][-_]?")
"""A tag that names no type. It is one beside others alone, for a letter may be a word."""
_COLUMNS = "Every word must have as many columns as the first."
_DOCUMENT = "-DOCSTART-"
_PREFIX = re.compile(r"[a-z]{2,3}:(?=.)")


@dataclass(frozen=True)
class Sentence:
    """The words of a sentence with all their columns, and the line of the first."""

    line: int
    rows: list[list[str]]


def sentences(path: str, lines: Iterable[tuple[int, str]], bad: BadRows | None = None) -> Iterator[Sentence]:
    """The sentences of numbered lines.

    Columns are separated by tabs where the first word's line has one, otherwise by blanks. A line of nothing but white
    space ends a sentence; document marks and comments are left out. A sentence that has a line of another number of
    columns goes to `bad`.
    """
    bad = bad or BadRows(path, may_skip=False)
    rows: list[list[str]] = []
    first, width, by_tabs, is_bad = 0, 0, False, False
    for number, line in lines:
        if not line.strip():
            if rows and not is_bad:
                yield Sentence(first, rows)
            rows, is_bad = [], False
            continue
        line = line.strip(" \r\n")  # other white space may be a word
        by_tabs = by_tabs if width else "\t" in line
        fields = line.split("\t") if by_tabs else re.split("[ \t]+", line)
        if fields[0] == _DOCUMENT or _is_comment(fields, width):
            continue
        width = width or len(fields)
        if len(fields) != width:
            message = (
                f"{_COLUMNS} {path}, line {number}, has {len(fields)} where "
                f"the first has {width}, separated by {'tabs' if by_tabs else 'blanks'}."
            )
            if not is_bad:
                bad.add(f"line {number}", _COLUMNS, message)
            is_bad = True
        first = first if rows else number
        rows.append(fields)
    if rows and not is_bad:
        yield Sentence(first, rows)


def _is_comment(fields: list[str], width: int) -> bool:
    """Whether a line that begins with # is a comment: one word may be a #, but then it has its columns."""
    return fields[0].startswith("#") and (len(fields) != width if width else not _TAG.fullmatch(fields[-1]))


def tag_column(path: str, found: list[Sentence], requested: str) -> int:
    """The column of the tags, from 0: the one of that number, from 1, or the last that holds nothing but tags."""
    width = len(found[0].rows[0])
    if requested:
        return column(path, requested, width, "`tag_column`")
    for place in reversed(range(1, width)):
        values = {row[place] for sentence in found for row in sentence.rows}
        bare = {value for value in values if _BARE.fullmatch(value)}
        if values != bare and all(_TAG.fullmatch(value) for value in values - bare):
            return place
    raise InputError(
        f"One column must hold tags, such as O and B-PER. {path} has {width} columns, and none of them does, the first "
        f"line being {' '.join(found[0].rows[0])!r:.80}. Name it by its number with --set data.tag_column=NUMBER."
    )


def column(path: str, requested: str, width: int, option: str) -> int:
    """A column by its number from 1, as a place from 0. InputError where there is none."""
    if not requested.isdecimal() or not 1 <= int(requested) <= width:
        raise InputError(
            f"A column of {path} must be a number from 1 to {width}. Received: {requested!r}. Change {option}."
        )
    return int(requested) - 1


def without_language(words: list[list[str]]) -> tuple[list[list[str]], str]:
    """Words without the mark of a language, such as `en:`, which some sets put before every word; and that mark."""
    marks = {match[0] if (match := _PREFIX.match(word)) else "" for sentence in words for word in sentence}
    mark = marks.pop() if len(marks) == 1 else ""
    return [[word.removeprefix(mark) for word in sentence] for sentence in words], mark
