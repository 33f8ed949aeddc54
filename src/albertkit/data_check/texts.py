"""Figures of texts: how long they are, which scripts they are in, how much of them a vocabulary knows.

Letters: N texts.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np

from albertkit.data_check.report import Column
from albertkit.tasks import unknown
from albertkit.tasks.pieces import whole_ids
from albertkit.tasks.unknown import UnknownCounts
from albertkit.tokenization.base import AlbertTokenizerBase

_SCRIPTS = {"CJK": "Han", "FULLWIDTH": "Latin", "HALFWIDTH": "Katakana", "KATAKANA-HIRAGANA": "Katakana"}
"""Scripts that the names of characters call otherwise."""
_PERCENTILES = (50, 95, 99, 100)


def percentiles(lengths: Sequence[int] | np.ndarray) -> dict[str, int]:
    """The lengths below which half, 95 and 99 per cent of all lie, and the largest."""
    if not len(lengths):
        return {}
    found = np.percentile(np.asarray(lengths), _PERCENTILES, method="higher")
    names = [f"p{one}" if one < 100 else "max" for one in _PERCENTILES]
    return dict(zip(names, map(int, found), strict=True))


def column(name: str, texts: Sequence[str], tokenizer: AlbertTokenizerBase) -> tuple[Column, UnknownCounts]:
    """The figures of texts of one kind, and how much of each the vocabulary knows. A text that repeats is cut once."""
    distinct = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    ids = whole_ids(tokenizer, list(distinct))
    own = unknown.count(tokenizer, ids, range(len(ids)), len(ids))
    places = np.array([distinct[text] for text in texts], np.int64)
    counts = UnknownCounts(own.pieces[places], own.unknown[places])
    lengths = np.array([len(one) for one in ids], np.int64)[places]
    empty = sum(not text.strip() for text in texts)
    share = float(counts.unknown.sum() / max(counts.pieces.sum(), 1))
    return Column(name, empty, percentiles([len(text) for text in texts]), percentiles(lengths), share), counts


def scripts(texts: Iterable[str]) -> dict[str, float]:
    """The share of the letters that is of each script, the largest first: those below one per mille are left out."""
    letters: Counter[str] = Counter()
    for text in texts:
        letters.update(text)
    found: Counter[str] = Counter()
    for character, count in letters.items():
        if character.isalpha():
            found[_script(character)] += count
    total = found.total()
    return {name: count / total for name, count in found.most_common() if count * 1000 >= total}


@cache
def _script(character: str) -> str:
    """The script of a letter: the first word of its name in Unicode, such as Latin."""
    name = unicodedata.name(character, "unknown").split()[0]
    return _SCRIPTS.get(name, name.capitalize())


@cache
def folded(text: str) -> str:
    """A text without what hardly makes another one of it: case, blanks and punctuation."""
    return "".join(character for character in unicodedata.normalize("NFKC", text).casefold() if character.isalnum())
