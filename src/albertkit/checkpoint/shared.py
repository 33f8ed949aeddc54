"""A folder that shares weights with another model: it keeps its own, and the name and checksum of what it shares.

So the models of a language's tasks keep the vectors of its vocabulary, most of a small model, once. Their file of
weights has a name of its own, for whoever reads model.safetensors alone would take a model without its words.
"""

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import xxhash

from albertkit import storage
from albertkit.arrays import Tensors
from albertkit.checkpoint import layout, weight_files
from albertkit.errors import CheckpointError, abbreviate
from albertkit.storage.folder import Folder

BASE = "base.json"
"""{"model": a name, "tensors": {a canonical name: the checksum of its values}}."""
PATTERNS = (BASE, layout.OWN)


def find(folder: Folder) -> Path | None:
    """The file of a folder's own weights, where it shares the others."""
    return folder.file(layout.OWN) if folder.file(BASE) else None


def read(folder: Folder, load: Callable[[str], Tensors]) -> Tensors:
    """The weights that a folder shares, by canonical name; `load` gives those of the model that it names.

    CheckpointError where that model has others by now.
    """
    file = folder.require(BASE)
    stored = storage.read_json(file)
    base, sums = stored.get("model"), stored.get("tensors")
    if not isinstance(base, str) or not isinstance(sums, dict) or not sums:
        raise CheckpointError(
            f"{file} must name a model and the checksums of its weights. Received: {abbreviate(stored)}. Repeat the "
            "download or copy."
        )
    held = load(base)
    for name, stated in sums.items():
        if name not in held or checksum(held[name]) != stated:
            raise CheckpointError(
                f"{folder.path} shares {name} with {base}, which must be as it was when this model was trained. It "
                f"{'is another' if name in held else 'is not there'}. Use the release of {base} that it was made for, "
                "or train it anew from this one."
            )
    return {name: held[name] for name in sums}


def write(folder: Path, tensors: Tensors, base: str, held: Tensors, among: Collection[str]) -> Tensors:
    """Write base.json and own.safetensors of a model's `tensors`, and return those that were shared.

    Shared is what `among` names and is equal, value by value, in the model `base`, which holds `held`.
    """
    same = [name for name in among if name in held and np.array_equal(tensors[name], held[name])]
    shared = {name: tensors[name] for name in sorted(same)}
    sums = {name: checksum(one) for name, one in shared.items()}
    storage.write_json(folder / BASE, {"model": base, "tensors": sums})
    own = {name: one for name, one in tensors.items() if name not in shared}
    weight_files.write_safetensors(folder / layout.OWN, own)
    return shared


def checksum(tensor: np.ndarray) -> str:
    """Of the values in float32, whatever they are stored in."""
    return f"xxh3_128:{xxhash.xxh3_128(np.ascontiguousarray(tensor, np.float32).tobytes()).hexdigest()}"
