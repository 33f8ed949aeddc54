"""What a person may want to see of the scores of classes.

Letters: N examples, C classes.
"""

import numpy as np

from albertkit.arrays import softmax
from albertkit.tasks import figures
from albertkit.tasks.figures import Figure
from albertkit.tasks.text_classification.answers import scored
from albertkit.tasks.text_classification.labels import MULTI, REGRESSION, Schema


def of(logits: np.ndarray, targets: np.ndarray, schema: Schema) -> list[Figure]:
    """The figures for (N, C) logits, and labels as `labels.as_numbers` gives them; none for numbers to predict."""
    if schema.problem_type == REGRESSION or not len(logits):
        return []
    if schema.problem_type == MULTI:
        chances = scored(logits, "sigmoid")
        is_right = (chances > 0.5) == (targets > 0.5)
        sure = np.maximum(chances, 1 - chances)
        reliability = figures.reliability(sure.ravel(), is_right.ravel(), "answers of yes and no")
        return [figures.of_classes(targets, chances > 0.5, schema.names), *([reliability] if reliability else [])]
    chances, predicted = softmax(logits.astype(np.float64)), logits.argmax(-1)
    one_hot = np.eye(len(schema.names))
    reliability = figures.reliability(chances.max(-1), predicted == targets, "answers")
    return [
        figures.confusion(targets, predicted, schema.names),
        figures.of_classes(one_hot[targets], one_hot[predicted], schema.names),
        *([reliability] if reliability else []),
    ]
