"""What two sentence losses teach (arXiv 1909.11942, table 5), at small scale: a kept experiment, not a timing.

Two models that differ in the objective alone are trained on the same corpus, and each is evaluated on rows held out by
both objectives. The paper finds that sentence order teaches next-sentence prediction (78.9 %), and not the other way
round (52.0 %). It also judges a model that was trained by neither, so its judges learned the task themselves: here a
logistic regression on the state of [CLS], fitted to rows of the corpus while the model stays as it is. Beside it stands
what the model's own head answers, asked the other question as if it were its own. So do the parameter counts of tables
1, 3 and 4, as the paper rounds them and as they are here.

    albertkit corpus build TEXT... --output corpus --tokenizer TOKENIZER
    albertkit corpus build OTHER... --output held-out --tokenizer TOKENIZER
    python benchmarks/sop_vs_nsp.py corpus held-out recipe.toml --output runs [--neither MODEL]

Finished runs in runs/sop and runs/nsp are taken as they are.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import common
from albertkit import weight_table
from albertkit.config import AlbertConfig
from albertkit.corpus.shards import Corpus
from albertkit.pretraining.examples import PretrainingExamples
from albertkit.torch.models import AlbertModel
from albertkit.training import pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe

OBJECTIVES = {"sop": "mlm+sop", "nsp": "mlm+nsp"}
CHANCE = 0.5
FITTED = 5
"""Rows to fit a judge on, for each row that is scored. A model's own head needs no fitting: it sees all rows."""
PAPER = {
    "neither on nsp": 0.524,
    "neither on sop": 0.533,
    "nsp on sop": 0.52,
    "sop on nsp": 0.789,
    "nsp on nsp": 0.905,
    "sop on sop": 0.865,
}
"""Table 5: trained with the one, evaluated by the other."""
SIZES = {"base": 12, "large": 18, "xlarge": 60, "xxlarge": 235}
"""Table 1, in millions. xlarge is 59 and xxlarge 223 when counted."""
EMBEDDINGS = {64: (87, 10), 128: (89, 12), 256: (93, 16), 768: (108, 31)}
"""Table 3: not shared, all shared."""
SHARING = {
    768: {"all": 31, "attention": 83, "ffn": 57, "none": 108},
    128: {"all": 12, "attention": 64, "ffn": 38, "none": 89},
}
"""Table 4."""


def shared(config: AlbertConfig, what: str) -> int:
    """Parameters of a model that shares all, none, or one part of its layers, counted as the paper counts them.

    Where E is H there is nothing to map. The pooler counts but where nothing is shared: so BERT-base comes to its 108.
    """
    layer = "albert.encoder.albert_layer_groups.0.albert_layers.0."
    sizes = {name: math.prod(shape) for name, shape in weight_table.expected(config, "Model").items()}
    repeated = {
        "all": (),
        "attention": [name for name in sizes if name.startswith(layer) and ".attention." not in name],
        "ffn": [name for name in sizes if name.startswith(f"{layer}attention.")],
        "none": [name for name in sizes if name.startswith(layer)],
    }[what]
    apart = ["albert.pooler."] if what == "none" else []
    apart += ["embedding_hidden_mapping_in"] if config.embedding_size == config.hidden_size else []
    total = sum(size for name, size in sizes.items() if not any(part in name for part in apart))
    return total + (config.num_hidden_layers - 1) * sum(sizes[name] for name in repeated)


def counts() -> dict[str, dict[str, float]]:
    """Millions of parameters: the paper's, and as counted here."""
    found = {}
    for size, stated in SIZES.items():
        found[f"ALBERT {size}"] = {"paper": stated, "counted": getattr(AlbertConfig, size)().num_parameters() / 1e6}
    for width, (apart, together) in EMBEDDINGS.items():
        config = AlbertConfig.base(embedding_size=width)
        found[f"E={width}, not shared"] = {"paper": apart, "counted": shared(config, "none") / 1e6}
        found[f"E={width}, all shared"] = {"paper": together, "counted": shared(config, "all") / 1e6}
    for width, row in SHARING.items():
        for what, stated in row.items():
            count = shared(AlbertConfig.base(embedding_size=width), what)
            found[f"E={width}, sharing {what}"] = {"paper": stated, "counted": count / 1e6}
    return found


def states(model: AlbertModel, corpus: Path, length: int, objective: str, rows: int) -> tuple[Any, Any]:
    """The state of [CLS] (S, H) of each sequence in rows drawn from a corpus, and whether its order is wrong (S,)."""
    examples = PretrainingExamples(Corpus.open(corpus), length=length, objective=objective, seed=1)
    chosen = sorted(examples.order(0)[:rows])
    found, labels = [], []
    for start in range(0, len(chosen), 64):
        batch = examples.batch(0, chosen[start : start + 64])
        batch = {name: torch.from_numpy(array).long() for name, array in batch.arrays().items()}
        inputs = {name: batch[name] for name in ("input_ids", "token_type_ids", "position_ids")}
        sequence = batch["sequence"]
        with torch.no_grad():
            hidden = model(**inputs, attention_mask=sequence[:, :, None] == sequence[:, None]).last_hidden_state
        is_pair = batch["sop_labels"] >= 0
        found.append(hidden.flatten(0, 1)[batch["cls_positions"][is_pair]])
        labels.append(batch["sop_labels"][is_pair])
    return torch.cat(found), torch.cat(labels)


def probed(folder: str, corpus: Path, held_out: Path, length: int, objective: str, rows: int) -> dict[str, float]:
    """Accuracy on held-out rows of a logistic regression that learned the objective from others of the corpus."""
    model = AlbertModel.from_pretrained(folder, add_pooling_layer=False)
    (seen, answers), (new, expected) = (
        states(model, part, length, objective, count) for part, count in ((corpus, FITTED * rows), (held_out, rows))
    )
    mean, spread = seen.mean(0), seen.std(0)
    seen, new = (seen - mean) / spread, (new - mean) / spread
    layer = nn.Linear(seen.shape[1], 2)
    nn.init.zeros_(layer.weight)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        found = functional.cross_entropy(layer(seen), answers) + 1e-2 * layer.weight.square().sum()
        found.backward()
        return found

    optimizer.step(loss)
    with torch.no_grad():
        accuracies = [
            (layer(inputs).argmax(-1) == labels).float().mean().item()
            for inputs, labels in ((seen, answers), (new, expected))
        ]
    pairs = {"pairs to learn from": len(seen), "pairs to judge on": len(new)}
    return {"accuracy on what it learned from": accuracies[0], "accuracy": accuracies[1], **pairs}


def told(folder: str) -> dict[str, Any]:
    """What a run was given, and what it came to."""
    record, results = (json.loads((Path(folder) / name).read_text()) for name in ("run.json", "eval_results.json"))
    command = " ".join(map(common.portable, record["command"].split()))
    return {"command": command, **record["resolved"], "results": results}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--neither", help="a model that was trained by neither objective")
    parser.add_argument("--rows", type=int, default=4000, help="rows to judge on")
    options = parser.parse_args()
    given = {"data.corpus": str(options.corpus), "data.eval": str(options.held_out)}
    trained = {}
    for name, objective in OBJECTIVES.items():
        folder = options.output / name
        trained[name] = str(folder)
        if not (folder / "eval_results.json").exists():
            unfinished = (folder / "checkpoints").exists()
            recipe = PretrainRecipe.load(options.recipe, {**given, "data.objective": objective})
            pretrain.run(recipe, folder, resume=unfinished)
    runs = {name: told(folder) for name, folder in trained.items()}
    if options.neither:
        trained["neither"] = options.neither
    accuracy, heads, probes = {}, {}, {}
    for name, folder in trained.items():
        for judge, objective in OBJECTIVES.items():
            asked = {**given, "data.objective": objective, "training.evaluation_rows": FITTED * options.rows}
            recipe = PretrainRecipe.load(options.recipe, asked)
            found = probed(folder, options.corpus, options.held_out, recipe.data.length, objective, options.rows)
            probes[f"trained with {name}, probed by {judge}"] = found
            accuracy[f"trained with {name}, probed by {judge}"] = found["accuracy"]
            if name != "neither":
                scores = pretrain.evaluate(folder, options.held_out, recipe)
                heads[f"trained with {name}, own head evaluated by {judge}"] = scores
                accuracy[f"trained with {name}, own head evaluated by {judge}"] = scores["sop_accuracy"]
    common.write(
        "sop_vs_nsp",
        accuracy,
        {"runs": runs, "probes": probes, "heads": heads, "parameters": counts(), "chance": CHANCE},
        {"table 5": PAPER},
        ("albertkit", "torch"),
    )


if __name__ == "__main__":
    main()
