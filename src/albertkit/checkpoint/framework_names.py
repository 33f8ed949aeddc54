"""Neutral names <-> the names that TensorFlow and Flax models of Transformers store their weights under.

One rule a framework, by the kind of a tensor, over the weight table; reading is the computed inverse. Dense weights
are stored the other way round there. Names may stand behind those of the layers and models that hold the weight, as
they do in h5 files.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from albertkit import weight_table
from albertkit.checkpoint.report import Tensors
from albertkit.errors import CheckpointError

_KERAS = {("dense", "weight"): "kernel", ("embedding", "weight"): "embeddings"}
_KERAS |= {("norm", "weight"): "gamma", ("norm", "bias"): "beta"}
_FLAX = {("dense", "weight"): "kernel", ("embedding", "weight"): "embedding", ("norm", "weight"): "scale"}

_INDICES = re.compile(r"albert_layer_groups/(\d+)/albert_layers/(\d+)/")
_TEMPLATE = "albert_layer_groups/{g}/albert_layers/{j}/"


@dataclass(frozen=True)
class Translated:
    """Tensors under neutral names, and what their names and those that were left out had been."""

    tensors: Tensors
    renamed: dict[str, str]
    """The neutral name by the stored one, where the two differ."""
    skipped: tuple[str, ...] = ()
    """Stored names of what is no weight: optimizer slots, step counters."""


def keras(name: str) -> str:
    """The variable name of a neutral name in a TensorFlow model, without the model's own name in front."""
    if name.endswith("word_embeddings.weight"):
        return name.replace(".", "/")
    return re.sub(r"/(\d+|\{\w\})(?=/)", r"_._\1", _with_leaf(name, _KERAS))


def flax(name: str) -> str:
    """The path of a neutral name in the parameters of a Flax model, joined by `/`."""
    return _with_leaf(name, _FLAX)


def _with_leaf(name: str, leaves: Mapping[tuple[str, str], str]) -> str:
    module, _, leaf = name.rpartition(".")
    return f"{module}.{leaves.get((weight_table.kind(name), leaf), leaf)}".replace(".", "/")


def _key(stored: str) -> str:
    """A stored name with `/` between its parts, whoever wrote it."""
    stored = re.sub(r":\d+$", "", stored).replace("_._", "/").replace(".", "/")
    return re.sub(r"_embeddings/(embeddings?|weight)$", "_embeddings/weight", stored)


_OPTIMIZER = frozenset({"opt", "opt_state", "optimizer", "optimizer_weights", "mu", "nu"})
"""What stands in the path of what an optimizer remembers, whose names end like those of the weights."""
_KNOWN = {_key(stored(row.name)): row.name for stored in (keras, flax) for row in weight_table.TABLE}


def neutral_name(stored: str) -> str | None:
    """The neutral name of a stored one, or None where the weight table has none.

    Whatever stands in front of the longest known ending is the name of what holds the weight.
    """
    key = _key(stored)
    indices = _INDICES.search(key)
    parts = _INDICES.sub(_TEMPLATE, key).split("/")
    endings = ("/".join(parts[start:]) for start in range(len(parts)))
    template = next((_KNOWN[full] for end in endings for full in (end, f"albert/{end}") if full in _KNOWN), None)
    return template.format(g=indices[1], j=indices[2]) if template and indices else template


def is_foreign(stated: str | None, stored: Iterable[str]) -> bool:
    """Whether a safetensors file holds a TensorFlow or Flax model: by its metadata, else by its names."""
    if stated in ("tf", "flax", "pt"):
        return stated != "pt"
    return any("/" in name or ":" in name or name.endswith((".kernel", ".scale", ".embedding")) for name in stored)


def translate(tensors: Mapping[str, np.ndarray], source: str = "a file") -> Translated:
    """Tensors of a TensorFlow or Flax model under neutral names; unknown ones keep theirs, an optimizer's are skipped.

    CheckpointError where two tensors have one neutral name and differ, or a weight is of whole numbers.
    """
    found: Tensors = {}
    renamed = {}
    skipped = []
    for stored, tensor in tensors.items():
        if not _OPTIMIZER.isdisjoint(_key(stored).split("/")):
            skipped.append(stored)
            continue
        name = neutral_name(stored)
        if name is None:
            found[stored] = tensor
            continue
        if tensor.dtype.kind in "iub":
            raise CheckpointError(
                f"A weight must be of floating point numbers. {stored} in {source} is of {tensor.dtype}: a quantised "
                "model, or no model. Convert the checkpoint that it was made from."
            )
        if re.search(r"[/.]kernel(:\d+)?$", stored) and tensor.ndim == 2:
            tensor = np.ascontiguousarray(tensor.T)
        if name in found and not np.array_equal(found[name], tensor):
            raise CheckpointError(
                f"A file must hold a weight once, or twice the same. {stored} and another in {source} are both {name} "
                "and differ. Save the model anew, one model a file."
            )
        found[name] = tensor
        if stored != name:
            renamed[stored] = name
    if "predictions.decoder.bias" in found:  # of the two biases, this is the one that the model adds
        found["predictions.bias"] = found["predictions.decoder.bias"]
    return Translated(found, renamed, tuple(skipped))
