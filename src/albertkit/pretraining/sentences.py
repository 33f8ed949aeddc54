"""Documents to sentences, by the rules of a language or by lines.

The rules are those of sentencex (docs/decisions/0006). A paragraph's end is always a sentence's end.
"""

import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass

from albertkit.errors import ConfigError, MissingDependency

METHODS = ("split", "lines")
LINE_BREAKS = ("paragraph", "space")

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_EMPTY_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Splitter:
    """How documents are cut.

    `method` "split" goes by the rules of `language`, a code such as en, ja or zh; "lines" takes every line as a
    sentence. `line_breaks` says what a line break within a document is under "split": "paragraph", its end, or "space"
    in text wrapped by hand, where only an empty line ends a paragraph.
    """

    language: str = "en"
    method: str = "split"
    line_breaks: str = "paragraph"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"`sentences` must be one of {', '.join(METHODS)}. Received: {self.method!r}.")
        if self.line_breaks not in LINE_BREAKS:
            raise ConfigError(f"`line_breaks` must be one of {', '.join(LINE_BREAKS)}. Received: {self.line_breaks!r}.")
        if not _LANGUAGE.fullmatch(self.language):
            raise ConfigError(
                f"`language` must be the code of a language, such as en, ja, zh or pt-br. Received: {self.language!r}."
            )

    @property
    def rules(self) -> str:
        """What cuts, and in which release: other releases may cut elsewhere."""
        if self.method == "lines":
            return "lines"
        _require()
        return f"sentencex {importlib.metadata.version('sentencex')}"

    def __call__(self, text: str) -> list[str]:
        """The sentences of a text, without the space around them; none is empty."""
        if self.method == "split" and self.line_breaks == "space":
            found = [" ".join(paragraph.splitlines()) for paragraph in _EMPTY_LINES.split(text)]
        else:
            found = text.splitlines()
        if self.method == "split":
            segment = _require()
            found = [sentence for paragraph in found for sentence in segment(self.language, paragraph)]
        return [sentence for sentence in map(str.strip, found) if sentence]


def _require() -> Callable[[str, str], list[str]]:
    try:
        import sentencex
    except ImportError:
        raise MissingDependency("Splitting sentences", "sentencex", "train") from None
    return sentencex.segment  # pyright: ignore[reportAttributeAccessIssue]: compiled, without types
