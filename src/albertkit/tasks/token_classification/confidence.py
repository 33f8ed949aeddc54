"""The confidence of tags and entities: a temperature by the words of texts, where to abstain by their entities.

Letters: W words of all texts, C classes, K entities.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from albertkit.arrays import softmax
from albertkit.tasks import calibrating, calibration_fit
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.spans import Span
from albertkit.tasks.token_classification import entities, tags
from albertkit.typing import Record


class Judged:
    """The words of labelled texts with their logits and classes, and the entities that are found with them."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names` are those of the classes."""
        self._names, self._index = names, {tags.parse(name): number for number, name in enumerate(names)}
        self._logits: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []
        self._texts: list[tuple[Pieces, np.ndarray, frozenset[Span]]] = []

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, pieces: Pieces, logits: np.ndarray, wanted: Sequence[str], true: Iterable[Span]) -> None:
        """A text: what the model gives for its pieces, the tags of its words as they should be, and its entities."""
        places = entities.firsts(pieces)
        self._logits.append(logits[places])
        self._labels.append(np.array([self._index[tags.parse(tag)] for tag in wanted], np.int64))
        self._texts.append((pieces, logits, frozenset(true)))

    def words(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(W, C) logits and (W,) classes of the words of some texts."""
        logits, labels = ([values[row] for row in rows.tolist()] for values in (self._logits, self._labels))
        return np.concatenate([np.zeros((0, len(self._names))), *logits]), np.concatenate([*labels])

    def found(self, temperature: float, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(K,) the scores of the entities that are found in some texts, and whether each is right."""
        scores: list[float] = []
        right: list[bool] = []
        for row in rows.tolist():
            pieces, logits, true = self._texts[row]
            tagged = entities.tagged(pieces, logits, self._names, "first", temperature)
            for span, score in entities.groups(tagged, self._names):
                if span.type != tags.OUTSIDE:
                    scores.append(score)
                    right.append(span in true)
        return np.array(scores), np.array(right, bool)


def fitted(judged: Judged, path: str, target_accuracy: float | None) -> tuple[Calibration, Record]:
    """A calibration of the tags of words, and how it does: each half of the texts with what fits the other half.

    With `target_accuracy` entities abstain whose score is below that from which on so many are right.
    """
    calibration_fit.require_enough(len(judged), path)

    def fit(rows: np.ndarray) -> Calibration:
        logits, labels = judged.words(rows)
        return Calibration(calibration_fit.temperature(logits, np.eye(logits.shape[1])[labels]))

    def judge(found: Calibration, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, labels = judged.words(rows)
        chances = softmax(found.scaled(logits))
        return chances.max(-1), chances.argmax(-1) == labels

    def answered(found: Calibration, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return judged.found(found.temperature, rows)

    found, results = calibrating.fitted(len(judged), fit, judge, path, target_accuracy, answered)
    every = np.arange(len(judged))
    counted = {"words": len(judged.words(every)[1]), "entities": len(answered(found, every)[0])}
    share = calibrating.answered_right(found, *answered(found, every))
    told = {f"entity_{name.replace('accuracy', 'precision')}": value for name, value in share.items()}
    return found, {**results, **counted, **told, "data": path}
