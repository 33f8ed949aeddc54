"""Fresh weights, by the kind of each tensor. One rule for the three frameworks, so that one seed starts them equal.

Dense and embedding weights are drawn from a normal distribution cut at two standard deviations, as in the original
code; biases are 0, norms 1 and 0, and the embedding of the pad token is 0.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from albertkit.checkpoint import names
from albertkit.checkpoint.report import Tensors


def fresh(shapes: Mapping[str, tuple[int, ...]], config: Any, seed: int) -> Tensors:
    """float32 values for the tensors in `shapes`, a mapping of neutral names to shapes.

    A tensor's values depend on the seed, its name and its shape, not on which others are asked for.
    """
    return {name: _fresh(name, shape, config, seed) for name, shape in shapes.items()}


def resized(weight: np.ndarray, size: int, spread: float | None, seed: int) -> np.ndarray:
    """(V, E) cut to `size` rows, or filled up: with rows at the mean of the old ones, or around 0 with `spread`."""
    added = size - len(weight)
    if added <= 0:
        return weight[:size].copy()
    generator = np.random.default_rng(seed)
    if spread is None:
        # Drawn with the covariance of the old rows, much scaled down, so that no two new ones are alike.
        values = weight.astype(np.float64)
        covariance = np.cov(values, rowvar=False, bias=True).reshape(values.shape[1], -1) * 1e-9
        rows = generator.multivariate_normal(values.mean(axis=0), covariance, size=added)
    else:
        rows = generator.standard_normal((added, weight.shape[1])) * spread
    return np.concatenate([weight, rows.astype(weight.dtype)])


def _fresh(name: str, shape: tuple[int, ...], config: Any, seed: int) -> np.ndarray:
    kind = names.kind(name)
    if kind == "bias" or name.endswith(".bias"):
        return np.zeros(shape, np.float32)
    if kind == "norm":
        return np.ones(shape, np.float32)
    values = _truncated_normal(np.random.default_rng([seed, *name.encode()]), shape)
    values *= config.initializer_range
    if name.endswith("word_embeddings.weight") and config.pad_token_id is not None:
        values[config.pad_token_id] = 0
    return values


def _truncated_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values of at most 2 in size: those beyond are drawn again."""
    values = rng.standard_normal(shape, np.float32)
    while (far := np.abs(values) > 2).any():
        values[far] = rng.standard_normal(int(far.sum()), np.float32)
    return values
