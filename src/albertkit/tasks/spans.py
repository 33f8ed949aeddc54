"""Spans: what entities, answers, words and pieces are."""

from typing import NamedTuple

from albertkit.typing import Json


class Span(NamedTuple):
    """An entity: words, or characters of a text, from `start` to before `stop`."""

    start: int
    stop: int
    type: str


def is_place(value: Json) -> bool:
    """Whether `int` of a value is a place in a text: a whole number, which may be written as a text or with a point."""
    if isinstance(value, str):
        return value.isdecimal()
    return isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()
