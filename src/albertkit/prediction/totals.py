"""What is counted over all blocks of a run, and said at its end: the journal keeps it for a run that goes on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Self

from albertkit.errors import few
from albertkit.prediction.answering import Finished
from albertkit.tasks.bad_rows import BadRow
from albertkit.tasks.unknown import UnknownTotals
from albertkit.typing import Json, Record

_NAMED = 6
"""Bad rows of a kind that are named."""


@dataclass(frozen=True)
class BadKind:
    """Rows of a file that break one rule."""

    rule: str
    path: str
    count: int
    places: tuple[str, ...]

    def describe(self) -> str:
        """The rule, and how many rows break it."""
        others = [""] * (self.count - len(self.places))
        file = f" of {self.path}" if self.path else ""
        return f"{self.rule} Not so in {self.count:,}{file}: {few([*self.places, *others])}."


@dataclass(frozen=True)
class Totals:
    """Sums over blocks."""

    answers: int = 0
    filtered: int = 0
    """Rows that no condition keeps."""
    truncated: int = 0
    unknown: UnknownTotals = field(default_factory=UnknownTotals)
    bad: tuple[BadKind, ...] = ()

    @property
    def left_out(self) -> int:
        """Rows that cannot be used."""
        return sum(kind.count for kind in self.bad)

    def plus(self, block: Finished) -> Self:
        """With one block more."""
        return replace(
            self,
            answers=self.answers + block.unknown.texts,
            filtered=self.filtered + block.filtered,
            truncated=self.truncated + block.truncated,
            unknown=self.unknown + block.unknown,
            bad=_with(self.bad, block.bad),
        )

    def to_dict(self) -> Record:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Json) -> Self:
        """The inverse of `to_dict`."""
        bad = tuple(BadKind(**{**one, "places": tuple(one["places"])}) for one in values["bad"])
        return cls(**{**values, "unknown": UnknownTotals(**values["unknown"]), "bad": bad})

    def describe_left_out(self) -> str:
        """How many rows cannot be used, and why; nothing where there are none."""
        count = self.left_out
        told = " ".join(kind.describe() for kind in self.bad)
        return f"{count:,} {'row was' if count == 1 else 'rows were'} left out. {told}" if count else ""


def _with(known: tuple[BadKind, ...], rows: Iterable[BadRow]) -> tuple[BadKind, ...]:
    found = {(kind.rule, kind.path): kind for kind in known}
    for row in rows:
        kind = found.get((row.rule, row.path), BadKind(row.rule, row.path, 0, ()))
        places = (*kind.places, row.place)[:_NAMED]
        found[row.rule, row.path] = replace(kind, count=kind.count + 1, places=places)
    return tuple(found.values())
