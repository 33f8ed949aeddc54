"""Answers in the files that the scripts of SQuAD read and write, by the ids of the questions."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from albertkit.arrays import softmax
from albertkit.errors import InputError, few
from albertkit.tasks.question_answering.answers import Candidate, Found
from albertkit.tasks.question_answering.questions import Questions
from albertkit.typing import Record

PREDICTIONS, N_BEST, NULL_ODDS = "predictions.json", "nbest_predictions.json", "null_odds.json"


def of(examples: Questions, found: Sequence[Found], threshold: float | None) -> dict[str, Record]:
    """The contents of each file, from what `answers.of_questions` gives.

    predictions.json: the answer to each question, empty where its odds of having none are above `threshold`.
    nbest_predictions.json: the best answers, [{"text", "probability", "start_logit", "end_logit"}], best first, with
    probabilities among these; that there is none is one of them, without the two scores. null_odds.json: by how much
    none scores better than the best answer. Where every question has an answer, `threshold` None, there are no odds.
    InputError where two questions have one id.
    """
    twice = [name for name, count in Counter(examples.ids).items() if count > 1]
    if twice:
        raise InputError(
            f"A file of answers by id needs ids that differ. {len(twice):,} stand twice in {examples.path}: "
            f"{few(twice)}. Give each question an id of its own."
        )
    files: dict[str, Record] = {PREDICTIONS: {}, N_BEST: {}} | ({} if threshold is None else {NULL_ODDS: {}})
    for name, context, one in zip(examples.ids, examples.contexts, found, strict=True):
        candidates, odds = one.candidates, one.odds
        listed = [(candidate, _entry(candidate, context)) for candidate in candidates]
        if threshold is not None:
            listed = sorted([*listed, (Candidate(0, 0, one.null), {"text": ""})], key=lambda pair: -pair[0].score)
            files[NULL_ODDS][name] = odds
        is_none = not candidates or (threshold is not None and odds > threshold)
        files[PREDICTIONS][name] = "" if is_none else context[candidates[0].start : candidates[0].stop]
        chances = softmax(np.array([candidate.score for candidate, _ in listed])).tolist() if listed else []
        files[N_BEST][name] = [
            {"text": entry["text"], "probability": chance, **entry}
            for (_, entry), chance in zip(listed, chances, strict=True)
        ]
    return files


def _entry(one: Candidate, context: str) -> Record:
    return {"text": context[one.start : one.stop], "start_logit": one.parts[0], "end_logit": one.parts[1]}
