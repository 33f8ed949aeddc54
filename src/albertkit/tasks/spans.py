"""Spans: what entities, answers, words and pieces are."""

from typing import NamedTuple


class Span(NamedTuple):
    """An entity: words, or characters of a text, from `start` to before `stop`."""

    start: int
    stop: int
    type: str
