"""Question answering: where in a context the answer to a question begins and ends, or that there is none.

Letters: N rows, L tokens of a row.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from numbers import Real
from typing import ClassVar

from albertkit.backends import Outputs
from albertkit.config import AlbertConfig
from albertkit.errors import InputError, UnusableRows, abbreviate
from albertkit.tasks import calibration, piece_splits, pieces, trained_on
from albertkit.tasks.base import TrainableTask
from albertkit.tasks.calibration import Calibration
from albertkit.tasks.features import Features
from albertkit.tasks.figures import Figure
from albertkit.tasks.inputs import require_count
from albertkit.tasks.pieces import Pieces
from albertkit.tasks.question_answering import answer_figures, answer_files, answer_scores, answers, questions
from albertkit.tasks.question_answering.answers import Candidate, Found
from albertkit.tasks.question_answering.question_rows import QuestionRows
from albertkit.tasks.question_answering.questions import QuestionOptions, Questions
from albertkit.tasks.spans import Span
from albertkit.tasks.tables import Table
from albertkit.tasks.windows import windows
from albertkit.tokenization.base import AlbertTokenizerBase
from albertkit.typing import Json, Record

_HEADS = {"linear": "ForQuestionAnswering", "beam_search": "ForQuestionAnsweringBeamSearch"}
"""The model's head by the option of the data."""
_SPARE = 10
"""Answers more than are asked for, since several become one where they are made whole words."""


class QuestionAnswering(TrainableTask[Questions, QuestionOptions]):
    """The answer to a question, as a piece of a context, with a linear head or with one that searches by beams."""

    name = "question-answering"
    head = "ForQuestionAnswering"
    rows_together = 256
    heads = tuple(_HEADS.values())
    options = QuestionOptions
    input_names = ("question", "context")
    official_files = (answer_files.PREDICTIONS, answer_files.N_BEST, answer_files.NULL_ODDS)
    sample: ClassVar = {"question": "Who came?", "context": "Peter came on Friday."}
    answer_options: ClassVar = {
        "top_k": 1,
        "handle_impossible_answer": False,
        "max_answer_len": 15,
        "null_score_diff_threshold": 0.0,
        "align_to_words": True,
        "abstain_below": None,
    }
    encode_options: ClassVar = {"doc_stride": "doc_stride", "max_question_len": "max_query_length"}
    answers_as_trained: ClassVar = {"max_answer_len": "max_answer_length"}
    scoring_options: ClassVar = frozenset({"null_score_diff_threshold"})

    def examples(self, *inputs: Json) -> tuple[Questions, bool]:
        """Questions and contexts: one of each, lists of them, or mappings of `question` and `context`.

        A single context goes with every question of a list. InputError for anything else.
        """
        rows, is_single = _pairs(inputs[0] if len(inputs) == 1 else inputs)
        for number, row in enumerate(rows, start=1):
            if not all(isinstance(part, str) and part.strip() for part in row):
                raise InputError(
                    "A question and its context must be texts that are not empty. Received, as number "
                    f"{number}: {row!r:.120}."
                )
        ones, others = [question for question, _ in rows], [context for _, context in rows]
        places = [f"number {number}" for number in range(1, len(rows) + 1)]
        return Questions("", places, ones, others, None, places), is_single

    def stream(self, source: str | BufferedReader | Table, options: QuestionOptions) -> Iterator[Questions]:
        """The questions of a file, see `questions`, or of lines of JSON with `question` and `context`."""
        if isinstance(source, (str, Table)):
            yield from questions.stream(source, options)
            return
        raise InputError(
            "Questions come from a file with their contexts. Received: lines of text. Name such a file: JSON lines "
            "of question and context, or a file in the form of SQuAD."
        )

    def is_table(self, path: str) -> bool:
        """Whether it is not in the form of SQuAD."""
        return not questions.is_squad(path)

    def read(
        self, path: str, options: QuestionOptions, config: AlbertConfig | None = None
    ) -> tuple[Questions, QuestionOptions]:
        """Questions, contexts and answers of a file; see `questions`."""
        found = questions.read(path, options)
        if config is None:
            options = replace(options, split_pieces=piece_splits.rule(options.split_pieces, found.contexts))
        return found, options

    def config_keys(self, examples: Questions, options: QuestionOptions) -> Record:
        """The class of the model, where the options ask for a head; otherwise nothing, whatever the data is."""
        return {"architectures": [f"Albert{_HEADS[options.head]}"]} if options.head in _HEADS else {}

    def head_for(self, architectures: Sequence[str] | None) -> str:
        """That of the model's class, and by default the linear one."""
        named = architectures or ()
        return next((head for head in self.heads if any(one.endswith(head) for one in named)), self.head)

    def encode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Questions,
        options: QuestionOptions,
        labelled: bool = False,
    ) -> Features:
        """[CLS] question [SEP] window of the context [SEP], in as many rows as the context needs.

        `start_positions` and `end_positions` are those of the first answer where the window holds it whole, otherwise
        0, the place of [CLS]. Questions that are cut are counted. UnusableRows for those that leave no room.
        """
        whole = pieces.by_text(tokenizer, examples.contexts, options.split_pieces)
        asked = pieces.of_texts(tokenizer, examples.questions)
        sizes = [options.max_length - min(len(question), options.max_query_length) - 3 for question in asked]
        _require_room(examples, sizes, options)
        rows = QuestionRows(tokenizer, options.max_answer_length, options.n_best_size)
        for number, (question, context, size) in enumerate(zip(asked, examples.contexts, sizes, strict=True)):
            ids = question.ids[: options.max_query_length]
            true = examples.answers[number] if labelled and examples.answers else []
            answer = _covered(whole[context], true[0]) if true else None
            shared = min(options.doc_stride, size // 2)
            for window in windows(len(whole[context]), size, shared):
                rows.add(number, ids, whole[context], window, answer)
        truncated = sum(len(question) > options.max_query_length for question in asked)
        return rows.features(labelled, truncated)

    def answer_kinds(self, config: AlbertConfig, **options: Json) -> Record:
        """Those of `decode`."""
        told = calibration.kind(options.get("abstain_below"), config)
        one = {"score": float, "start": int, "end": int, "answer": str, **told}
        return one if options.get("top_k", 1) == 1 else {"answers": [one]}

    def decode(
        self,
        tokenizer: AlbertTokenizerBase,
        config: AlbertConfig,
        examples: Questions,
        features: Features,
        outputs: Iterable[Outputs],
        **options: Json,
    ) -> list[Json]:
        """For each question its answer {"score", "start", "end", "answer"}, or the `top_k` best as a list.

        `answer` is the text between the characters `start` and `end` of the context, with `align_to_words` of whole
        words; `score` is its probability among all that may be answered, calibrated where the model is. With
        `handle_impossible_answer` the empty answer is one of them; it goes first where it scores better than all others
        by more than `null_score_diff_threshold`, for which `score` finds the best values. Where answers may abstain, by
        the model's calibration or `abstain_below`, each says whether the first of them is "abstained".
        """
        options = {**self.answer_options, **options}
        _require_options(options)
        top_k, is_aligned = options["top_k"], options["align_to_words"]
        threshold, calibrated = options["null_score_diff_threshold"], calibration.read(config)
        below = calibration.bound(options["abstain_below"], calibrated)
        count, longest = 2 * top_k + _SPARE if is_aligned else top_k, options["max_answer_len"]
        may_be_none = options["handle_impossible_answer"]
        said = answers.of_questions(features, outputs, count, longest, calibrated.temperature, may_be_none)
        decoded = []
        for context, found in zip(examples.contexts, said, strict=True):
            listed = answers.of_whole_words(found) if is_aligned else list(found.candidates)
            if may_be_none or not listed:
                listed.append(Candidate(0, 0, found.null))
            best = [_answer(context, found, one) for one in _ranked(listed, threshold)[:top_k]]
            told = calibration.abstained(best[0]["score"], below)
            best = [{**one, **told} for one in best]
            decoded.append(best[0] if top_k == 1 else best)
        return decoded

    def score(
        self, config: AlbertConfig, examples: Questions, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, float]:
        """Exact match and F1, of 0 to 100: as SQuAD 2.0 has them where some questions have no answer, else as 1.1.

        Chinese answers are compared as CMRC 2018 does, Japanese ones by characters. An answer is none where that scores
        better by more than the `null_score_diff_threshold` that was fitted for the model, or else by anything.
        """
        found = list(answers.of_questions(features, outputs))
        best = [best_text(context, one.candidates) for context, one in zip(examples.contexts, found, strict=True)]
        metric = answer_scores.metric_of(examples.contexts)
        if not examples.has_unanswerable:
            return answer_scores.squad_1(best, examples.true or [], metric or answer_scores.SQUAD_1)
        odds = [one.odds for one in found]
        threshold = self._threshold(config)
        scores = answer_scores.squad_2(best, examples.true or [], odds, threshold, metric or answer_scores.SQUAD_2)
        return scores | {"null_score_diff_threshold": threshold}

    def calibrate(
        self,
        config: AlbertConfig,
        examples: Questions,
        features: Features,
        outputs: Iterable[Outputs],
        target_accuracy: float | None = None,
    ) -> tuple[Calibration, Record]:
        """A temperature, the threshold of no answer, where to abstain for an accuracy; see `confidence.fitted`."""
        from albertkit.tasks.question_answering import confidence

        fitted = trained_on.fitted(config, self)
        may_be_none = examples.has_unanswerable or fitted.get("handle_impossible_answer") is True
        longest = trained_on.kept(config, self).get("max_answer_length", self.answer_options["max_answer_len"])
        found = list(answers.of_questions(features, outputs, 1, longest, may_be_none=may_be_none))
        best = [best_text(context, one.candidates) for context, one in zip(examples.contexts, found, strict=True)]
        judged = confidence.Judged(examples, found, best)
        return confidence.fitted(judged, self._threshold(config), examples.path, target_accuracy)

    def fitted(self, scores: Mapping[str, float]) -> Record:
        """Where some questions have no answer: that none may be given, and the threshold with the best F1."""
        if "best_f1_threshold" not in scores:
            return {}
        return {"handle_impossible_answer": True, "null_score_diff_threshold": scores["best_f1_threshold"]}

    def files(
        self, config: AlbertConfig, examples: Questions, features: Features, outputs: Iterable[Outputs]
    ) -> dict[str, Record]:
        """predictions.json, nbest_predictions.json and null_odds.json; see `answer_files`.

        Odds are there where some questions have no answer, or the model learned from such.
        """
        found = list(answers.of_questions(features, outputs))
        may_lack = examples.has_unanswerable or "null_score_diff_threshold" in trained_on.fitted(config, self)
        return answer_files.of(examples, found, self._threshold(config) if may_lack else None)

    def _threshold(self, config: AlbertConfig) -> float:
        fitted = trained_on.fitted(config, self)
        _require_options(fitted)
        return fitted.get("null_score_diff_threshold", 0.0)

    def metrics(self, config: AlbertConfig) -> tuple[str, ...]:
        """Those that both forms of SQuAD have."""
        return ("f1", "exact_match")

    def figures(
        self, config: AlbertConfig, examples: Questions, features: Features, outputs: Sequence[Outputs]
    ) -> list[Figure]:
        """Scores by the length of the answer, and how often answers are right by how sure the model is of them."""
        found = list(answers.of_questions(features, outputs, may_be_none=examples.has_unanswerable))
        best = [best_text(context, one.candidates) for context, one in zip(examples.contexts, found, strict=True)]
        return answer_figures.of(examples, best, found, self._threshold(config))

    def label_counts(self, examples: Questions, options: QuestionOptions, config: AlbertConfig) -> dict[str, int]:
        """Questions with and without an answer."""
        without = sum(not found for found in examples.true or ())
        return {"with an answer": len(examples) - without} | ({"without an answer": without} if without else {})

    def doubts(self, examples: Questions, features: Features) -> dict[str, list[int]]:
        """Questions whose first answer pieces of the vocabulary cut through, or no window holds whole."""
        owners, answers = features.example or (), examples.answers or []
        whole = dict(zip(owners, features.columns["pieces"], strict=True))
        starts = zip(owners, features.labels["start_positions"], strict=True)
        held = {number for number, start in starts if start}
        cut = [number for number, found in enumerate(answers) if pieces.are_cut(whole[number], found[:1])]
        return {
            "An answer begins or ends within a piece of the vocabulary, and is learned with all of it.": cut,
            "An answer is longer than what two windows share, and is learned as none where no window holds it whole.": [
                number for number, found in enumerate(answers) if found and number not in held
            ],
        }

    def describe(self, options: QuestionOptions, config: AlbertConfig) -> str:
        """What is asked for."""
        return "questions with answers in their contexts"


def best_text(context: str, listed: Sequence[Candidate]) -> str:
    """The text of the best answer, which is empty where there is none."""
    return context[listed[0].start : listed[0].stop] if listed else ""


def _ranked(listed: Sequence[Candidate], threshold: float) -> list[Candidate]:
    """Best first; the empty answer stands where it would with a score that is lower by the threshold."""
    return sorted(listed, key=lambda one: -(one.score if one.stop else one.score - threshold))


def _answer(context: str, found: Found, one: Candidate) -> Record:
    place = {"start": one.start, "end": one.stop, "answer": context[one.start : one.stop]}
    return {"score": found.probability(one.score), **place}


def _pairs(given: Json) -> tuple[list[tuple[Json, Json]], bool]:
    """Questions and contexts in any of the forms that a pipeline takes, and whether it is a single one."""
    if isinstance(given, Mapping):
        given = (given.get("question"), given.get("context"))
    if isinstance(given, list) and all(isinstance(one, Mapping) for one in given):
        return [(one.get("question"), one.get("context")) for one in given], False
    is_of_pairs = isinstance(given, list) and not all(isinstance(one, str) for one in given)
    if not isinstance(given, (tuple, list)) or len(given) != 2 or is_of_pairs:
        raise InputError(
            "Give a question and a context, lists of both, or mappings with both names; to a command the context with "
            f"--pair. Received: {given!r:.120}."
        )
    question, context = given
    if isinstance(question, str):
        return [(question, context)], True
    if not _is_listed(question) or not (isinstance(context, str) or _is_listed(context)):
        raise InputError(
            "Questions and contexts must be texts, or lists of them. Received: "
            f"{abbreviate(question, 60)}, a {type(question).__name__}, and {abbreviate(context, 60)}, a "
            f"{type(context).__name__}. Make lists of them."
        )
    contexts = [context] * len(question) if isinstance(context, str) else list(context)
    if len(contexts) != len(question):
        raise InputError(
            f"Every question needs its context. Received: {len(question)} questions and {len(contexts)} contexts."
        )
    return list(zip(question, contexts, strict=True)), False


def _is_listed(value: Json) -> bool:
    """Whether a value has texts in an order: a list, a tuple, an array or a column of one axis."""
    return isinstance(value, (list, tuple)) or (hasattr(value, "tolist") and getattr(value, "ndim", 1) == 1)


def _require_options(options: Record) -> None:
    """InputError for options of an answer that have no meaning."""
    for name in {"top_k", "max_answer_len"} & options.keys():
        require_count(name, options[name])
    for name in {"handle_impossible_answer", "align_to_words"} & options.keys():
        if not isinstance(options[name], bool):
            raise InputError(f"`{name}` must be True or False. Received: {abbreviate(options[name])}.")
    threshold = options.get("null_score_diff_threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not math.isfinite(threshold):
        raise InputError(
            f"`null_score_diff_threshold` must be a finite number. Received: {abbreviate(threshold)}. Leave it out for "
            "0."
        )


def _require_room(examples: Questions, sizes: Sequence[int], options: QuestionOptions) -> None:
    """UnusableRows where windows have no room for a context; `sizes` are the tokens that they have for it."""
    without = [number for number, size in enumerate(sizes) if size < 1]
    if without:
        rule = "A window must have room for a context beside the question."
        taken = options.max_length - 3 - sizes[without[0]]
        others = f" The same is so of {len(without) - 1:,} others." if len(without) > 1 else ""
        raise UnusableRows(
            f"{rule} {examples.where(without[:1]) or f'Question {without[0] + 1}'} has {taken} tokens of "
            f"{options.max_length}.{others} Make `max_length` larger, or `max_query_length` smaller, which a call "
            "of a pipeline names `max_seq_len` and `max_question_len`.",
            dict.fromkeys(without, rule),
        )


def _covered(context: Pieces, answer: Span) -> range | None:
    """The pieces that an answer shares a character with."""
    found = [place for place, span in enumerate(context.spans) if span.start < answer.stop and answer.start < span.stop]
    return range(found[0], found[-1] + 1) if found else None
