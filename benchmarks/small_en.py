"""albertkit/small-en against the same configuration from scratch on two tasks, and its held-out figures on WikiText-2.

Both sides are fine-tuned by the recipe small_en_sst2 with the same data, steps, and vocabulary; only where the
weights start differs. Run in the project's environment:

    python benchmarks/small_en.py [--seeds 1 2 3] [--steps N] [--rows N] [--model DIR] [--precision bf16]
"""

import argparse
import json
import multiprocessing
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

import common
from albertkit.corpus import builder
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import finetune, pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe
from albertkit.training.recipe import FinetuneRecipe
from scoring.runs import from_nothing

NAME = "albertkit/small-en"
TASKS: dict[str, dict[str, Any]] = {
    "SST-2": {
        "data.train": str(common.DATA / "glue" / "SST-2" / "train.tsv"),
        "data.eval": str(common.DATA / "glue" / "SST-2" / "dev.tsv"),
    },
    "SICK": {
        "data.train": str(common.DATA / "nli" / "sick_train.csv"),
        "data.eval": str(common.DATA / "nli" / "sick_dev.csv"),
        "data.text_column": "premise",
        "data.pair_column": "hypothesis",
        "training.epochs": 8,
        "training.evaluate_every": 0,
    },
}
# WikiText-2 is cut into tokens with marks; text has none of them. What was rare there stands as <unk>, and is left out.
MARKS = ((" <unk>", ""), (" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", "."))
TITLE = re.compile(r"^ *\n = (?!=).* = \n(?= *$)", re.MULTILINE)
"""Of an article, between empty lines; a formula of the text may stand between such marks as well."""


def tasks(model: str, seeds: list[int], steps: int, precision: str) -> dict[str, Any]:
    """Accuracy of both sides on each task: the median of the seeds, and each. A run takes one core."""
    sides = {"embedded": {"model.name": model}, "scratch": from_nothing(model)}
    chosen = {"training.precision": precision}
    wanted = {
        (task, side): [{**keys, **changes, **chosen, "seed": seed} for seed in seeds]
        for task, keys in TASKS.items()
        for side, changes in sides.items()
    }
    with multiprocessing.get_context("spawn").Pool(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        asked = {kind: [pool.apply_async(one, (keys, steps)) for keys in each] for kind, each in wanted.items()}
        runs = {kind: [run.get() for run in each] for kind, each in asked.items()}
    found: dict[str, Any] = {task: {} for task in TASKS}
    for (task, side), each in runs.items():
        found[task][side] = {"accuracy": statistics.median(run["accuracy"] for run in each), "runs": each}
    return found


def one(keys: dict[str, Any], steps: int) -> dict[str, Any]:
    """Accuracy of one run, and the step that it was chosen at."""
    limit = {"training.max_steps": steps, "training.evaluate_every": steps} if steps else {}
    asked = FinetuneRecipe.load("small_en_sst2", {**keys, **limit})
    if "model.config" in keys:  # the recipe's own besides
        own = FinetuneRecipe.load("small_en_sst2", {}).model.config
        asked = asked.changed("model", config={**own, **keys["model.config"]})
    with tempfile.TemporaryDirectory() as folder:
        results = finetune.run(asked, Path(folder) / "model", console=Console(soft_wrap=True, stderr=True))
    return {"seed": keys["seed"], "accuracy": results["accuracy"], "step": results["step"]}


def articles(text: str) -> list[str]:
    """The articles of WikiText-2, one paragraph a line."""
    _, *found = TITLE.split(text)
    for mark, plain in MARKS:
        found = [one.replace(mark, plain) for one in found]
    paragraphs = [[line.strip() for line in one.splitlines()] for one in found]
    return ["\n".join(line for line in lines if line and not line.startswith("= =")) for lines in paragraphs]


def wikitext(model: str, length: int, rows: int) -> dict[str, Any]:
    """Held-out scores on the two parts of WikiText-2."""
    recipe = PretrainRecipe.load(None, {"data.length": length, "training.evaluation_rows": rows})
    tokenizer = AlbertTokenizerFast.from_pretrained(model)
    found = {}
    for part in ("valid", "test"):
        text = (common.DATA / "corpus" / f"wikitext2_{part}.txt").read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder) / "articles.jsonl"
            lines.write_text("".join(json.dumps({"text": one}) + "\n" for one in articles(text)), encoding="utf-8")
            built = builder.build([lines], Path(folder) / "corpus", tokenizer, processes=1)
            scores = pretrain.evaluate(model, Path(folder) / "corpus", recipe)
            found[part] = {**scores, "documents": built.documents, "tokens": built.tokens}
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--steps", type=int, default=0, help="of each fine-tuning; 0: what the recipe says")
    parser.add_argument("--rows", type=int, default=4096, help="rows of WikiText-2 to judge on, or all there are")
    parser.add_argument("--model", default=NAME)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    options = parser.parse_args()
    length = AlbertTokenizerFast.from_pretrained(options.model).model_max_length
    ours = {
        "wikitext2": wikitext(options.model, length, options.rows),
        "tasks": tasks(options.model, options.seeds, options.steps, options.precision),
    }
    gains = {
        f"{task}, points gained": 100 * (found["embedded"]["accuracy"] - found["scratch"]["accuracy"])
        for task, found in ours["tasks"].items()
    }
    peer = {"asked": {"SST-2, points gained": 3.0}, "the peer is": "the same configuration from scratch"}
    common.write("small_en", gains, ours, peer, ("albertkit", "torch", "sentencepiece", "numpy"))


if __name__ == "__main__":
    main()
