"""Ways to quantise the inputs of a model's products, in the order in which they are tried.

NumPy only. Letters: K width of an input.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.quantization import MAPPING, SITES, InputStatistics, Largest, Quantization

Statistics = Mapping[str, Sequence[InputStatistics]]
"""By site, for each run of a layer."""

_WORSE = 2.0
"""How many times the error of a scale for each token one scale for all may have, before a product gets the former."""
_STRENGTH = 0.5
"""How far outliers move from inputs to weights: alpha of arXiv 2211.10438, and the value that it recommends."""
_KEPT = 0.25
"""The share of products that stay in float32 at last: those with the largest errors."""
_SMOOTHED = ("query_key_value", "ffn")
"""Sites whose input is the output of a norm, which is where outliers lie in few channels."""
_WEIGHTS = {
    "query_key_value": ("attention.query", "attention.key", "attention.value"),
    "ffn": ("ffn",),
}


@dataclass(frozen=True)
class Plan:
    """One way, and what to call it."""

    name: str
    quantization: Quantization


def plans(config: AlbertConfig, statistics: Statistics, tensors: Tensors, is_compiled: bool) -> Iterator[Plan]:
    """The ways to try, one after the other until the answers stay as they are.

    From the fastest to the most exact, but for those that are less exact and hardly faster: `is_compiled`, a scale for
    each token costs the compiled encoder a fiftieth of its speed.
    """
    if not is_compiled:
        yield Plan("one scale a product", _of(statistics, lambda one: one.best[0]))
        yield Plan("scales for tokens where one scale is poor", _of(statistics, _one_or_token))
    yield Plan("a scale for each token", _of(statistics, lambda _: "token"))
    smoothing = {site: _smoothing(config, statistics[site], tensors, site) for site in _SMOOTHED}
    yield Plan("a scale for each token, smoothed", _of(statistics, lambda _: "token", smoothing))
    errors = sorted((one.token_error for ones in statistics.values() for one in ones), reverse=True)
    limit = errors[int(len(errors) * _KEPT)]
    yield Plan(
        f"the same, {_KEPT:.0%} of the products in float32",
        _of(statistics, lambda one: "float" if one.token_error > limit else "token", smoothing),
    )


def _one_or_token(one: InputStatistics) -> Largest:
    largest, error = one.best
    return largest if error <= _WORSE * one.token_error else "token"


def _of(statistics: Statistics, choose, smoothing: Mapping[str, np.ndarray] | None = None) -> Quantization:
    runs = range(len(statistics[SITES[0]]))
    layers = tuple({site: choose(statistics[site][run]) for site in SITES} for run in runs)
    return Quantization(choose(statistics[MAPPING][0]), layers, smoothing or {})


def _smoothing(config: AlbertConfig, statistics: Sequence[InputStatistics], tensors: Tensors, site: str) -> np.ndarray:
    """(K,) what inputs are divided by: the largest of each channel over that of its column of the weights."""
    inputs = np.max([one.channels for one in statistics], 0)
    layers = [(g, j) for g in range(config.num_hidden_groups) for j in range(config.inner_group_num)]
    names = [
        f"albert.encoder.albert_layer_groups.{g}.albert_layers.{j}.{name}.weight"
        for g, j in layers
        for name in _WEIGHTS[site]
    ]
    columns = np.max([np.abs(tensors[name].astype(np.float32)).max(0) for name in names], 0)
    ratio = np.maximum(inputs, 1e-5) ** _STRENGTH / np.maximum(columns, 1e-5) ** (1 - _STRENGTH)
    return np.asarray(ratio / np.exp(np.log(ratio).mean()), np.float32)
