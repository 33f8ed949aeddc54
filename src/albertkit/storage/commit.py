"""The commit folder: the files of a save that are complete and move into place one by one.

`Commit` only looks; `finish_commit` moves. What is in the folder was perhaps put there by a stranger, so its form is
checked before anything is read or moved, and a save removes no other files than those of a model.
"""

import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import NoReturn

from albertkit.errors import CheckpointError
from albertkit.storage.filesystem import flush_to_disk, translate_os_errors

RESERVED_PREFIX = ".albertkit-"
"""What the names of unfinished work begin with."""
SAVE_PREFIX = f"{RESERVED_PREFIX}save-"
COMMIT_FOLDER = f"{RESERVED_PREFIX}commit"
PARTS = FILES, HEAD, STALE = "files", "head", "stale"
"""The folders in a commit folder."""

_WEIGHT_FILES = (
    *(("model|optimizer|ema", "safetensors"), ("pytorch_model", "bin"), ("tf_model", "h5")),
    ("flax_model", "msgpack"),
)
MODEL_FILE = re.compile(
    "|".join(rf"({stems})(\..+)?(-\d+-of-\d+)?\.{suffix}(\.index(\..+)?\.json)?" for stems, suffix in _WEIGHT_FILES)
    + r"|modules\.json|sentence_bert_config\.json|config_sentence_transformers\.json"
    + r"|quantization\.json|export\.json|calibration\.json|figures\.json|figure_\w+\.png|curves\.png"
    + r"|(.+-)?((tokenizer_config|special_tokens_map|added_tokens|tokenizer)\.json|spiece\.model|vocab\.txt)"
)
"""Names of the files of a model, ours or of Transformers, with reports on it: a save removes no others, whatever a
folder asks for."""

_COMMITTED = "All that was saved is there: loading finds it, and the next save to the folder moves it into place."


class Commit:
    """The files in the commit folder of a save that was cut off, or is just about to move them into place.

    `files` maps each name to its path, the head's among them; `head` is None once all files have moved; `stale` are
    the names of the old files that are to be removed.
    """

    def __init__(self, folder: Path) -> None:
        """CheckpointError, with nothing touched, where it is not of the form that `atomic_replace` gives it."""
        self.path = folder / COMMIT_FOLDER
        parts = {part: self._files_in(self.path / part) for part in PARTS}
        self.head = next(iter(parts[HEAD]), None)
        self.stale = frozenset(parts[STALE]) - parts[FILES].keys()
        self.files = parts[FILES] | parts[HEAD]
        if strange := [name for name in parts[STALE] if not MODEL_FILE.fullmatch(name)]:
            self._refuse(f"{strange[0]}, which it would remove, is no file of a model")
        if len(parts[HEAD]) > 1 or (self.head is None and self.files) or self.head in self.stale:
            self._refuse("it holds another set of files")

    @classmethod
    def find(cls, folder: Path) -> "Commit | None":
        """The commit in a folder, or None where there is none."""
        return cls(folder) if os.path.lexists(folder / COMMIT_FOLDER) else None

    def _files_in(self, part: Path) -> dict[str, Path]:
        """The files of a part, by name: regular ones, and no links."""
        try:
            if not all(stat.S_ISDIR(path.lstat().st_mode) for path in (self.path, part)):
                self._refuse(f"{part.name} is not a folder")
            if more := {path.name for path in self.path.iterdir()}.difference(PARTS):
                self._refuse(f"{min(more)} is in it")
            with os.scandir(part) as entries:
                is_regular = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
        except CheckpointError:
            raise
        except OSError as error:
            self._refuse(f"{error}")
        for name, is_file in is_regular.items():
            if not is_file or name.startswith(RESERVED_PREFIX):
                self._refuse(f"{name} is not a file")
        return {name: part / name for name in is_regular}

    def _refuse(self, why: str) -> NoReturn:
        raise CheckpointError(
            f"{self.path} must be what a save of albertkit leaves when it is cut off. It is something else: {why}. "
            "Nothing was touched. Remove it if you do not know it."
        )


def finish_commit(folder: Path) -> None:
    """Move committed files into place, if there are any. Only for a save that has the folder locked.

    CheckpointError where the file system does not let it; the files are then still found where they are.
    """
    commit = Commit.find(folder)
    if commit is None:
        return
    with translate_os_errors(folder, _COMMITTED):
        if commit.head is not None:  # else everything was moved, and only clearing away was cut off
            for name in (commit.head, *sorted(commit.stale)):
                if not (folder / name).is_dir() or (folder / name).is_symlink():
                    (folder / name).unlink(missing_ok=True)
            for name in sorted(commit.files, key=lambda name: name == commit.head):
                os.replace(commit.files[name], folder / name)
        flush_to_disk(folder)
        done = folder / f"{SAVE_PREFIX}{secrets.token_hex(8)}"
        os.rename(commit.path, done)  # in one step, for a commit must never be half there
        shutil.rmtree(done, ignore_errors=True)
