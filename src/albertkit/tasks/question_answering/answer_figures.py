"""What a person may want to see of the scores of answers."""

from collections.abc import Sequence

import numpy as np

from albertkit.tasks import figures
from albertkit.tasks.figures import Figure
from albertkit.tasks.question_answering import answer_scores
from albertkit.tasks.question_answering.answers import Found
from albertkit.tasks.question_answering.questions import Questions

_NONE = "no answer"


def of(examples: Questions, best: Sequence[str], found: Sequence[Found], threshold: float) -> list[Figure]:
    """The figures for the best answer of each question, and all that the model says of it.

    Where some questions have no answer, none is given where that scores better by more than `threshold`.
    """
    if not best:
        return []
    own = answer_scores.metric_of(examples.contexts)
    may_lack = examples.has_unanswerable
    metric = own or (answer_scores.SQUAD_2 if may_lack else answer_scores.SQUAD_1)
    sure, groups, exact, f1 = [], [], [], []
    for answer, said, true in zip(best, found, examples.true or [], strict=True):
        score = said.candidates[0].score if said.candidates else said.null
        is_none = may_lack and said.odds > threshold
        sure.append(said.probability(said.null if is_none else score))
        one, other = metric.of("" if is_none else answer, true or [""])
        exact.append(one)
        f1.append(other)
        groups.append(figures.length_group(_length(true[0], is_unspaced=own is not None)) if true else _NONE)
    unit = "words" if own is None else "characters"
    by_length = figures.grouped(
        "scores_by_length",
        "Scores by the length of the answer",
        f"{unit} of it",
        groups,
        {"exact match": exact, "F1": f1},
    )
    reliability = figures.reliability(np.array(sure), np.array(exact), "answers")
    return [by_length, *([reliability] if reliability else [])]


def _length(answer: str, is_unspaced: bool) -> int:
    return max(len(answer if is_unspaced else answer.split()), 1)
