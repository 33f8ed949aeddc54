"""The options of the data section of a recipe: those that all tasks share, and how a task adds its own."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_origin

from albertkit.errors import InputError, did_you_mean
from albertkit.typing import Json, Record


def option(default: Json, help: str, *, is_kept: bool = False, aliases: tuple[str, ...] = (), **rules: Json) -> Any:
    """A field of `DataOptions`: its default, a line for `--help`, and rules such as ge, gt, lt and min_length.

    One that `is_kept` holds for the files that the trained model scores or answers, too; see `tasks.trained_on`.
    `aliases` are other names of it on the command line.
    """
    metadata = {"help": help, "rules": rules, "is_kept": is_kept, "aliases": aliases}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: 'a list, such as ["a", "b"]',
}


_RULES: dict[str, tuple[str, Callable[[Json, Json], bool]]] = {
    "ge": ("at least", operator.ge),
    "gt": ("above", operator.gt),
    "lt": ("below", operator.lt),
    "min_length": ("of a length of at least", lambda value, bound: len(value) >= bound),
}


@dataclass(frozen=True)
class DataOptions:
    """The options of the data section of a recipe that all tasks share; a task adds its own in a subclass."""

    train: str = option("", "Training data: .csv, .tsv, .json, .jsonl or .parquet.", aliases=("data", "data-dir"))
    eval: str = option("", "Evaluation data; default: a part of the training data.")
    hub_dataset: str = option("", "Data set of the Hugging Face Hub in place of files: NAME or NAME/CONFIG.")
    hub_config: str = option("", "Its configuration, where it is not named with it.")
    train_split: str = option("train", "Its split to train on.")
    eval_split: str = option("", "Its split to evaluate on; default: the one for validation, if there is one.")
    held_out: float = option(0.1, "Part of the training data held out without evaluation data.", gt=0, lt=1)
    header: list[str] = option([], "Comma-separated column names of a CSV or TSV without a header line.", is_kept=True)
    max_length: int = option(128, "Longest input in tokens; what is beyond is cut off and counted.", ge=4)
    max_train_samples: int = option(0, "Train on the first so many examples alone; 0: on all.", ge=0)
    max_eval_samples: int = option(0, "Score on the first so many examples alone; 0: on all.", ge=0)
    skip_bad_rows: bool = option(False, "Leave out, and count, rows that cannot be used, instead of stopping.")

    def __post_init__(self) -> None:
        """InputError where one column is named, or was found, for two uses."""
        uses: dict[str, str] = {}
        for name in (one.name for one in fields(self) if one.name.endswith("_column")):
            column = getattr(self, name)
            if column and (other := uses.setdefault(column, name)) != name:
                options = " or ".join(f"--{one.replace('_', '-')}" for one in (other, name))
                raise InputError(
                    f"A column has one use. Received: {column!r} as `{other}` and as `{name}`. Name another with "
                    f"{options}."
                )

    @classmethod
    def defaults(cls) -> Record:
        """Every option with its default."""
        return {one.name: _default(one) for one in fields(cls)}

    @classmethod
    def of(cls, values: Mapping[str, Json]) -> Self:
        """Options by name. InputError for a name that is none, and a value of another kind or out of bounds."""
        known = cls.defaults()
        rules = {one.name: one.metadata["rules"] for one in fields(cls)}
        hints = {one.name: one.type for one in fields(cls) if get_origin(one.type) is Literal}
        for name, value in values.items():
            if name not in known:
                listed = ", ".join(known)
                raise InputError(
                    f"The data of this task has the options {listed}. Received: {name!r}.{did_you_mean(name, known)}"
                )
            kinds = (int, float) if isinstance(known[name], float) else type(known[name])
            if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(known[name], bool):
                wanted = _KINDS[type(known[name])]
                raise InputError(f"The option `{name}` must be {wanted}. Received: {value!r}.")
            if (choices := get_args(hints.get(name))) and isinstance(value, str) and value not in choices:
                raise InputError(
                    f"The option `{name}` must be one of {', '.join(choices)}. Received: {value!r}."
                    f"{did_you_mean(value, choices)}"
                )
            for rule, bound in rules[name].items():
                words, holds = _RULES[rule]
                if not holds(value, bound):
                    raise InputError(f"The option `{name}` must be {words} {bound}. Received: {value!r}.")
        return cls(**values)


def _default(one: Field[Json]) -> Json:
    return one.default_factory() if one.default_factory is not MISSING else one.default
