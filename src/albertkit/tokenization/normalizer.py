"""AlbertNormalizer: text -> the text that SentencePiece sees, with a way back to every original character.

The steps are those of the original release (`preprocess_text` in its tokenization.py): white space collapsed, NFKD with
combining marks dropped, lower case; and the two-character quotes `` and '' become one double quote, as in the tokenizer
that the published checkpoints were served with. SentencePiece has a normalizer of its own, which comes after this one.
"""

import re
import unicodedata
from dataclasses import dataclass

Offsets = tuple[int, int]
"""Characters of a text: the first, and the one behind the last."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half characters, which no library takes; U+FFFD stands in for them."""

# Words of plain characters with one space between them keep their places; all else is looked at unit by unit.
_PLAIN = r"(?P<plain>[!-&(-_a-~]+(?: [!-&(-_a-~]+)*)"
_UNITS = re.compile(rf"{_PLAIN}|``|''|.", re.DOTALL)
_UNITS_AND_SPACES = re.compile(rf"{_PLAIN}|\s+|``|''|.", re.DOTALL)


@dataclass(frozen=True)
class AlbertNormalizer:
    """Which steps are taken, by the names of AlbertTokenizer's arguments; `remove_space` collapses white space."""

    do_lower_case: bool = True
    remove_space: bool = True
    keep_accents: bool = False

    def __call__(self, text: str) -> str:
        """The normalized text."""
        if self.do_lower_case:
            # Letter by letter: a capital sigma at the end of a word is not made a final one.
            text = text.replace("Σ", "σ").lower()
        if self.remove_space:
            text = " ".join(text.split())
        text = text.replace("``", '"').replace("''", '"')
        if text.isascii():
            return text
        text = SURROGATE.sub("\ufffd", text)
        if not self.keep_accents:
            text = unicodedata.normalize("NFKD", text)
            text = "".join([character for character in text if not unicodedata.combining(character)])
        return text.lower() if self.do_lower_case else text

    def with_offsets(self, text: str) -> tuple[str, list[Offsets] | None]:
        """The normalized text, and for each of its characters the characters of `text` that it comes from.

        None instead of the offsets where every character stands where it stood.
        """
        normalized = self(text)
        if text.isascii() and len(text) == len(normalized):
            return normalized, None
        offsets: list[Offsets] = []
        for unit in (_UNITS_AND_SPACES if self.remove_space else _UNITS).finditer(text):
            start, end = unit.span()
            if unit.lastgroup:
                offsets += zip(range(start, end), range(start + 1, end + 1), strict=True)
            else:
                offsets += [(start, end)] * self._width(unit.group(), at_edge=start == 0 or end == len(text))
        return normalized, offsets

    def _width(self, unit: str, at_edge: bool) -> int:
        """How many characters one unit of the original becomes."""
        if self.remove_space and unit.isspace():
            return 0 if at_edge else 1
        if unit in ("``", "''"):
            return 1
        unit = SURROGATE.sub("\ufffd", unit.lower() if self.do_lower_case else unit)
        if not self.keep_accents:
            unit = unicodedata.normalize("NFKD", unit)
            unit = "".join([character for character in unit if not unicodedata.combining(character)])
        return len(unit.lower() if self.do_lower_case else unit)
