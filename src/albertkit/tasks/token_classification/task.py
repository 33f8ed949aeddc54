"""Token classification: a tag for each word of a text, and from these the entities in it.

Letters: N rows, L tokens of a row, C classes.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BufferedReader
from typing import ClassVar

import numpy as np

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, UnusableRows, abbreviate, few
from albertkit.rules import IGNORED
from albertkit.tasks import calibration, figures, piece_splits, pieces, tables, texts
from albertkit.tasks.base import TrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features
from albertkit.tasks.figures import Bars, Figure
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.spans import Span
from albertkit.tasks.tables import Table
from albertkit.tasks.token_classification import entities, tagged_files, tagged_texts, tags
from albertkit.tasks.token_classification.tagged_texts import TaggedExamples, TagOptions
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

_OVERALL = ("f1", "precision", "recall", "strict_f1", "accuracy")
_OF_TYPE = ("f1", "precision", "recall")
_SHOWN = {"precision": "precision", "recall": "recall", "F1": "f1"}


class TokenClassification(TrainableTask[TaggedExamples, TagOptions]):
    """A tag for each word, such as B-PER, with a model of the head ForTokenClassification."""

    name = "token-classification"
    head = "ForTokenClassification"
    rows_together = 1024
    endings = (".conll", ".conllu", ".iob", ".bio")
    heads = ("ForTokenClassification",)
    options = TagOptions
    answer_options: ClassVar = {"aggregation_strategy": "none", "ignore_labels": (tags.OUTSIDE,), "abstain_below": None}
    encode_options: ClassVar = {"stride": "doc_stride"}

    def examples(self, *inputs: Json) -> tuple[TaggedExamples, bool]:
        """Texts; a single one where it is a string. InputError for pairs."""
        given, is_single = texts.given(*inputs)
        if given.second is not None:
            raise InputError("Entities are found in one text. Received: a pair. Pass its texts one by one.")
        return TaggedExamples("", given.first, None, None, [row + 1 for row in given.rows]), is_single

    def stream(self, source: str | BufferedReader | Table, options: TagOptions) -> Iterator[TaggedExamples]:
        """The texts of a file, see `tagged_files`, or of lines, in parts."""
        if isinstance(source, (str, Table)):
            yield from tagged_files.stream(source, options)
            return
        for table in tables.lines(source):
            yield TaggedExamples(table.path, table.columns["text"], None, None, table.lines)

    def is_table(self, path: str) -> bool:
        """Whether it has a column of texts or of lists of words, and is not in the form of CoNLL."""
        return tagged_files.is_table(path)

    def is_lines(self, path: str) -> bool:
        """Whether it is not in columns of which one holds tags alone."""
        return not tagged_files.is_columns(path)

    def read(
        self, path: str, options: TagOptions, config: AlbertConfig | None = None
    ) -> tuple[TaggedExamples, TagOptions]:
        """Texts and entities of a file; see `tagged_files`."""
        found = tagged_files.read(path, options)
        if config is None:
            options = replace(options, split_pieces=piece_splits.rule(options.split_pieces, found.sentences))
        elif tags.types(_names(config)) == [tags.UNNAMED]:
            found = tagged_texts.of_one_type(found)
        return found, options

    def config_keys(self, examples: TaggedExamples, options: TagOptions) -> Record:
        """`id2label`: O, and for each type of entity B- and I-. InputError where there is none."""
        types = sorted({span.type for found in examples.entities or () for span in found})
        if not types:
            raise InputError(
                f"Training data must hold entities. {examples.path} holds none in {len(examples):,} texts."
            )
        names = [tags.OUTSIDE, *(f"{prefix}-{one}" for one in types for prefix in "BI")]
        return {"id2label": dict(enumerate(names))}

    def has_one_class(self, config: AlbertConfig) -> bool:
        """It has: the tag of a word."""
        return True

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TaggedExamples,
        options: TagOptions,
        labelled: bool = False,
    ) -> Features:
        """Texts -> rows of ids and token types; a text that is longer than a row fills several.

        `labels` has a class for the first piece of every word, or for all with `label_all_tokens`, and -100 elsewhere.
        UnusableRows for a type of entity that the model does not know.
        """
        whole = pieces.of_texts(tokenizer, examples.sentences, examples.words, options.split_pieces)
        targets = self._targets(config, examples, whole, options) if labelled else [[]] * len(whole)
        size = options.max_length - 2  # between [CLS] and [SEP]
        ids, types, labels, owners, found = [], [], [], [], []
        for number, (one, target) in enumerate(zip(whole, targets, strict=True)):
            for window in windows(len(one), size, options.doc_stride or size // 4):
                inner = one.ids[window.start : window.stop]
                ids.append(tokenizer.build_inputs_with_special_tokens(inner))
                types.append(tokenizer.create_token_type_ids_from_sequences(inner))
                labels.append([IGNORED, *target[window.start : window.stop], IGNORED])
                owners.append(number)
                found.append(window)
        columns = {"pieces": [whole[owner] for owner in owners], "window": found}
        return Features(
            ids,
            types,
            {"labels": labels} if labelled else {},
            example=owners,
            columns=columns,
            whole=[one.ids for one in whole],
        )

    def _targets(
        self, config: AlbertConfig, examples: TaggedExamples, whole: Sequence[Pieces], options: TagOptions
    ) -> list[list[int]]:
        """The class of each piece of each text."""
        names = _names(config)
        _require_types(examples, tags.types(names))
        index = {tags.parse(name): number for number, name in enumerate(names)}
        scheme, found = tags.scheme_of(names), []
        for one, entity in zip(whole, examples.entities or (), strict=True):
            target = np.full(len(one), IGNORED)
            places = np.flatnonzero(one.owner != pieces.NO_UNIT) if options.label_all_tokens else one.firsts()
            spans = [one.spans[place] if options.label_all_tokens else one.units[one.owner[place]] for place in places]
            written = tags.to_tags(_covered(spans, entity), len(spans), scheme)
            target[places] = [index[tags.parse(tag)] for tag in written]
            found.append(target.tolist())
        return found

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TaggedExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[list[Record]]:
        """For each text its entities, with the characters where they begin and end.

        `aggregation_strategy` "none": {"entity", "score", "index", "word", "start", "end"} for each piece whose tag is
        not in `ignore_labels`; "simple", "first", "average", "max": {"entity_group", "score", "word", "start", "end"}
        for each entity, see `entities.tagged`, and for what lies between them where O is not in `ignore_labels`. Scores
        are calibrated where the model is. Where answers may abstain, by its calibration or `abstain_below`, each says
        whether it is "abstained".
        """
        options = {**self.answer_options, **options}
        strategy, ignored = str(options["aggregation_strategy"]).lower(), options["ignore_labels"]
        names = _labels(config) if strategy == "none" else _names(config)
        calibrated = calibration.read(config)
        below = calibration.bound(options["abstain_below"], calibrated)
        _require_labels(ignored)
        answers = []
        for text, (one, logits) in zip(examples.sentences, pieces.of_examples(features, outputs), strict=True):
            found = entities.tagged(one, logits, names, strategy, calibrated.temperature)
            if strategy != "none":
                grouped = [one for one in entities.of_text(text, found, names) if one["entity_group"] not in ignored]
                answers.append([{**one, **calibration.abstained(one["score"], below)} for one in grouped])
                continue
            places = [place for place, span in enumerate(one.spans, start=1) if span.start < span.stop]
            answers.append(
                [
                    {
                        "entity": tag,
                        "score": score,
                        "index": place,
                        "word": text[span.start : span.stop],
                        "start": span.start,
                        "end": span.stop,
                        **calibration.abstained(score, below),
                    }
                    for place, (span, tag, score) in zip(places, found, strict=True)
                    if tag not in ignored
                ]
            )
        return answers

    def score(
        self, config: AlbertConfig, examples: TaggedExamples, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """Precision, recall and F1 of entities, over all and of each type, and the share of words with the right tag.

        An entity is right where its first and last character and its type are. As in CoNLL-2003 one may begin with I-;
        `strict_f1` counts only those that begin with B-. A word takes the tag of its first piece.
        """
        names = _names(config)
        counts, strict = entities.Counts(), entities.Counts()
        right = total = 0
        for true, (one, logits) in zip(examples.entities or (), pieces.of_examples(features, outputs), strict=True):
            found = entities.tagged(one, logits, names, "first")
            counts.add(true, entities.characters(found, names))
            strict.add(true, entities.characters(found, names, strict=True))
            spans = [span for span, _, _ in found]
            wanted = tags.to_tags(_covered(spans, true), len(spans), tags.scheme_of(names))
            right += sum(tags.parse(tag) == tags.parse(other) for (_, tag, _), other in zip(found, wanted, strict=True))
            total += len(one.units)
        overall = counts.scores()
        scores = {name: overall[name] for name in ("f1", "precision", "recall")}
        scores |= {"strict_f1": strict.scores()["f1"], "accuracy": right / max(total, 1)}
        for kind in tags.types(names):
            scores |= {f"{kind}_{name}": value for name, value in counts.scores(kind).items()}
        return scores

    def calibrate(
        self,
        config: AlbertConfig,
        examples: TaggedExamples,
        features: Features,
        outputs: Iterable[Outputs],
        target_accuracy: float | None = None,
    ) -> tuple[Calibration, Record]:
        """A temperature of tags, and where entities abstain for an accuracy; see `confidence.fitted`."""
        from albertkit.tasks.token_classification import confidence

        names = _names(config)
        judged, scheme = confidence.Judged(names), tags.scheme_of(names)
        for true, (one, logits) in zip(examples.entities or (), pieces.of_examples(features, outputs), strict=True):
            spans = [one.units[one.owner[place]] for place in entities.firsts(one)]
            judged.add(one, logits, tags.to_tags(_covered(spans, true), len(spans), scheme), true)
        return confidence.fitted(judged, examples.path, target_accuracy)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """Those over all entities, then those of each type."""
        return (*_OVERALL, *(f"{kind}_{name}" for kind in tags.types(_names(config)) for name in _OF_TYPE))

    def figures(
        self, config: AlbertConfig, examples: TaggedExamples, features: Features, outputs: Sequence[Outputs]
    ) -> list[Figure]:
        """Scores of each type of entity, and how often the tag of a word is right by how sure the model is of it."""
        names, counts = _names(config), entities.Counts()
        sure: list[float] = []
        right: list[bool] = []
        for true, (one, logits) in zip(examples.entities or (), pieces.of_examples(features, outputs), strict=True):
            found = entities.tagged(one, logits, names, "first")
            counts.add(true, entities.characters(found, names))
            spans = [tagged.span for tagged in found]
            wanted = tags.to_tags(_covered(spans, true), len(spans), tags.scheme_of(names))
            sure += [tagged.score for tagged in found]
            right += [tags.parse(tagged.tag) == tags.parse(tag) for tagged, tag in zip(found, wanted, strict=True)]
        kinds = tags.types(names)
        by_type = [counts.scores(kind) for kind in kinds]
        scores = {shown: [one[name] for one in by_type] for shown, name in _SHOWN.items()}
        support = [int(one["support"]) for one in by_type]
        bars = Bars("scores_by_type", "Scores by type of entity", kinds, scores, support, "type")
        reliability = figures.reliability(np.array(sure), np.array(right), "tags of words")
        return [bars, *([reliability] if reliability else [])]

    def label_counts(self, examples: TaggedExamples, options: TagOptions, config: AlbertConfig) -> dict[str, int]:
        """Entities of each type."""
        found = Counter(span.type for entities in examples.entities or () for span in entities)
        return {name: found[name] for name in tags.types(_names(config))}

    def doubts(self, examples: TaggedExamples, features: Features) -> dict[str, list[int]]:
        """Texts with entities that pieces of the vocabulary cut through."""
        whole = dict(zip(features.example or (), features.columns["pieces"], strict=True))
        cut = [number for number, found in enumerate(examples.entities or ()) if pieces.are_cut(whole[number], found)]
        return {"An entity begins or ends within a piece of the vocabulary, and is learned with all of it.": cut}

    def describe(self, options: TagOptions, config: AlbertConfig) -> str:
        """The types of entities."""
        return f"entities of the types {', '.join(tags.types(_names(config))[:20])}"

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `records`."""
        told = calibration.kind(options.get("abstain_below"), config)
        entity = {"entity_group": str, "score": float, "word": str, "start": int, "end": int}
        return {"entities": [{**entity, **told}]}

    def records(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: TaggedExamples,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> Iterator[Record]:
        """The entities of each text under one name; of whole words unless another strategy is asked for."""
        if options.get("aggregation_strategy", "none") == "none":
            options["aggregation_strategy"] = "first"
        for found in self.decode(tokenizer, config, examples, features, outputs, **options):
            yield {"entities": found}


def _names(config: AlbertConfig) -> Sequence[str]:
    """The labels of a model as tags with types, also where they name none."""
    [names], _ = tags.with_types([_labels(config)])
    return names


def _labels(config: AlbertConfig) -> list[str]:
    return [config.id2label[number] for number in range(config.num_labels)]


def _require_types(examples: TaggedExamples, types: Sequence[str]) -> None:
    """UnusableRows where texts have entities of other types."""
    others = [[span.type for span in found if span.type not in types] for found in examples.entities or ()]
    wrong = [number for number, found in enumerate(others) if found]
    if wrong:
        rule = f"Every type of entity must be one of the model's, {few(types, 20)}."
        unknown = few(sorted({repr(kind) for found in others for kind in found}))
        where = examples.where(wrong) or (f"{len(wrong):,} of the texts" if len(examples) > 1 else "The text")
        raise UnusableRows(
            f"{rule} {where} {'have' if len(wrong) > 1 else 'has'} {unknown}.", dict.fromkeys(wrong, rule)
        )


def _require_labels(ignored: Json) -> None:
    """InputError for labels to leave out that are no list: of a text, parts of it would be labels, too."""
    if not isinstance(ignored, (list, tuple, set, frozenset)):
        raise InputError(
            f'`ignore_labels` must be a list of labels, such as ["O"]. Received: {abbreviate(ignored)}. An empty list '
            "leaves out none."
        )


def _covered(units: Sequence[Span], found: Sequence[Span]) -> list[Span]:
    """Entities of characters as runs of units: all that share a character with one, and none twice."""
    runs, unit = [], 0
    for entity in found:
        while unit < len(units) and units[unit].stop <= entity.start:
            unit += 1
        start = unit
        while unit < len(units) and units[unit].start < entity.stop:
            unit += 1
        if unit > start:
            runs.append(Span(start, unit, entity.type))
    return runs
