"""Any checkpoint that can be read -> a folder with config.json, model.safetensors and the tokenizer's files."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import ml_dtypes
import numpy as np

from albertkit import hub, storage, weight_table
from albertkit.arrays import Tensors
from albertkit.checkpoint import files, layout, report, sentence_transformers
from albertkit.checkpoint.formats import original
from albertkit.checkpoint.report import LoadReport
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import CheckpointError, InputError, did_you_mean
from albertkit.hub import FetchOptions
from albertkit.tokenization import files as tokenizer_files

_DTYPES = {"float32": np.float32, "bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
_RELEASED = "30k-clean.model"
"""What the original releases call the vocabulary."""


@dataclass(frozen=True)
class Conversion:
    """What was read, what became of it, and what was written."""

    checkpoint: files.Checkpoint
    target: Path
    report: LoadReport
    written: Tensors
    copied: tuple[str, ...]
    """The tokenizer's files."""
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.report.source} -> {self.target}, {self.report.model}"]
        lines += [f"  renamed: {old} -> {new}" for old, new in sorted(self.checkpoint.renamed.items())]
        lines += [f"  skipped: {name}" for name in self.checkpoint.skipped]
        for name in self.report.unexpected:
            kept = f"kept, though {self.report.model} does not use it"
            lines.append(f"  unexpected: {name}{f' ({kept})' if name in self.written else ', left out'}")
        dtypes = sorted({str(tensor.dtype) for tensor in self.written.values()})
        lines += [*self.notes, f"Tokenizer: {', '.join(self.copied) or 'no files found'}."]
        renamed, skipped, unexpected = self.checkpoint.renamed, self.checkpoint.skipped, self.report.unexpected
        lines += [
            f"{len(self.written)} tensors loaded, {len(renamed)} renamed, {len(skipped)} skipped, 0 missing, "
            f"{len(unexpected)} unexpected.",
            f"Written as {', '.join(dtypes)} and read back: every bit is the same.",
        ]
        return "\n".join(lines)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    architecture: str | None = None,
    config: AlbertConfig | None = None,
    dtype: str | None = None,
    overwrite: bool = False,
    **fetching: Unpack[FetchOptions],
) -> Conversion:
    """Read `source`, see `files.load`, and write it to the folder `target` as one step.

    `architecture` is the class to convert to, such as AlbertForMaskedLM, and only its tensors are written. By default
    it is the one that the config names, or the largest that the tensors suffice for, and all known tensors are written.
    `config` replaces the source's own. `dtype` is the precision to store in, by default that of the source.
    `overwrite` lets `target` hold something already. `fetching` goes to `hub.fetch`.

    What was written is read again and compared before it takes its place. Raises CheckpointError where anything is
    damaged, incomplete or would be lost, InputError for an argument that means nothing.
    """
    if dtype is not None and dtype not in _DTYPES:
        raise InputError(f"`dtype` must be one of {', '.join(_DTYPES)}. Received: {dtype!r}.")
    require_free(target, overwrite)
    stated = None if architecture is None else _known(architecture)
    checkpoint = files.load(source, config=config, **fetching)
    model, notes = (stated, ()) if stated else _architecture(checkpoint)
    tied = weight_table.tied(checkpoint.config)
    _refuse_untied(checkpoint, tied)
    wanted = weight_table.expected(checkpoint.config, model)
    label = f"Albert{model}"
    chosen, what = report.fit(label, wanted, tied, checkpoint.tensors, str(checkpoint.source))
    if what.missing:
        raise CheckpointError(
            f"A conversion must be complete. {what.source} lacks {', '.join(what.missing)} of {label}. Choose an "
            "architecture that it suffices for with --architecture."
        )
    if stated is None:
        chosen |= _others(checkpoint, what.unexpected)
    written = {name: _cast(name, tensor, dtype) for name, tensor in chosen.items() if tied.get(name) not in chosen}
    vocabulary = _tokenizer_files(_places(source, checkpoint.source, fetching))
    notes = (*checkpoint.notes, *notes)
    stale = [*layout.STALE, *sentence_transformers.FILES, *(tokenizer_files.PATTERNS if vocabulary else ())]
    if label == sentence_transformers.ARCHITECTURE:
        sentence_transformers.write_pooling(target, checkpoint.config)
    with storage.atomic_replace(target, head=CONFIG_FILE, stale=stale) as staging:
        files.write(staging, checkpoint.config, written, label, notes=notes)
        for name, file in vocabulary.items():
            shutil.copyfile(file, staging / name)
        _verify(staging, written, tied)
    return Conversion(checkpoint, Path(target), what, written, tuple(vocabulary), notes)


def read_config(name: str) -> AlbertConfig:
    """The config in a JSON file, of the original code or of Transformers, or of a model by its name.

    CheckpointNotFound where there is neither.
    """
    path = hub.local_path(name)
    return original.read_config(path) if path.is_file() else AlbertConfig.from_pretrained(name)


def require_free(target: str | os.PathLike[str], overwrite: bool) -> None:
    """InputError for a folder with files that may not be overwritten, CheckpointError for one that takes none."""
    folder = Path(target)
    with storage.translate_os_errors(folder):
        if folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise InputError(f"A model goes to a new folder. {folder} holds files already. Overwrite with --overwrite.")
    storage.require_writable(folder)


def _known(architecture: str) -> str:
    """The key of `names.PARTS` for a class of any framework."""
    model = architecture.removeprefix("TF").removeprefix("Flax").removeprefix("Albert")
    if model not in weight_table.PARTS:
        classes = [f"Albert{known}" for known in weight_table.PARTS]
        near = did_you_mean(architecture, classes)
        raise InputError(f"An architecture must be one of {', '.join(classes)}. Received: {architecture!r}.{near}")
    return model


def _architecture(checkpoint: files.Checkpoint) -> tuple[str, tuple[str, ...]]:
    """The architecture that the config names, if the tensors suffice for it, else by the heads that are there."""
    held = checkpoint.tensors.keys() | weight_table.tied(checkpoint.config)
    for stated in checkpoint.config.architectures or ():
        model = stated.removeprefix("TF").removeprefix("Flax").removeprefix("Albert")
        if model in weight_table.PARTS and weight_table.expected(checkpoint.config, model).keys() <= held:
            return model, ()
    parts = {weight_table.part(name) for name in checkpoint.tensors}
    if "qa_outputs" in parts:
        return "ForQuestionAnswering", ()
    if {"start_logits", "end_logits", "answer_class"} <= parts:
        return "ForQuestionAnsweringBeamSearch", ()
    if "classifier" in parts and "pooler" in parts:
        others = "AlbertForTokenClassification, AlbertForMultipleChoice"
        return "ForSequenceClassification", (f"The classifier is taken for one of texts; else say so: {others}.",)
    if "classifier" in parts:
        return "ForTokenClassification", ()
    if "predictions" in parts:
        return ("ForPreTraining" if {"sop_classifier", "pooler"} <= parts else "ForMaskedLM"), ()
    return "Model", ()


def _refuse_untied(checkpoint: files.Checkpoint, tied: Mapping[str, str]) -> None:
    """CheckpointError where the config ties tensors that differ, so that one would be lost."""
    for name, other in tied.items():
        pair = [checkpoint.tensors[key] for key in (name, other) if key in checkpoint.tensors]
        if len(pair) == 2 and not np.array_equal(pair[0], pair[1]):
            raise CheckpointError(
                f"Tied tensors must be equal. {name} and {other} of {checkpoint.source} differ. Set "
                '"tie_word_embeddings": false in its config.'
            )


def _others(checkpoint: files.Checkpoint, unexpected: tuple[str, ...]) -> Tensors:
    """Tensors that some other architecture has a use for, such as the pooler beside a head that needs none."""
    shapes: weight_table.Shapes = {}
    for model in weight_table.PARTS:
        shapes |= weight_table.expected(checkpoint.config, model)
    held = {name: checkpoint.tensors[name] for name in unexpected if name in shapes}
    return {name: tensor for name, tensor in held.items() if tensor.shape == shapes[name]}


def _cast(name: str, tensor: np.ndarray, dtype: str | None) -> np.ndarray:
    if dtype is None or tensor.dtype == _DTYPES[dtype]:
        return tensor
    with np.errstate(over="ignore"):
        cast = tensor.astype(_DTYPES[dtype])
    if not np.isfinite(cast.astype(np.float32)).all() and np.isfinite(tensor.astype(np.float64)).all():
        raise CheckpointError(f"{name} holds values that are too large for {dtype}. Convert to bfloat16 or float32.")
    return cast


def _places(source: str | os.PathLike[str], read_from: Path, fetching: FetchOptions) -> list[Path]:
    """Where the vocabulary of a checkpoint may lie."""
    if Path(source).is_dir() or original.find(Path(source)):
        return [read_from] if read_from.is_dir() else original.folders(read_from)
    root = hub.fetch(source, [*tokenizer_files.PATTERNS, "*.model", "vocab*.txt", "assets/*"], **fetching)
    return [root, root / "assets"]


def _tokenizer_files(places: list[Path]) -> dict[str, Path]:
    """The tokenizer's files, by the name to give them."""
    found: dict[str, Path] = {}
    for place in places:
        for name in tokenizer_files.PATTERNS:
            if (place / name).is_file():
                found.setdefault(name, place / name)
        models = [place / _RELEASED] if (place / _RELEASED).is_file() else sorted(place.glob("*.model"))
        if len(models) == 1:
            found.setdefault(tokenizer_files.SPIECE, models[0])
        words = sorted(place.glob("vocab*.txt"))
        if len(words) == 1:
            found.setdefault(tokenizer_files.VOCAB, words[0])
    return found


def _verify(folder: Path, written: Mapping[str, np.ndarray], tied: Mapping[str, str]) -> None:
    """CheckpointError unless a folder gives back every bit of what was written to it."""
    config = AlbertConfig.from_json_file(folder / CONFIG_FILE)  # alone: what it may name in a folder is not here
    held = files.load(folder, config=config).tensors
    for name, tensor in written.items():
        found = held.get(name, held.get(tied.get(name, "")))
        if found is None or found.dtype != tensor.dtype or found.shape != tensor.shape or not _equal(found, tensor):
            raise CheckpointError(
                f"What was written must read back the same, and {name} does not. Nothing was changed."
            )


def _equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays hold the same bits, so that not even a NaN or the sign of a zero differs."""
    bits = [np.ascontiguousarray(array).view(np.uint8) for array in (one, other)]
    return np.array_equal(bits[0], bits[1])
