"""Put a model of a task into the package: its weights, its scores on what it has not seen, its card.

    python models/task_model.py NAME --work FOLDER [--output FOLDER]

NAME is one of models.toml; FOLDER holds the run of that name and the data, as models/Makefile makes them. Matrices are
kept as changes of those of the model that training began with (`checkpoint.shared`), all else in half precision. Scores
are those of the folder that is written, by the data that models.toml names; with the log and the curves of the run they
are kept in models/runs.
"""

import argparse
import json
import lzma
import shutil
import statistics
import sys
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from albertkit import pipeline, storage
from albertkit.checkpoint import files, layout, shared
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.tokenization import files as tokenizer_files
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training.recipe import FinetuneRecipe
from pretrained import MODELS, rounded
from scoring import baselines

HERE = Path(__file__).parent
ABOUT = tomllib.loads((HERE / "models.toml").read_text(encoding="utf-8"))
KEPT = ("evaluations.csv", "recipe.toml", "curves.png")
"""What stays of a run beside its log, in models/runs."""
DATA = ("max_length", "doc_stride", "max_qa_length", "highest_score")
"""Keys of the data that decide how examples are read, where a task has them."""


class Made(NamedTuple):
    """What the card says of a model beside what models.toml says."""

    recipe: FinetuneRecipe
    scores: dict[str, Any]
    """Of each part by which it is judged: `examples`, and of `model` and `baseline` each score."""
    rounding: str
    steps: int
    minutes: float
    bytes: int


def package(name: str, work: Path, output: Path) -> Made:
    """Write the folder of a model as one step."""
    about, run = ABOUT[name], work / name
    recipe = FinetuneRecipe.load(about["recipe"], {})
    stale = (*layout.STALE, *shared.PATTERNS, *tokenizer_files.PATTERNS)
    with storage.atomic_replace(output, head=CONFIG_FILE, stale=stale) as staging:
        rounding = write(staging, run, recipe.model.name)
        found = scores(about, recipe, staging, work)
        size = sum(path.stat().st_size for path in staging.iterdir() if path.is_file())
        made = Made(recipe, found, rounding, *cost(run), size)
        storage.write_text(staging / "README.md", card(name, about, made))
    return made


def write(folder: Path, run: Path, base: str) -> str:
    """Write the model of a run without its card, and say in a sentence what rounding changed."""
    checkpoint, held = files.load(run), files.load(base).tensors
    among = [name for name, one in checkpoint.tensors.items() if one.ndim == 2 and name in held]
    kept, told = rounded({name: tensor for name, tensor in checkpoint.tensors.items() if name not in among})
    keys = storage.read_json(run / CONFIG_FILE) | {"dtype": "float32"}
    storage.write_text(folder / CONFIG_FILE, AlbertConfig.from_dict(keys).to_json_string())
    changed = shared.write(folder, kept | {name: checkpoint.tensors[name] for name in among}, base, held, among)
    far = max(float(np.abs(changed[name] - checkpoint.tensors[name]).max()) for name in among)
    told += f" Changes of matrices are kept in int8, which moves no weight by more than {far:.2g}."
    AlbertTokenizerFast.from_pretrained(run).write(folder)
    (folder / tokenizer_files.TOKENIZER).unlink(missing_ok=True)  # it is made from the SentencePiece model
    return told


def scores(about: dict[str, Any], recipe: FinetuneRecipe, folder: Path, work: Path) -> dict[str, Any]:
    """The scores of a model and of its baseline on each file that it is judged by, and how many examples these have."""
    own = recipe.data.model_dump()
    keys = {f"data.{key}": own[key] for key in DATA if key in own}
    keys |= {"model.name": recipe.model.name, "data.train": str(work / own["train"]), "framework": "torch"}
    answerer, found = pipeline(recipe.task, folder, "torch"), {}
    for title, name in about["judged"].items():
        path = str(work / "tasks" / name)
        known, (_, rows) = baselines.score(about["baseline"], recipe.task, {**keys, "data.eval": path})
        each = {"model": answerer.evaluate(path), "baseline": known}
        told = {side: {one: round(float(values[one]), 4) for one in about["scores"]} for side, values in each.items()}
        found[title] = {"examples": rows, **told}
    return found


def cost(run: Path) -> tuple[int, float]:
    """The steps of a run by its log, and their minutes: steps times the median of those logged."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [row for row in rows if "evaluation" not in row]
    last = steps[-1]["step"]
    return last, round(last * statistics.median(one["seconds"] for one in steps) / 60, 1)


def card(name: str, about: dict[str, Any], made: Made) -> str:
    """The model card, with a sentence in Japanese for a model in Japanese."""
    recipe, language = made.recipe, name.split("-")[1]
    base, named = recipe.model.name, about["scores"]
    rows = (
        f"| {title} | {each['examples']:,} | "
        + " | ".join(f"{each['model'][one]:.4g} ({each['baseline'][one]:.4g})" for one in named)
        + " |"
        for title, each in made.scores.items()
    )
    training = recipe.training
    lines = [
        *("---", f"language: {language}", "library_name: albertkit", f"license: {about['license']}"),
        *(f"base_model: {base}", "tags: [albert]", "---", "", f"# albertkit/{name}", ""),
        f"A small ALBERT that comes with albertkit: {about['title']}. It takes {made.bytes / 1e6:.1f} MB beside "
        f"`{base}`, of whose matrices it keeps only how they have changed.",
        "",
        *([about["title_ja"], ""] if "title_ja" in about else []),
        *("```python", "from albertkit import pipeline", ""),
        f'answer = pipeline("{recipe.task}", language="{language}")  # takes albertkit/{name}',
        f"answer({about['example']})",
        *("```", "", "## Data and terms", "", *(f"- {one}" for one in about["data"]), ""),
        f"The terms of this model: {about['license']}.",
        *("", "## Scores", ""),
        f"Of this folder, on data that it was not trained on. In brackets: {about['baseline']}.",
        "",
        f"| data | examples | {' | '.join(named)} |",
        f"|---|---|{'---|' * len(named)}",
        *(*rows, "", "## Training", ""),
        f"`make -C models {name}`: the recipe `{about['recipe']}` of the package, {made.steps:,} steps of "
        f"{training.batch_size} examples ({training.epochs:g} passes) in about {made.minutes:.0f} minutes on one busy "
        f"core of a CPU, peak rate {training.learning_rate:g}. {made.rounding} Weights load as float32.",
        *("", "## Limits", ""),
        f"It has three million parameters, and what it began with has seen little: read the card of `{base}`. Expect "
        "the scores above and no more; larger models are better at this everywhere.",
        "",
    ]
    return "\n".join(lines)


def keep(name: str, made: Made, run: Path) -> None:
    """Put the scores, the log and the curves of a run into models/runs."""
    folder = HERE / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    for one in KEPT:
        shutil.copy(run / one, folder)
    (folder / "log.jsonl.xz").write_bytes(lzma.compress((run / "log.jsonl").read_bytes()))
    told = {"scores": made.scores, "bytes": made.bytes, "steps": made.steps, "minutes": made.minutes}
    storage.write_json(folder / "scores.json", told)


def main() -> None:
    """Parse, package, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=ABOUT)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    made = package(options.name, options.work, options.output or MODELS / options.name)
    if options.output is None:
        keep(options.name, made, options.work / options.name)
    sys.stdout.write(json.dumps({"bytes": made.bytes, **made.scores}, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
