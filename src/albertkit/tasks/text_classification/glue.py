"""The ten tasks of GLUE: what their columns and classes are called, which scores are theirs, and what its server takes.

Wang et al. 2019, "GLUE: A multi-task benchmark and analysis platform for natural language understanding". Classes have
the names and the order of the copy on the hub, nyu-mll/glue, whose labels are their numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from albertkit.errors import InputError, did_you_mean

_ENTAILMENT = ("entailment", "not_entailment")
_THREE = ("entailment", "neutral", "contradiction")
_SENTENCES = (("sentence1", "sentence2"), ("premise", "hypothesis"), ("text1", "text2"))
_ONE = (("sentence",), ("text",))
_LABELS = ("label",)
_NUMBERED = ("index", "sentence1", "sentence2", "label")

COMBINED = "combined_score"
"""The mean of the two scores of a task that has two, which is what GLUE averages over tasks."""


@dataclass(frozen=True)
class GlueTask:
    """A task of GLUE. Columns are found by these names in lower case, first found first taken."""

    title: str
    """What GLUE calls it, its folder and its answers."""
    texts: tuple[tuple[str, ...], ...]
    """The column of the text, or those of a pair."""
    classes: tuple[str, ...]
    """In the order of their numbers; none where a number is predicted."""
    metrics: tuple[str, ...]
    """The scores that GLUE reports."""
    test_rows: Mapping[str, int]
    """How many answers the server takes, by the file that they stand in."""
    labels: tuple[str, ...] = _LABELS
    headers: tuple[tuple[str, ...], ...] = ()
    """The columns of files without a line of names, one layout for each number of fields."""
    answers_by_number: bool = False
    """Whether the server takes classes as numbers, and not by name."""
    evaluated_on: tuple[str, ...] = ("",)
    """What stands behind dev, validation and test in the names of its files; the first chooses the best weights."""
    aliases: tuple[str, ...] = field(default=(), kw_only=True)
    has_training: bool = field(default=True, kw_only=True)

    @property
    def choosing(self) -> tuple[str, ...]:
        """The scores in order: the first one chooses the best weights."""
        return self.metrics if len(self.metrics) == 1 else (COMBINED, *self.metrics)

    def header_of(self, fields: list[str]) -> tuple[str, ...]:
        """The names of the columns of a file whose first line has these fields; none where that line names them."""
        if self.columns({name.strip().lower(): name for name in fields}):
            return ()
        return next((names for names in self.headers if len(names) == len(fields)), ())

    def columns(self, names: Mapping[str, str]) -> tuple[str, ...]:
        """The columns of the text or the pair, among columns by their names in lower case; else nothing."""
        found = next((one for one in self.texts if all(name in names for name in one)), ())
        return tuple(names[name] for name in found)


_MNLI = GlueTask(
    "MNLI",
    _SENTENCES,
    _THREE,
    ("accuracy",),
    {"MNLI-m": 9_796, "MNLI-mm": 9_847, "AX": 1_104},
    ("gold_label", "label"),
    evaluated_on=("_matched", "_mismatched"),
    aliases=("mnlim", "mnlimatched", "multinli"),
)

TASKS: Mapping[str, GlueTask] = {
    "cola": GlueTask(
        "CoLA",
        _ONE,
        ("unacceptable", "acceptable"),
        ("matthews_correlation",),
        {"CoLA": 1_063},
        headers=(("source", "label", "mark", "sentence"),),
        answers_by_number=True,
    ),
    "sst2": GlueTask(
        "SST-2",
        _ONE,
        ("negative", "positive"),
        ("accuracy",),
        {"SST-2": 1_821},
        answers_by_number=True,
        aliases=("sst",),
    ),
    "mrpc": GlueTask(
        "MRPC",
        (("#1 string", "#2 string"), *_SENTENCES),
        ("not_equivalent", "equivalent"),
        ("accuracy", "f1"),
        {"MRPC": 1_725},
        ("quality", "label"),
        (("label", "id1", "id2", "sentence1", "sentence2"),),
        answers_by_number=True,
        aliases=("msrparaphrase",),
    ),
    "stsb": GlueTask("STS-B", _SENTENCES, (), ("pearson", "spearman"), {"STS-B": 1_379}, ("score", "label")),
    "qqp": GlueTask(
        "QQP",
        (("question1", "question2"), ("text1", "text2")),
        ("not_duplicate", "duplicate"),
        ("accuracy", "f1"),
        {"QQP": 390_965},
        ("is_duplicate", "label"),
        (("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),),
        answers_by_number=True,
    ),
    "mnli": _MNLI,
    "mnlimm": GlueTask(
        "MNLI",
        _SENTENCES,
        _THREE,
        ("accuracy",),
        _MNLI.test_rows,
        _MNLI.labels,
        evaluated_on=("_mismatched",),
        aliases=("mnlimismatched",),
    ),
    "qnli": GlueTask(
        "QNLI", (("question", "sentence"), ("text1", "text2")), _ENTAILMENT, ("accuracy",), {"QNLI": 5_463}
    ),
    "rte": GlueTask("RTE", _SENTENCES, _ENTAILMENT, ("accuracy",), {"RTE": 3_000}, headers=(_NUMBERED,)),
    "wnli": GlueTask(
        "WNLI",
        _SENTENCES,
        ("not_entailment", "entailment"),
        ("accuracy",),
        {"WNLI": 146},
        headers=(_NUMBERED,),
        answers_by_number=True,
    ),
    "ax": GlueTask(
        "AX",
        _SENTENCES,
        _THREE,
        ("matthews_correlation",),
        {"AX": 1_104},
        aliases=("diagnostic", "diagnostics"),
        has_training=False,
    ),
}
"""By name: lower case, without hyphens and underscores."""

_NAMES = {alias: name for name, task in TASKS.items() for alias in (name, *task.aliases)}


def plain(name: str) -> str:
    """A name as the tasks are called here: SST-2 is sst2."""
    return "".join(sign for sign in name.lower() if sign.isalnum())


def get(name: str) -> GlueTask:
    """The task called `name`, however that is spelt: SST-2, sst2, sst_2. InputError where there is none."""
    found = _NAMES.get(plain(name))
    if found is None:
        known = "cola, sst2, mrpc, stsb, qqp, mnli, mnli-mm, qnli, rte, wnli, ax"
        raise InputError(
            f"`task_name` must be a task of GLUE: {known}. Received: {name!r}.{did_you_mean(plain(name), _NAMES)} For "
            "data of another kind leave it out."
        )
    return TASKS[found]


def fitting(names: Mapping[str, str]) -> list[str]:
    """The titles of the tasks whose files have such columns, by their names in lower case."""
    return [
        one.title
        for name, one in TASKS.items()
        if name not in ("mnlimm", "ax") and one.columns(names) and any(label in names for label in one.labels)
    ]
