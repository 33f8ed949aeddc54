"""The tables of docs/migration.md, and checks that are tied to their rows."""

import re
from collections.abc import Callable
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "migration.md"


def table(section: str, number: int = 0) -> list[list[str]]:
    """The rows of a table of a section, the first unless `number` says otherwise, without its head."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    found = re.findall(r"^\|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line[2:-2].split(" | ")] for line in found[number].splitlines()]


def names_in(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


class Claims:
    """Tests by the row that they check: `@claims("...")`, with the row's first cell."""

    def __init__(self, *sections: str) -> None:
        self.rows = [row[0] for section in sections for row in table(section)]
        self.checked: set[str] = set()

    def __call__(self, row: str) -> Callable[[Callable], Callable]:
        assert row in self.rows, f"docs/migration.md has no row {row!r}"
        self.checked.add(row)
        return lambda check: check

    def unchecked(self) -> list[str]:
        """The rows that no test is for."""
        return [row for row in self.rows if row not in self.checked]
