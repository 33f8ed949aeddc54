"""What a run is compared with: answers that know the labels of the training data, or nothing at all.

Each is scored by the task itself, from outputs that no model has made. Letters: L tokens of a row, C classes.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console

from albertkit.backends import Outputs
from albertkit.pipelines import pipeline
from albertkit.rules import IGNORED
from albertkit.tasks import registry
from albertkit.tasks.features import Features
from albertkit.training import finetune_data
from albertkit.training.finetune_data import Prepared
from albertkit.training.recipe import FinetuneRecipe

Word = tuple[int, ...]


def majority(data: Prepared) -> list[Outputs]:
    """Of each row the label that is most frequent in training: a class, or the place of the right option."""
    most = Counter(np.asarray(data.trained.features.labels["labels"]).tolist()).most_common(1)[0][0]
    features = data.evaluated.features
    sizes = features.choices() or [data.start.config.num_labels] * len(features)
    return [{"logits": (np.arange(size) == most).astype(np.float32)} for size in sizes]


def mean(data: Prepared) -> list[Outputs]:
    """Of each row the mean of the numbers of training."""
    usual = np.mean(data.trained.features.labels["labels"], keepdims=True).reshape(1).astype(np.float32)
    return [{"logits": usual} for _ in range(len(data.evaluated.features))]


def tag_of_the_word(data: Prepared) -> list[Outputs]:
    """Of each word the tag that it has most often in training, and of others the most frequent one of all."""
    seen: dict[Word, Counter[int]] = defaultdict(Counter)
    for _, word, tag in words(data.trained.features):
        seen[word][tag] += 1
    usual = sum(seen.values(), Counter()).most_common(1)[0][0]
    features, classes = data.evaluated.features, data.start.config.num_labels
    tags = [np.full(len(row), usual) for row in features.input_ids]
    for (row, place), word, _ in words(features):
        if word in seen:
            tags[row][place : place + len(word)] = seen[word].most_common(1)[0][0]
    return [{"logits": np.eye(classes, dtype=np.float32)[row]} for row in tags]


def words(features: Features) -> Iterator[tuple[tuple[int, int], Word, int]]:
    """Row and place of each word, its ids, and its tag: a word goes from one labelled piece to the next."""
    for row, (ids, labels) in enumerate(zip(features.input_ids, features.labels["labels"], strict=True)):
        starts = [place for place, label in enumerate(labels) if label != IGNORED]
        for start, stop in zip(starts, [*starts[1:], len(ids) - 1], strict=True):
            yield (row, start), tuple(int(one) for one in ids[start:stop]), int(labels[start])


def random_span(data: Prepared) -> list[Outputs]:
    """Any span of the context that could be an answer."""
    rng = np.random.default_rng(0)
    draws = [rng.random((2, len(row)), np.float32) for row in data.evaluated.features.input_ids]
    return [{"start_logits": start, "end_logits": end} for start, end in draws]


def no_answer(data: Prepared) -> list[Outputs]:
    """That there is no answer, to every question."""
    found = random_span(data)
    for row in found:
        row["start_logits"][0] = row["end_logits"][0] = 2.0
    return found


MAJORITY, MEAN = "the most frequent label", "the mean of the training labels"
WORDS, SPAN = "the most frequent tag of each word", "a random span"
NONE, BEFORE = "no answer to any question", "the model before this training"
BASELINES: dict[str, Callable[[Prepared], list[Outputs]]] = {
    MAJORITY: majority,
    MEAN: mean,
    WORDS: tag_of_the_word,
    SPAN: random_span,
    NONE: no_answer,
}
"""What makes outputs of data, by what it is called in results; BEFORE is scored by the model itself."""


def score(name: str, task: str, keys: Mapping[str, Any]) -> tuple[dict[str, float], tuple[int, int]]:
    """The scores of a baseline on the data of a recipe, given by its dotted keys, and the examples of both sides."""
    kind = registry.get_trainable(task)
    data = finetune_data.prepare(kind, FinetuneRecipe.load(None, keys, task=task), Console(quiet=True))
    if name == BEFORE:
        answerer = pipeline(task, keys["model.name"], max_length=data.options.max_length)
        found = answerer.evaluate(str(keys["data.eval"]), max_eval_samples=data.options.max_eval_samples)
    else:
        outputs = BASELINES[name](data)
        found = kind.score(data.start.config, data.evaluated.examples, data.evaluated.features, outputs)
    return found, (len(data.trained), len(data.evaluated))
