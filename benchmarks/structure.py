"""How the code is built: sizes of files and functions, import cycles, docstrings, how much is untyped.

Run in any environment: python benchmarks/structure.py
Prints the figures with their bounds, and keeps them in results/structure.json.
"""

import ast
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

RESULT = Path(__file__).parent / "results" / "structure.json"
SOURCE = Path(__file__).parents[1] / "src"
PACKAGE = SOURCE / "albertkit"
FRAMEWORKS = ("torch", "tensorflow", "flax")

BOUNDS = {
    "import cycles, for types too": 0,
    "lines a file: median": 110,
    "lines a file: 90th percentile": 300,
    "lines a file: largest": 420,
    "lines a function: 90th percentile": 24,
    "lines a function: largest": 50,
    "lines with Any": 120,
    "lines of the longest head": 30,
    "public definitions without a docstring": 0,
}
"""The highest value of each figure."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def module_of(path: Path) -> str:
    """The dotted name of a file."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(name: str, tree: ast.Module, known: set[str]) -> set[str]:
    """The modules of the package that a module imports, wherever in it: at the top, in a function, for types alone."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:  # `from package import module` needs the module, not all of the package
                module = f"{node.module}.{alias.name}"
                found.add(module if module in known else node.module)
    return {target for target in found if target in known and target != name}


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Sets of modules that import one another in a circle: strongly connected components (Tarjan) of more than one."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in graph[name]:
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            place = stack.index(name)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for name in graph:
        if name not in index:
            visit(name)
    return found


def functions(tree: ast.AST) -> Iterator[Function]:
    """All functions and methods, those within others too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def lines(node: ast.AST) -> int:
    """The lines that a definition takes, its docstring and decorators included."""
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    return node.end_lineno - first + 1


def undocumented(name: str, tree: ast.Module) -> Iterator[str]:
    """Public modules, classes, functions and methods without a docstring. A class documents its special methods."""
    if ast.get_docstring(tree) is None and any(not isinstance(node, ast.Expr) for node in tree.body):
        yield name
    pending: list[tuple[str, ast.AST]] = [(name, tree)]
    while pending:
        where, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
                overloaded = any("overload" in ast.unparse(decorator) for decorator in child.decorator_list)
                setter = any(ast.unparse(decorator).endswith(".setter") for decorator in child.decorator_list)
                if ast.get_docstring(child) is None and not overloaded and not setter:
                    yield f"{where}.{child.name}"
                if isinstance(child, ast.ClassDef):
                    pending.append((f"{where}.{child.name}", child))


def heads(trees: dict[str, ast.Module]) -> dict[str, int]:
    """The lines of each model with a head."""
    return {
        f"{name}.{node.name}": lines(node)
        for name, tree in trees.items()
        if name.split(".")[1:2] and name.split(".")[1] in FRAMEWORKS
        for node in tree.body
        if isinstance(node, ast.ClassDef) and "AlbertFor" in node.name
    }


def percentile(values: list[int], share: float) -> int:
    """The value below or at which a share of all values lie."""
    return sorted(values)[max(round(share * len(values)) - 1, 0)]


def figures() -> tuple[dict[str, float], dict[str, object]]:
    """Every figure of BOUNDS, and the places that stand behind them."""
    texts = {module_of(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
    trees = {name: ast.parse(text) for name, text in texts.items()}
    graph = {name: imports(name, tree, set(trees)) for name, tree in trees.items()}
    sizes = {name: len(text.splitlines()) for name, text in texts.items() if text.strip()}
    long = {f"{name}.{node.name}": lines(node) for name, tree in trees.items() for node in functions(tree)}
    every = [lines(node) for tree in trees.values() for node in functions(tree)]
    untyped = {
        name: sum("Any" in line.replace(",", " ").split() or "Any" in _words(line) for line in text.splitlines())
        for name, text in texts.items()
    }
    bare = [place for name, tree in trees.items() for place in undocumented(name, tree)]
    circles, tops = cycles(graph), heads(trees)
    values = [
        len(circles),
        statistics.median(sizes.values()),
        percentile(list(sizes.values()), 0.9),
        max(sizes.values()),
        percentile(every, 0.9),
        max(every),
        sum(untyped.values()),
        max(tops.values(), default=0),
        len(bare),
    ]
    places = {
        "import cycles": circles,
        "longest files": _largest(sizes),
        "longest functions": _largest(long),
        "most Any": _largest(untyped),
        "longest heads": _largest(tops),
        "without a docstring": bare[:20],
    }
    return dict(zip(BOUNDS, values, strict=True)), places


def _words(line: str) -> list[str]:
    return "".join(sign if sign.isidentifier() else " " for sign in line).split()


def _largest(sizes: dict[str, int], count: int = 8) -> dict[str, int]:
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:count])


def main() -> None:
    values, places = figures()
    for name, value in values.items():
        sys.stdout.write(f"{'ok ' if value <= BOUNDS[name] else '-- '} {name}: {value:g} (at most {BOUNDS[name]})\n")
    result = {"figures": values, "bounds": BOUNDS, "files": len(list(PACKAGE.rglob("*.py"))), "places": places}
    result["command"] = "python benchmarks/structure.py"
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
