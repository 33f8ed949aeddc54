"""A folder <-> (AlbertConfig, neutral tensors).

Reads whatever an ALBERT was ever saved as, and writes `config.json` + `model.safetensors` in the layout of
Transformers. NumPy only: bfloat16 arrays use the dtype of `ml_dtypes`.
"""

import logging
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import safetensors
import safetensors.numpy

from albertkit import hub, storage
from albertkit.checkpoint import flavours, legacy, names, original
from albertkit.checkpoint.flavours import Translated
from albertkit.checkpoint.report import Tensors
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound, InputError, MissingDependency, UnsafeCheckpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk: its config, its tensors by neutral name, and the file that they came from."""

    config: AlbertConfig
    tensors: Tensors
    source: Path
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The neutral name by the stored one, where the two differ."""
    skipped: tuple[str, ...] = ()
    """Stored names of what is no weight: buffers, optimizer slots, step counters."""
    notes: tuple[str, ...] = ()
    """Sentences on what the files do not say and was inferred, now or when they were converted."""


@dataclass(frozen=True)
class _Format:
    """A way of storing weights in a folder: one file, or an index that names shards."""

    stem: str
    suffix: str

    def single(self, variant: str | None) -> str:
        return f"{self.stem}.{variant}.{self.suffix}" if variant else f"{self.stem}.{self.suffix}"

    def index(self, variant: str | None) -> str:
        return f"{self.stem}.{self.suffix}.index.{variant}.json" if variant else f"{self.stem}.{self.suffix}.index.json"

    def patterns(self, variant: str | None) -> list[str]:
        dot = f".{variant}" if variant else ""
        return [self.single(variant), self.index(variant), f"{self.stem}{dot}-*-of-*.{self.suffix}"]


_DTYPES = {
    **{f"{letter}{8 * size}": np.dtype(f"{letter.lower()}{size}") for letter in "FIU" for size in (2, 4, 8)},
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}
"""The dtypes of safetensors files, by the names that stand in them."""

_SAFETENSORS = _Format("model", "safetensors")
_PICKLE = _Format("pytorch_model", "bin")
_KERAS = _Format("tf_model", "h5")
_FLAX = _Format("flax_model", "msgpack")
_FORMATS = (_SAFETENSORS, _PICKLE, _KERAS, _FLAX)

STALE = tuple(_SAFETENSORS.patterns(None))
"""The weight files of an old model that must not survive a save without `variant`."""


# -------------------------------------------------------------------------------------------------------------- reading


def load(
    name: str | os.PathLike[str],
    *,
    config: AlbertConfig | None = None,
    variant: str | None = None,
    use_safetensors: bool | None = None,
    **fetching: Any,
) -> Checkpoint:
    """Read a folder, a model on the hub, or a checkpoint of the original code (a path such as `model.ckpt-best`).

    Of several files in one place the first of these is read: `model.safetensors` of any framework,
    `pytorch_model.bin`, `tf_model.h5`, `flax_model.msgpack`, a checkpoint of the original code, a SavedModel of TF-Hub.
    Tensors have the file's precision, but float32 where the config states it and the file keeps only half of it to be
    small. `config` replaces the folder's own config. `variant` reads `model.{variant}.safetensors`. `use_safetensors`
    True refuses anything but safetensors, False passes over it. `fetching` goes to `hub.fetch`.

    Raises CheckpointNotFound where there are no weights, CheckpointError where a file is damaged, UnsafeCheckpoint
    where a pickle wants to run code, MissingDependency where a format needs a package that is not there.
    """
    known = _FORMATS if variant is None else (_SAFETENSORS, _PICKLE)
    formats = [form for form in known if use_safetensors in (None, form is _SAFETENSORS)]
    is_local_file = not Path(name).is_dir() and use_safetensors is not True
    if is_local_file and (prefix := original.find(Path(name))):
        return _load_original(prefix, config)
    for form in formats:
        folder = hub.fetch(name, [CONFIG_FILE, *form.patterns(variant)], **fetching)
        with storage.reading(folder):
            if weight_files := _weight_files(folder, form, variant):
                config = config or AlbertConfig.from_json_file(folder / CONFIG_FILE)
                held = _translated(weight_files)
                source = weight_files[0] if len(weight_files) == 1 else folder
                tensors = _as_stated(held.tensors, config)
                return Checkpoint(config, tensors, source, held.renamed, held.skipped, _notes(weight_files[0]))
    wanted = " or ".join(form.single(variant) for form in formats)
    if use_safetensors is not True and variant is None:
        folder = hub.fetch(name, original.PATTERNS, **fetching)
        if prefix := original.find(folder):
            return _load_original(prefix, config)
        wanted += " or a TensorFlow checkpoint"
    raise CheckpointNotFound(f"Error no file named {wanted} (or its shards) found in {name}.{_listing(name)}")


def _as_stated(tensors: Tensors, config: AlbertConfig) -> Tensors:
    """Tensors in float32 where the config says so and the file keeps them in half of it."""
    if config.dtype != "float32":
        return tensors
    halves = (np.float16, ml_dtypes.bfloat16)
    return {name: tensor.astype(np.float32) if tensor.dtype in halves else tensor for name, tensor in tensors.items()}


def _load_original(prefix: Path, config: AlbertConfig | None) -> Checkpoint:
    held = original.read(prefix, config)
    translated = held.translated
    return Checkpoint(held.config, translated.tensors, prefix, translated.renamed, translated.skipped, held.notes)


def _weight_files(folder: Path, form: _Format, variant: str | None) -> list[Path]:
    single, index = folder / form.single(variant), folder / form.index(variant)
    if single.is_file():
        return [single]
    if not index.is_file():
        return []
    weight_map = storage.read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{index} must hold a `weight_map` of tensors to files. Repeat the download or copy.")
    shards = sorted(set(weight_map.values()))
    absent = [shard for shard in shards if not (folder / shard).is_file()]
    if absent or not shards:
        raise CheckpointError(
            f"All shards that {index.name} names must be there. Missing from {folder}: {', '.join(absent) or 'all'}. "
            "Repeat the download or copy."
        )
    return [folder / shard for shard in shards]


def _translated(weight_files: list[Path]) -> Translated:
    """The tensors of all files under neutral names."""
    stored: Tensors = {}
    foreign = False
    for file in weight_files:
        if file.suffix == ".safetensors":
            tensors, stated = _read_safetensors(file)
            foreign = foreign or flavours.is_foreign(stated, tensors)
        else:
            tensors = _READERS[file.suffix](file)
            foreign = foreign or file.suffix != ".bin"
        stored |= tensors
    return flavours.translate(stored) if foreign else _canonical(stored)


def _read_safetensors(file: Path) -> tuple[Tensors, str | None]:
    """Tensors as views into the file, and the framework that its metadata states.

    A page is read when it is first used, and what is changed stays in memory.
    """
    try:
        with safetensors.safe_open(file, "np") as opened:  # checks the header against the size of the file
            slices = {name: opened.get_slice(name) for name in opened.offset_keys()}
            layout = [(name, _DTYPES[part.get_dtype()], part.get_shape()) for name, part in slices.items()]
            stated = (opened.metadata() or {}).get("format")
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{file} must be a complete safetensors file. Reading its {file.stat().st_size:,} bytes failed: {error}. "
            "If a download or a copy was cut short, repeat it."
        ) from error
    content = np.memmap(file, np.uint8, mode="c").view(np.ndarray)
    sizes = [math.prod(shape) * dtype.itemsize for _, dtype, shape in layout]
    start = content.size - sum(sizes)  # the format leaves no gaps, so the last tensor ends with the file
    tensors = {}
    for (name, dtype, shape), size in zip(layout, sizes, strict=True):
        tensors[name] = np.require(content[start : start + size].view(dtype).reshape(shape), requirements="A")
        start += size
    return {name: tensors[name] for name in sorted(tensors)}, stated


def _notes(file: Path) -> tuple[str, ...]:
    """What `write` noted in a file."""
    if file.suffix != ".safetensors":
        return ()
    with safetensors.safe_open(file, "np") as opened:
        return tuple((opened.metadata() or {}).get("notes", "").splitlines())


def _read_pickle(file: Path) -> Tensors:
    """Tensors of a `pytorch_model.bin`, old or new. Only tensors are unpickled, never code."""
    try:
        import torch
    except ImportError:
        raise MissingDependency(f"Reading {file.name}", "PyTorch", "torch") from None
    import pickle

    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL (\S+)", str(error))
        raise UnsafeCheckpoint(
            f"{file} must hold tensors alone. It is damaged, or asks to run code while being read"
            f"{f' ({asked[1]})' if asked else ''}, and was refused. Ask its author for a safetensors file."
        ) from error
    except Exception as error:  # a damaged pickle fails in any way: KeyError, IndexError, struct.error, ...
        raise CheckpointError(
            f"{file} must be a complete PyTorch file. Reading its {file.stat().st_size:,} bytes failed: {error!r}. "
            "If a download or a copy was cut short, repeat it."
        ) from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise CheckpointError(f"{file} must hold a mapping of names to tensors. It holds a {type(content).__name__}.")
    return {
        name: tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        if tensor.dtype == torch.bfloat16
        else tensor.numpy()
        for name, tensor in ((name, tensor.detach()) for name, tensor in content.items())
    }


_READERS = {".bin": _read_pickle, ".h5": legacy.read_h5, ".msgpack": legacy.read_msgpack}


def neutral(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Tensors of a PyTorch-flavoured file under their neutral names, without its buffers."""
    return _canonical(tensors).tensors


def _canonical(tensors: Mapping[str, np.ndarray]) -> Translated:
    found: Tensors = {}
    renamed = {}
    skipped = []
    for stored, tensor in tensors.items():
        name = names.canonical(stored)
        if name is None:
            skipped.append(stored)
            continue
        found[name] = tensor
        if name != stored:
            renamed[stored] = name
    if "predictions.decoder.bias" in found:  # where a file has both and they differ, this is the one that was added
        found["predictions.bias"] = found["predictions.decoder.bias"]
    return Translated(found, renamed, tuple(skipped))


def _listing(name: str | os.PathLike[str]) -> str:
    """What a local folder holds instead, as a sentence."""
    entries = sorted(entry.name for entry in Path(name).iterdir()) if Path(name).is_dir() else []
    return f" It holds {', '.join(entries[:12])}{', ...' if len(entries) > 12 else ''}." if entries else ""


# -------------------------------------------------------------------------------------------------------------- writing


def save(
    folder: str | os.PathLike[str],
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    architecture: str,
    *,
    max_shard_size: int | str = "5GB",
    variant: str | None = None,
) -> None:
    """Write `config.json` and `model.safetensors` of a model class as one step; see `storage.replacing`.

    With `variant` the files of other variants stay.
    """
    with storage.replacing(folder, head=CONFIG_FILE, stale=_SAFETENSORS.patterns(variant)) as staging:
        write(staging, config, tensors, architecture, max_shard_size=max_shard_size, variant=variant)


def write(
    folder: Path,
    config: AlbertConfig,
    tensors: Mapping[str, np.ndarray],
    architecture: str,
    *,
    max_shard_size: int | str = "5GB",
    variant: str | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Write the files of `save` plainly, for a caller that gathers more files in the same step.

    Tied tensors are stored once, under the name that Transformers keeps, and a bare encoder without the prefix
    `albert.`, as there. An untied model stores the bias of its head under both names, for Transformers 5 unties it too.
    `notes` are sentences to keep beside the tensors, until the model is changed and saved anew.
    """
    tied = names.tied(config)
    if not config.tie_word_embeddings:
        tensors = {**tensors, **{name: tensors[other] for name, other in tied.items() if other in tensors}}
        tied = {}
    stored = {
        tied.get(name, name): np.ascontiguousarray(tensor)
        for name, tensor in tensors.items()
        if tied.get(name) not in tensors
    }
    if all(name.startswith("albert.") for name in stored):
        stored = {name.removeprefix("albert."): tensor for name, tensor in stored.items()}
    dtypes = {tensor.dtype.name for tensor in stored.values()}
    keys = config.to_diff_dict() | {"architectures": [architecture]}
    keys |= {"dtype": dtypes.pop()} if len(dtypes) == 1 else {}
    storage.write_text(folder / CONFIG_FILE, AlbertConfig.from_dict(keys).to_json_string())
    shards = list(_shards(stored, parse_size(max_shard_size)))
    metadata = {"format": "pt"} | ({"notes": "\n".join(notes)} if notes else {})
    if len(shards) == 1:
        safetensors.numpy.save_file(shards[0], folder / _SAFETENSORS.single(variant), metadata)
        return
    dot = f".{variant}" if variant else ""
    weight_map = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model{dot}-{number:05}-of-{len(shards):05}.safetensors"
        safetensors.numpy.save_file(shard, folder / file, metadata)
        weight_map |= dict.fromkeys(shard, file)
    totals = {
        "total_parameters": sum(tensor.size for tensor in stored.values()),
        "total_size": sum(tensor.nbytes for tensor in stored.values()),
    }
    index = {"metadata": totals, "weight_map": dict(sorted(weight_map.items()))}
    storage.write_json(folder / _SAFETENSORS.index(variant), index)


def _shards(tensors: Tensors, limit: int) -> Iterator[Tensors]:
    """Cut into runs of at most `limit` bytes; a tensor larger than that stands alone."""
    shard: Tensors = {}
    for name, tensor in tensors.items():
        if shard and sum(t.nbytes for t in shard.values()) + tensor.nbytes > limit:
            yield shard
            shard = {}
        shard[name] = tensor
    yield shard


def parse_size(size: int | str) -> int:
    """Bytes in a size such as 5000000, "5GB" or "200MiB"."""
    if isinstance(size, int):
        return size
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
    for unit in sorted(units, key=len, reverse=True):
        number = size.upper().removesuffix(unit)
        if number != size.upper() and number.strip().replace(".", "", 1).isdigit():
            return int(float(number) * units[unit])
    raise InputError(f'`max_shard_size` must be bytes or a size such as "5GB". Received: {size!r}.')
