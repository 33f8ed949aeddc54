"""A folder that shares weights with a model of the package: its own, and how the others differ from that model's.

So the models of a language's tasks keep only how their matrices have changed, in int8, and none of the vectors of
pieces that training did not meet. A change is smaller than what it is added to, so int8 takes less from it.
The files have names of their own, for whoever reads model.safetensors alone would take a model without its words.
Letters: R rows that differ, E their width.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import xxhash

from albertkit import embedded, quantization, storage
from albertkit.arrays import Tensors
from albertkit.checkpoint import layout, weight_files
from albertkit.errors import CheckpointError, abbreviate
from albertkit.storage.folder import Folder

BASE = "base.json"
"""{"model": a name, "tensors": {a canonical name: the checksum of its values in that model}}."""
CHANGES = "changes.safetensors"
"""Of each of these tensors `{name}.rows` (R,) int32, `{name}.steps` (R, E) int8 and `{name}.scale` (R,) float32."""
PATTERNS = (BASE, CHANGES, layout.OWN)
_STEPS = 31
"""Of the largest change of a row: more would make a wheel larger, which packs few steps well, and answers no better."""


def find(folder: Folder) -> Path | None:
    """The file of a folder's own weights, where it shares the others."""
    return folder.file(layout.OWN) if folder.file(BASE) else None


def read(folder: Folder, load: Callable[[str], Tensors]) -> Tensors:
    """The weights that a folder shares, by canonical name; `load` gives those of the model that it names.

    CheckpointError where that model has others by now, and for damaged files.
    """
    file = folder.require(BASE)
    stored = storage.read_json(file)
    base, sums = str(stored.get("model")), stored.get("tensors")
    # Nothing else than these: a stranger's folder shall not say what is read or fetched from where.
    if base not in embedded.MODELS or not isinstance(sums, dict) or not sums:
        raise CheckpointError(
            f"{file} must name a model of the package, {' or '.join(embedded.MODELS)}, and the checksums of its "
            f"weights. Received: {abbreviate(stored)}. Repeat the download or copy, or get a whole model."
        )
    held = load(base)
    for name, stated in sums.items():
        if name not in held or _checksum(held[name]) != stated:
            raise CheckpointError(
                f"{folder.path} shares {name} with {base}, which must be as it was when this model was trained. It "
                f"{'is another' if name in held else 'is not there'}. Use the release of {base} that it was made for, "
                "or train it anew from this one."
            )
    path = folder.require(CHANGES)
    changes = weight_files.read_safetensors(path)
    changes.check()
    return {name: _changed(held[name], changes.tensors, name, path) for name in sums}


def _changed(tensor: np.ndarray, changes: Mapping[str, np.ndarray], name: str, file: Path) -> np.ndarray:
    """A tensor of the base with its changes. CheckpointError where they are not of its shape."""
    rows, steps, scale = (changes.get(f"{name}.{part}", np.zeros(0)) for part in ("rows", "steps", "scale"))
    fits = steps.shape == (len(rows), *tensor.shape[1:]) and scale.shape == rows.shape
    if not fits or (len(rows) and not 0 <= rows.min() <= rows.max() < len(tensor)):
        raise CheckpointError(
            f"{file} must hold the changes of {name}, rows of {tensor.shape}. Received: {steps.shape} for {rows.shape} "
            "rows. Repeat the download or copy."
        )
    found = tensor.astype(np.float32)
    found[rows.astype(np.int64)] += steps * scale[:, None]
    return found


def write(
    folder: Path, tensors: Tensors, base: str, held: Tensors, among: Collection[str], least: float = 0.0
) -> Tensors:
    """Write the files of a model's `tensors`, and return what reading them gives of the shared ones.

    Shared are the matrices that `among` names with the model `base`, which holds `held`. Rows of which no value differs
    by more than `least` are taken to be equal; changes of the others are rounded to 31 steps of the largest.
    """
    changes: Tensors = {}
    for name in among:
        difference = tensors[name].astype(np.float32) - held[name]
        rows = np.flatnonzero(np.abs(difference).max(1) > least).astype(np.int32)
        steps, scale = quantization.quantized_weight(difference[rows], _STEPS)
        changes |= {f"{name}.rows": rows, f"{name}.steps": steps, f"{name}.scale": scale}
    storage.write_json(folder / BASE, {"model": base, "tensors": {name: _checksum(held[name]) for name in among}})
    weight_files.write_safetensors(folder / CHANGES, changes)
    own = {name: one for name, one in tensors.items() if name not in among}
    weight_files.write_safetensors(folder / layout.OWN, own)
    return {name: _changed(held[name], changes, name, folder / CHANGES) for name in among}


def _checksum(tensor: np.ndarray) -> str:
    """Of the values in float32, whatever they are stored in."""
    return f"xxh3_128:{xxhash.xxh3_128(np.ascontiguousarray(tensor, np.float32).tobytes()).hexdigest()}"
