"""What two sentence losses teach (arXiv 1909.11942, table 5), at small scale: a kept experiment, not a timing.

Two models that differ in the objective alone are trained on the same corpus, and each is judged on what is held out by
both objectives. The paper finds that sentence order teaches next-sentence prediction (78.9 %), and not the other way
round (52.0 %). Parameter counts of tables 1, 3 and 4 stand beside it, as the paper rounds them and as they are here.

    albertkit corpus build TEXT... --output corpus --tokenizer TOKENIZER
    albertkit corpus build OTHER... --output held-out --tokenizer TOKENIZER
    python benchmarks/sop_vs_nsp.py corpus held-out recipe.toml --output runs
"""

import argparse
import math
from pathlib import Path

import common
from albertkit.checkpoint import names
from albertkit.config import AlbertConfig
from albertkit.training import pretrain
from albertkit.training.pretrain_recipe import PretrainRecipe

OBJECTIVES = {"sop": "mlm+sop", "nsp": "mlm+nsp"}
CHANCE = 0.5
SIZES = {"base": 12, "large": 18, "xlarge": 60, "xxlarge": 235}
"""Table 1, in millions. xxlarge is 223 when counted."""
EMBEDDINGS = {64: (87, 10), 128: (89, 12), 256: (93, 16), 768: (108, 31)}
"""Table 3: not shared, all shared."""
SHARING = {
    768: {"all": 31, "attention": 83, "ffn": 57, "none": 108},
    128: {"all": 12, "attention": 64, "ffn": 38, "none": 89},
}
"""Table 4."""


def shared(config: AlbertConfig, what: str) -> int:
    """Parameters of a model that shares all, none, or one part of its layers."""
    layer = "albert.encoder.albert_layer_groups.0.albert_layers.0."
    sizes = {name: math.prod(shape) for name, shape in names.expected(config, "Model").items()}
    repeated = {
        "all": (),
        "attention": [name for name in sizes if name.startswith(layer) and ".attention." not in name],
        "ffn": [name for name in sizes if name.startswith(f"{layer}attention.")],
        "none": [name for name in sizes if name.startswith(layer)],
    }[what]
    return sum(sizes.values()) + (config.num_hidden_layers - 1) * sum(sizes[name] for name in repeated)


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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("held_out", type=Path)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2000, help="rows to judge on")
    options = parser.parse_args()
    accuracy, results = {}, {}
    for trained, objective in OBJECTIVES.items():
        given = {"data.corpus": str(options.corpus), "data.eval": str(options.held_out), "data.objective": objective}
        folder = options.output / trained
        if not (folder / "eval_results.json").exists():
            unfinished = (folder / "checkpoints").exists()
            pretrain.run(PretrainRecipe.load(options.recipe, given), folder, resume=unfinished)
        for judged, other in OBJECTIVES.items():
            asked = {**given, "data.objective": other, "training.evaluation_rows": options.rows}
            scores = pretrain.evaluate(str(folder), options.held_out, PretrainRecipe.load(options.recipe, asked))
            accuracy[f"trained with {trained}, judged by {judged}"] = scores["sop_accuracy"]
            results[f"{trained} on {judged}"] = scores
    common.write(
        "sop_vs_nsp",
        accuracy,
        {"results": results, "parameters": counts(), "chance": CHANCE},
        {"table 5": {"nsp on sop": 0.52, "sop on nsp": 0.789, "nsp on nsp": 0.905, "sop on sop": 0.865}},
        ("albertkit", "torch"),
    )


if __name__ == "__main__":
    main()
