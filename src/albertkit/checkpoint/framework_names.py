"""The names under which models of each framework are stored -> canonical names, and back.

Those of PyTorch are the canonical ones, but for what wrappers and old files made of them. For the TensorFlow and Flax
models of Transformers there is one rule a framework, by the kind of a tensor, over the weight table; reading is the
computed inverse. Dense weights are stored the other way round there. Names may stand behind those of the layers and
models that hold the weight, as they do in h5 files.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from albertkit import weight_table
from albertkit.arrays import Tensors
from albertkit.errors import CheckpointError

_KERAS = {("dense", "weight"): "kernel", ("embedding", "weight"): "embeddings"}
_KERAS |= {("norm", "weight"): "gamma", ("norm", "bias"): "beta"}
_FLAX = {("dense", "weight"): "kernel", ("embedding", "weight"): "embedding", ("norm", "weight"): "scale"}

_INDICES = re.compile(r"albert_layer_groups/(\d+)/albert_layers/(\d+)/")
_TEMPLATE = "albert_layer_groups/{g}/albert_layers/{j}/"


@dataclass(frozen=True)
class Translated:
    """Tensors under canonical names, and what their names and those that were left out had been."""

    tensors: Tensors
    renamed: dict[str, str]
    """The canonical name by the stored one, where the two differ."""
    skipped: tuple[str, ...] = ()
    """Stored names of what is no weight: optimizer slots, step counters."""
    notes: tuple[str, ...] = ()
    """Sentences on what the names do not say and was inferred."""


def keras_name(name: str) -> str:
    """The variable name of a canonical name in a TensorFlow model, without the model's own name in front."""
    if name.endswith("word_embeddings.weight"):
        return name.replace(".", "/")
    return re.sub(r"/(\d+|\{\w\})(?=/)", r"_._\1", _with_leaf(name, _KERAS))


def flax_name(name: str) -> str:
    """The path of a canonical name in the parameters of a Flax model, joined by `/`."""
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
_KNOWN = {_key(stored(row.name)): row.name for stored in (keras_name, flax_name) for row in weight_table.TABLE}


def canonical_name(stored: str) -> str | None:
    """The canonical name of a stored one, or None where the weight table has none.

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
    """Tensors of a TensorFlow or Flax model under canonical names.

    Unknown ones keep their names, those of an optimizer are skipped. Dense kernels (in, out) become weights (out, in).
    CheckpointError where two tensors have one canonical name and differ, or a weight is of whole numbers.
    """
    canonical: Tensors = {}
    renamed = {}
    skipped = []
    for stored, tensor in tensors.items():
        if not _OPTIMIZER.isdisjoint(_key(stored).split("/")):
            skipped.append(stored)
            continue
        name = canonical_name(stored)
        if name is None:
            canonical[stored] = tensor
            continue
        if tensor.dtype.kind in "iub":
            raise CheckpointError(
                f"A weight must be of floating point numbers. {stored} in {source} is of {tensor.dtype}: a quantised "
                "model, or no model. Convert the checkpoint that it was made from."
            )
        if re.search(r"[/.]kernel(:\d+)?$", stored) and tensor.ndim == 2:
            tensor = np.ascontiguousarray(tensor.T)
        if name in canonical and not np.array_equal(canonical[name], tensor):
            raise CheckpointError(
                f"A file must hold a weight once, or twice the same. {stored} and another in {source} are both {name} "
                "and differ. Save the model anew, one model a file."
            )
        canonical[name] = tensor
        if stored != name:
            renamed[stored] = name
    return Translated(_with_added_bias(canonical), renamed, tuple(skipped))


def translate_torch(
    tensors: Mapping[str, np.ndarray], source: str = "a file", *, keeps_holder: bool = False
) -> Translated:
    """Tensors of a PyTorch model under canonical names; unknown ones keep theirs, buffers are skipped.

    What stands before all names of the one ALBERT among them, such as `model.` of PyTorch Lightning, is taken off,
    unless `keeps_holder`: in a class of a person's own it is the name of the ALBERT inside it.
    CheckpointError where two tensors have one canonical name and differ.
    """
    canonical: Tensors = {}
    renamed = {}
    skipped = []
    found = weight_table.holders(tensors)
    holder = found.pop() if len(found) == 1 and not keeps_holder else ""
    if _collide(tensors, holder):
        holder = ""
    for stored, tensor in tensors.items():
        name = weight_table.canonical_name(stored, holder)
        if name is None:
            skipped.append(stored)
            continue
        require_same(canonical.get(name), tensor, name, source)
        canonical[name] = tensor
        if name != stored:
            renamed[stored] = name
    notes = (f"The names in {source} stood behind `{holder}`, which was taken off.",) if holder else ()
    return Translated(_with_added_bias(canonical), renamed, tuple(skipped), notes)


def _collide(tensors: Mapping[str, np.ndarray], holder: str) -> bool:
    """Whether what stands behind a holder has the name, and not the values, of a tensor outside it.

    So has a model of a person's own with a `classifier` and an AlbertForSequenceClassification inside.
    """
    if not holder:
        return False
    whole = {stored: weight_table.canonical_name(stored) for stored in tensors}
    held = {stored: weight_table.canonical_name(stored, holder) for stored in tensors}
    outside = {whole[stored]: tensor for stored, tensor in tensors.items() if held[stored] == whole[stored]}
    behind = ((name, tensors[stored]) for stored, name in held.items() if name != whole[stored])
    return any(name in outside and not np.array_equal(outside[name], tensor) for name, tensor in behind)


def require_same(one: np.ndarray | None, other: np.ndarray, name: str, source: str | Path) -> None:
    """CheckpointError where two tensors of one name differ."""
    if one is not None and not np.array_equal(one, other):
        raise CheckpointError(
            f"A weight must be stored once, or twice the same. {source} holds a {name} that differs from another. Save "
            "the model anew, one model a folder."
        )


def _with_added_bias(tensors: Tensors) -> Tensors:
    """Tensors in which the bias of the vocabulary is the one that the model adds, where a file has two that differ."""
    added = tensors.get("predictions.decoder.bias")
    return tensors if added is None else {**tensors, "predictions.bias": added}
