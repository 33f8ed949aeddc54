"""What a run leaves for people: the model card, and the environment it ran in."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from albertkit.training.recipe import Recipe

_PACKAGES = (
    *("albertkit", "numpy", "safetensors", "sentencepiece", "tokenizers", "scikit-learn"),
    *("torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "flax", "optax"),
)


def environment() -> dict[str, Any]:
    """Versions, machine and command."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "command": " ".join(sys.argv[:1] and ["albertkit", *sys.argv[1:]]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "versions": versions,
    }


def model_card(
    recipe: Recipe, results: dict[str, Any], examples: int, labels: Sequence[str], story: Sequence[str]
) -> str:
    """README.md of a trained model: what it is, how it does, how it was made, how to use it.

    `results` is the contents of eval_results.json, `examples` the number trained on, `story` where the start came from.
    """
    scores = {key: value for key, value in results.items() if isinstance(value, float) and key != "epoch"}
    lines = [
        "---",
        "library_name: albertkit",
        f"pipeline_tag: {recipe.task}",
        "tags: [albert]",
        "---",
        "",
        f"# ALBERT for {recipe.task}",
        "",
        f"Fine-tuned with albertkit in {recipe.framework} from {recipe.model.name}, seed {recipe.seed}.",
        "",
        *(f"    {line}" for text in story for line in text.splitlines()),
        "",
        "## Results",
        "",
        f"On {results['examples']:,} examples of `{results['data']}`, with the weights of step {results['step']} "
        f"(epoch {results['epoch']}), chosen by {recipe.training.metric} on the same examples:",
        "",
        "| score | value |",
        "|---|---|",
        *(f"| {name} | {value:.4f} |" for name, value in scores.items()),
        "",
        "![curves](curves.png)",
        "",
        "## Data",
        "",
        f"{examples:,} training examples from `{recipe.data.train}`. Labels: {', '.join(labels)}.",
        "",
        "## Recipe",
        "",
        "The complete recipe is `recipe.toml`; versions and machine are in `run.json`.",
        "",
        "| key | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in recipe.training.model_dump().items()),
        "",
        "## Use",
        "",
        "```python",
        "from albertkit.pipelines import pipeline",
        "",
        f'classify = pipeline("{recipe.task}", "path/to/this/folder")',
        'classify(["..."])',
        "```",
        "",
    ]
    return "\n".join(lines)
