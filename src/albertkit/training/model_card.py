"""What a run leaves for people: the model card, and the environment it ran in."""

import importlib.metadata
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from albertkit import processors
from albertkit.tasks import registry
from albertkit.tasks.figures import Figure
from albertkit.training import plots
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe
from albertkit.typing import Json, Record

_IN_HEAD = 12
"""Scores of a card that the hub reads."""
_OF_RUN = {"step", "epoch", "examples", "rows", "tokens_held_out"}
"""Numbers among the results of a run that stand in other places of a card than its table of scores."""
_PACKAGES = (
    *("albertkit", "numpy", "safetensors", "sentencepiece", "tokenizers", "scikit-learn"),
    *("torch", "tensorflow", "tensorflow-cpu", "keras", "jax", "flax", "optax"),
)


def environment() -> Record:
    """Versions, machine and command."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    program = Path(sys.argv[0])
    name = "albertkit" if program.parts[-2:] == ("albertkit", "__main__.py") else program.name
    return {
        "command": " ".join([name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": processors.count(),
        "versions": versions,
    }


def model_card(
    recipe: FinetuneRecipe,
    results: Record,
    examples: int,
    labels: Sequence[str],
    provenance: Sequence[str],
    figures: Sequence[Figure] = (),
) -> str:
    """README.md of a trained model: what it is, how it does, how it was made, how to use it.

    `results` is the contents of eval_results.json, `examples` the number trained on, `labels` what its classes are
    called, if it has any, `provenance` where the start came from, `figures` what there is to see of the scores.
    """
    pair = getattr(recipe.options(), "is_pair", False)
    sample = {"text": "A text.", "text_pair": "The second text."} if pair else registry.get(recipe.task).sample
    use = _python(recipe.task, json.dumps(sample))
    named = f" Labels: {', '.join(labels)}." if labels else ""
    card = _card(
        results,
        provenance,
        title=f"ALBERT for {recipe.task}",
        tag=recipe.task,
        base=recipe.model.name,
        made=f"Fine-tuned with albertkit in {recipe.framework} from {recipe.model.name}, seed {recipe.seed}.",
        evaluated_on=f"{results['examples']:,} examples of `{results['data']}`",
        metric=recipe.training.metric,
        data=f"{examples:,} training examples from `{recipe.options().train}`.{named}",
        keys=recipe.training.model_dump(),
        use=use,
        figures=figures,
    )
    return _without_folders(card, [recipe.model_dump(), results])


def pretraining_card(recipe: PretrainRecipe, results: Record, tokens: int, provenance: Sequence[str]) -> str:
    """README.md of a pre-trained model; `tokens` is the size of its corpus, the rest as in `model_card`."""
    seen = results["step"] * recipe.training.batch_size * recipe.data.length
    use = [
        *_python("fill-mask", '"A [MASK] of tea."'),
        "",
        "```bash",
        "albertkit finetune text-classification --model path/to/this/folder --train train.csv --output classifier",
        "```",
    ]
    card = _card(
        results,
        provenance,
        title="A pre-trained ALBERT",
        tag="fill-mask",
        base=recipe.model.name,
        made=f"Pre-trained with albertkit in {recipe.framework} from {recipe.model.name}, objective "
        f"{recipe.data.objective}, seed {recipe.seed}: about {seen:,} tokens in {results['step']:,} steps.",
        evaluated_on=f"{results['rows']:,} rows of {recipe.data.length} tokens, drawn from "
        f"{results['tokens_held_out']:,} that were not trained on",
        metric="loss",
        data=f"{tokens:,} tokens of the corpus `{recipe.data.corpus}`.",
        keys=recipe.data.model_dump() | recipe.training.model_dump(),
        use=use,
    )
    return _without_folders(card, [recipe.model_dump(), results])


def _python(task: str, asked: str) -> list[str]:
    """Lines of Markdown that ask a model in the folder of the card."""
    return [
        "```python",
        "from albertkit import pipeline",
        "",
        f'ask = pipeline("{task}", "path/to/this/folder")',
        f"print(ask({asked}))",
        "```",
    ]


def _without_folders(card: str, told: Sequence[Record]) -> str:
    """A card with the last part alone of each absolute path: where files lie on a machine is nobody else's business."""
    waiting: list[Json] = list(told)
    paths = set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, str) and Path(value).is_absolute() and Path(value).name:
            paths.add(value)
    for path in sorted(paths, key=len, reverse=True):
        card = card.replace(path, Path(path).name)
    return card


def _card(
    results: Record,
    provenance: Sequence[str],
    *,
    title: str,
    tag: str,
    base: str,
    made: str,
    evaluated_on: str,
    metric: str,
    data: str,
    keys: Record,
    use: Sequence[str],
    figures: Sequence[Figure] = (),
) -> str:
    """The page that both kinds of models have. `evaluated_on` is what the scores were taken on, `base` the start."""
    numbers = {key: value for key, value in results.items() if isinstance(value, int | float) and key not in _OF_RUN}
    scores = {key: f"{value:,}" if isinstance(value, int) else f"{value:.4f}" for key, value in numbers.items()}
    lines = [
        *("---", *_head(results, title, tag, base, metric).splitlines(), "---", ""),
        *(f"# {title}", "", made, ""),
        *(f"    {line}" for text in provenance for line in text.splitlines()),
        *("", "## Results", ""),
        f"On {evaluated_on}, with the weights of step {results['step']} (epoch {results['epoch']}), chosen by {metric} "
        "on the same ones:",
        *("", *_table("score", scores), "", *_curves(), ""),
        *shown(figures),
        *("## Data", "", data, ""),
        *("## Recipe", "", "The complete recipe is `recipe.toml`; versions and machine are in `run.json`.", ""),
        *(*_table("key", keys), ""),
        *("## Use", "", *use, ""),
    ]
    return "\n".join(lines)


def _head(results: Record, title: str, tag: str, base: str, metric: str) -> str:
    """What the hub reads of a card, as YAML: the task, the start where that is on the hub, and the scores."""
    from huggingface_hub import EvalResult, ModelCardData

    data = Path(str(results.get("data", "held-out text"))).name
    names = [metric, *(name for name, value in results.items() if isinstance(value, float) and name != "epoch")]
    chosen = [name for name in dict.fromkeys(names) if name in results][:_IN_HEAD]
    found = [EvalResult(tag, data, data, name, round(float(results[name]), 6)) for name in chosen]
    is_named = base.count("/") == 1 and not Path(base).is_absolute() and not Path(base).exists()
    head = ModelCardData(
        library_name="albertkit",
        pipeline_tag=tag,
        tags=["albert"],
        base_model=base if is_named else None,
        model_name=title,
        eval_results=found or None,
    )
    return head.to_yaml()


def _curves() -> list[str]:
    """Lines of Markdown that show the course of the training, or say where it stands and what draws it."""
    if plots.are_possible():
        return ["![curves](curves.png)"]
    return [f"The course of the training is in `evaluations.csv`; pictures need matplotlib: `{plots.INSTALL}`."]


def shown(figures: Sequence[Figure]) -> list[str]:
    """Lines of Markdown with the picture of each figure, where one is drawn, and its numbers."""
    lines: list[str] = []
    for one in figures:
        head, *rows = [[_in_a_cell(cell) for cell in row] for row in one.table()]
        lines += [f"### {one.title}", ""]
        if plots.are_possible():
            lines += [f"![{one.title}]({plots.file_of(one)})", ""]
        lines += [_row(head), _row(["---"] * len(head)), *map(_row, rows), ""]
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _in_a_cell(text: str) -> str:
    """A text that breaks no table: a label may hold anything."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|") or " "


def _table(head: str, values: Record) -> list[str]:
    return [f"| {head} | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in values.items())]
