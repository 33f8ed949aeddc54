"""The folder that an export is written to: a new one, that of the model itself, or one that holds its exports."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from albertkit import storage
from albertkit.checkpoint import files, sentence_transformers
from albertkit.config import CONFIG_FILE, AlbertConfig
from albertkit.errors import InputError
from albertkit.exports import manifest
from albertkit.exports.manifest import Entry
from albertkit.tokenization.base import AlbertTokenizerBase


@dataclass(frozen=True)
class Target:
    """A folder that may be written to, with the exports that it keeps."""

    folder: Path
    kept: tuple[Entry, ...]
    replaced: tuple[Entry, ...]
    is_own: bool
    """Whether it is the folder of the model, whose other files stay as they are."""

    @classmethod
    def of(cls, folder: Path, model: str | os.PathLike[str], config: AlbertConfig, kind: str, overwrite: bool) -> Self:
        """The folder for an export `kind`, such as onnx/int8, of a config.

        InputError for a file, and for a folder of something else; also where it holds such an export unless `overwrite`
        is set, which replaces those of other models, too. CheckpointError for a folder that takes no files.
        """
        is_there = folder.is_dir() and any(folder.iterdir())
        if folder.exists() and not folder.is_dir():
            raise InputError(f"An export goes to a folder. Received: {folder}, which is a file. Name another.")
        storage.require_writable(folder)
        if not is_there:
            return cls(folder, (), (), False)
        is_own, entries = Path(model).is_dir() and folder.samefile(model), manifest.read(folder)
        if not is_own and not entries:
            raise InputError(
                f"An export goes to a new folder, to that of its model, or to one of exports. {folder} holds other "
                "files. Name another."
            )
        is_same = _same(files.load_config(folder), config, is_own)
        if is_own and not is_same:
            raise InputError(
                "An export beside its model must be built as the config there says. Received: other options. Name "
                "another folder."
            )
        kept = tuple(one for one in entries if is_same and f"{one.format}/{one.precision}" != kind)
        if len(kept) < len(entries) and not overwrite:
            what = f"{kind} already" if is_same else "exports of another model"
            raise InputError(f"An export must not replace another. {folder} holds {what}. Overwrite with --overwrite.")
        return cls(folder, kept, tuple(one for one in entries if one not in kept), is_own)

    def save(self, staging: Path, entry: Entry, config: AlbertConfig, tokenizer: AlbertTokenizerBase) -> None:
        """Bring in the files of an export, and last what names them: until then the folder is as it was."""
        for place in entry.files:
            with storage.replacing(self.folder / place) as file, (staging / place).open("rb") as made:
                shutil.copyfileobj(made, file)
        if not self.is_own and entry.head == "ForSentenceEmbedding":
            sentence_transformers.write_pooling(self.folder, config)
        with storage.atomic_replace(self.folder, head=manifest.FILE) as new:
            manifest.write(new, [*self.kept, entry])
            if not self.is_own:
                storage.write_text(new / CONFIG_FILE, AlbertConfig.from_dict(config.to_diff_dict()).to_json_string())
                tokenizer.write(new)
                if entry.head == "ForSentenceEmbedding":
                    sentence_transformers.write(new, config)
        needed = {place for one in (*self.kept, entry) for place in one.files}
        for place in {place for one in self.replaced for place in one.files} - needed:
            (self.folder / place).unlink(missing_ok=True)


def _same(stored: AlbertConfig, config: AlbertConfig, is_own: bool) -> bool:
    """Whether two configs are of one model; that of a model's own folder may name another of its classes."""
    ours, theirs = (one.to_diff_dict() for one in (config, stored))
    for one in (ours, theirs) if is_own else ():
        one.pop("architectures", None)
    return ours == theirs
