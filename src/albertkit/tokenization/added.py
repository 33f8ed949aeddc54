"""Tokens beside the vocabulary: special ones such as [MASK], and those that people add.

They are found in the raw text before anything else looks at it, and are never cut.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tokenizers import AddedToken

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


class Part(NamedTuple):
    """A stretch of a text: an added token, or plain text where `token_id` is None."""

    start: int
    end: int
    token_id: int | None


class AddedVocabulary:
    """Added tokens by id, and the search for them.

    A token that is not special and is `normalized` is found whatever its case when `lower` is set, and is kept in lower
    case; every other token is found exactly as written. Where several fit, the first and then the longest wins.
    """

    def __init__(self, lower: bool) -> None:
        self._lower = lower
        self.by_id: dict[int, AddedToken] = {}
        self.ids: dict[str, int] = {}
        self._finder: _Finder | None = None

    def add(self, token: AddedToken, token_id: int) -> None:
        """Take a token in under an id."""
        self.by_id[token_id] = token
        self.ids[token.content] = token_id
        self._finder = None

    def prepared(self, token: AddedToken) -> AddedToken:
        """The token as it is kept: in lower case where it is found whatever its case."""
        return changed(token, content=_folded(token.content)) if self._is_folded(token) else token

    def _is_folded(self, token: AddedToken) -> bool:
        return self._lower and token.normalized and not token.special

    def split(self, text: str) -> list[Part]:
        """Cut a text at the added tokens in it. Empty stretches are left out."""
        if self._finder is None:
            folded = {_folded(t.content): index for index, t in self.by_id.items() if self._is_folded(t)}
            exact = {t.content: index for index, t in self.by_id.items() if not self._is_folded(t)}
            self._finder = _Finder(exact, folded)
        found = list(self._finder(text))
        if any(self.by_id[part.token_id].single_word for part in found):
            found = [part for i, part in enumerate(found) if not self._is_inside_word(text, found, i)]
        parts: list[Part] = []
        position = 0
        for i, (start, end, token_id) in enumerate(found):
            token = self.by_id[token_id]
            if token.lstrip:
                start = position + len(text[position:start].rstrip())
            if token.rstrip:
                following = text[end : found[i + 1].start if i + 1 < len(found) else len(text)]
                end += len(following) - len(following.lstrip())
            parts += [Part(position, start, None), Part(start, end, token_id)]
            position = end
        parts.append(Part(position, len(text), None))
        return [part for part in parts if part.start < part.end]

    def _is_inside_word(self, text: str, found: list[Any], i: int) -> bool:
        """Whether a token that wants to stand alone touches something else than space or a special token."""
        start, end, token_id = found[i]
        if not self.by_id[token_id].single_word:
            return False
        before = i > 0 and found[i - 1].end == start and self.by_id[found[i - 1].token_id].special
        after = i + 1 < len(found) and found[i + 1].start == end and self.by_id[found[i + 1].token_id].special
        return not (
            (start == 0 or before or text[start - 1].isspace()) and (end == len(text) or after or text[end].isspace())
        )


class _Finder:
    """The search for tokens: `exact` as written, `folded` (given in lower case) whatever their case; text -> id."""

    def __init__(self, exact: dict[str, int], folded: dict[str, int]) -> None:
        self._exact, self._folded = exact, folded
        self._patterns = _pattern(exact), _pattern(folded)
        self._first_letters = frozenset(content[0] for content in exact)

    def __call__(self, text: str) -> Iterator[Any]:
        """Tokens that do not overlap, from left to right, as parts that have an id."""
        searches = []
        if any(letter in text for letter in self._first_letters):
            searches.append((self._patterns[0], text, self._exact))
        if self._folded:
            searches.append((self._patterns[1], _folded(text), self._folded))
        nexts = [pattern.search(haystack) for pattern, haystack, _ in searches]
        position = 0
        while any(nexts):
            for i, (pattern, haystack, _) in enumerate(searches):
                if (match := nexts[i]) and match.start() < position:
                    nexts[i] = pattern.search(haystack, position)
            candidates = [(match, ids) for match, (*_, ids) in zip(nexts, searches, strict=True) if match]
            if candidates:
                match, ids = min(candidates, key=lambda candidate: (candidate[0].start(), -candidate[0].end()))
                position = match.end()
                yield Part(match.start(), position, ids[match.group()])


def changed(token: AddedToken, **changes: Any) -> AddedToken:
    """A token that differs from another in some of its fields."""
    fields = {"content": token.content} | {flag: getattr(token, flag) for flag in _FLAGS} | changes
    return AddedToken(**fields)


def _folded(text: str) -> str:
    """The text in lower case, with every character in its place."""
    lower = text.replace("Σ", "σ").lower()
    if len(lower) == len(text):
        return lower
    return "".join([c.lower() if len(c.lower()) == 1 else c for c in text])


def _pattern(contents: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds the longest of `contents`."""
    return re.compile("|".join(re.escape(content) for content in sorted(contents, key=len, reverse=True)))
