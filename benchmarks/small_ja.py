"""albertkit/small-ja against the same configuration from nothing on Japanese tasks, and its figures on works held out.

    python benchmarks/small_ja.py [--seeds 1 2 3] [--rows N] [--work FOLDER]

The tasks are runs of quality.py: what results/quality holds of them is not run again. The works are those that
models/texts_ja.py sets aside. Run in the project's environment.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import quality
from albertkit.corpus import builder
from albertkit.corpus.builder import BuildSettings
from albertkit.corpus.sentences import SentenceSplitter
from albertkit.tokenization.fast import AlbertTokenizerFast
from albertkit.training import pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe
from scoring.data import is_held_out, lines
from scoring.runs import QUESTIONS, RUNS, SMALL_JA, Run

sys.path.append(str(Path(__file__).parents[1] / "models"))
import texts_ja

TASKS = ("jsts", "jcommonsenseqa", "jnli", "jsquad")
ASKED = ("jsts", "jcommonsenseqa")
"""Of which a gain is asked, by several seeds; the others are stated, by those that quality.py has."""


def medians(run: Run) -> dict[str, Any]:
    """The first score of a task on both sides: the median of the seeds, and each; and that of the baseline."""
    found, score = quality.kept(run), run.scores[0]
    runs = {side: {str(one["seed"]): one["scores"][score] for one in found["runs"][side]} for side in quality.SIDES}
    sides = {side: {"median": statistics.median(each.values()), "seeds": each} for side, each in runs.items()}
    return {"score": score, "baseline": found["baseline"]["scores"][score], **sides}


def gain(run: Run, found: dict[str, Any]) -> float:
    """Points by which the median from the model is above that from nothing; those of answers are in hundredths."""
    points = found["model"]["median"] - found["nothing"]["median"]
    return points if run.task == QUESTIONS else 100 * points


def held_out(rows: int) -> dict[str, Any]:
    """Scores of pre-training on the works that the model has not read, and how many tokens they are."""
    tokenizer = AlbertTokenizerFast.from_pretrained(SMALL_JA)
    recipe = PretrainRecipe.load(None, {"data.length": tokenizer.model_max_length, "training.evaluation_rows": rows})
    with tempfile.TemporaryDirectory() as folder:
        works = [work for work in texts_ja.works() if is_held_out(work["id"], texts_ja.HELD_OUT)]
        kept = lines(Path(folder) / "works.jsonl", works)
        built = builder.build(
            [kept],
            Path(folder) / "corpus",
            tokenizer,
            BuildSettings(splitter=SentenceSplitter(language="ja")),
            processes=1,
        )
        return {**pretrain.evaluate(SMALL_JA, Path(folder) / "corpus", recipe), "tokens": built.tokens}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", type=int, default=4096, help="rows of the works to judge on, or all there are")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "albertkit-quality")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in TASKS:
        seeds = options.seeds if name in ASKED else options.seeds[:1]
        for job in quality.missing([RUNS[name]], list(quality.SIDES), seeds):
            quality.do(job, options.work, float("inf"))
    tasks = {RUNS[name].title: medians(RUNS[name]) for name in TASKS}
    gained = {f"{RUNS[name].title}, points gained": gain(RUNS[name], tasks[RUNS[name].title]) for name in TASKS}
    ours = {"held out": held_out(options.rows), "tasks": tasks}
    asked = {f"{RUNS[name].title}, points gained": 5.0 for name in ASKED}
    peer = {"asked": asked, "the peer is": "the same configuration from nothing"}
    common.write("small_ja", gained, ours, peer, ("albertkit", "torch", "sentencepiece", "numpy"))


if __name__ == "__main__":
    main()
