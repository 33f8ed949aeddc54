"""AddedVocabulary: tokens beside the vocabulary, special ones such as [MASK] and those that people add.

They are found in the raw text before anything else looks at it, and are never cut.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tokenizers import AddedToken

from albertkit.tokenization.special_tokens import replace


class TextSpan(NamedTuple):
    """Characters of a text, from `start` to before `end`: an added token, or plain text where `token_id` is None."""

    start: int
    end: int
    token_id: int | None


class _Match(NamedTuple):
    """Characters of a text that spell an added token."""

    start: int
    end: int
    token_id: int


class AddedVocabulary:
    """Added tokens by id, and the search for them: the counterpart of the tokenizers library's AddedVocabulary.

    A token that is not special and is `normalized` is found whatever its case when `do_lower_case` is set, and is kept
    in lower case; every other token is found exactly as written. Where several fit, the first one wins, and of those
    that begin together the longest.
    """

    def __init__(self, do_lower_case: bool) -> None:
        self._do_lower_case = do_lower_case
        self.by_id: dict[int, AddedToken] = {}
        self.ids: dict[str, int] = {}
        self._finder: _Finder | None = None

    def add(self, token: AddedToken, token_id: int) -> None:
        """Take a token in under an id, as it is."""
        self.by_id[token_id] = token
        self.ids[token.content] = token_id
        self._finder = None

    def normalized(self, token: AddedToken) -> AddedToken:
        """The token as it is kept: in lower case where it is found whatever its case."""
        return replace(token, content=_lower(token.content)) if self._ignores_case(token) else token

    def _ignores_case(self, token: AddedToken) -> bool:
        return self._do_lower_case and token.normalized and not token.special

    def split(self, text: str) -> list[TextSpan]:
        """Cut a text at the added tokens in it: spans that follow each other from its first character to its last.

        A token with `lstrip` or `rstrip` takes the white space beside it; one with `single_word` is found only between
        white space, special tokens and the ends of the text.
        """
        if self._finder is None:
            any_case = {_lower(t.content): index for index, t in self.by_id.items() if self._ignores_case(t)}
            exact = {t.content: index for index, t in self.by_id.items() if not self._ignores_case(t)}
            self._finder = _Finder(exact, any_case)
        matches = list(self._finder(text))
        if any(self.by_id[match.token_id].single_word for match in matches):
            matches = [match for i, match in enumerate(matches) if not self._is_inside_word(text, matches, i)]
        spans: list[TextSpan] = []
        position = 0
        for i, (start, end, token_id) in enumerate(matches):
            token = self.by_id[token_id]
            if token.lstrip:
                start = position + len(text[position:start].rstrip())
            if token.rstrip:
                following = text[end : matches[i + 1].start if i + 1 < len(matches) else len(text)]
                end += len(following) - len(following.lstrip())
            spans += [TextSpan(position, start, None), TextSpan(start, end, token_id)]
            position = end
        spans.append(TextSpan(position, len(text), None))
        return [span for span in spans if span.start < span.end]

    def _is_inside_word(self, text: str, matches: list[_Match], i: int) -> bool:
        """Whether a token that wants to stand alone touches something else than space or a special token."""
        start, end, token_id = matches[i]
        if not self.by_id[token_id].single_word:
            return False
        before = i > 0 and matches[i - 1].end == start and self.by_id[matches[i - 1].token_id].special
        after = i + 1 < len(matches) and matches[i + 1].start == end and self.by_id[matches[i + 1].token_id].special
        return not (
            (start == 0 or before or text[start - 1].isspace()) and (end == len(text) or after or text[end].isspace())
        )


class _Finder:
    """The search for tokens: `exact` as written, `any_case` (given in lower case) whatever their case; text -> id."""

    def __init__(self, exact: dict[str, int], any_case: dict[str, int]) -> None:
        self._exact, self._any_case = exact, any_case
        self._patterns = _pattern(exact), _pattern(any_case)
        self._first_letters = frozenset(content[0] for content in exact)

    def __call__(self, text: str) -> Iterator[_Match]:
        """Tokens that do not overlap, from left to right."""
        searches = []
        if any(letter in text for letter in self._first_letters):
            searches.append((self._patterns[0], text, self._exact))
        if self._any_case:
            searches.append((self._patterns[1], _lower(text), self._any_case))
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
                yield _Match(match.start(), position, ids[match.group()])


def _lower(text: str) -> str:
    """The text in lower case, with every character in its place, so that what is found in it is found in the text."""
    lower = text.replace("Σ", "σ").lower()
    if len(lower) == len(text):
        return lower
    return "".join([c.lower() if len(c.lower()) == 1 else c for c in text])


def _pattern(contents: Iterable[str]) -> re.Pattern[str]:
    """One pattern that finds the longest of `contents`."""
    return re.compile("|".join(re.escape(content) for content in sorted(contents, key=len, reverse=True)))
