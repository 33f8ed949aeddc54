"""Tokens beside the vocabulary: special ones such as [MASK], and those that people add.

They are found in the raw text before anything else looks at it, and are never cut.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tokenizers import AddedToken


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
        self._exact = self._folded = _pattern(())
        self._first_letters: frozenset[str] = frozenset()

    def add(self, token: AddedToken, token_id: int) -> None:
        """Take a token in under an id."""
        self.by_id[token_id] = token
        self.ids[token.content] = token_id
        folded = [t.content for t in self.by_id.values() if self._is_folded(t)]
        exact = [t.content for t in self.by_id.values() if not self._is_folded(t)]
        self._exact, self._folded = _pattern(exact), _pattern(folded)
        self._first_letters = frozenset(
            {content[0] for content in exact} | {c[0] for f in folded for c in (f, f.upper())}
        )

    def prepared(self, token: AddedToken) -> AddedToken:
        """The token as it is kept: in lower case where it is found whatever its case."""
        if self._is_folded(token):
            token.content = token.content.lower()
        return token

    def _is_folded(self, token: AddedToken) -> bool:
        return self._lower and token.normalized and not token.special

    def split(self, text: str) -> list[Part]:
        """Cut a text at the added tokens in it. Empty stretches are left out."""
        if not any(letter in text for letter in self._first_letters):
            return [Part(0, len(text), None)] if text else []
        parts: list[Part] = []
        position = 0
        folded = "".join([c.lower() if len(c.lower()) == 1 else c for c in text]) if self._folded.pattern else text
        while position <= len(text):
            matches = [m for m in (self._exact.search(text, position), self._folded.search(folded, position)) if m]
            if not matches:
                break
            match = min(matches, key=lambda m: (m.start(), -m.end()))
            if position < match.start():
                parts.append(Part(position, match.start(), None))
            parts.append(Part(*match.span(), self.ids[match.group()]))
            position = match.end()
        if position < len(text):
            parts.append(Part(position, len(text), None))
        return self._strip(parts, text)

    def _strip(self, parts: list[Part], text: str) -> list[Part]:
        """Give tokens the white space that their `lstrip` and `rstrip` claim, and undo those inside a word."""
        for i, part in enumerate(parts):
            if part.token_id is None:
                continue
            token = self.by_id[part.token_id]
            left = parts[i - 1] if i else None
            right = parts[i + 1] if i + 1 < len(parts) else None
            start, end = part.start, part.end
            if token.rstrip and right and right.token_id is None:
                stretch = text[right.start : right.end]
                end = right.start + len(stretch) - len(stretch.lstrip())
                parts[i + 1] = right = right._replace(start=end)
            if token.lstrip and left and left.token_id is None:
                start = left.start + len(text[left.start : left.end].rstrip())
                parts[i - 1] = left = left._replace(end=start)
            parts[i] = Part(start, end, part.token_id)
            if token.single_word and left and left.start < left.end and text[left.end - 1] != " ":
                parts[i - 1], parts[i] = Part(left.start, end, None), Part(end, end, None)
            elif token.single_word and right and right.start < right.end and text[right.start] != " ":
                parts[i], parts[i + 1] = Part(start, start, None), Part(start, right.end, None)
        return [part for part in parts if part.start < part.end]


def _pattern(contents: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds the longest of `contents`. Without any it finds nothing."""
    return re.compile("|".join(re.escape(content) for content in sorted(contents, key=len, reverse=True)) or r"(?!)")
