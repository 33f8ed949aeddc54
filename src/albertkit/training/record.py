"""What a run leaves for people: the model card, and the environment it ran in."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from albertkit.training.pretrain_recipe import PretrainRecipe
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


def pretraining_card(recipe: PretrainRecipe, results: dict[str, Any], tokens: int, story: Sequence[str]) -> str:
    """README.md of a pre-trained model; `tokens` is the size of its corpus, the rest as in `model_card`."""
    scores = {key: value for key, value in results.items() if isinstance(value, float) and key != "epoch"}
    keys = recipe.data.model_dump() | recipe.training.model_dump()
    seen = results["step"] * recipe.training.batch_size * recipe.data.length
    lines = [
        "---",
        "library_name: albertkit",
        "pipeline_tag: fill-mask",
        "tags: [albert]",
        "---",
        "",
        "# A pre-trained ALBERT",
        "",
        f"Pre-trained with albertkit in {recipe.framework} on the corpus `{recipe.data.corpus}` of {tokens:,} tokens, "
        f"objective {recipe.data.objective}, seed {recipe.seed}: about {seen:,} tokens in {results['step']:,} steps.",
        "",
        *(f"    {line}" for text in story for line in text.splitlines()),
        "",
        "## Results",
        "",
        f"On {results['tokens_held_out']:,} tokens that were not trained on, with the weights of step "
        f"{results['step']} (epoch {results['epoch']}):",
        "",
        "| score | value |",
        "|---|---|",
        *(f"| {name} | {value:.4f} |" for name, value in scores.items()),
        "",
        "![curves](curves.png)",
        "",
        "## Recipe",
        "",
        "The complete recipe is `recipe.toml`; versions and machine are in `run.json`.",
        "",
        "| key | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in keys.items()),
        "",
        "## Use",
        "",
        "```bash",
        "albertkit finetune text-classification --model path/to/this/folder --train train.csv --output classifier",
        "```",
        "",
    ]
    return "\n".join(lines)
