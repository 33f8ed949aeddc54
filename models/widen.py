"""Make a pre-trained model twice as wide, which computes nearly what the narrower did.

    python models/widen.py MODEL OUTPUT [--noise 0.1] [--seed 1]

Every width of the layers (H, F and the number of heads) is doubled by writing each unit twice and sharing what leads
out of it among both at random (Net2Net, arXiv 1511.05641; for a transformer bert2BERT, arXiv 2110.07143). The norms
stay exact, for mean and variance of a vector written twice are its own. So training goes on from what was learned at
a third of the cost. Units that are the same would stay so, for optimizers that scale what they are given: so noise
of a share of each matrix's deviation is added, which costs 2 % of the loss at 0.1.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from albertkit import weight_table
from albertkit.checkpoint import files
from albertkit.config import AlbertConfig
from albertkit.errors import AlbertkitError, CheckpointError, ConfigError, few
from albertkit.tokenization.fast import AlbertTokenizerFast

HEAD = "ForPreTraining"
WIDTHS = {"H", "F"}
DOUBLED = ("hidden_size", "intermediate_size", "num_attention_heads")
SHARE = (0.35, 0.65)
"""Bounds of what the first of two units is given of what led out of one."""


def widened(name: str, values: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    """A tensor with every side of a width doubled; matrices are (out, in)."""
    letters, is_matrix = weight_table.letters(name), weight_table.kind(name) == "dense"
    found = values.astype(np.float32)
    for axis, letter in enumerate(letters):
        if letter not in WIDTHS:
            continue
        if axis == 1:  # what leads out of a unit; embeddings have no width there
            share = rng.uniform(*SHARE, found.shape[1]).astype(np.float32)
            found = np.concatenate([found * share, found * (1 - share)], axis=1)
        else:
            found = np.concatenate([found, found], axis=axis)
    if is_matrix and not WIDTHS.isdisjoint(letters):
        found = found + rng.normal(0, noise * found.std(), found.shape).astype(np.float32)
    return found


def config(narrow: AlbertConfig) -> AlbertConfig:
    """The config of the wide model: heads are as wide as they were, and twice as many."""
    return narrow.changed(**{key: 2 * getattr(narrow, key) for key in DOUBLED})


def write(model: str, output: Path, noise: float, seed: int) -> AlbertConfig:
    """Write the folder of the wide model.

    CheckpointError for a model that was not pre-trained, ConfigError for noise that is no share.
    """
    if not 0 <= noise <= 1:
        raise ConfigError(f"Noise is a share of each matrix's deviation, from 0 to 1. Received: {noise}. Leave it out.")
    narrow = files.load(model)
    needed = weight_table.expected(narrow.config, HEAD).keys() - weight_table.tied(narrow.config)
    if missing := needed - narrow.tensors.keys():
        raise CheckpointError(
            f"A model to widen has all weights of pre-training. {model} lacks {few(sorted(missing))}. Name one that "
            "`albertkit pretrain` made."
        )
    rng = np.random.default_rng(seed)
    tensors = {name: widened(name, narrow.tensors[name], noise, rng) for name in narrow.tensors}
    wide = config(narrow.config)
    files.save(output, wide, tensors, f"Albert{HEAD}")
    AlbertTokenizerFast.from_pretrained(model).save_pretrained(output)
    return wide


def main() -> None:
    """Parse, widen, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("output", type=Path)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        wide = write(options.model, options.output, options.noise, options.seed)
    except (AlbertkitError, FileExistsError) as error:
        sys.exit(f"error: {error}")
    sys.stdout.write(f"{options.output}: {wide.num_parameters(HEAD):,} parameters.\n")


if __name__ == "__main__":
    main()
