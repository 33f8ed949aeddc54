"""Pieces of a vocabulary that run over the end of a word, cut where the script of a text changes.

Where no blanks are written a vocabulary has pieces such as 日本の, a name and a particle: what ends within a piece
cannot be said by a label of pieces. Where both parts are in the vocabulary they say the same.
"""

from collections.abc import Sequence
from itertools import groupby

from albertkit.errors import InputError
from albertkit.tasks.scripts import are_unspaced, is_unspaced
from albertkit.tasks.spans import Span
from albertkit.tokenization.base import AlbertTokenizerBase

SCRIPTS, NEVER = "scripts", "never"
_MARK = "\u2581"
"""What SentencePiece writes before a word."""

HELP = "Cut pieces where the script changes, scripts or never; default: scripts where no blanks are written."


def rule(asked: str, texts: Sequence[str]) -> str:
    """The rule for training on texts: the one that is asked for, or the one that suits them. InputError for another."""
    if asked and asked not in (SCRIPTS, NEVER):
        raise InputError(f"`split_pieces` must be {SCRIPTS} or {NEVER}. Received: {asked!r}.")
    return asked or (SCRIPTS if are_unspaced(texts) else "")


class PieceSplitter:
    """Cuts pieces of a tokenizer's vocabulary where the script changes, in scripts that write no blanks."""

    def __init__(self, tokenizer: AlbertTokenizerBase) -> None:
        self._ids = tokenizer.get_vocab()
        self._pieces = {number: piece for piece, number in self._ids.items()}

    def split(self, text: str, ids: Sequence[int], spans: Sequence[Span]) -> tuple[list[int], list[Span]]:
        """Pieces and the characters that they stand for -> the same, where some are cut into several.

        A piece stays whole that is of one script, whose characters the normalizer made fewer or more, or whose parts
        the vocabulary does not have.
        """
        found: list[tuple[int, Span]] = []
        for number, span in zip(ids, spans, strict=True):
            place = span.start
            for part, length in self._parts(number, text[span.start : span.stop]):
                found.append((part, Span(place, place + length, "")))
                place += length
        return [number for number, _ in found], [span for _, span in found]

    def _parts(self, number: int, written: str) -> list[tuple[int, int]]:
        """The ids of the parts of a piece, or of itself alone, and how many characters each stands for."""
        whole = [(number, len(written))]
        if len(written) < 2 or not any(map(is_unspaced, written)):
            return whole
        piece = self._pieces.get(number, "")
        inner = piece.removeprefix(_MARK)
        lengths = [len(list(run)) for _, run in groupby(written, key=_script)]
        if len(lengths) < 2 or len(inner) != len(written):
            return whole
        found: list[tuple[int, int]] = []
        place = 0
        for length in lengths:
            part = inner[place : place + length]
            mark = _MARK if place == 0 and inner != piece and _MARK + part in self._ids else ""
            listed = [mark + part] if mark + part in self._ids else list(part)
            if not all(one in self._ids for one in listed):
                return whole
            found += [(self._ids[one], len(one.removeprefix(_MARK))) for one in listed]
            place += length
        return found


def _script(character: str) -> str:
    """A name for the script of a character, which for a mark is the mark itself."""
    if "\u3041" <= character <= "\u309f":
        return "hiragana"
    if ("\u30a1" <= character <= "\u30ff" and character != "\u30fb") or "\uff66" <= character <= "\uff9f":
        return "katakana"
    if character.isdigit():
        return "digits"
    if character.isalpha():
        return "unspaced" if is_unspaced(character) else "letters"
    return character
