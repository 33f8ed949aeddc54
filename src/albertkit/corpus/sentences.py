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

_CODES = """
    am amh, ar ara, bg bul, bn ben, ca cat, da dan, de deu ger, el ell gre, en eng, es spa, fi fin, fr fra fre, gu guj,
    hi hin, hy hye arm, it ita, ja jpn, kk kaz, kn kan, ml mal, mr mar, my mya bur, nl nld dut, pa pan, pl pol, pt por,
    ru rus, sk slk slo, ta tam, te tel, uk ukr, zh zho chi
"""
_SUPPORTED = {code: longer for code, *longer in map(str.split, _CODES.split(","))}
"""The languages for which sentencex has rules of their own, with their three-letter codes, which it does not know."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_EMPTY_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class SentenceSplitter:
    """Cuts documents into sentences. ConfigError for unknown methods and for what cannot be the code of a language.

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
        for code, longer in _SUPPORTED.items():
            if self.method == "split" and self._base_language in longer:
                raise ConfigError(
                    f"`language` must be a code of two letters where a language has one. Received: {self.language!r}. "
                    f"Did you mean `{code}`?"
                )

    @property
    def _base_language(self) -> str:
        return self.language.partition("-")[0]

    @property
    def warning(self) -> str:
        """What a person should know of the rules; "" where the language has rules of its own."""
        if self.method == "lines" or self._base_language in _SUPPORTED:
            return ""
        return f"no rules of its own for {self.language!r}: sentences end by those of a relative, or else of English"

    @property
    def rules(self) -> str:
        """What cuts, and in which release, as a build keeps it: other releases may cut elsewhere.

        MissingDependency where the method "split" lacks sentencex.
        """
        if self.method == "lines":
            return "lines"
        _load_segmenter()
        return f"sentencex {importlib.metadata.version('sentencex')}"

    def __call__(self, text: str) -> list[str]:
        """The sentences of a text, without the space around them; none is empty.

        MissingDependency where the method "split" lacks sentencex.
        """
        if self.method == "split" and self.line_breaks == "space":
            pieces = [" ".join(paragraph.splitlines()) for paragraph in _EMPTY_LINES.split(text)]
        else:
            pieces = text.splitlines()
        if self.method == "split":
            segment = _load_segmenter()
            # Codes with a country or a script are known in part and in small letters only.
            code = self._base_language if self._base_language in _SUPPORTED else self.language.lower()
            pieces = [sentence for paragraph in pieces for sentence in segment(code, paragraph)]
        return [sentence for sentence in map(str.strip, pieces) if sentence]


def _load_segmenter() -> Callable[[str, str], list[str]]:
    try:
        import sentencex
    except ImportError:
        raise MissingDependency("Splitting sentences", "sentencex", "train") from None
    return sentencex.segment  # pyright: ignore[reportAttributeAccessIssue]: compiled, without types
