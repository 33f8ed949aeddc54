"""The confidence of answers: a temperature of their scores, where to abstain, and from which odds on none is given."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from albertkit.tasks import calibrating, calibration_fit
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.question_answering import answer_scores
from albertkit.tasks.question_answering.answers import Found
from albertkit.tasks.question_answering.questions import Questions
from albertkit.typing import Record


class Judged:
    """The answers to labelled questions: which is given under a threshold, how sure it is, and whether it is right."""

    def __init__(self, examples: Questions, found: Sequence[Found], best: Sequence[str]) -> None:
        """`best` are the texts of the best answers that `found` has, which are right where the scripts say so."""
        self._found, self._best = found, best
        self.may_lack = examples.has_unanswerable
        own = answer_scores.metric_of(examples.contexts)
        self._metric = own or (answer_scores.SQUAD_2 if self.may_lack else answer_scores.SQUAD_1)
        self._true = examples.true or []
        self._odds = np.array([one.odds for one in found])
        self._may_be_none = np.array([one.may_be_none for one in found], bool)
        self._is_right = np.array(
            [self._metric.of(one, true or [""])[0] > 0 for one, true in zip(best, self._true, strict=True)], bool
        )
        self._has_none = np.array([not true for true in self._true], bool)

    def __len__(self) -> int:
        return len(self._found)

    def right(self, threshold: float) -> np.ndarray:
        """(N,) whether the answer that is given is right; it is none where its odds are above the threshold."""
        return np.where(self._is_none(threshold), self._has_none, self._is_right)

    def confidence(self, rows: np.ndarray, threshold: float, temperature: float) -> np.ndarray:
        """The probability of the answers that are given to some questions."""
        is_none, chances = self._is_none(threshold), []
        for row in rows.tolist():
            one = replace(self._found[row], temperature=temperature)
            given = one.null if is_none[row] or not one.candidates else one.candidates[0].score
            chances.append(one.probability(given))
        return np.array(chances)

    def scores(self, rows: np.ndarray, threshold: float) -> dict[str, float]:
        """The scores of SQuAD 2.0 of some questions, and the threshold with the best F1."""
        chosen: list[int] = rows.tolist()
        best, true = [self._best[row] for row in chosen], [self._true[row] for row in chosen]
        return answer_scores.squad_2(best, true, self._odds[rows].tolist(), threshold, self._metric)

    def _is_none(self, threshold: float) -> np.ndarray:
        return self._may_be_none & (self._odds > threshold)


def fitted(judged: Judged, threshold: float, path: str, target_accuracy: float | None) -> tuple[Calibration, Record]:
    """A calibration of answers to N questions, and how it does.

    Where some have no answer the threshold with the best F1 is among the results, and the temperature fits the answers
    that it gives; else that of the model, `threshold`, stays.
    """
    calibration_fit.require_enough(len(judged), path)
    told = _thresholds(judged, threshold) if judged.may_lack else {}
    threshold = told.get("best_f1_threshold", threshold)
    right = judged.right(threshold)

    def judge(found: Calibration, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return judged.confidence(rows, threshold, found.temperature), right[rows]

    def fit(rows: np.ndarray) -> Calibration:
        return Calibration(
            calibration_fit.temperature_of_answers(lambda one: judged.confidence(rows, threshold, one), right[rows])
        )

    found, results = calibrating.fitted(len(judged), fit, judge, path, target_accuracy)
    share = calibrating.answered_right(found, *judge(found, np.arange(len(judged))))
    return found, {**results, **share, **told, "data": path}


def _thresholds(judged: Judged, threshold: float) -> Record:
    """F1 with the threshold of the model, and of each half of the questions with the best one of the other half."""
    before = judged.scores(np.arange(len(judged)), threshold)
    total = sum(
        len(rows) * judged.scores(rows, judged.scores(fitted_to, threshold)["best_f1_threshold"])["f1"]
        for rows, fitted_to in calibrating.halves(len(judged))
    )
    kept = {name: before[name] for name in ("best_f1", "best_f1_threshold")}
    return {"f1_before": before["f1"], "f1_after": total / len(judged), **kept}
