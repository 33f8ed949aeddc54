"""Put a pre-trained model into the package: weights in half precision, tokenizer, model card.

    python models/pretrained.py RUN [RUN ...] [--name small-en] [--corpus DIR] [--output DIR]

Each RUN is a folder of `albertkit pretrain`, in the order of training; the last one gives the weights, the others,
which may have been ended early, are counted in what it cost. What is not in the files of the runs, of the corpus and of
benchmarks/results is not claimed.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from albertkit import storage
from albertkit.arrays import Tensors
from albertkit.checkpoint import files, layout
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import AlbertkitError, CheckpointError
from albertkit.tokenization import files as tokenizer_files
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import run_folder
from albertkit.training.pretrain_recipe import PretrainRecipe

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "src" / "albertkit" / "models"
RESULTS = ROOT / "benchmarks" / "results" / "small_en.json"
LIMIT = 12_000_000
"""Bytes that the folder may take."""


class About(NamedTuple):
    """What the card of a model says of it beside its figures."""

    language: str
    kind: str
    example: str
    data: str
    """Where the text is from; a sentence goes on behind it."""
    unlike: str
    """What is said of the data behind its size."""
    limits: str
    translated: str = ""
    """The card in short, in the language of the model."""


ABOUT = {
    "small-en": About(
        "en",
        "A small English ALBERT",
        "The capital of France is [MASK].",
        "Public-domain English books, such as Project Gutenberg keeps, and articles of the English Wikipedia (whose "
        "text is under CC BY-SA)",
        "No reviews and no labelled data.",
        "Much of its text is a century old or more, and it repeats what that says of people. It knows hardly any "
        "facts; do not ask it for them.",
    ),
    "small-ja": About(
        "ja",
        "A small Japanese ALBERT",
        "吾輩は[MASK]である。",
        "Works of Aozora Bunko in modern spelling whose terms are free (public domain in Japan), and the texts, "
        "without labels, of training data of Japanese tasks: JGLUE (CC BY-SA 4.0) and named entities of Wikipedia (CC "
        "BY-SA 3.0)",
        "About a hundredth of the works, drawn by a hash of their numbers, is held out (models/texts_ja.py), and so is "
        "all that the tasks are judged by.",
        "Most of its text is from before 1960: little of it says anything of today, much is dialogue of novels, and it "
        "repeats what that says of people. It knows hardly any facts; do not ask it for them. Voicing marks are kept "
        "(`keep_accents`), capitals are not.",
        (Path(__file__).parent / "small_ja.md").read_text(encoding="utf-8").strip(),
    ),
}


def package(
    runs: list[Path], corpus: Path | None, output: Path, results: Path | None = RESULTS, name: str = "small-en"
) -> str:
    """Write the folder of the embedded model as one step, and say in a sentence what rounding changed.

    CheckpointError where a weight is too large for half precision, or the folder for the package.
    """
    last = runs[-1]
    checkpoint = files.load(last)
    tensors, told = rounded(checkpoint.tensors)
    resolved = [about(run) for run in runs]
    tokenizer = AlbertTokenizerFast.from_pretrained(last)
    # Positions beyond the rows of training have never been trained.
    tokenizer.model_max_length = max(run["resolved"]["data"]["length"] for run in resolved)
    built = corpus or Path(resolved[-1]["resolved"]["data"]["corpus"])
    made = storage.read_json(built / "corpus.json")
    card = model_card(name, runs, resolved, made, checkpoint.config, told, results if name == "small-en" else None)
    stale = (*layout.STALE, *tokenizer_files.PATTERNS)
    with storage.atomic_replace(output, head=CONFIG_FILE, stale=stale) as staging:
        files.write(staging, checkpoint.config, tensors, "AlbertForPreTraining")
        # The config states the precision of the model, which loading restores; the file's is the file's own matter.
        keys = storage.read_json(staging / CONFIG_FILE) | {"dtype": "float32"}
        storage.write_text(staging / CONFIG_FILE, AlbertConfig.from_dict(keys).to_json_string())
        tokenizer.write(staging)
        if (staging / tokenizer_files.SPIECE).exists():  # from which the other is made
            (staging / tokenizer_files.TOKENIZER).unlink(missing_ok=True)
        storage.write_text(staging / "README.md", card)
        size = sum(path.stat().st_size for path in staging.iterdir())
        if size > LIMIT:
            raise CheckpointError(
                f"The embedded model must take at most {LIMIT:,} bytes. Received: {size:,}. Train a smaller one."
            )
    return f"{output}: {size:,} bytes. {told}"


def about(run: Path) -> dict[str, Any]:
    """The run.json of a run, or of one that was ended early only its recipe."""
    if (run / "run.json").exists() or (recipe := run_folder.begun(run)) is None:
        return storage.read_json(run / "run.json")
    return {"resolved": PretrainRecipe.load(recipe, {}).model_dump()}


def rounded(tensors: Tensors) -> tuple[Tensors, str]:
    """Tensors in float16, and the largest difference that this makes. CheckpointError where a value overflows."""
    halves: Tensors = {}
    differences = {}
    for name, tensor in tensors.items():
        values = tensor.astype(np.float32)
        with np.errstate(over="ignore"):
            halves[name] = values.astype(np.float16)
        if not np.isfinite(halves[name]).all():
            raise CheckpointError(
                f"A weight in half precision must lie within 65,504. {name} holds up to {np.abs(values).max():,.0f}. "
                "Train with more weight decay, or store float32."
            )
        differences[name] = float(np.abs(values - halves[name].astype(np.float32)).max(initial=0))
    worst = max(differences, key=lambda name: differences[name])
    largest = float(np.abs(tensors[worst]).max())
    return halves, (
        f"Rounding to half precision changes no weight by more than {differences[worst]:.1e} (in {worst}, whose "
        f"largest is {largest:.2f})."
    )


def cost(run: Path, recipe: dict[str, Any]) -> dict[str, float]:
    """Steps of a run by its log, their rows in tokens, and their hours: steps times the median of those logged."""
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    steps = [row for row in rows if "evaluation" not in row]
    last = steps[-1]["step"]
    tokens = last * recipe["training"]["batch_size"] * recipe["data"]["length"]
    return {"steps": last, "tokens": tokens, "hours": last * statistics.median(row["seconds"] for row in steps) / 3600}


def stage(number: int, recipe: dict[str, Any], spent: dict[str, float]) -> str:
    """A run as a row of the card's table."""
    data, training = recipe["data"], recipe["training"]
    masked = f"{data['masked_lm_prob']:.0%}, {data['ngram']} word{'s' if data['ngram'] > 1 else ''} at most together"
    sizes = f"{spent['steps']:,.0f} | {training['batch_size']} | {data['length']}"
    how = " | ".join(str(training[key]) for key in ("optimizer", "learning_rate", "schedule", "precision"))
    return f"| {number} | {data['objective']} | {masked} | {sizes} | {how} |"


def model_card(
    name: str,
    runs: list[Path],
    resolved: list[dict[str, Any]],
    corpus: dict[str, Any],
    config: AlbertConfig,
    told: str,
    results: Path | None,
) -> str:
    """README.md of the embedded model."""
    spent = [cost(run, one["resolved"]) for run, one in zip(runs, resolved, strict=True)]
    steps, tokens, hours = (sum(one[key] for one in spent) for key in ("steps", "tokens", "hours"))
    held_out = storage.read_json(runs[-1] / "eval_results.json")
    environment, recipe = resolved[-1], resolved[-1]["resolved"]
    megabytes = corpus["statistics"]["text_bytes"] / 1e6
    about = ABOUT[name]
    longest = max(run["resolved"]["data"]["length"] for run in resolved)
    scores = {key: value for key, value in held_out.items() if isinstance(value, float) and key != "epoch"}
    lines = [
        "---",
        f"language: {about.language}",
        "library_name: albertkit",
        "license: apache-2.0",
        "pipeline_tag: fill-mask",
        "tags: [albert]",
        "---",
        "",
        f"# albertkit/{name}",
        "",
        f"{about.kind} of {config.num_parameters('ForPreTraining'):,} parameters that comes with albertkit: "
        f"{config.num_hidden_layers} layers of width {config.hidden_size} that share one set of weights, embeddings of "
        f"width {config.embedding_size}, an uncased vocabulary of {config.vocab_size:,} pieces. It was pre-trained by "
        "`albertkit corpus build` and `albertkit pretrain` and nothing else, from new weights, as a start for small "
        "tasks, for trying things out, and for tests with a model that knows something.",
        "",
        "```python",
        "from albertkit import pipeline",
        "",
        f'pipeline("fill-mask", "albertkit/{name}")("{about.example}")',
        "```",
        "",
        *([about.translated, ""] if about.translated else []),
        "## Data",
        "",
        f"{about.data}: {corpus['documents']:,} documents, {megabytes:,.0f} MB of text, "
        f"{corpus['tokens']:,} tokens, {'and' if recipe['data'].get('eval') else 'of which'} "
        f"{held_out['tokens_held_out']:,} {'more' if recipe['data'].get('eval') else 'were'} held out. "
        f"{about.unlike} The vocabulary was learned from the same text.",
        "",
        "## Training",
        "",
        f"{steps:,.0f} steps in {len(runs)} stage{'s' if len(runs) > 1 else ''}, {tokens / 1e6:,.0f} million tokens in "
        f"all: {tokens / corpus['tokens']:.1f} times the corpus. About {hours:.1f} hours in {recipe['framework']} on "
        f"{environment['cores']} core{'s' if environment['cores'] > 1 else ''} ({environment['platform']}).",
        "",
        "| stage | objective | masked | steps | rows | length | optimizer | peak rate | schedule | precision |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            stage(number, one["resolved"], each)
            for number, (one, each) in enumerate(zip(resolved, spent, strict=True), 1)
        ),
        "",
        "The recipes come with the package: `albertkit recipe list`.",
        "",
        "## Figures",
        "",
        f"On {recipe['training']['evaluation_rows']:,} rows held out of the same corpus, at step {held_out['step']:,} "
        "of the last stage, before rounding:",
        "",
        "| score | value |",
        "|---|---|",
        *(f"| {name} | {value:.4f} |" for name, value in scores.items()),
        "",
        "(0.5 is chance in sop_accuracy.)",
        "",
        *benchmarks(results),
        f"{told} Weights load as float32.",
        "",
        "## Limits",
        "",
        f"It is small and saw little: {megabytes:,.0f} MB of text, where the published models saw 16 GB many times "
        f"over and are better at everything. It was trained on rows of {longest} tokens. Positions beyond are "
        f"untrained, and its tokenizer says so (`model_max_length` {longest}). {about.limits}",
        "",
    ]
    return "\n".join(lines)


def benchmarks(results: Path | None) -> list[str]:
    """What benchmarks/small_en.py has measured, if it has."""
    if results is None or not results.exists():
        return []
    ours = storage.read_json(results)["ours"]
    lines = [
        "By `benchmarks/small_en.py`, the median of the seeds:",
        "",
        "| task | from scratch | from it |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name}, accuracy | {found['scratch']['accuracy']:.4f} | {found['embedded']['accuracy']:.4f} |"
        for name, found in ours["tasks"].items()
    ]
    lines += ["", "| WikiText-2 | masked pieces | pseudo-perplexity | sentence order |", "|---|---|---|---|"]
    lines += [
        f"| {part} | {found['mlm_accuracy']:.4f} | {found['pseudo_perplexity']:.2f} | {found['sop_accuracy']:.4f} |"
        for part, found in ours["wikitext2"].items()
    ]
    return [*lines, ""]


def main() -> None:
    """Parse, package, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--corpus", type=Path, help="the corpus of the last run, if it is not where its recipe says")
    parser.add_argument("--name", choices=ABOUT, default="small-en")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    try:
        sys.stdout.write(
            package(options.runs, options.corpus, options.output or MODELS / options.name, name=options.name) + "\n"
        )
    except (AlbertkitError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
