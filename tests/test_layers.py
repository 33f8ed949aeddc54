import ast
import subprocess
import sys
from pathlib import Path

import pytest

import albertkit

PACKAGE = Path(albertkit.__file__).parent
ROOMS = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow", "keras"},
    "flax": {"jax", "flax", "optax"},
}
TRACED = {"to_torch_export": "torch", "to_saved_model": "tensorflow", "to_litert": "tensorflow", "to_stablehlo": "flax"}
"""Formats that are traced from the models of one framework, whose room they are in."""


def imported_at_the_top(path):
    """The packages that a module imports when it is itself imported, but for those under TYPE_CHECKING."""
    pending = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending += [
                child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.stmt, ast.ExceptHandler))
            ]


def test_imports_go_down_only():
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_a_frameworks_own_room_imports_it(path):
    parts = path.relative_to(PACKAGE).parts
    room = TRACED.get(parts[1], parts[0]) if parts[0] == "exports" else parts[0]
    foreign = set().union(*(packages for name, packages in ROOMS.items() if name != room))
    assert not foreign & set(imported_at_the_top(path))


def test_the_rooms_of_the_frameworks_are_seen():
    assert "torch" in set(imported_at_the_top(PACKAGE / "torch" / "models.py"))
    assert "torch" in set(imported_at_the_top(PACKAGE / "torch" / "__init__.py"))
    assert "torch" not in set(imported_at_the_top(PACKAGE / "checkpoint" / "files.py"))
