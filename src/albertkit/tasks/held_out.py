"""The part of the examples that is held out where no evaluation data is named: what belongs together is not parted.

Letters: N examples, G groups of examples.
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from albertkit.errors import InputError, MissingDependency
from albertkit.tasks.examples import Examples


@dataclass(frozen=True)
class Split:
    """The numbers of the examples of both sides, ascending, and what a person should know of them."""

    kept: list[int]
    held_out: list[int]
    told: str = ""


def split(examples: Examples, classes: np.ndarray | None, share: float, seed: int) -> Split:
    """Hold a share out, drawn by the seed; where there are (N,) `classes`, an example of each stays.

    Examples that share what they are `bound` by, such as a context, stay on one side, so that a part of another size
    may be held out; so do those that repeat each other or share something else, as long as they are no more than are to
    be held out. What is parted all the same is counted in `told`. InputError where there are too few examples.
    """
    size = max(round(len(examples) * share), 1)
    order = np.random.default_rng(seed).permutation(len(examples))
    firsts = np.zeros(0, np.int64)
    if classes is not None:
        _, firsts = np.unique(classes[order], return_index=True)
        order = np.concatenate([np.delete(order, firsts), order[firsts]])
        size = min(size, len(order) - len(firsts))
    if not 0 < size < len(examples):
        raise InputError(
            f"Holding out a part needs more rows. {examples.path} has {len(examples)}. Give an --eval file."
        )
    group, held_out = np.arange(len(examples)), np.zeros(0, np.int64)
    for most in (size, 0):
        group = groups(examples, most)
        staying = set(group[order[len(order) - len(firsts) :]].tolist())
        held_out = np.flatnonzero(np.isin(group, _chosen(group[order], staying, size)))
        if 2 * len(held_out) >= size:
            break
    held_out = held_out if len(held_out) else np.sort(order[:size])
    kept = np.setdiff1d(np.arange(len(examples)), held_out)
    return Split(kept.tolist(), held_out.tolist(), _told(examples, group, kept, held_out))


def groups(examples: Examples, most: int) -> np.ndarray:
    """(N,) the number of the group of each example: those of a group share something, if only through others of it.

    Something that more than `most` share, and that does not bind them, is not looked at: it is a kind, such as a topic.
    """
    owners: list[int] = []
    values: list[int] = []
    numbers: dict[Hashable, int] = {}
    for name, found in {"": [(examples.key(number),) for number in range(len(examples))], **examples.shared()}.items():
        users: dict[Hashable, list[int]] = {}
        for number, row in enumerate(found):
            for value in {*row} - {""}:
                users.setdefault(value, []).append(number)
        for value, sharing in users.items():
            if len(sharing) > 1 and (name in examples.bound or len(sharing) <= most):
                owners += sharing
                values += [numbers.setdefault((name, value), len(numbers))] * len(sharing)
    return _components(len(examples), owners, values, len(numbers))


def _components(count: int, owners: list[int], values: list[int], kinds: int) -> np.ndarray:
    """(N,) which examples are connected by values that they share."""
    if not owners:
        return np.arange(count)
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError:
        raise MissingDependency("Holding out whole groups of rows", "scikit-learn", "train") from None
    total = count + kinds  # examples, then what they share
    places = (np.array(owners), np.array(values) + count)
    graph = coo_array((np.ones(len(owners), np.int8), places), shape=(total, total))
    return connected_components(graph, directed=False)[1][:count]


def _chosen(group: np.ndarray, staying: set[int], size: int) -> list[int]:
    """The groups to hold out, of examples in the order drawn: about `size` examples, and half of all at most."""
    names, firsts, counts = np.unique(group, return_index=True, return_counts=True)
    drawn = [(int(names[one]), int(counts[one])) for one in np.argsort(firsts, kind="stable")]
    found, held, left = list[int](), 0, list[tuple[int, int]]()
    for name, count in drawn:
        if name in staying:
            continue
        if held + count <= size:
            found.append(name)
            held += count
        else:
            left.append((name, count))
    fitting = [one for one in left if 2 * (held + one[1]) <= len(group)]
    nearest = min(fitting, key=lambda one: abs(held + one[1] - size), default=None)
    if nearest is not None and (not held or abs(held + nearest[1] - size) < size - held):
        found.append(nearest[0])
    return found


def _told(examples: Examples, group: np.ndarray, kept: np.ndarray, held_out: np.ndarray) -> str:
    """How many are held out whole, and how many share something with those that are trained on, all the same."""
    shared, told = examples.shared(), []
    bound = [name for name in shared if name in examples.bound]
    count = len(np.unique(group[held_out]))
    if bound and count < len(held_out) and not np.isin(group[held_out], group[kept]).any():
        told.append(
            f"{len(held_out):,} examples are held out, {count:,} group{'s' * (count > 1)} of them: those that share the"
            f" {' or '.join(bound)} stay on one side."
        )
    for name, found in shared.items():
        known = {value for number in kept for value in found[number] if value != ""}
        parted = sum(not known.isdisjoint(found[number]) for number in held_out)
        if parted:
            told.append(
                f"{parted:,} of the {len(held_out):,} examples held out share the {name} with such as are trained on, "
                "and scores on them may be too good: name others with --eval."
            )
    return " ".join(told)
