"""What is read from a file or passed to a pipeline, as fine-tuning and pipelines see it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self, TypeVar

from albertkit.errors import InputError, UnusableRows, few
from albertkit.tasks import bad_rows, tables
from albertkit.tasks.bad_rows import BadRow, BadRows
from albertkit.typing import Json, Record

ExamplesT = TypeVar("ExamplesT", bound="Examples")
MadeT = TypeVar("MadeT")
_FEW = 20
"""Examples from which on a score says something."""


@dataclass(frozen=True)
class Examples(ABC):
    """What is read from a file or passed to a pipeline: inputs, and labels where there are any."""

    columns: ClassVar[tuple[str, ...]]
    """The fields that have one value for each example, or are None."""
    bound: ClassVar[frozenset[str]] = frozenset()
    """Names of what is `shared` by examples that no split parts, however many they are."""

    path: str
    """The file they come from; nothing where they were passed."""
    left_out: Sequence[BadRow] = field(default=(), kw_only=True)
    """Rows that cannot be used and were left out, where that was allowed."""
    found: str = field(default="", kw_only=True)
    """What was inferred from the file, for people; nothing where all is said in it."""
    rest: Sequence[Record] | None = field(default=None, kw_only=True)
    """What else stands in the row of each example, by column, where it is kept here."""

    def __len__(self) -> int:
        return len(getattr(self, self.columns[0]))

    def take(self, chosen: Iterable[int]) -> Self:
        """Some of the examples, by number."""
        chosen = list(chosen)
        columns = {name: getattr(self, name) for name in (*self.columns, "rest")}
        taken = {name: [values[one] for one in chosen] for name, values in columns.items() if values is not None}
        return replace(self, **taken)

    def without(self, rules: Mapping[int, str]) -> Self:
        """The examples but for those of some numbers, which are noted as left out by the rule that each breaks."""
        left = [BadRow(self.place(number), rule, self.path) for number, rule in sorted(rules.items())]
        kept = self.take(number for number in range(len(self)) if number not in rules)
        return replace(kept, left_out=[*self.left_out, *left])

    @abstractmethod
    def texts(self) -> Iterable[str]:
        """All texts, from which a vocabulary may be learned."""

    @abstractmethod
    def place(self, number: int) -> str:
        """Where an example stands in its file, such as line 3."""

    def line(self, number: int) -> int | None:
        """The first line of the row of a table that an example is made of; None where it is of none."""
        return None

    def where(self, chosen: Sequence[int]) -> str:
        """Where examples stand, for a message: file and places, or nothing where they come from no file."""
        return f"{self.path}, {few([self.place(number) for number in chosen])}" if self.path else ""

    @abstractmethod
    def shown(self, number: int) -> Record:
        """What is printed beside the answer of an example, for JSON."""

    def with_rest(self, own: Record, number: int) -> Record:
        """What is shown of an example itself, and what else stands in its row; see `beside`."""
        return own if self.rest is None else beside(own, self.rest[number])

    def key(self, number: int) -> Hashable:
        """What an example is without its label: those that are alike repeat each other."""
        return repr(self.shown(number))

    def parts(self) -> Mapping[str, Sequence[str]]:
        """The texts of the examples by what they are, such as question and context: of each one an example."""
        shown = [self.shown(number) for number in range(len(self))]
        names = [name for name in (shown[0] if shown else ()) if all(isinstance(row.get(name), str) for row in shown)]
        return {name: [row[name] for row in shown] for name in names}

    def label_key(self, number: int) -> Hashable:
        """What stands for the label of an example: examples that are alike and differ in it contradict each other."""
        return None

    def shared(self) -> Mapping[str, Sequence[tuple[Hashable, ...]]]:
        """What examples may have in common, by name, such as a context: for each example its values.

        Examples that share one are no evidence of each other: they belong on one side of a split.
        """
        return {}


def beside(own: Record, rest: Mapping[str, Json]) -> Record:
    """What is shown of an example itself and other columns of its row, which get another name rather than its place."""
    return own | {
        f"input_{name}" if name in own else name: None if tables.is_missing(value) else value
        for name, value in rest.items()
    }


def usable(examples: ExamplesT, made: Callable[[ExamplesT], MadeT], skip: bool) -> tuple[ExamplesT, MadeT]:
    """The examples of which something can be made, and that; others are left out where `skip` says so.

    InputError where it does not, and where no example is left.
    """
    while True:
        try:
            return examples, made(examples)
        except UnusableRows as error:
            if not error.rules or not (skip or examples.path):
                raise
            if not skip:
                raise InputError(f"{error} {bad_rows.WAY_OUT}") from error
            examples = examples.without(error.rules)
            if not len(examples):
                bad_rows.require_rest(examples.path, examples.left_out)


def streamed(parts: Iterable[ExamplesT], bad: BadRows) -> Iterator[ExamplesT]:
    """The parts of a file, each with the rows that were left out since the one before.

    An empty part comes last where rows behind all others were left out. InputError where nothing else was found.
    """
    last = None
    for part in parts:
        last = part
        yield replace(part, left_out=bad.taken())
    if last is None:
        bad.require_rest(0)
    elif bad.found:
        yield replace(last.take([]), left_out=bad.taken())


def first(examples: ExamplesT, count: int) -> ExamplesT:
    """The first so many examples, or all where `count` is 0."""
    return examples.take(range(min(count, len(examples)))) if count else examples


def repeated(examples: Examples, others: Examples) -> list[int]:
    """The numbers of the examples that are among `others`, too."""
    known = {others.key(number) for number in range(len(others))}
    return [number for number in range(len(examples)) if examples.key(number) in known]


def few_to_score(count: int) -> str:
    """A sentence where scores on so many examples say next to nothing; else nothing."""
    if count >= _FEW:
        return ""
    share = f"one right answer more is {100 / count:.0f} % of accuracy" if count > 1 else "it is right or it is not"
    return f"{count} {'example is' if count == 1 else 'examples are'} too few to score a model on: {share}."
