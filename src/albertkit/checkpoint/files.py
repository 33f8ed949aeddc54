"""A folder <-> (AlbertConfig, neutral tensors).

Reads whatever an ALBERT was ever saved as, and writes `config.json` + `model.safetensors` in the layout of
Transformers. NumPy only: bfloat16 arrays use the dtype of `ml_dtypes`.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from albertkit import hub, storage, weight_table
from albertkit.checkpoint import framework_names, weight_files
from albertkit.checkpoint.formats import legacy, original
from albertkit.checkpoint.framework_names import Translated
from albertkit.checkpoint.report import Tensors
from albertkit.checkpoint.weight_files import Stored
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound, InputError


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk: its config, its tensors by neutral name, and the file that they came from.

    The values are checked in the background, while a model is being built: whoever asks for `tensors` waits for that.
    """

    config: AlbertConfig
    _tensors: Tensors
    source: Path
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The neutral name by the stored one, where the two differ."""
    skipped: tuple[str, ...] = ()
    """Stored names of what is no weight: buffers, optimizer slots, step counters."""
    notes: tuple[str, ...] = ()
    """Sentences on what the files do not say and was inferred, now or when they were converted."""
    _checked: "Future[None] | None" = field(default=None, repr=False, compare=False)

    @property
    def tensors(self) -> Tensors:
        """The weights by neutral name. CheckpointError where they are damaged or not finite."""
        if self._checked is not None:
            self._checked.result()
        return self._tensors


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


_SAFETENSORS = _Format("model", "safetensors")
_PICKLE = _Format("pytorch_model", "bin")
_KERAS = _Format("tf_model", "h5")
_FLAX = _Format("flax_model", "msgpack")
_FORMATS = (_SAFETENSORS, _PICKLE, _KERAS, _FLAX)

STALE = tuple(_SAFETENSORS.patterns(None))
"""The weight files of an old model that must not survive a save without `variant`."""
OTHER_FORMATS = tuple(pattern for form in _FORMATS if form is not _SAFETENSORS for pattern in form.patterns(None))
"""The weight files that other programs write and that are only read here."""


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
    path = hub.local_path(name)
    if not path.is_dir() and use_safetensors is not True and (prefix := original.find(path)):
        return _load_original(prefix, config)
    for form in formats:
        folder = hub.fetch(name, [CONFIG_FILE, *form.patterns(variant)], **fetching)
        with storage.open_folder(folder) as held:
            if found := _weight_files(held, form, variant):
                own: AlbertConfig = config or AlbertConfig.from_json_file(held.require(CONFIG_FILE))
                return _load_files(found, own, source=found[0] if len(found) == 1 else folder)
    wanted = " or ".join(form.single(variant) for form in formats)
    if use_safetensors is not True and variant is None:
        folder = hub.fetch(name, original.PATTERNS, **fetching)
        if prefix := original.find(folder):
            return _load_original(prefix, config)
        wanted += " or a TensorFlow checkpoint"
    raise CheckpointNotFound(f"Error no file named {wanted} (or its shards) found in {name}.{_listing(name)}")


def _load_files(found: Sequence[Path], config: AlbertConfig, source: Path) -> Checkpoint:
    stored = [_READERS[file.suffix](file) for file in found]
    held = _translated(found, stored)
    weight_files.require_floats(held.tensors, source)

    def check() -> None:
        are_finite = [each.check() for each in stored]
        if not all(are_finite):
            weight_files.require_finite(held.tensors, source)

    checked = weight_files.in_background(check)
    tensors = _as_stated(held.tensors, config)
    return Checkpoint(config, tensors, source, held.renamed, held.skipped, stored[0].notes, checked)


def _as_stated(tensors: Tensors, config: AlbertConfig) -> Tensors:
    """Tensors in float32 where the config says so and the file keeps them in half of it."""
    if config.dtype != "float32":
        return tensors
    halves = (np.float16, ml_dtypes.bfloat16)
    return {name: tensor.astype(np.float32) if tensor.dtype in halves else tensor for name, tensor in tensors.items()}


def _load_original(prefix: Path, config: AlbertConfig | None) -> Checkpoint:
    held = original.read(prefix, config)
    translated = held.translated
    weight_files.require_floats(translated.tensors, prefix)
    weight_files.require_finite(translated.tensors, prefix)
    return Checkpoint(held.config, translated.tensors, prefix, translated.renamed, translated.skipped, held.notes)


def _weight_files(held: storage.Folder, form: _Format, variant: str | None) -> list[Path]:
    """The file of a form in a folder, or the shards that its index names: plain names of that form, all there."""
    if single := held.file(form.single(variant)):
        return [single]
    index = held.file(form.index(variant))
    if index is None:
        return []
    weight_map = storage.read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{index} must hold a `weight_map` of tensors to files. Repeat the download or copy.")
    shards = {}
    for shard in weight_map.values():
        if not isinstance(shard, str) or shard not in shards:
            storage.require_plain_name(shard, index)
            if not shard.endswith(f".{form.suffix}"):
                raise CheckpointError(f"{index} must name files that end in .{form.suffix}. It names {shard!r:.80}.")
            shards[shard] = held.file(shard)
    absent = sorted(shard for shard, path in shards.items() if path is None)
    if absent or not shards:
        raise CheckpointError(
            f"All shards that {index.name} names must be there. Missing from {held.path}: "
            f"{', '.join(absent[:8]) or 'all'}. Repeat the download or copy."
        )
    return [path for _, path in sorted(shards.items()) if path is not None]


def _translated(found: Sequence[Path], stored: Sequence[Stored]) -> Translated:
    """The tensors of all files under neutral names."""
    tensors: Tensors = {}
    foreign = False
    for file, each in zip(found, stored, strict=True):
        for name, tensor in each.tensors.items():
            _require_same(tensors.get(name), tensor, name, file)
        tensors |= each.tensors
        if file.suffix == ".safetensors":
            foreign = foreign or framework_names.is_foreign(each.framework, each.tensors)
        else:
            foreign = foreign or file.suffix != ".bin"
    source = found[0] if len(found) == 1 else found[0].parent
    return framework_names.translate(tensors, str(source)) if foreign else _canonical(tensors, source)


def _require_same(one: np.ndarray | None, other: np.ndarray, name: str, source: Path) -> None:
    """CheckpointError where two tensors of one name differ."""
    if one is not None and not np.array_equal(one, other):
        raise CheckpointError(
            f"A weight must be stored once, or twice the same. {source} holds a {name} that differs from another. Save "
            "the model anew, one model a folder."
        )


_READERS = {
    ".safetensors": weight_files.read_safetensors,
    ".bin": weight_files.read_pickle,
    ".h5": lambda file: Stored(legacy.read_h5(file)),
    ".msgpack": lambda file: Stored(legacy.read_msgpack(file)),
}


def neutral(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Tensors of a PyTorch-flavoured file under their neutral names, without its buffers."""
    return _canonical(tensors).tensors


def _canonical(tensors: Mapping[str, np.ndarray], source: Path = Path("the given tensors")) -> Translated:
    found: Tensors = {}
    renamed = {}
    skipped = []
    for stored, tensor in tensors.items():
        name = weight_table.canonical(stored)
        if name is None:
            skipped.append(stored)
            continue
        _require_same(found.get(name), tensor, name, source)
        found[name] = tensor
        if name != stored:
            renamed[stored] = name
    if "predictions.decoder.bias" in found:  # where a file has both and they differ, this is the one that was added
        found["predictions.bias"] = found["predictions.decoder.bias"]
    return Translated(found, renamed, tuple(skipped))


def _listing(name: str | os.PathLike[str]) -> str:
    """What a local folder holds instead, as a sentence. Nothing where there is no folder, or it may not be listed."""
    entries: list[str] = []
    with contextlib.suppress(OSError):
        entries = sorted(entry.name for entry in Path(name).iterdir())
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
    """Write `config.json` and `model.safetensors` of a model class as one step; see `storage.atomic_replace`.

    With `variant` the files of other variants stay.
    """
    with storage.atomic_replace(folder, head=CONFIG_FILE, stale=_SAFETENSORS.patterns(variant)) as staging:
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
    tied = weight_table.tied(config)
    if not config.tie_word_embeddings:
        tensors = {**tensors, **{name: tensors[other] for name, other in tied.items() if other in tensors}}
        tied = {}
    stored = {tied.get(name, name): tensor for name, tensor in tensors.items() if tied.get(name) not in tensors}
    if all(name.startswith("albert.") for name in stored):
        stored = {name.removeprefix("albert."): tensor for name, tensor in stored.items()}
    dtypes = {tensor.dtype.name for tensor in stored.values()}
    keys = config.to_diff_dict() | {"architectures": [architecture]}
    keys |= {"dtype": dtypes.pop()} if len(dtypes) == 1 else {}
    storage.write_text(folder / CONFIG_FILE, AlbertConfig.from_dict(keys).to_json_string())
    shards = list(_shards(stored, parse_size(max_shard_size)))
    if len(shards) == 1:
        weight_files.write_safetensors(folder / _SAFETENSORS.single(variant), shards[0], notes)
        return
    dot = f".{variant}" if variant else ""
    weight_map = {}
    for number, shard in enumerate(shards, start=1):
        file = f"model{dot}-{number:05}-of-{len(shards):05}.safetensors"
        weight_files.write_safetensors(folder / file, shard, notes)
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
