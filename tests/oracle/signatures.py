"""The signatures of two libraries, read from their source, so that no framework has to be there."""

import ast
from pathlib import Path
from typing import NamedTuple

MAGIC = ("__init__", "__call__")


class Signature(NamedTuple):
    """Parameters without `self`: by place, by name alone, and whether any others are taken by name, or by place too."""

    positional: list[tuple[str, str | None]]
    keyword: dict[str, str | None]
    takes_more: bool
    takes_all: bool


def signature(function: ast.FunctionDef) -> Signature:
    given = function.args
    places = [one.arg for one in (*given.posonlyargs, *given.args)]
    defaults = [None] * (len(places) - len(given.defaults)) + [ast.unparse(one) for one in given.defaults]
    positional = [pair for pair in zip(places, defaults, strict=True) if pair[0] not in ("self", "cls")]
    values = [None if one is None else ast.unparse(one) for one in given.kw_defaults]
    keyword = {one.arg: value for one, value in zip(given.kwonlyargs, values, strict=True)}
    handed_on = given.vararg is not None and given.kwarg is not None and not positional
    return Signature(positional, keyword, given.kwarg is not None, handed_on)


def classes(files: list[Path]) -> dict[str, ast.ClassDef]:
    """Every class of some files by its name."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def methods(name: str, table: dict[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """The public methods and properties of a class and of those above it, with its constructor and its call."""
    found: dict[str, ast.FunctionDef] = {}
    if name not in table:
        return found
    for node in table[name].body:
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name in MAGIC):
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            if not any("overload" in mark or "setter" in mark for mark in marks):
                found.setdefault(node.name, node)
    for base in table[name].bases:
        above = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        found = {**methods(above, table), **found}
    return found


def attributes(name: str, table: dict[str, ast.ClassDef]) -> set[str]:
    """What a class and those above it have: methods, and names that stand in their bodies."""
    if name not in table:
        return set()
    found = set(methods(name, table))
    for node in table[name].body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    for base in table[name].bases:
        found |= attributes(getattr(base, "id", ""), table)
    return found


def accepts(ours: Signature, theirs: Signature) -> bool:
    """Whether a call that names or places the peer's parameters means the same here.

    Keywords that nobody reads (`**kwargs`) do not count, and more parameters behind the peer's do no harm.
    """
    if ours.takes_all:
        return True
    if len(ours.positional) < len(theirs.positional):
        return False
    for (name, value), (wanted, given) in zip(ours.positional, theirs.positional, strict=False):
        if name != wanted or given not in (None, value):  # what must be given there may be left out here
            return False
    ours_by_name = dict(ours.positional) | ours.keyword
    return all(
        ours_by_name[name] == value if name in ours_by_name else ours.takes_more
        for name, value in theirs.keyword.items()
    )
