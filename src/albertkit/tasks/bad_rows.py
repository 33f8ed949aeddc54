"""Rows of data files that cannot be used: each ends the reading, or is left out and counted where that was asked for.

A reader notes such rows here, and knows nothing of what becomes of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from albertkit.errors import InputError, few

WAY_OUT = "Mend them, or leave them out with --skip-bad-rows, in a recipe data.skip_bad_rows=true."


@dataclass(frozen=True)
class BadRow:
    """A row that was left out."""

    place: str
    """Where it stands in its file, such as line 3."""
    rule: str
    """What holds for every row, and not for this one: a sentence."""
    path: str = ""
    """The file; nothing where it comes from none."""


class BadRows:
    """Those of one file, in the order in which they are met."""

    def __init__(self, path: str, skip: bool = False, *, may_skip: bool = True) -> None:
        """`skip` says to leave them out. `may_skip` false: what reads so has no option for it."""
        self.path, self.skip = path, skip
        self._advice = f" {WAY_OUT}" if may_skip else ""
        self.found: list[BadRow] = []

    def add(self, place: str, rule: str, message: str) -> None:
        """Note a row that breaks a rule. InputError of the `message` unless it may be left out."""
        if not self.skip:
            raise InputError(f"{message}{self._advice}")
        self.found.append(BadRow(place, rule, self.path))

    def add_all(self, places: Sequence[str], total: int, rule: str, more: str = "") -> None:
        """Note all of `total` rows that break one rule. InputError that counts them unless they may be left out.

        `more` are sentences on what they hold, or on what else may be done.
        """
        if places and not self.skip:
            counted = f"{self.path or 'The input'} breaks that in {len(places):,} of {total:,} rows: {few(places)}."
            raise InputError(" ".join(filter(None, (rule, counted, more))) + self._advice)
        self.found += [BadRow(place, rule, self.path) for place in places]

    def add_errors(self, errors: Sequence[tuple[str, InputError]], total: int) -> None:
        """Note all of `total` rows that have an error, by place; its rule is what stands before "Received".

        InputError of the first that counts them all unless they may be left out.
        """
        if errors and not self.skip:
            self.add_all([place for place, _ in errors], total, str(errors[0][1]))
        self.found += [BadRow(place, str(error).partition(" Received:")[0], self.path) for place, error in errors]

    def require_rest(self, kept: int) -> None:
        """InputError where all rows were left out."""
        if not kept:
            require_rest(self.path, self.found)

    def taken(self) -> list[BadRow]:
        """Those that were found since this was last asked."""
        found, self.found = self.found, []
        return found


def require_rest(path: str, found: Sequence[BadRow]) -> None:
    """InputError for a file of which nothing is left, where rows were left out."""
    if found:
        raise InputError(f"A data file must hold at least one row to use. {path} holds none. {told(found)}")


def told(found: Iterable[BadRow]) -> str:
    """How many rows of which file were left out, and why; nothing where there are none."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in found:
        places.setdefault((row.rule, f" of {row.path}" if row.path else ""), []).append(row.place)
    reasons = " ".join(f"{rule} Not so in {len(rows):,}{file}: {few(rows)}." for (rule, file), rows in places.items())
    count = sum(map(len, places.values()))
    return f"{count:,} {'row was' if count == 1 else 'rows were'} left out. {reasons}" if count else ""
