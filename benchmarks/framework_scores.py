"""Scores of the models of the package in PyTorch, TensorFlow and JAX, from the same weights on the same examples.

Run in the project's environment, with the data that models/data.py writes: python models/data.py FOLDER, then
python benchmarks/framework_scores.py FOLDER [--models NAME ...]
Every model of a task is evaluated on each file that models.toml names for it, with all of the examples, in float32.
"""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import common
from albertkit import backends, embedded, pipeline

ABOUT = tomllib.loads((Path(__file__).parents[1] / "models" / "models.toml").read_text(encoding="utf-8"))


def scored(name: str, about: dict[str, Any], data: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Of each part by which a model is judged, and each framework, the scores that its card states."""
    task = embedded.MODELS[f"albertkit/{name}"].tasks[0]
    found: dict[str, dict[str, dict[str, float]]] = {title: {} for title in about["judged"]}
    for framework in backends.PACKAGES:
        answerer = pipeline(task, f"albertkit/{name}", framework, device="cpu", precision="fp32")
        for title, file in about["judged"].items():
            values = answerer.evaluate(str(data / file))
            found[title][framework] = {one: float(values[one]) for one in about["scores"]}
            sys.stderr.write(f"{name}, {title}, {framework}: {found[title][framework]}\n")
    return found


def difference(found: dict[str, dict[str, dict[str, float]]]) -> float:
    """The most by which frameworks differ in a score, as a share: question answering states its own in percent."""
    largest = 0.0
    for sides in found.values():
        for one in next(iter(sides.values())):
            values = [scores[one] for scores in sides.values()]
            whole = 100.0 if max(values) > 1 else 1.0
            largest = max(largest, (max(values) - min(values)) / whole)
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [name for name in ABOUT if f"albertkit/{name}" in embedded.MODELS]
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", nargs="+", choices=known, default=known)
    options = parser.parse_args()
    ours = {name: scored(name, ABOUT[name], options.folder) for name in options.models}
    ratios = {f"{name}: largest difference of scores": difference(found) for name, found in ours.items()}
    common.write("framework_scores", ratios, ours, {}, ("albertkit", "torch", "tensorflow-cpu", "keras", "jax", "flax"))


if __name__ == "__main__":
    main()
