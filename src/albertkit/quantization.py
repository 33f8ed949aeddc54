"""How the products of a model are computed in int8: what is known of their inputs, kept beside the weights.

Weights need nothing: they are quantised by output channel when a model is loaded. Letters: H hidden size, F
feed-forward width, K the width of a product's input.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import xxhash

from albertkit import storage, weight_table
from albertkit.arrays import Tensors
from albertkit.config import AlbertConfig
from albertkit.errors import CheckpointError, abbreviate
from albertkit.typing import Json, Record

QUANTIZATION_FILE = "quantization.json"
MAPPING = "embedding_hidden_mapping_in"
SITES = ("query_key_value", "dense", "ffn", "ffn_output")
"""The products of a layer, by the names of their weights; the first are three weights with one input."""

FRACTIONS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
"""Of the largest magnitude of an input: what its scale may reach to, what is beyond being clipped."""

Largest = float | str
"""The largest magnitude that inputs of a product have, which a scale for all follows from; "token" where each token has
a scale of its own, "float" where the product is not quantised."""


@dataclass(frozen=True)
class InputStatistics:
    """What the input of a product was like in one run over given texts."""

    channels: np.ndarray
    """(K,) the largest magnitudes."""
    errors: np.ndarray
    """(FRACTIONS,) what int8 takes from it, as a share of its root mean square, by what the scale reaches to."""
    token_error: float
    """The same with a scale for each token."""

    @property
    def best(self) -> tuple[float, float]:
        """What one scale best reaches to, and the error then."""
        place = int(self.errors.argmin())
        return max(float(self.channels.max()) * FRACTIONS[place], 1e-30), float(self.errors[place])


@dataclass(frozen=True)
class Quantization:
    """What is known of the inputs of the products of an encoder."""

    mapping: Largest
    """Of the product that maps embeddings from E to H."""
    layers: Sequence[Mapping[str, Largest]]
    """Of each run of a layer, in the order in which they run, by name of SITES."""
    smoothing: Mapping[str, np.ndarray] = field(default_factory=dict)
    """(K,) float32 by name of a site: inputs are divided by it, and the weight's columns multiplied, in all layers
    (arXiv 2211.10438)."""

    def of(self, site: str) -> Sequence[Largest]:
        """What is known of the inputs of a product in each run of a layer; of MAPPING, which runs once."""
        return (self.mapping,) if site == MAPPING else [layer[site] for layer in self.layers]

    def to_json(self) -> Record:
        """As it stands in the file."""
        smoothing = {name: [float(value) for value in values] for name, values in self.smoothing.items()}
        return {"mapping": self.mapping, "layers": [dict(layer) for layer in self.layers], "smoothing": smoothing}

    @classmethod
    def of_json(cls, stored: Json, config: AlbertConfig, source: Path) -> Self:
        """What stands in the file `source`. CheckpointError where it is not of that config's model."""
        layers, smoothing = _get(stored, "layers", list), _get(stored, "smoothing", dict)
        hidden = config.hidden_size
        widths = {"query_key_value": hidden, "dense": hidden, "ffn": hidden, "ffn_output": config.intermediate_size}
        is_valid = (
            len(layers) == runs_of_layers(config)
            and _is_largest(_get(stored, "mapping", object))
            and all(isinstance(one, dict) and one.keys() == set(SITES) for one in layers)
            and all(_is_largest(value) for one in layers for value in one.values())
            and all(_is_vector(value, widths.get(name, 0)) for name, value in smoothing.items())
        )
        if not is_valid:
            raise CheckpointError(
                f"{source} must say for each of {runs_of_layers(config)} layers how the inputs of {', '.join(SITES)} "
                f"are quantised. Received: {abbreviate(stored)}. Make it anew with `albertkit quantize`, or delete it."
            )
        vectors = {name: np.array(values, np.float32) for name, values in smoothing.items()}
        known = tuple({site: _largest(one[site]) for site in SITES} for one in layers)
        return cls(_largest(stored["mapping"]), known, vectors)


def per_token(config: AlbertConfig) -> Quantization:
    """What needs no calibration: a scale for each token of every product."""
    layer: dict[str, Largest] = dict.fromkeys(SITES, "token")
    return Quantization("token", (layer,) * runs_of_layers(config))


def quantized_weight(weight: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """A weight (N, K) -> its bytes, int8 up to `steps`, and what a step is worth for each output, (N,) float32."""
    scale = np.maximum(np.abs(weight).max(1), np.finfo(np.float32).tiny) / np.float32(steps)
    return np.rint(weight / scale[:, None]).astype(np.int8), scale


def runs_of_layers(config: AlbertConfig) -> int:
    """How often a layer runs from the first state to the last."""
    return config.num_hidden_layers * config.inner_group_num


def read(folder: storage.Folder, config: AlbertConfig, tensors: Tensors) -> tuple[Quantization | None, tuple[str, ...]]:
    """What a folder says of its own weights, or None; and where it says it of others, a sentence on that.

    CheckpointError where the file is damaged.
    """
    file = folder.file(QUANTIZATION_FILE)
    if file is None:
        return None, ()
    stored = storage.read_json(file)
    if stored.get("weights") != fingerprint(tensors):
        told = f"{QUANTIZATION_FILE} was made for other weights and is not used. Make it anew with albertkit quantize."
        return None, (told,)
    return Quantization.of_json(stored, config, file), ()


def write(folder: Path, quantization: Quantization, tensors: Tensors, report: Record) -> None:
    """Write the file, with what was measured of the answers."""
    stored = {"weights": fingerprint(tensors), **quantization.to_json(), "report": report}
    storage.write_json(folder / QUANTIZATION_FILE, stored)


def fingerprint(tensors: Tensors) -> str:
    """A checksum of the weights of the encoder, which are all that is quantised."""
    found = xxhash.xxh3_128()
    for name, tensor in sorted(tensors.items()):
        if weight_table.part(name) == "encoder":
            found.update(name.encode())
            found.update(np.ascontiguousarray(tensor, np.float32).tobytes())
    return f"xxh3_128:{found.hexdigest()}"


def _get(stored: Json, name: str, kind: type) -> Json:
    """The value of a key, or an empty one where there is none of that kind."""
    value = stored.get(name) if isinstance(stored, dict) else None
    return value if isinstance(value, kind) else kind()


def _largest(value: Json) -> Largest:
    return value if isinstance(value, str) else float(value)


def _is_largest(value: Json) -> bool:
    return value in ("token", "float") if isinstance(value, str) else _is_positive(value)


def _is_vector(values: Json, width: int) -> bool:
    return isinstance(values, list) and len(values) == width and all(map(_is_positive, values))


def _is_positive(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
