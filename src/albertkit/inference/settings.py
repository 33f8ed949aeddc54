"""How a pipeline computes its answers, whatever the task: how long a text may be, and how many are taken together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from albertkit import loading
from albertkit.errors import InputError, abbreviate, did_you_mean
from albertkit.tasks.base import AnyTask
from albertkit.tasks.features import Features
from albertkit.tasks.inputs import require_count
from albertkit.tokenization.options import NO_LIMIT
from albertkit.typing import Json, Record

DEFAULTS: Record = {"max_length": None, "truncation": True, "batch_size": None, "max_batch_tokens": None}
"""The options that every pipeline has, beside those of its task."""
CHANGE_NOTHING = ("padding", "num_workers", "use_fast", *loading.IGNORED)
"""Options of Transformers' pipelines by which no answer differs here."""
ALIASES = {"max_seq_len": "max_length", "topk": "top_k"}
"""Other names of options in Transformers."""

_INSTEAD = {
    "return_all_scores": "top_k=None gives all classes, best first.",
    "grouped_entities": 'aggregation_strategy="simple" makes entities of pieces.',
    "ignore_subwords": 'aggregation_strategy="first" gives a word the tag of its first piece.',
    "is_split_into_words": "Pass the words as one text, with blanks between them.",
}
"""What is said of other options of Transformers."""
_CUTS = {True: True, "longest_first": True, None: True, False: False, "do_not_truncate": False}
_ENDLESS = NO_LIMIT - 1
"""A length that no text has, and that tokenizers still take for one."""


@dataclass(frozen=True)
class Settings:
    """The options of a call that are not the task's."""

    max_length: int
    """The longest input in tokens."""
    cuts: bool
    """Whether longer ones are cut, or else refused."""
    batch_size: int | None
    """The most rows that are computed together."""
    max_batch_tokens: int | None
    """The most tokens that are computed together, with their padding."""
    data: Record = field(default_factory=dict)
    """Options of the task's data, by name, that this call is told."""
    skips: bool = False
    """Whether examples that a model cannot be given are left out, or else refused."""

    @classmethod
    def of(cls, default: int, longest: int, truncation: Json, **sizes: Json) -> Self:
        """Settings by name; a model has `longest` places, and its texts are `default` long. InputError for others."""
        for name, value in sizes.items():
            if value is not None:
                require_count(name, value)
        if not isinstance(truncation, (bool, str, type(None))) or truncation not in _CUTS:
            raise InputError(
                "`truncation` must be True or False; of a pair the longer text is cut first. Received: "
                f"{abbreviate(truncation)}."
            )
        length = min(sizes["max_length"] or default, longest)
        return cls(length, _CUTS[truncation], sizes["batch_size"], sizes["max_batch_tokens"])

    @property
    def encoded_length(self) -> int:
        """What a tokenizer cuts at."""
        return self.max_length if self.cuts else _ENDLESS

    def require_short(self, features: Features) -> None:
        """InputError where a row is too long and may not be cut."""
        too_long = [row for row, length in enumerate(features.lengths()) if length > self.max_length]
        if too_long and not self.cuts:
            raise InputError(
                f"Without truncation a text must fit into {self.max_length} tokens. Received: {len(too_long)} longer "
                f"of {len(features)}, the first of them number {too_long[0] + 1} with "
                f"{features.lengths()[too_long[0]]}. Shorten them, or pass truncation=True."
            )


def split(options: Mapping[str, Json], task: str, known: Mapping[str, Json]) -> tuple[Record, Record]:
    """Options apart: those in DEFAULTS, and those of a task that are `known`; both with their defaults.

    InputError for an option that is none.
    """
    own = {name: value for name, value in options.items() if name not in CHANGE_NOTHING}
    general = {name: own.pop(name, default) for name, default in DEFAULTS.items()}
    for name in own:
        if name not in known:
            rule = f"has the options {', '.join(known)}" if known else "answers without options"
            hint = f" {_INSTEAD[name]}" if name in _INSTEAD else did_you_mean(name, (*known, *DEFAULTS))
            raise InputError(f"{task} {rule}. Received: {name!r}. Leave it out.{hint}")
    return general, {**known, **own}


def renamed(options: Mapping[str, Json]) -> Record:
    """Options under their own names. InputError for one that is given under two."""
    found = dict(options)
    for alias, name in ALIASES.items():
        if alias not in found:
            continue
        if found.get(name) is not None:
            raise InputError(
                f"`{alias}` is another name of `{name}`. Received: {abbreviate(found[alias])} and "
                f"{abbreviate(found[name])}. Leave one out."
            )
        found[name] = found.pop(alias)
    return found


def built_with(task: AnyTask, options: Mapping[str, Json]) -> Record:
    """The keys of a config that options of a pipeline state: those that decide how the task's model is built."""
    given = {key: options.get(name) for name, key in task.model_options.items()}
    return {key: value for key, value in given.items() if value is not None}
