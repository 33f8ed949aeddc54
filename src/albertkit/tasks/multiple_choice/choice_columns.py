"""Where the questions of a table stand, and their options: by names that are given, or the usual ones."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from albertkit.errors import InputError
from albertkit.tasks import texts
from albertkit.tasks.data_options import DataOptions, option
from albertkit.tasks.tables import Table
from albertkit.typing import Json

logger = logging.getLogger(__name__)

_CONTEXT = ("context", "article", "passage", "premise", "sent1")
_QUESTION = ("question", "query", "sent2", "startphrase")
LABEL = ("label", "answer", "answers", "correct")
_NUMBERED = ("choice", "ending", "option", "answer", "a")
_LISTS = ("options", "choices", "endings", "choice")
USUAL_NAMES = frozenset((*_CONTEXT, *_QUESTION, *_LISTS))
"""What columns of contexts, questions and lists of options are called in files."""


@dataclass(frozen=True)
class ChoiceOptions(DataOptions):
    """Where questions and options stand, and how they are cut."""

    max_length: int = option(512, "Longest input in tokens; a longer context is cut, or read in windows.", ge=16)
    max_qa_length: int = option(
        128, "Longest question with an option, in tokens; the last are kept.", ge=4, is_kept=True
    )
    long: Literal["truncate", "windows"] = option(
        "truncate", "Contexts longer than --max-length: truncate, or windows, whose logits are averaged.", is_kept=True
    )
    doc_stride: int = option(
        0, "Tokens that two windows of a context share, half of them at most; 0: a quarter.", ge=0, is_kept=True
    )
    context_column: str = option("", "Column of the context; default: by the usual names.")
    question_column: str = option("", "Column of the question; default: by the usual names.")
    choice_columns: list[str] = option([], "Comma-separated columns of the options; default: by the usual names.")
    label_column: str = option("", "Column of the right option: its number from 0, its letter or its text.")


def context_question_label(table: Table, options: ChoiceOptions) -> list[str]:
    """The columns of the context, the question and the right option, each "" where there is none.

    InputError where there is neither a context nor a question.
    """
    names = _lower(table)
    found = [
        given or next((names[one] for one in usual if one in names), "")
        for given, usual in (
            (options.context_column, _CONTEXT),
            (options.question_column, _QUESTION),
            (options.label_column, LABEL),
        )
    ]
    if not any(found[:2]):
        raise InputError(
            f"The column of the question, or of its context, must be known. {table.contents}, and none of the usual "
            f"names: {', '.join((*_QUESTION, *_CONTEXT))}.{table.hint} Name it with --set data.question_column=NAME."
        )
    return found


def option_columns(table: Table, options: ChoiceOptions) -> list[str]:
    """Where the options stand: in columns that were named, one of lists, or those with a number behind a name."""
    names = _lower(table)
    if not options.choice_columns and (one := next((names[name] for name in _LISTS if name in names), None)):
        return [one]
    found = options.choice_columns or _numbered(names)
    if not found:
        raise InputError(
            f"The options of a question must be known. {table.contents}, and none like choice0, choice1 or a list of "
            "choices. Name them with --set data.choice_columns=one,two,three."
        )
    return found


def options_of_rows(table: Table, found: Sequence[str], options: ChoiceOptions) -> list[Json]:
    """The options of each row. Empty ones at the end are left out: rows may have different numbers."""
    if len(found) == 1 and not options.choice_columns:
        return table.columns[found[0]]
    columns = [table.column(name, "option") for name in found]
    rows = [list(row) for row in zip(*columns, strict=True)]
    for row in rows:
        while row and row[-1] in (None, ""):
            row.pop()
    return rows


def tell_of_others(table: Table, options: ChoiceOptions) -> None:
    """Log the columns of text that are left out of a table in which no context, or no question, was found."""
    found = context_question_label(table, options)
    lacking = [role for role, name in zip(("context", "question"), found, strict=False) if not name]
    used = {*found, *option_columns(table, options)}
    others = [name for name, values in table.columns.items() if name not in used and texts.is_of_texts(values)]
    if lacking and others:
        logger.warning(
            "%s has text in %s, which is left out: no column is known as the %s. Name one with --set "
            "data.%s_column=NAME if it is.",
            *(table.path, " and ".join(map(repr, others[:8])), lacking[0], lacking[0]),
        )


def are_of_race(table: Table) -> bool:
    """Whether its rows are passages with lists of questions."""
    return {"questions", "options", "answers"} <= set(table.columns)


def _lower(table: Table) -> dict[str, str]:
    return {name.lower(): name for name in table.columns}


def _numbered(names: dict[str, str]) -> list[str]:
    for start in _NUMBERED:
        for first in (0, 1):
            found = []
            while (name := f"{start}{first + len(found)}") in names or (
                name := f"{start}_{first + len(found)}"
            ) in names:
                found.append(names[name])
            if len(found) > 1:
                return found
    return []
