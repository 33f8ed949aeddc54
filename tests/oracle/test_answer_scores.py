"""Scores of answers against those of Transformers, whose code is that of the script of SQuAD 2.0."""

import numpy as np
import pytest

from albertkit.tasks.question_answering import answer_scores

pytest.importorskip("transformers")
pytestmark = pytest.mark.oracle

WORDS = ["a", "the", "an", "The", "cat,", "dog.", "Dog's", "12", "10th", "--", "ü", "U.S.", "of", "'", "x"]
NAMES = {"exact": "exact_match", "f1": "f1"}


class Example:
    def __init__(self, name, texts):
        self.qas_id, self.answers = name, [{"text": text} for text in texts]


def test_ten_thousand_random_answers_score_as_the_script_of_squad_2_scores_them():
    from transformers.data.metrics.squad_metrics import squad_evaluate

    rng = np.random.default_rng(0)

    def text():
        return " ".join(rng.choice(WORDS, rng.integers(0, 5)))

    for _ in range(25):
        true = [[text() for _ in range(rng.integers(0, 4))] for _ in range(400)]
        predicted = [text() for _ in true]
        odds = [float(rng.choice([rng.normal(), 0.5, -0.5])) for _ in true]  # some of them equal
        examples = [Example(str(number), texts) for number, texts in enumerate(true)]
        by_name = [{str(number): one for number, one in enumerate(values)} for values in (predicted, odds)]
        wanted = squad_evaluate(examples, *by_name, 0.3)
        found = answer_scores.squad_2(predicted, true, odds, 0.3)
        for theirs, ours in NAMES.items():
            for kind in ("", "HasAns_", "NoAns_"):
                assert found[f"{kind}{ours}"] == pytest.approx(wanted[f"{kind}{theirs}"], abs=1e-9)
            assert found[f"best_{ours}"] == pytest.approx(wanted[f"best_{theirs}"], abs=1e-9)
            assert found[f"best_{ours}_threshold"] == wanted[f"best_{theirs}_thresh"]
