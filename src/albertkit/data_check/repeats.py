"""Examples that repeat each other, in one file or across a split, and what examples of two files have in common."""

from collections import defaultdict
from collections.abc import Hashable

from albertkit.data_check.report import Report
from albertkit.data_check.texts import folded
from albertkit.tasks.examples import Examples

SHARE = 0.01
"""The share of rows from which on repeats are a warning, and not a note."""


def within(report: Report, examples: Examples) -> None:
    """Note repeats in one file: exact ones, those with another label, those that are alike, and pairs turned round."""
    keys = [examples.key(number) for number in range(len(examples))]
    firsts: dict[Hashable, int] = {}
    labels: dict[Hashable, set[Hashable]] = defaultdict(set)
    again = []
    for number, key in enumerate(keys):
        labels[key].add(examples.label_key(number))
        if firsts.setdefault(key, number) != number:
            again.append(number)
    against = [number for number, key in enumerate(keys) if len(labels[key]) > 1]
    _add(report, examples, again, "Rows repeat an earlier one.")
    told = "Rows that are alike have different labels, of which a model can learn one."
    _add(report, examples, against, told, always=True)
    loose: dict[Hashable, Hashable] = {}
    alike = [
        number
        for number, key in enumerate(keys)
        if loose.setdefault(_loosely(key), key) != key and firsts[key] == number
    ]
    _add(report, examples, alike, "Rows differ from an earlier one in case, blanks and punctuation alone.")
    known = set(keys)
    turned = [number for number, key in enumerate(keys) if (other := _turned(key)) != key and other in known]
    _add(report, examples, turned, "Pairs stand in the file the other way round, too.")


def across(report: Report, train: Examples, held_out: Examples) -> None:
    """Note what of the evaluation data is in the training data, too."""
    known = {train.key(number) for number in range(len(train))}
    loose = {_loosely(key) for key in known}
    exact, alike, turned = [], [], []
    for number in range(len(held_out)):
        key = held_out.key(number)
        if key in known:
            exact.append(number)
        elif _loosely(key) in loose:
            alike.append(number)
        elif _turned(key) in known:
            turned.append(number)
    told = "scores on them say how well they were learned by heart"
    _add(report, held_out, exact, f"Rows are in the training data, too: {told}.", always=True)
    _add(report, held_out, alike, f"Rows are in the training data but for case, blanks and punctuation: {told}.", True)
    _add(report, held_out, turned, f"Pairs are in the training data the other way round: {told}.", True)
    _related(report, train, held_out, {*exact, *alike, *turned})


def _related(report: Report, train: Examples, held_out: Examples, told: set[int]) -> None:
    """Note evaluation rows that share something with the training data and are not among those already told of."""
    own = train.shared()
    for name, values in held_out.shared().items():
        known = {value for row in own.get(name, ()) for value in row if value != ""}
        found = [number for number, row in enumerate(values) if number not in told and not known.isdisjoint(row)]
        _add(report, held_out, found, f"Rows share the {name} with rows of the training data.", always=True)


def unsplit(report: Report, train: Examples) -> None:
    """Note what examples share with others: what binds them is not parted where a part is held out, the rest may be."""
    for name, values in train.shared().items():
        seen: dict[Hashable, int] = defaultdict(int)
        for row in values:
            for value in {*row}:
                seen[value] += 1
        found = [number for number, row in enumerate(values) if any(seen[value] > 1 and value != "" for value in row)]
        message = f"Rows share the {name} with others"
        if name not in train.bound:
            _add(report, train, found, f"{message}: a part that is held out may not be new to the model. Pass --eval.")
        elif found:
            message += ", and stay on one side where a part is held out: its size may be another."
            report.add("note", train.path, message, [train.place(number) for number in found])


def _add(report: Report, examples: Examples, numbers: list[int], message: str, always: bool = False) -> None:
    if numbers:
        level = "warning" if always or len(numbers) >= SHARE * len(examples) else "note"
        report.add(level, examples.path, message, [examples.place(number) for number in numbers])


def _loosely(key: Hashable) -> Hashable:
    """A key with its texts folded; one that would be empty stays as it is."""
    if isinstance(key, tuple):
        return tuple(map(_loosely, key))
    return (folded(key) or key) if isinstance(key, str) else key


def _turned(key: Hashable) -> Hashable:
    """The key of a pair the other way round; that of anything else as it is."""
    return key[::-1] if isinstance(key, tuple) and len(key) == 2 and all(isinstance(one, str) for one in key) else key
