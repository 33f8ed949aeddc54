"""What a model says of pieces -> entities of a text, and the scores of these against the true ones.

Letters: P pieces of a text, C classes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from albertkit.arrays import softmax
from albertkit.errors import InputError
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import tags
from albertkit.typing import Record

STRATEGIES = ("none", "simple", "first", "average", "max")
"""How the pieces of a word become one; see `aggregated`."""


class Tagged(NamedTuple):
    """Characters, their tag and its probability."""

    span: Span
    tag: str
    score: float


def tagged(
    pieces: Pieces, logits: np.ndarray, names: Sequence[str], strategy: str, temperature: float = 1.0
) -> list[Tagged]:
    """(P, C) -> the tag of every piece ("none", "simple"), or of every word.

    With "simple" pieces that stand for the same characters, such as the three points of an ellipsis, are one, of the
    mean of their probabilities. A word takes the tag of its first piece ("first"), that of the mean of its pieces'
    probabilities ("average"), or that of the piece which is surest ("max"). Logits are divided by the `temperature`
    before they become the probabilities that are given, which changes no tag. InputError for another strategy.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"`aggregation_strategy` must be one of {', '.join(STRATEGIES)}. Received: {strategy!r}.")
    rows = softmax(logits)
    united, spans = _united(pieces, rows, rows, strategy)
    best = map(int, united.argmax(axis=-1))
    given = united if temperature == 1 else _united(pieces, softmax(logits / temperature), rows, strategy)[0]
    found = [Tagged(span, names[tag], float(row[tag])) for span, row, tag in zip(spans, given, best, strict=True)]
    return [one for one in found if one.span.start < one.span.stop]


def firsts(pieces: Pieces) -> np.ndarray:
    """The first piece of each word that `tagged` has with "first"."""
    places = pieces.firsts()
    units = [pieces.units[unit] for unit in pieces.owner[places]]
    return places[np.array([unit.start < unit.stop for unit in units], bool)]


def _united(pieces: Pieces, rows: np.ndarray, deciding: np.ndarray, strategy: str) -> tuple[np.ndarray, Sequence[Span]]:
    """(P, C) probabilities -> those of what gets a tag, and where it stands; `deciding` are those that choose."""
    if strategy == "none":
        return rows, pieces.spans
    return _apart(rows, pieces.spans) if strategy == "simple" else _of_words(pieces, rows, deciding, strategy)


def _apart(rows: np.ndarray, spans: Sequence[Span]) -> tuple[np.ndarray, list[Span]]:
    """Pieces that share no characters: those that do, put together."""
    firsts: list[int] = []
    found: list[Span] = []
    for place, span in enumerate(spans):
        if found and span.start < found[-1].stop:
            found[-1] = Span(found[-1].start, max(span.stop, found[-1].stop), "")
        else:
            firsts.append(place)
            found.append(span)
    counts = np.diff([*firsts, len(spans)])
    return np.add.reduceat(rows, firsts) / counts[:, None] if firsts else rows, found


def _of_words(pieces: Pieces, rows: np.ndarray, deciding: np.ndarray, strategy: str) -> tuple[np.ndarray, list[Span]]:
    firsts = pieces.firsts()
    units = pieces.owner[firsts]
    spans = [pieces.units[unit] for unit in units]
    if strategy == "first":
        return rows[firsts], spans
    places = [np.flatnonzero(pieces.owner == unit) for unit in units]
    if strategy == "average":
        chosen = [rows[one].mean(0) for one in places]
    else:
        chosen = [rows[one[deciding[one].max(1).argmax()]] for one in places]
    return np.array(chosen).reshape(len(spans), rows.shape[1]), spans


def groups(found: Sequence[Tagged], names: Sequence[str]) -> list[tuple[Span, float]]:
    """The entities of tagged words as spans of characters, each with the mean of its tags' scores.

    What lies between entities is a group, too: O.
    """
    chosen = tags.runs([one.tag for one in found], tags.scheme_of(names))
    return [
        (
            Span(found[one.start].span.start, found[one.stop - 1].span.stop, one.type),
            float(np.mean([part.score for part in found[one.start : one.stop]])),
        )
        for one in chosen
    ]


def of_text(text: str, found: Sequence[Tagged], names: Sequence[str]) -> list[Record]:
    """The groups of a text: {"entity_group", "score", "word", "start", "end"}.

    `word` is the text between `start` and `end`, as it is written there.
    """
    return [
        {
            "entity_group": span.type,
            "score": score,
            "word": text[span.start : span.stop],
            "start": span.start,
            "end": span.stop,
        }
        for span, score in groups(found, names)
    ]


def characters(found: Sequence[Tagged], names: Sequence[str], strict: bool = False) -> list[Span]:
    """The entities of tagged words as spans of characters; `strict` as in `tags.spans`."""
    chosen = tags.spans([one.tag for one in found], tags.scheme_of(names), strict)
    return [Span(found[one.start].span.start, found[one.stop - 1].span.stop, one.type) for one in chosen]


class Counts:
    """How many entities of each type are true, were predicted, and are both."""

    def __init__(self) -> None:
        self._true, self._predicted, self._correct = Counter[str](), Counter[str](), Counter[str]()

    def add(self, true: Iterable[Span], predicted: Iterable[Span]) -> None:
        """The entities of one text."""
        true, predicted = set(true), set(predicted)
        self._true.update(one.type for one in true)
        self._predicted.update(one.type for one in predicted)
        self._correct.update(one.type for one in true & predicted)

    def scores(self, kind: str | None = None) -> dict[str, float]:
        """Precision, recall, F1 and the number of true ones, of a type or of all entities.

        The scores are 0 where nothing was predicted or nothing is true.
        """
        correct, predicted, true = (
            one.total() if kind is None else one[kind] for one in (self._correct, self._predicted, self._true)
        )
        precision, recall = correct / max(predicted, 1), correct / max(true, 1)
        both = precision + recall
        return {
            "f1": 2 * precision * recall / both if both else 0.0,
            "precision": precision,
            "recall": recall,
            "support": true,
        }
