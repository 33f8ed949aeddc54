"""Where the pieces of a text stand in it, which words they make, and what a model says of each.

Letters: P pieces of a text, U units (words, or what stands for them), C classes.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from albertkit.backends import Outputs
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.piece_splits import SCRIPTS, PieceSplitter
from albertkit.tasks.scripts import is_unspaced
from albertkit.tasks.spans import Span
from albertkit.tasks.windows import best_windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.tokenization.batch_encoding import BatchEncoding

NO_UNIT = -1


@dataclass(frozen=True)
class Pieces:
    """The pieces of a text: their ids, the characters that each stands for, and its unit."""

    ids: Sequence[int]
    spans: list[Span]
    """(P) without blanks around; empty for a piece that is nothing but a blank."""
    units: list[Span]
    """(U) the words of the text."""
    owner: np.ndarray
    """(P,) the unit of each piece, NO_UNIT where it stands for nothing."""

    def __len__(self) -> int:
        return len(self.ids)

    def firsts(self) -> np.ndarray:
        """The first piece of each unit that has one."""
        known = np.flatnonzero(self.owner != NO_UNIT)
        return known[np.unique(self.owner[known], return_index=True)[1]]


def of_texts(
    tokenizer: AlbertTokenizerBase,
    texts: Sequence[str],
    words: Sequence[list[Span]] | None = None,
    split: str = "",
) -> list[Pieces]:
    """The pieces of texts, whole and without special tokens; units are the given words, or those found in the text.

    A special token that is written in a text is text. With `split` "scripts" pieces are cut where the script changes;
    see `piece_splits`.
    """
    if not texts:
        return []
    encoded = _encoded(tokenizer, texts, return_offsets_mapping=True)
    splitter = PieceSplitter(tokenizer) if split == SCRIPTS else None
    found = []
    for number, text in enumerate(texts):
        spans = [_trimmed(text, start, stop) for start, stop in encoded["offset_mapping"][number]]
        ids = encoded["input_ids"][number]
        if splitter is not None:
            ids, spans = splitter.split(text, ids, spans)
        units = word_spans(text, spans) if words is None else words[number]
        found.append(Pieces(ids, spans, units, _owners(spans, units)))
    return found


def whole_ids(
    tokenizer: AlbertTokenizerBase, texts: Sequence[str], split_special_tokens: bool = True
) -> list[list[int]]:
    """The ids of texts, however long, without special tokens around them.

    A special token that is written in a text is text, unless `split_special_tokens` says otherwise.
    """
    return _encoded(tokenizer, texts, split_special_tokens)["input_ids"] if texts else []


def _encoded(
    tokenizer: AlbertTokenizerBase,
    texts: Sequence[str],
    split_special_tokens: bool = True,
    return_offsets_mapping: bool = False,
) -> BatchEncoding:
    """Texts however long: windows are cut from them."""
    return tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=split_special_tokens,
        return_offsets_mapping=return_offsets_mapping,
        return_token_type_ids=False,
        return_attention_mask=False,
        verbose=False,
    )


def are_cut(whole: Pieces, spans: Sequence[Span]) -> bool:
    """Whether one of some spans of characters does not begin and end where pieces do."""
    starts = {span.start for span in whole.spans if span.start < span.stop}
    stops = {span.stop for span in whole.spans if span.start < span.stop}
    return any(span.start not in starts or span.stop not in stops for span in spans)


def by_text(tokenizer: AlbertTokenizerBase, texts: Iterable[str], split: str = "") -> dict[str, Pieces]:
    """The pieces of texts by these, each text once however often it comes; `split` as in `of_texts`."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, of_texts(tokenizer, distinct, split=split), strict=True))


def _trimmed(text: str, start: int, stop: int) -> Span:
    piece = text[start:stop]
    left = len(piece) - len(piece.lstrip())
    return Span(start + left, max(start + len(piece.rstrip()), start + left), "")


def word_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """The words that pieces make.

    One begins behind a blank, and so does each piece beside punctuation or of a script that writes no blanks.
    """
    words: list[Span] = []
    for span in spans:
        if span.start == span.stop:
            continue
        if words and words[-1].stop == span.start and not _is_start(text, span.start):
            words[-1] = Span(words[-1].start, span.stop, "")
        elif not words or span.stop > words[-1].stop:
            words.append(Span(max(span.start, words[-1].stop if words else 0), span.stop, ""))
    return words


def _is_start(text: str, place: int) -> bool:
    before, here = text[place - 1], text[place]
    return not (_is_inner(before) and _is_inner(here)) or is_unspaced(here) or is_unspaced(before)


def _is_inner(character: str) -> bool:
    """Whether a character is of a word: a letter, a digit, a mark such as a vowel sign, or a joiner."""
    return character.isalnum() or character in "\u200c\u200d" or unicodedata.category(character).startswith("M")


def _owners(spans: Sequence[Span], units: Sequence[Span]) -> np.ndarray:
    """For each piece the first unit that it shares a character with."""
    owners, unit = [], 0
    for span in spans:
        while unit < len(units) and units[unit].stop <= span.start:
            unit += 1
        is_inside = unit < len(units) and units[unit].start < span.stop and span.start < span.stop
        owners.append(unit if is_inside else NO_UNIT)
    return np.array(owners, np.int64)


def of_examples(
    features: Features, outputs: Iterable[Outputs], name: str = "logits"
) -> Iterator[tuple[Pieces, np.ndarray]]:
    """For each example its pieces and what a model gives for them, (P, C): each from the window that sees it best.

    `features` has the columns `pieces` and `window`, and the rows of an example one after the other. InputError where
    an output is not finite.
    """
    rows = zip(features.example or (), features.columns["pieces"], features.columns["window"], outputs, strict=True)
    for _, group in groupby(rows, key=lambda row: row[0]):
        _, pieces, windows, answers = zip(*group, strict=True)
        whole = pieces[0]
        best = best_windows(windows, len(whole))
        found = [answer[name][1 : 1 + len(window)] for answer, window in zip(answers, windows, strict=True)]
        merged = np.zeros((len(whole), found[0].shape[-1]), np.float32)
        for number, (window, values) in enumerate(zip(windows, found, strict=True)):
            mine = np.flatnonzero(best == number)
            merged[mine] = values[mine - window.start]
        require_finite(merged)
        yield whole, merged
