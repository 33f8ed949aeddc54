"""Text classification: one class, several classes at once, or a number, for a text or a pair of texts.

Letters: N examples, C classes.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import ClassVar

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError
from albertkit.tasks import calibration, tables, texts, trained_on
from albertkit.tasks.bad_rows import BadRows
from albertkit.tasks.base import TrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features, require_finite
from albertkit.tasks.figures import Figure
from albertkit.tasks.tables import Table
from albertkit.tasks.text_classification import (
    answers,
    class_figures,
    class_weights,
    glue,
    glue_files,
    labelled_rows,
    labels,
    long_texts,
    submission,
)
from albertkit.tasks.text_classification.answers import BEST
from albertkit.tasks.text_classification.glue import GlueTask
from albertkit.tasks.text_classification.labels import KINDS, MULTI, REGRESSION, SINGLE, Schema
from albertkit.tasks.text_classification.options import ClassificationOptions
from albertkit.tasks.texts import TextExamples
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

SCORES = {
    SINGLE: ("accuracy", "f1", "matthews_correlation"),
    MULTI: ("f1_micro", "f1_macro", "exact_match"),
    REGRESSION: ("pearson", "spearman", "mse", "mae"),
}
"""What `score` gives. The first chooses the best checkpoint unless another is named."""

_FEW = 10
"""Rows up to which each may well be a class of its own."""

logger = logging.getLogger(__name__)


class TextClassification(TrainableTask[TextExamples, ClassificationOptions]):
    """Classes, several classes at once, or a number, for texts or pairs of texts."""

    name = "text-classification"
    head = "ForSequenceClassification"
    heads = ("ForSequenceClassification",)
    options = ClassificationOptions
    answer_options: ClassVar = {"top_k": BEST, "function_to_apply": None, "abstain_below": None}
    encode_options: ClassVar = {"long": "long", "stride": "doc_stride"}
    model_options: ClassVar = {"patience": "early_exit_patience", "regression_threshold": "early_exit_threshold"}
    can_exit_early = True
    lower_is_better: ClassVar = frozenset({"loss", "mse", "mae"})

    def examples(self, *inputs: Json) -> tuple[TextExamples, bool]:
        """Texts or pairs, or texts and as many second texts; see `inputs.pairs`."""
        return texts.given(*inputs)

    def stream(self, source: str | BufferedReader | Table, options: ClassificationOptions) -> Iterator[TextExamples]:
        """The texts of a file or of lines, in parts; see `texts.stream`."""
        if options.task_name and isinstance(source, str):
            options = glue_files.completed(options, source, needs_label=False)
            return texts.stream(source, options, glue_files.kind(source))
        return texts.stream(source, options)

    def is_table(self, path: str) -> bool:
        """Whether its ending says how it is read: not of the sources of MRPC."""
        return not glue_files.kind(path)

    def is_lines(self, path: str) -> bool:
        """Whether it is none of the sources of MRPC."""
        return not glue_files.kind(path)

    def located(self, path: str, options: ClassificationOptions) -> ClassificationOptions:
        """With header and columns of a task of GLUE, or the columns of the texts; see `texts.located`."""
        if options.task_name:
            return glue_files.completed(options, path, needs_label=False)
        return texts.located(path, options)

    def splits(self, path: str, options: ClassificationOptions) -> Mapping[str, str]:
        """The files of the folder of a task of GLUE; see `glue_files.splits`."""
        if not Path(path).is_dir():
            return {}
        if not options.task_name:
            raise InputError(
                f"A folder of data is that of a task of GLUE, which must be named. Received: {path}. Name the task "
                "with --task-name, or a file in place of the folder."
            )
        return glue_files.splits(path, options.task_name)

    def read(
        self, path: str, options: ClassificationOptions, config: AlbertConfig | None = None
    ) -> tuple[TextExamples, ClassificationOptions]:
        """Texts and labels of a file, and the columns they were found in.

        A row needs a text, both texts of a pair, and a label: InputError names the rows that lack one, or
        `skip_bad_rows` leaves them out. Where a row may have several classes an empty label is that of a row without a
        class.
        """
        schema = Schema.of(config) if config else None
        if schema and options.problem != "auto" and KINDS.get(options.problem) != schema.problem_type:
            raise InputError(
                f"`problem` must be what the model was trained for, {schema.problem_type}. Received: "
                f"{options.problem!r}. Leave it out."
            )
        if schema and options.class_weights:
            raise InputError("`class_weights` are those of a training loss. Received them for a trained model.")
        bad = BadRows(path, options.skip_bad_rows)
        if not options.task_name:
            return self.take(tables.read(path, options.header, bad), options, schema, bad)
        found = glue_files.completed(options, path)
        examples, _ = self.take(tables.read(path, found.header, bad, glue_files.kind(path)), found, schema, bad)
        return examples, options  # another file of the task may have another layout

    def take(
        self, table: Table, options: ClassificationOptions, schema: Schema | None = None, bad: BadRows | None = None
    ) -> tuple[TextExamples, ClassificationOptions]:
        """Texts and labels of a table; see `read`. `schema` is that of a model whose labels are known."""
        return labelled_rows.of_table(table, options, schema, bad or BadRows(table.path, options.skip_bad_rows))

    def config_keys(self, examples: TextExamples, options: ClassificationOptions) -> Record:
        """`id2label` and `problem_type`; see `labels.schema`. InputError where every row is a class of its own."""
        values, options = examples.labels or [], options.with_classes()
        classes = glue.get(options.task_name).classes if options.task_name else ()
        if classes and options.class_names == list(classes):  # others are told with their lines, by `targets`
            return Schema(SINGLE, classes).config_keys()
        found = labels.schema(values, examples.path, options.problem, options.label_separator, options.class_names)
        if found.problem_type == SINGLE:
            _check_sizes(values, options, examples.path)
        if options.class_weights and found.problem_type != SINGLE:
            raise InputError(
                f"`class_weights` are for one class a row. Received them for {found.problem_type}. Leave them out."
            )
        return found.config_keys()

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        options: ClassificationOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts or pairs -> ids and token types, and `labels` as in `labels.as_numbers`. What is cut is counted.

        With `long` windows a long text fills several rows, each with its label; see `long_texts`.
        """
        features = long_texts.encoded(tokenizer, examples, options)
        if not labelled:
            return features
        targets = self.targets(examples, options, Schema.of(config))
        return replace(features, labels={"labels": long_texts.of_rows(targets, features)})

    def targets(self, examples: TextExamples, options: ClassificationOptions, schema: Schema) -> np.ndarray:
        """The labels as numbers; see `labels.as_numbers`."""
        table = examples.table

        def place(chosen: Sequence[int], most: int) -> str:
            return table.places([examples.rows[number] for number in chosen], most)

        by_number = bool(options.with_classes().class_names)
        return labels.as_numbers(
            examples.labels or [], schema, options.label_separator, examples.path, place, by_number
        )

    def has_one_class(self, config: AlbertConfig) -> bool:
        """Whether a text has one class, and not several at once or a number."""
        return Schema.of(config).problem_type == SINGLE

    def class_weights(
        self, examples: TextExamples, options: ClassificationOptions, config: AlbertConfig
    ) -> np.ndarray | None:
        """The weight of each class, where `class_weights` says so; see `class_weights.of_classes`."""
        if not options.class_weights:
            return None
        schema = Schema.of(config)
        return class_weights.of_classes(options.class_weights, self.targets(examples, options, schema), schema.names)

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Json]:
        """The best class of each example, {"label", "score"}, as Transformers answers.

        `top_k` a number: a list of so many, best first; None: of all. `function_to_apply` makes scores of logits:
        softmax, sigmoid or none; default: what the model was trained with. Where answers may abstain, by the model's
        calibration or `abstain_below`, each says whether it is "abstained". InputError where logits are not finite.
        """
        logits = long_texts.merged(answers.logits_of(outputs, config), features, len(examples))
        return answers.ranked(logits, config, answers.asked(options), calibration.read(config))

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `records`."""
        return answers.kinds(Schema.of(config), answers.asked(options), calibration.read(config))

    def records(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Record]:
        """An answer for each example.

        One class: {"label", "score", "scores"} with the softmax of all classes. Several: {"labels", "scores"}, labels
        those of probability above their thresholds, of 1/2 unless others were fitted. A number: {"value"}. With a
        `top_k` the best so many scores, best first; "abstained" is as in `decode`. InputError where logits are not
        finite.
        """
        logits = long_texts.merged(answers.logits_of(outputs, config), features, len(examples))
        return answers.records(logits, Schema.of(config), answers.asked(options), calibration.read(config))

    def submission(
        self, config: AlbertConfig, options: ClassificationOptions, records: Iterable[Record]
    ) -> Iterator[Record]:
        """The rows that the server of GLUE takes for the task of `options`; see `submission.rows`."""
        if not options.task_name:
            raise InputError(
                "A .tsv holds the answers to a test of GLUE, whose task must be known. Received: a model that was "
                "trained without --task-name. Name the task with it, or write to .jsonl, .csv or .parquet."
            )
        return submission.rows(glue.get(options.task_name), Schema.of(config), records)

    def arranged(self, answers: list[Json], is_single: bool, inputs: Json, options: Record) -> Json:
        """The answers as Transformers arranges them: that to a text is a list of one, unless the call has a `top_k`."""
        is_wrapped = isinstance(inputs, str) and "top_k" not in options
        return answers[0] if is_single and not is_wrapped else answers

    def about(self, config: AlbertConfig) -> Record:
        """The kind of problem, whether pairs are asked for, if known, and above which probability a class is given."""
        trained, schema = trained_on.read(config, self), Schema.of(config)
        given = {"thresholds": answers.thresholds(schema, calibration.read(config))}
        is_pair = None if trained is None else trained.is_pair
        return {
            "problem_type": schema.problem_type,
            "is_pair": is_pair,
            **(given if schema.problem_type == MULTI else {}),
        }

    def unlike_training(self, config: AlbertConfig, examples: TextExamples) -> str | None:
        """A sentence where a model of pairs is given single texts, or one of single texts pairs."""
        trained = trained_on.read(config, self)
        pairs = sum(second is not None for second in examples.second or ())
        if trained is None or len(examples) == (pairs if trained.is_pair else len(examples) - pairs):
            return None
        kinds = ("pairs of texts", "single texts")
        known, given = kinds if trained.is_pair else kinds[::-1]
        return f"This model was trained on {known}, and is asked for {given}: its answers may mean nothing."

    def score(
        self, config: AlbertConfig, examples: TextExamples, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """The scores of `tasks.metrics` for the kind of problem, and of a task of GLUE with two scores their mean."""
        from albertkit.tasks import metrics

        (logits, targets), schema = _labelled(config, examples, features, outputs), Schema.of(config)
        if schema.problem_type == MULTI:
            logits = answers.above_thresholds(logits, schema, calibration.read(config))
        scorers = {SINGLE: metrics.single_label, MULTI: metrics.multi_label, REGRESSION: metrics.regression}
        found = scorers[schema.problem_type](logits, targets)
        if (task := self._glue(config)) and len(task.metrics) > 1:
            found[glue.COMBINED] = sum(found[name] for name in task.metrics) / len(task.metrics)
        return {name: found[name] for name in self.metrics(config)}

    def calibrate(
        self,
        config: AlbertConfig,
        examples: TextExamples,
        features: Features,
        outputs: Iterable[Outputs],
        target_accuracy: float | None = None,
    ) -> tuple[Calibration, Record]:
        """A temperature, thresholds of several classes, where to abstain for an accuracy; see `confidence.fitted`."""
        from albertkit.tasks.text_classification import confidence

        logits, targets = _labelled(config, examples, features, outputs)
        return confidence.fitted(logits, targets, Schema.of(config), examples.path, target_accuracy)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """The scores of the kind of problem, those that GLUE reports of its task first."""
        scores, task = SCORES[Schema.of(config).problem_type], self._glue(config)
        return tuple(dict.fromkeys((*(task.choosing if task else ()), *scores)))

    def _glue(self, config: AlbertConfig) -> GlueTask | None:
        """The task of GLUE that a model was trained for, if it was for one and has its kind of classes."""
        trained = trained_on.read(config, self)
        task = glue.get(trained.task_name) if trained is not None and trained.task_name else None
        return task if task and {*task.metrics} <= {*SCORES[Schema.of(config).problem_type]} else None

    def classes(
        self, examples: TextExamples, options: ClassificationOptions, config: AlbertConfig
    ) -> np.ndarray | None:
        """The class of each example, where it has one."""
        schema = Schema.of(config)
        return self.targets(examples, options, schema) if schema.problem_type == SINGLE else None

    def figures(
        self, config: AlbertConfig, examples: TextExamples, features: Features, outputs: Sequence[Outputs]
    ) -> list[Figure]:
        """Of classes their scores, which is taken for which, and how far confidence can be trusted; none of numbers."""
        return class_figures.of(*_labelled(config, examples, features, outputs), Schema.of(config))

    def label_counts(
        self, examples: TextExamples, options: ClassificationOptions, config: AlbertConfig
    ) -> dict[str, int]:
        """Examples of each class; of numbers, those in each fifth of their range."""
        schema = Schema.of(config)
        return labels.counts(self.targets(examples, options, schema), schema)

    def describe(self, options: ClassificationOptions, config: AlbertConfig) -> str:
        """The columns and the classes."""
        schema = Schema.of(config)
        if options.task_name:
            title = glue.get(options.task_name).title
            return f"{title} of GLUE ({schema.problem_type}: {', '.join(schema.names)})"
        pair = f", pair {options.pair_column!r}" if options.pair_column else ""
        return (
            f"text {options.text_column!r}{pair}, label {options.label_column!r} "
            f"({schema.problem_type}: {', '.join(schema.names[:12])})"
        )


def _labelled(
    config: AlbertConfig, examples: TextExamples, features: Features, outputs: Iterable[Outputs]
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels of each example. InputError where logits are not finite."""
    logits = long_texts.merged(answers.logits_of(outputs, config), features, len(examples))
    require_finite(logits)
    return logits, long_texts.of_examples(np.asarray(features.labels["labels"]), features)


def _check_sizes(values: Sequence[Json], options: ClassificationOptions, path: str) -> None:
    """Log where most classes have one example; InputError where all have, and some are to be held out."""
    count = len({str(value).strip() for value in values})
    if len(values) <= _FEW or count * 2 <= len(values):
        return
    told = (
        f"{path} has {count} classes in {len(values)} rows: the column {options.label_column!r} seems to hold ids or "
        "texts. Name the one of the labels with --label-column, or for numbers pass --problem regression"
    )
    if count == len(values) and not options.eval:
        raise InputError(f"A class needs several rows to learn from and to be held out. {told}.")
    logger.warning("%s.", told)
