"""Results in a folder: scores, and what the official scripts of a task read."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from albertkit import storage
from albertkit.errors import InputError, few
from albertkit.typing import Record

SCORES = "eval_results.json"


def require_free(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    """InputError where a folder holds one of the files already, unless they may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"Results go into a folder. Received: {folder}, which is a file. Name another.")
    if (held := [name for name in names if (folder / name).exists()]) and not overwrite:
        raise InputError(
            f"Results must not replace others. {folder} holds {few(held)} already. Pass --overwrite, or name another "
            "folder."
        )


def write(folder: Path, files: Mapping[str, Record]) -> None:
    """Write each of the files, complete under its name or not at all; the folder is made where it is missing."""
    with storage.translate_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        storage.write_json(folder / name, content)
