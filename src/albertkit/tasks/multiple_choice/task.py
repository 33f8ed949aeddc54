"""Multiple choice: which of several options answers a question about a context.

Letters: N questions, C options of a question, L tokens of a sequence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit.arrays import softmax
from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, did_you_mean
from albertkit.tasks import calibration, figures
from albertkit.tasks.base import TrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features
from albertkit.tasks.figures import Figure
from albertkit.tasks.multiple_choice import choice_columns, choices, long_contexts
from albertkit.tasks.multiple_choice.choice_columns import ChoiceOptions
from albertkit.tasks.multiple_choice.choices import Choices, Item
from albertkit.tasks.tables import Table
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

BLANK = "_"
_NAMES = ("context", "question", "choices")
_SHORTEST = 8
"""Tokens that leave a few for the context and a few for the option beside the three special ones."""
_LENGTHS = (100, 200, 300, 400)
"""Bounds of the lengths of contexts, in words, that have scores of their own."""


class MultipleChoice(TrainableTask[Choices, ChoiceOptions]):
    """Which of several options is right, with a model of the head ForMultipleChoice."""

    name = "multiple-choice"
    head = "ForMultipleChoice"
    rows_together = 256
    reads_folders = True
    endings = (".xml",)
    heads = ("ForMultipleChoice",)
    options = ChoiceOptions
    answer_options: ClassVar = {"abstain_below": None}
    encode_options: ClassVar = {"max_qa_length": "max_qa_length", "long": "long", "stride": "doc_stride"}
    sample: ClassVar = {
        "context": "It rained all day.",
        "question": "What is wet?",
        "choices": ["the moon", "the grass"],
    }

    def examples(self, *inputs: Json) -> tuple[Choices, bool]:
        """A mapping of `context`, `question` and `choices`, or a list of such. InputError for anything else."""
        given = inputs[0] if len(inputs) == 1 else None
        is_single = isinstance(given, Mapping)
        listed = [given] if is_single else given
        if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
            raise InputError(
                "Give a mapping of `question`, `choices` and, where there is one, `context`, or a list of such. "
                f"Received: {inputs!r:.120}."
            )
        for number, one in enumerate(listed, start=1):
            _require_names(one, number)
        if not listed:
            return choices.Choices("", [], [], [], None, [], []), False
        items = [
            Item(one.get("context"), one.get("question"), one.get("choices"), None, f"number {number}")
            for number, one in enumerate(listed, start=1)
            if isinstance(one, Mapping)
        ]
        return choices.checked("", items, labelled=False), is_single

    def stream(self, source: str | BufferedReader | Table, options: ChoiceOptions) -> Iterator[Choices]:
        """The questions of a file; see `choices`."""
        if not isinstance(source, (str, Table)):
            raise InputError(
                "Questions come from a file with their options. Received: lines of text. Name such a file."
            )
        yield from choices.stream(source, options)

    def is_table(self, path: str) -> bool:
        """Whether it is in none of the forms of RACE, COPA and DREAM."""
        return choices.is_table(path)

    def located(self, path: str, options: ChoiceOptions) -> ChoiceOptions:
        """The options as they are; what is left out of the first rows of a table is said."""
        choices.tell_of_others(path, options)
        return options

    def read(
        self, path: str, options: ChoiceOptions, config: AlbertConfig | None = None
    ) -> tuple[Choices, ChoiceOptions]:
        """Questions of a file with the right options; see `choices`."""
        return choices.read(path, options), options

    def config_keys(self, examples: Choices, options: ChoiceOptions) -> Record:
        """Nothing: the head scores one option at a time."""
        return {}

    def has_one_class(self, config: AlbertConfig) -> bool:
        """It has: the right option of a question."""
        return True

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Choices,
        options: ChoiceOptions,
        labelled: bool = False,
    ) -> Features:
        """Rows of C sequences: [CLS] context [SEP] question with an option [SEP], or question [SEP] option without one.

        As in the original for RACE: an option stands in the blank of a question that has one, of a question with an
        option the last `max_qa_length` tokens are kept, and the context is cut to what room is left, which is counted,
        or read in windows; see `long_contexts`.
        """
        if options.max_length < _SHORTEST:
            raise InputError(
                f"A context and an option need at least {_SHORTEST} tokens. Received: {options.max_length}. Make "
                "`max_length` larger."
            )
        features = long_contexts.encoded(tokenizer, *_pairs(examples), options)
        if not labelled or examples.labels is None:
            return features
        return replace(features, labels={"labels": long_contexts.of_rows(examples.labels, features)})

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `decode`."""
        told = calibration.kind(options.get("abstain_below"), config)
        return {"label": int, "choice": str, "score": float, **told, "scores": [float]}

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Choices,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Record]:
        """For each question {"label", "choice", "score", "scores"}: the best option's number from 0, and its text.

        Scores are probabilities, calibrated where the model is. Where answers may abstain, by its calibration or
        `abstain_below`, each says whether it is "abstained".
        """
        answers, found = [], calibration.read(config)
        below = calibration.bound(options.get("abstain_below"), found)
        for listed, logits in zip(examples.options, long_contexts.merged(features, outputs), strict=True):
            chances = softmax(found.scaled(logits))
            best = int(chances.argmax())
            chosen = {"label": best, "choice": listed[best], "score": float(chances[best])}
            answers.append({**chosen, **calibration.abstained(chances[best], below), "scores": chances.tolist()})
        return answers

    def score(
        self, config: AlbertConfig, examples: Choices, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """The share of questions answered right: of all, of each part of the data, and by the length of the context."""
        rows = long_contexts.merged(features, outputs)
        right = np.array([row.argmax() == label for row, label in zip(rows, examples.labels or [], strict=True)], bool)
        scores = {"accuracy": _share(right)}
        groups = np.array(examples.groups)
        if len(set(examples.groups)) > 1:
            scores |= {
                f"accuracy_{one or 'other'}": _share(right[groups == one]) for one in sorted(set(examples.groups))
            }
        lengths = np.digitize([len(context.split()) for context in examples.contexts], _LENGTHS)
        if len(set(lengths.tolist())) > 1:
            bounds = [0, *_LENGTHS]
            scores |= {
                f"accuracy_from_{bounds[one]}_words": _share(right[lengths == one]) for one in np.unique(lengths)
            }
        return scores

    def calibrate(
        self,
        config: AlbertConfig,
        examples: Choices,
        features: Features,
        outputs: Iterable[Outputs],
        target_accuracy: float | None = None,
    ) -> tuple[Calibration, Record]:
        """A temperature, and where to abstain for an accuracy; see `calibrating.of_classes`."""
        from albertkit.tasks import calibrating

        rows = long_contexts.merged(features, outputs)
        logits = np.full((len(rows), max(map(len, rows), default=1)), -np.inf)
        for number, row in enumerate(rows):
            logits[number, : len(row)] = row
        return calibrating.of_classes(logits, np.array(examples.labels or []), examples.path, target_accuracy)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """Accuracy; those of parts have names of their own."""
        return ("accuracy",)

    def figures(
        self, config: AlbertConfig, examples: Choices, features: Features, outputs: Sequence[Outputs]
    ) -> list[Figure]:
        """Accuracy by the number of options and the length of the context, and how far confidence can be trusted."""
        labels = examples.labels or []
        chances = [softmax(row) for row in long_contexts.merged(features, outputs)]
        right = [float(row.argmax() == label) for row, label in zip(chances, labels, strict=True)]
        if not right:
            return []
        lengths = [len(context.split()) for context in examples.contexts]
        places = [f"{100 * (length // 100) + 1} to {100 * (length // 100) + 100}" for length in lengths]
        found: list[Figure] = []
        if len(set(places)) > 1:
            title, axis = "Accuracy by the length of the context", "words of it"
            found.append(figures.grouped("scores_by_length", title, axis, places, {"accuracy": right}))
        numbers = [str(label + 1) for label in labels]
        found.append(
            figures.grouped(
                "scores_by_place", "Accuracy by the place of the right option", "place", numbers, {"accuracy": right}
            )
        )
        sure = np.array([float(row.max()) for row in chances])
        reliability = figures.reliability(sure, np.array(right), "answers")
        return [*found, *([reliability] if reliability else [])]

    def label_counts(self, examples: Choices, options: ChoiceOptions, config: AlbertConfig) -> dict[str, int]:
        """How often the right option is the first, the second, and so on."""
        found = Counter(examples.labels or ())
        return {f"option {number + 1}": found[number] for number in range(max(map(len, examples.options), default=0))}

    def doubts(self, examples: Choices, features: Features) -> dict[str, list[int]]:
        """Questions that have one text twice among their options."""
        twice = [number for number, listed in enumerate(examples.options) if len(set(listed)) < len(listed)]
        right = [
            number
            for number in twice
            if examples.labels and examples.options[number].count(str(examples.label_key(number))) > 1
        ]
        others = [number for number in twice if number not in set(right)]
        return {
            "The text of the right option stands twice among the options.": right,
            "The text of a wrong option stands twice among the options.": others,
        }

    def describe(self, options: ChoiceOptions, config: AlbertConfig) -> str:
        """What is asked for."""
        return "questions with options to choose from"


def _require_names(given: Mapping[str, Json], number: int) -> None:
    """InputError for a name that must mean another: a context under it would be left out unseen."""
    missing = [name for name in _NAMES if name not in given]
    for name in given:
        hint = "" if name in _NAMES else did_you_mean(str(name), missing)
        if hint or name in choice_columns.USUAL_NAMES - {*_NAMES}:
            raise InputError(
                f"A question has the names {', '.join(_NAMES)}. Received, as number {number}: {name!r}.{hint} Call it "
                "by its name."
            )


def _pairs(examples: Choices) -> tuple[list[str], list[list[str]]]:
    """The first sequence of each question, and the second one for each of its options."""
    firsts, seconds = [], []
    for context, question, listed in zip(examples.contexts, examples.questions, examples.options, strict=True):
        firsts.append(context if context.strip() else question)
        seconds.append([filled(question, one) for one in listed] if context.strip() else listed)
    return firsts, seconds


def filled(question: str, choice: str) -> str:
    """An option in the blanks of a question, or behind it where there is none."""
    return question.replace(BLANK, choice) if BLANK in question else f"{question} {choice}".strip()


def _share(right: np.ndarray) -> float:
    return float(right.mean()) if len(right) else 0.0
