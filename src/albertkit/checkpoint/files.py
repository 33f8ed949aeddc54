"""A folder <-> (AlbertConfig, canonical tensors).

Reads whatever an ALBERT was ever saved as, and writes `config.json` + `model.safetensors` in the layout of
Transformers. NumPy only: bfloat16 arrays use the dtype of `ml_dtypes`.
"""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Unpack

import ml_dtypes
import numpy as np

from albertkit import hub, quantization, storage, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import framework_names, layout, sentence_transformers, shared, weight_files
from albertkit.checkpoint.formats import legacy, original
from albertkit.checkpoint.framework_names import Translated
from albertkit.checkpoint.layout import WeightFormat
from albertkit.checkpoint.weight_files import Stored
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import CheckpointError, CheckpointNotFound
from albertkit.hub import FetchOptions
from albertkit.quantization import QUANTIZATION_FILE, Quantization


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk: its config, its tensors by canonical name, and the file that they came from.

    The values are checked in the background: whoever asks for `tensors` waits for that. A model may be made of
    `unchecked_tensors` meanwhile, if `require_checked` is called before it is given out.
    """

    config: AlbertConfig
    _tensors: Tensors
    source: Path
    renamed: Mapping[str, str] = field(default_factory=dict)
    """The canonical name by the stored one, where the two differ."""
    skipped: tuple[str, ...] = ()
    """Stored names of what is no weight: buffers, optimizer slots, step counters."""
    stored_dtypes: tuple[str, ...] = ()
    """The precisions that the file keeps the tensors in, which may be less than theirs here."""
    notes: tuple[str, ...] = ()
    """Sentences on what the files do not say and was inferred, now or when they were converted."""
    quantization: Quantization | None = None
    """How the encoder is computed in int8, where that was found out for these weights."""
    _check: weight_files.ValueCheck | None = field(default=None, repr=False, compare=False)

    @property
    def tensors(self) -> Tensors:
        """The weights by canonical name. CheckpointError where they are damaged or not finite."""
        self.require_checked()
        return self._tensors

    @property
    def unchecked_tensors(self) -> Tensors:
        """The weights by canonical name, while they are being checked. Best asked for when the model is made."""
        time.sleep(0)  # The thread that checks needs Python's lock between two long calls. It would wait for 5 ms.
        return self._tensors

    def changed(self, config: AlbertConfig, tensors: Tensors) -> "Checkpoint":
        """The same with another config and tensors, whose values are not checked again."""
        return replace(self, config=config, _tensors=tensors, _check=None)

    def require_checked(self) -> None:
        """Wait for the check of the values. CheckpointError where they are damaged or not finite."""
        if self._check is not None:
            self._check.require(self._tensors, self.source)


def load(
    name: str | os.PathLike[str],
    *,
    config: AlbertConfig | None = None,
    variant: str | None = None,
    use_safetensors: bool | None = None,
    **fetching: Unpack[FetchOptions],
) -> Checkpoint:
    """Read a folder, a model on the hub, or a checkpoint of the original code (a path such as `model.ckpt-best`).

    A single file of weights, such as a `.ckpt` of PyTorch Lightning, is read too: with the config.json beside it.

    Of several files in one place the first of these is read: `model.safetensors` of any framework,
    `pytorch_model.bin`, `tf_model.h5`, `flax_model.msgpack`, a checkpoint of the original code, a SavedModel of TF-Hub.
    Tensors have the file's precision, but float32 where the config states it and the file keeps only half of it to be
    small. `config` replaces the folder's own config. `variant` reads `model.{variant}.safetensors`. `use_safetensors`
    True refuses anything but safetensors, False passes over it. `fetching` goes to `hub.fetch`.

    Raises CheckpointNotFound where there are no weights, CheckpointError where a file is damaged, UnsafeCheckpoint
    where a pickle wants to run code, MissingDependency where a format needs a package that is not there.
    """
    known = layout.FORMATS if variant is None else (layout.SAFETENSORS, layout.PICKLE)
    formats = [form for form in known if use_safetensors in (None, form is layout.SAFETENSORS)]
    path = hub.local_path(name)
    if not path.is_dir() and use_safetensors is not True and (prefix := original.find(path)):
        return _load_original(prefix, config)
    if path.suffix in _READERS and path.is_file() and use_safetensors in (None, path.suffix == ".safetensors"):
        return _load_file(path, config)
    for form in formats:
        if checkpoint := _load_format(name, form, variant, config, fetching):
            return checkpoint
    accepted = " or ".join(form.single(variant) for form in formats)
    if use_safetensors is not True and variant is None:
        folder = hub.fetch(name, original.PATTERNS, **fetching)
        if prefix := original.find(folder):
            return _load_original(prefix, config)
        accepted += " or a TensorFlow checkpoint"
    raise CheckpointNotFound(f"A model must have a file of weights: {accepted}, or shards. {_listing(name)}")


def load_config(folder: str | os.PathLike[str]) -> AlbertConfig:
    """The config of a model in a folder, with what files for sentence-transformers there say of its vectors."""
    with storage.open_folder(folder) as opened:
        return _config(opened)


def _load_file(path: Path, config: AlbertConfig | None) -> Checkpoint:
    """The checkpoint in one file, whatever its name, with the config.json beside it unless there is `config`."""
    with storage.open_folder(path.parent) as folder:
        file = folder.require(path.name)
        return _checkpoint(folder, [file], file, config)


def _load_format(
    name: str | os.PathLike[str],
    form: WeightFormat,
    variant: str | None,
    config: AlbertConfig | None,
    fetching: FetchOptions,
) -> Checkpoint | None:
    """The checkpoint that a model has in one format, or None where it has none."""
    beside = [CONFIG_FILE, QUANTIZATION_FILE, *sentence_transformers.PATTERNS, *shared.PATTERNS]
    path = hub.fetch(name, [*beside, *form.patterns(variant)], **fetching)
    with storage.open_folder(path) as folder:
        files = _weight_files(folder, form, variant)
        if not files and form is layout.SAFETENSORS and variant is None and (own := shared.find(folder)):
            files = [own]
        if not files:
            return None
        return _checkpoint(folder, files, files[0] if len(files) == 1 else path, config)


def _checkpoint(folder: storage.Folder, files: Sequence[Path], source: Path, config: AlbertConfig | None) -> Checkpoint:
    """What files of a folder hold together. `source` is what they are called."""
    stored = [_READERS[file.suffix](file) for file in files]
    check = weight_files.ValueCheck(stored)
    own: AlbertConfig = config or _config(folder)
    translated = _translated(files, stored)
    weight_files.require_floats(translated.tensors, source)
    tensors = _as_stated(translated.tensors, own)
    if source.name == layout.OWN:
        tensors |= shared.read(folder, lambda base: load(base).tensors)
    notes, dtypes = (*stored[0].notes, *translated.notes), _dtypes(translated.tensors)
    known, told = quantization.read(folder, own, tensors)
    return Checkpoint(
        own, tensors, source, translated.renamed, translated.skipped, dtypes, (*notes, *told), known, check
    )


def _config(folder: storage.Folder) -> AlbertConfig:
    """The config of a folder, with what its files for sentence-transformers say of vectors."""
    path = folder.file(CONFIG_FILE)
    if path is None:
        raise CheckpointNotFound(
            f"Weights need a {CONFIG_FILE} beside them, which says what they are a model of. There is none in "
            f"{folder.path}. Write it there with `save_pretrained` of the model or of its config, or pass `config`. "
            "The Trainer of Transformers leaves it out: docs/migration.md says how it does not."
        )
    own: AlbertConfig = AlbertConfig.from_json_file(path)
    return own.changed(**sentence_transformers.read(folder))


def _dtypes(tensors: Tensors) -> tuple[str, ...]:
    return tuple(sorted({tensor.dtype.name for tensor in tensors.values()}))


def _as_stated(tensors: Tensors, config: AlbertConfig) -> Tensors:
    """Tensors in float32 where the config says so and the file keeps them in half of it."""
    if config.dtype != "float32":
        return tensors
    halves = (np.float16, ml_dtypes.bfloat16)
    return {name: tensor.astype(np.float32) if tensor.dtype in halves else tensor for name, tensor in tensors.items()}


def _load_original(prefix: Path, config: AlbertConfig | None) -> Checkpoint:
    read = original.read(prefix, config)
    translated = read.translated
    weight_files.require_floats(translated.tensors, prefix)
    weight_files.require_finite(translated.tensors, prefix)
    dtypes = _dtypes(translated.tensors)
    return Checkpoint(
        read.config, translated.tensors, prefix, translated.renamed, translated.skipped, dtypes, read.notes
    )


def _weight_files(folder: storage.Folder, form: WeightFormat, variant: str | None) -> list[Path]:
    """The file of a format in a folder, or the shards that its index names: plain names of that format, all there."""
    if single := folder.file(form.single(variant)):
        return [single]
    index = folder.file(form.index(variant))
    if index is None:
        return []
    shards = {name: folder.file(name) for name in _shard_names(index, form)}
    absent = sorted(name for name, path in shards.items() if path is None)
    if absent or not shards:
        raise CheckpointError(
            f"All shards that {index.name} names must be there. Missing from {folder.path}: "
            f"{', '.join(absent[:8]) or 'all'}. Repeat the download or copy."
        )
    return [path for _, path in sorted(shards.items()) if path is not None]


def _shard_names(index: Path, form: WeightFormat) -> list[str]:
    """The names of shards that stand in an index, each once. CheckpointError where one is no name of a shard."""
    weight_map = storage.read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise CheckpointError(f"{index} must hold a `weight_map` of tensors to files. Repeat the download or copy.")
    names: dict[str, None] = {}
    for shard in weight_map.values():
        if not isinstance(shard, str) or shard not in names:
            storage.require_plain_name(shard, index)
            if not shard.endswith(f".{form.suffix}"):
                raise CheckpointError(f"{index} must name files that end in .{form.suffix}. It names {shard!r:.80}.")
            names[shard] = None
    return list(names)


def _translated(files: Sequence[Path], stored: Sequence[Stored]) -> Translated:
    """The tensors of all files under canonical names."""
    tensors: Tensors = {}
    is_foreign = False
    for file, each in zip(files, stored, strict=True):
        for name, tensor in each.tensors.items():
            framework_names.require_same(tensors.get(name), tensor, name, file)
        tensors |= each.tensors
        if file.suffix == ".safetensors":
            is_foreign = is_foreign or framework_names.is_foreign(each.framework, each.tensors)
        else:
            is_foreign = is_foreign or _READERS[file.suffix] is not weight_files.read_pickle
    source = files[0] if len(files) == 1 else files[0].parent
    translate = framework_names.translate if is_foreign else framework_names.translate_torch
    return translate(tensors, str(source))


_READERS = {
    ".safetensors": weight_files.read_safetensors,
    **dict.fromkeys((".bin", ".ckpt", ".pt", ".pth"), weight_files.read_pickle),
    ".h5": lambda file: Stored(legacy.read_h5(file)),
    ".msgpack": lambda file: Stored(legacy.read_msgpack(file)),
}
_EXPORTED = (".onnx", ".xml", ".tflite")
"""Files of ONNX, OpenVINO and LiteRT, as Optimum and the exporters of Transformers leave them beside a config.json."""


def canonical_tensors(tensors: Mapping[str, np.ndarray]) -> Tensors:
    """Tensors of a PyTorch state_dict under their canonical names, without its buffers."""
    return framework_names.translate_torch(tensors, "the given tensors", keeps_holder=True).tensors


def of_state_dict(tensors: Mapping[str, np.ndarray], config: AlbertConfig) -> Checkpoint:
    """What a state_dict that is given in the place of a file holds."""
    source = "the given state_dict"
    translated = framework_names.translate_torch(tensors, source)
    names = {"renamed": translated.renamed, "skipped": translated.skipped, "notes": translated.notes}
    return Checkpoint(config, translated.tensors, Path(source), **names)


def _listing(name: str | os.PathLike[str]) -> str:
    """What a model has instead, in sentences: of a folder that may be listed its files, and one that could be read."""
    entries: list[str] = []
    with contextlib.suppress(OSError):
        entries = sorted(entry.name for entry in Path(name).iterdir())
    if not entries:
        return f"{name} has none. Check that it is a model of this kind."
    held = f"{name} holds {', '.join(entries[:12])}{', ...' if len(entries) > 12 else ''}."
    return f"{held} {_advice(Path(name), entries)}"


def _advice(folder: Path, entries: Sequence[str]) -> str:
    """What to do with a folder that holds no weights by a usual name."""
    if exported := next((entry for entry in entries if Path(entry).suffix in _EXPORTED), None):
        return (
            f"{exported} is an export that another program made, and is not opened: nothing says what its "
            "inputs and outputs mean. Name the folder of the weights it was made of; `albertkit export` exports it."
        )
    weights = [entry for entry in entries if Path(entry).suffix in _READERS]
    if weights:
        return f"To read one of these files, name it: {folder / weights[0]}."
    below = _newest_below(folder)
    return f"The newest model below it is {below}: name that." if below else "Name another folder."


def _newest_below(folder: Path) -> Path | None:
    """The folder of weights written last among the checkpoints of a run that has not ended, ours or Trainer's."""
    with contextlib.suppress(OSError):
        found = [path for depth in ("*/", "*/*/") for path in folder.glob(f"{depth}{layout.SAFETENSORS.single(None)}")]
        return max(found, key=lambda path: path.stat().st_mtime).parent if found else None
    return None


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
    stale = layout.SAFETENSORS.patterns(variant)
    if architecture.endswith(sentence_transformers.ARCHITECTURE):
        stale += sentence_transformers.FILES
        sentence_transformers.write_pooling(folder, config)
    with storage.atomic_replace(folder, head=CONFIG_FILE, stale=stale) as staging:
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
    stored = _under_stored_names(config, tensors)
    dtypes = {tensor.dtype.name for tensor in stored.values()}
    keys = config.to_diff_dict() | {"architectures": [architecture]}
    keys |= {"dtype": dtypes.pop()} if len(dtypes) == 1 else {}
    storage.write_text(folder / CONFIG_FILE, AlbertConfig.from_dict(keys).to_json_string())
    if architecture.endswith(sentence_transformers.ARCHITECTURE):
        sentence_transformers.write(folder, config)
    shards = list(_shards(stored, layout.parse_size(max_shard_size)))
    if len(shards) == 1:
        weight_files.write_safetensors(folder / layout.SAFETENSORS.single(variant), shards[0], notes)
    else:
        _write_shards(folder, shards, variant, notes)


def _under_stored_names(config: AlbertConfig, tensors: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Canonical tensors by the names that Transformers stores them under, tied ones once."""
    tied = weight_table.in_every_head(weight_table.tied(config), tensors)
    if not config.tie_word_embeddings:
        tensors = {**tensors, **{name: tensors[other] for name, other in tied.items() if other in tensors}}
        tied = {}
    stored = {tied.get(name, name): tensor for name, tensor in tensors.items() if tied.get(name) not in tensors}
    if all(name.startswith("albert.") for name in stored):
        return {name.removeprefix("albert."): tensor for name, tensor in stored.items()}
    return stored


def _write_shards(folder: Path, shards: Sequence[Tensors], variant: str | None, notes: Sequence[str]) -> None:
    """Write a file for each shard, and the index that says which holds which tensor."""
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        file = layout.SAFETENSORS.shard(variant, f"{number:05}", f"{len(shards):05}")
        weight_files.write_safetensors(folder / file, shard, notes)
        weight_map |= dict.fromkeys(shard, file)
    tensors = [tensor for shard in shards for tensor in shard.values()]
    totals = {
        "total_parameters": sum(tensor.size for tensor in tensors),
        "total_size": sum(tensor.nbytes for tensor in tensors),
    }
    index = {"metadata": totals, "weight_map": dict(sorted(weight_map.items()))}
    storage.write_json(folder / layout.SAFETENSORS.index(variant), index)


def _shards(tensors: Mapping[str, np.ndarray], limit: int) -> Iterator[Tensors]:
    """Cut into runs of at most `limit` bytes; a tensor larger than that stands alone."""
    shard: Tensors = {}
    for name, tensor in tensors.items():
        if shard and sum(t.nbytes for t in shard.values()) + tensor.nbytes > limit:
            yield shard
            shard = {}
        shard[name] = tensor
    yield shard
