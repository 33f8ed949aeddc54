"""Spans: what entities, answers, words and pieces are."""

from typing import NamedTuple

from albertkit.typing import Json

_LONGEST = 20
"""Characters of a number that is written as a text: no text has more places."""


class Span(NamedTuple):
    """An entity: words, or characters of a text, from `start` to before `stop`."""

    start: int
    stop: int
    type: str


def is_place(value: Json) -> bool:
    """Whether `int` of a value is a place in a text: a whole number, which may be written as a text or with a point."""
    if isinstance(value, str):
        return value.strip().isdecimal() and len(value) < _LONGEST
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
