"""Initial values of weights, by the kind of each tensor.

One rule for the three frameworks, so that one seed starts them equal.

Dense and embedding weights are drawn from a normal distribution cut at two standard deviations, as in the original
code; biases are 0, norms 1 and 0, and the embedding of the pad token is 0.

What is drawn so attends to every place alike, and long learns from what a text is about and not from what stands where.
`with_local_attention` begins with attention to the places nearby.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig

POSITIONS = "albert.embeddings.position_embeddings.weight"
MAPPING = "albert.encoder.embedding_hidden_mapping_in.weight"

SLOWEST = 1000
"""Positions turn by 1 a place at the fastest, and by one over this at the slowest."""

PEAK = 4.0
"""The score of the place that a head attends to most, where positions are a third of the embedding."""


def initialize(shapes: Mapping[str, tuple[int, ...]], config: AlbertConfig, seed: int) -> Tensors:
    """float32 values for the tensors in `shapes`, a mapping of canonical names to shapes.

    A tensor's values depend on the seed, its name and its shape, not on which others are asked for.
    """
    return {name: _initial_values(name, shape, config, seed) for name, shape in shapes.items()}


def initialize_missing(
    missing: Iterable[str], shapes: Mapping[str, tuple[int, ...]], config: AlbertConfig, seed: int
) -> Tensors:
    """The same for the `missing` tensors of a model with these `shapes`, in whatever ALBERT inside it they stand.

    What the table does not know is left out. Each is drawn under its own name, so that no two heads start alike.
    """
    known = weight_table.known_names(shapes)
    return {name: _initial_values(name, shapes[name], config, seed, known[name]) for name in missing if name in known}


def with_local_attention(tensors: Tensors, config: AlbertConfig) -> Tensors:
    """The same weights, but for positions, queries and keys, with which each head begins by attending nearby.

    Position t becomes sines and cosines of t (E,), on average as wide as the weights are drawn. Keys of a head read the
    fastest of them, and its queries the same turned by the head's offset: -1, 1, -2, 2, ... places, of which a place
    attends to that offset most and to others the less the farther they are. The rest of a head's width, if it has more
    than positions fill, stays as it was drawn. In the manner of Trockman and Kolter (arXiv 2305.09828), who begin so
    with attention to the place itself.
    """
    width, heads = config.embedding_size, config.num_attention_heads
    head = config.hidden_size // heads
    speeds = np.float64(SLOWEST) ** (-np.arange(width // 2) / (width // 2))
    angles = np.arange(config.max_position_embeddings)[:, None] * speeds
    positions = np.zeros((config.max_position_embeddings, width))
    positions[:, : 2 * len(speeds)] = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    changed = dict(tensors)
    changed[POSITIONS] = (positions * np.sqrt(2) * config.initializer_range).astype(np.float32)
    read = min(head // 2, len(speeds))
    # What words and types add to positions makes them a third of what the norm leaves, hence 2 / 3 for sine and cosine.
    strength = np.sqrt(PEAK * np.sqrt(head) / (read * 2 / 3))
    back = np.linalg.pinv(tensors[MAPPING].astype(np.float64))
    for name in tensors:
        if name.endswith((".attention.query.weight", ".attention.key.weight")):
            weight = changed[name] = tensors[name].copy()
            for number in range(heads):
                offset = (number // 2 + 1) * (-1) ** (number + 1) if ".query." in name else 0
                turned = _turned(speeds[:read], offset, width) @ back
                weight[number * head : number * head + 2 * read] = strength * turned
    return changed


def _turned(speeds: np.ndarray, offset: int, width: int) -> np.ndarray:
    """(2 S, E): from the embedding of position t to sines and cosines, in turn, of t + offset at S speeds."""
    count, half = np.arange(len(speeds)), width // 2
    sine, cosine = np.sin(speeds * offset), np.cos(speeds * offset)
    turned = np.zeros((2 * len(speeds), width))
    turned[2 * count, count], turned[2 * count, half + count] = cosine, sine
    turned[2 * count + 1, count], turned[2 * count + 1, half + count] = -sine, cosine
    return turned


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


def _initial_values(
    name: str, shape: tuple[int, ...], config: AlbertConfig, seed: int, canonical: str | None = None
) -> np.ndarray:
    """Values that follow from the seed and `name`, of the kind that the table has under `canonical`, else that name."""
    kind = weight_table.kind(canonical or name)
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
