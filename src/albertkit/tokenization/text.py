"""Text -> the text that SentencePiece sees, with a way back to every original character.

The steps are those of the original ALBERT: white space collapsed, NFKD with combining marks dropped, lower case; and
the two-character quotes `` and '' become one double quote, as in the tokenizer that the published checkpoints were
served with.
"""

import re
import unicodedata
from dataclasses import dataclass

Span = tuple[int, int]

SURROGATE = re.compile("[\ud800-\udfff]")
# Words of plain characters with one space between them keep their places; all else is looked at unit by unit.
_PLAIN = r"(?P<plain>[!-&(-_a-~]+(?: [!-&(-_a-~]+)*)"
_UNITS = re.compile(rf"{_PLAIN}|``|''|.", re.DOTALL)
_UNITS_AND_SPACES = re.compile(rf"{_PLAIN}|\s+|``|''|.", re.DOTALL)


@dataclass(frozen=True)
class Cleaning:
    """Which steps are taken: `lower` case, `collapse` white space, `keep_accents`."""

    lower: bool = True
    collapse: bool = True
    keep_accents: bool = False

    def __call__(self, text: str) -> str:
        """The cleaned text."""
        if self.lower:
            # Letter by letter: a capital sigma at the end of a word is not made a final one.
            text = text.replace("Σ", "σ").lower()
        if self.collapse:
            text = " ".join(text.split())
        text = text.replace("``", '"').replace("''", '"')
        if text.isascii():
            return text
        text = SURROGATE.sub("\ufffd", text)
        if not self.keep_accents:
            text = unicodedata.normalize("NFKD", text)
            text = "".join([character for character in text if not unicodedata.combining(character)])
        return text.lower() if self.lower else text

    def aligned(self, text: str) -> tuple[str, list[Span] | None]:
        """The cleaned text, and for each of its characters the half-open span of `text` that it comes from.

        None instead of the spans where every character stands where it stood.
        """
        cleaned = self(text)
        if text.isascii() and len(text) == len(cleaned):
            return cleaned, None
        spans: list[Span] = []
        for unit in (_UNITS_AND_SPACES if self.collapse else _UNITS).finditer(text):
            start, end = span = unit.span()
            if unit.lastgroup:
                spans += zip(range(start, end), range(start + 1, end + 1), strict=True)
            else:
                spans += [span] * self._width(unit.group(), at_edge=start == 0 or end == len(text))
        return cleaned, spans

    def _width(self, unit: str, at_edge: bool) -> int:
        """How many characters one unit of the original becomes."""
        if self.collapse and unit.isspace():
            return 0 if at_edge else 1
        if unit in ("``", "''"):
            return 1
        unit = SURROGATE.sub("\ufffd", unit.lower() if self.lower else unit)
        if not self.keep_accents:
            unit = unicodedata.normalize("NFKD", unit)
            unit = "".join([character for character in unit if not unicodedata.combining(character)])
        return len(unit.lower() if self.lower else unit)
