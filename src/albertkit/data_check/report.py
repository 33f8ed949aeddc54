"""What a check has found: figures of each file, and findings, the worst first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from albertkit.typing import Record

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know."""

    level: Level
    """error: training stops at it. warning: scores or answers suffer from it. note: worth knowing."""
    path: str
    message: str
    """A sentence."""
    count: int = 0
    """Of so many rows; 0 where it is of the whole file."""
    rows: Sequence[str] = ()
    """Where the first of them stand."""


@dataclass(frozen=True)
class Column:
    """The texts of one kind, such as all contexts."""

    name: str
    empty: int
    characters: dict[str, int]
    """Percentiles of their length."""
    tokens: dict[str, int]
    unknown: float
    """The share of their pieces that the vocabulary does not know."""


@dataclass(frozen=True)
class FileReport:
    """The figures of one file."""

    path: str
    rows: int
    """Those that can be used."""
    left_out: int
    labels: dict[str, int]
    columns: list[Column]
    lengths: dict[str, int]
    """Percentiles of the tokens of a whole input, as it would be trained on."""
    inputs: int
    """How many inputs the rows make: more than rows where long ones fill several windows."""
    truncated: int
    """Rows that are cut to the longest input."""
    scripts: dict[str, float]
    """The share of the letters that is of each script."""


@dataclass
class Report:
    """All that was found."""

    task: str
    model: str
    """The model whose vocabulary was taken."""
    max_length: int
    files: list[FileReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, level: Level, path: str, message: str, rows: Sequence[str] = (), count: int | None = None) -> None:
        """Note a finding; `rows` are where all of its rows stand, `count` how many there are if not as many."""
        self.findings.append(Finding(level, path, message, len(rows) if count is None else count, list(rows)))

    def of(self, *levels: Level) -> list[Finding]:
        """The findings of some levels, the worst level first."""
        return [one for level in LEVELS if level in levels for one in self.findings if one.level == level]

    def as_record(self, most: int) -> Record:
        """All of it for JSON, of each finding with at most so many rows."""
        found = {**asdict(self), "findings": [asdict(one) for one in self.of(*LEVELS)]}
        for one in found["findings"]:
            one["rows"] = one["rows"][:most]
        return found
