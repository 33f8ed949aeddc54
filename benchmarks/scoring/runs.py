"""The runs of quality.py: of each task the data, the recipe, the scores, and what it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from albertkit.config import AlbertConfig
from scoring import data, japanese
from scoring.baselines import BEFORE, MAJORITY, MEAN, NONE, SPAN, WORDS
from scoring.data import Source, published

SMALL_EN, SMALL_JA = "albertkit/small-en", "albertkit/small-ja"
SHAPE = (
    *("embedding_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"),
    *("max_position_embeddings", "hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob"),
    "initializer_range",
)
"""What makes a fresh model of the same configuration, but for the vocabulary, which the tokenizer brings."""


@dataclass(frozen=True)
class Run:
    """A task with its recipe. `scores` are those that are reported, the first of them is the one that counts."""

    name: str
    title: str
    task: str
    source: Source
    scores: tuple[str, ...]
    baseline: str
    keys: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (1,)
    model: str = SMALL_EN
    """The trained model that it starts from, and whose shape and vocabulary one from nothing has."""
    after: str = ""
    """The run whose model it starts from, in place of the model itself."""

    def recipe(self) -> dict[str, Any]:
        """What decides a run beside its seed and where it starts."""
        start = {"model.name": f"the model of {self.after}"} if self.after else {}
        return {**self.keys, **start}


def from_nothing(model: str) -> dict[str, Any]:
    """The keys of a run with fresh weights in the shape of a model, and its vocabulary."""
    config = AlbertConfig.from_pretrained(model)
    shape = {key: getattr(config, key) for key in SHAPE}
    return {"model.name": "base", "model.tokenizer": model, "model.config": shape}


def trained(rate: float, epochs: float, batch: int = 16, length: int = 128, **others: Any) -> dict[str, Any]:
    """The keys of a recipe; there is one evaluation, of the last step, so that none is chosen by its score."""
    own = {"learning_rate": rate, "epochs": epochs, "batch_size": batch, "warmup_ratio": 0.1, "beta2": 0.98}
    more = {name.replace("__", "."): value for name, value in others.items()}
    return {**{f"training.{key}": value for key, value in own.items()}, **LAST, "data.max_length": length, **more}


LAST = {"training.evaluate_every": 1_000_000}
TEXTS, ENTITIES, QUESTIONS, CHOICES, MASKS = (
    *("text-classification", "token-classification", "question-answering", "multiple-choice", "fill-mask"),
)
ENTITY_SCORES = ("f1", "precision", "recall")
FAST = {"training__precision": "bf16"}
"""For runs that would take an hour in float32."""
NER_ROWS = {"data__max_eval_samples": 3000}
CONLL_ROWS = {"data__max_train_samples": 8000}


def _japanese(name: str, title: str, task: str, source: Source, scores: tuple[str, ...], *more: Any) -> Run:
    baseline, keys = more
    return Run(name, title, task, source, scores, baseline, keys, model=SMALL_JA, seeds=THREE)


def _glue(name: str, folder: str, title: str, scores: tuple[str, ...], keys: dict[str, Any], **more: Any) -> Run:
    source = published(f"glue/{folder}/train.tsv", f"glue/{folder}/dev.tsv")
    baseline = MEAN if name == "stsb" else MAJORITY
    return Run(name, title, TEXTS, source, scores, baseline, {**keys, "data.task_name": name}, **more)


THREE = (1, 2, 3)
"""Seeds of runs that take a minute or two."""

_ALL = (
    _glue("cola", "CoLA", "CoLA", ("matthews_correlation",), trained(3e-4, 3), seeds=THREE),
    Run("wikiann", "WikiANN, English", ENTITIES, data.wikiann, ENTITY_SCORES, WORDS, trained(5e-4, 1, **NER_ROWS)),
    Run("conll", "CoNLL-2003", ENTITIES, data.CONLL, ENTITY_SCORES, WORDS, trained(5e-4, 1, **CONLL_ROWS)),
    Run("wnut17", "WNUT 2017", ENTITIES, data.WNUT, ENTITY_SCORES, WORDS, trained(5e-4, 4), seeds=THREE),
    Run("nli", "SNLI and SICK", TEXTS, data.nli, ("accuracy",), MAJORITY, trained(5e-4, 2, length=96)),
    _glue("stsb", "STS-B", "STS-B", ("pearson", "spearman"), trained(3e-4, 3), after="nli", seeds=THREE),
    _glue("mrpc", "MRPC", "MRPC", ("accuracy", "f1"), trained(3e-4, 3), after="nli", seeds=THREE),
    _glue("rte", "RTE", "RTE", ("accuracy",), trained(3e-4, 3), after="nli", seeds=THREE),
    Run(
        "qnli",
        "QNLI",
        TEXTS,
        data.qnli,
        ("accuracy",),
        MAJORITY,
        trained(3e-4, 2, data__task_name="qnli"),
        after="nli",
        seeds=THREE,
    ),
    Run(
        "squadshifts",
        "SQuADShifts, Wikipedia and Reddit to Amazon",
        QUESTIONS,
        data.squad_shifts,
        ("f1", "exact_match"),
        SPAN,
        trained(5e-4, 2, length=160, data__doc_stride=48, data__max_eval_samples=1000, **FAST),
    ),
    Run(
        "squad2",
        "SQuAD 2.0",
        QUESTIONS,
        data.by_article("squad2", "qa/squad2_cs224n_dev-v2.0.json", 0.2),
        ("best_f1", "best_exact_match", "f1"),
        NONE,
        trained(3e-4, 3, length=160, data__doc_stride=48, **FAST),
        after="squadshifts",
    ),
    Run(
        "dream",
        "DREAM",
        CHOICES,
        published("choice/dream_train.json", "choice/dream_dev.json"),
        ("accuracy",),
        MAJORITY,
        trained(3e-4, 3, length=192, data__max_qa_length=64, **FAST),
    ),
    Run(
        "race",
        "RACE middle",
        CHOICES,
        published("choice/race_middle_train.jsonl.xz", "choice/race_middle_dev.jsonl"),
        ("accuracy",),
        MAJORITY,
        trained(3e-4, 1, length=256, data__max_qa_length=64, **FAST),
    ),
    Run(
        "copa",
        "COPA",
        CHOICES,
        data.copa,
        ("accuracy",),
        MAJORITY,
        trained(3e-4, 4, 8, 64, data__max_qa_length=48),
        after="race",
        seeds=THREE,
    ),
    Run(
        "reviews",
        "Masked words of IMDB",
        MASKS,
        data.reviews,
        ("perplexity", "masked_accuracy"),
        BEFORE,
        trained(5e-4, 1),
    ),
    Run("imdb-truncate", "IMDB, --long truncate", TEXTS, data.imdb, ("accuracy",), MAJORITY, trained(3e-4, 1)),
    Run(
        "imdb-windows",
        "IMDB, --long windows",
        TEXTS,
        data.imdb,
        ("accuracy",),
        MAJORITY,
        trained(3e-4, 1, data__long="windows"),
    ),
    _japanese(
        "ner-wikipedia",
        "Japanese Wikipedia NER",
        ENTITIES,
        japanese.ner_wikipedia,
        ENTITY_SCORES,
        WORDS,
        trained(1e-3, 10, **FAST),
    ),
    _japanese("jsts", "JSTS", TEXTS, japanese.jsts, ("spearman", "pearson"), MEAN, trained(6e-4, 3, length=96, **FAST)),
    _japanese("jnli", "JNLI", TEXTS, japanese.jnli, ("accuracy",), MAJORITY, trained(6e-4, 4, length=96, **FAST)),
    _japanese(
        "jcommonsenseqa",
        "JCommonsenseQA",
        CHOICES,
        japanese.jcommonsenseqa,
        ("accuracy",),
        MAJORITY,
        trained(5e-4, 4, length=64, data__max_qa_length=48, **FAST),
    ),
    _japanese(
        "jsquad",
        "JSQuAD",
        QUESTIONS,
        japanese.jsquad,
        ("f1", "exact_match"),
        SPAN,
        trained(6e-4, 6, length=192, data__doc_stride=64, **FAST),
    ),
)
RUNS = {run.name: run for run in _ALL}
"""The runs by their names, those that others start from in front of these."""
