"""Prove the lower bounds of pyproject.toml where just these versions are installed. Run by `make floors`.

python tests/floors.py torch|tensorflow|flax
"""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).parents[1]
PINNED = {"torch": "what requirements/constraints.txt states: no lower version has a CPU wheel here"}
EVERYWHERE = ["tests/test_outputs.py", "tests/test_pipelines.py", "tests/frameworks/test_private_api.py"]
OF_A_FRAMEWORK = ["tests/frameworks/test_checkpoints.py", "tests/frameworks/test_optimizers.py"]
OF_THE_REST = [
    *("tests/test_config.py", "tests/test_hub.py", "tests/tokenization", "tests/checkpoint"),
    *("tests/storage/test_saving.py", "tests/tasks", "tests/tools"),
    *("tests/corpus/test_reader.py", "tests/corpus/test_sentences.py"),
    *("tests/cli/test_commands.py", "tests/training/test_finetune_batches.py", "tests/training/test_reporter.py"),
]
TESTS = {
    # What needs no framework is tried beside the first.
    "torch": [*EVERYWHERE, *OF_A_FRAMEWORK, "tests/frameworks/test_torch.py", *OF_THE_REST],
    "tensorflow": [*EVERYWHERE, *OF_A_FRAMEWORK, "tests/frameworks/test_tensorflow.py"],
    "flax": [*EVERYWHERE, *OF_A_FRAMEWORK, "tests/frameworks/test_flax.py"],
}


def bounds(lines: list[str]) -> dict[str, str]:
    """The lower bounds of requirements, by package."""
    return dict(re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,.*)?", line).groups() for line in lines)


def check(framework: str) -> None:
    """Stop where a bound is lower than what can be installed.

    The first framework's environment is held to every bound. Another may raise those of packages beside it, as JAX does
    NumPy's, and is held to its own.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["plots"], *extras["train"], *extras["legacy"]]
    own, others = extras[framework], [one for one in asked if not one.startswith("albertkit[")]
    strict = bounds(own if framework != "torch" else [*own, *others])
    for package, floor in (bounds(others) | bounds(own)).items():
        found = importlib.metadata.version(package)
        if package in strict and package not in PINNED and Version(found) != Version(floor):
            sys.exit(f"pyproject.toml says {package}>={floor}, but the lowest that can be installed is {found}.")
        sys.stdout.write(f"{package} {found}{'  # ' + PINNED[package] if package in PINNED else ''}\n")


def main(framework: str) -> int:
    check(framework)
    # Old versions warn of what has changed since: that is no fault here.
    chosen = "not oracle and not slow" if framework == "torch" else "not oracle and not slow and not torch"
    options = ["-q", "-W", "default", "-m", chosen, "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *options, *TESTS[framework]]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
