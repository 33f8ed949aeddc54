"""A model's name -> a local folder. Everyone who needs files asks here; nobody else knows that a hub exists."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from albertkit import embedded
from albertkit.errors import CheckpointNotFound, abbreviate, few

PathLike = str | os.PathLike[str]


class FetchOptions(TypedDict, total=False):
    """The keywords of `fetch`, which everything that loads by name passes on."""

    cache_dir: PathLike | None
    force_download: bool
    local_files_only: bool
    token: str | bool | None
    revision: str
    subfolder: str | None


OPTIONS = tuple(FetchOptions.__annotations__)


def fetch(
    name: PathLike,
    patterns: Sequence[str],
    *,
    cache_dir: PathLike | None = None,
    force_download: bool = False,
    local_files_only: bool = False,
    token: str | bool | None = None,
    revision: str = "main",
    subfolder: str | None = "",
) -> Path:
    """The local folder that holds the files matching `patterns` of a model.

    `name` is a folder, used as it is, one of `embedded.MODELS`, or `owner/model` on the Hugging Face hub, whose cache
    is used and, unless `local_files_only` or HF_HUB_OFFLINE says otherwise, filled. `revision` is a branch, tag or
    commit there. `subfolder` is the path of a folder inside the model's.

    Raises CheckpointNotFound where there is neither a folder nor such a model, or a folder of several.
    """
    subfolder = "" if subfolder is None else subfolder
    if not isinstance(subfolder, (str, os.PathLike)):
        given = abbreviate(subfolder)
        raise CheckpointNotFound(f"`subfolder` must be a path inside a model's folder. Received: {given}.")
    folder = present_folder(name)
    if folder is None:
        allowed = [f"{subfolder}/{pattern}" if subfolder else pattern for pattern in patterns]
        folder = _download(
            str(name),
            allowed,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            revision=revision,
        )
    elif not subfolder:
        require_single(folder)
    return local_path(folder / subfolder)


def require_single(folder: Path) -> None:
    """CheckpointNotFound for a folder that holds the runs of several seeds, and no model of its own."""
    runs = (
        []
        if (folder / "config.json").exists()
        else sorted(one.parent.name for one in folder.glob("seed-*/config.json"))
    )
    if runs:
        raise CheckpointNotFound(
            f"A model is a folder with its files. Received: {folder}, which holds the folders of several runs: "
            f"{few(runs)}. Name one of them; eval_results.json says which is the best."
        )


def present_folder(name: PathLike) -> Path | None:
    """The folder of a model that need not be asked for, or None for one that the hub or its cache may have.

    CheckpointNotFound for what is neither a folder nor a name.
    """
    path = local_path(name)
    if name != "" and path.is_dir():
        return path
    if name != "" and path.exists():
        what = f"file. {_instead_of(path)}" if path.is_file() else "device or a FIFO."
        raise CheckpointNotFound(f"A model is a folder or a name on the hub. Received: {path}, which is a {what}")
    if str(name) in embedded.MODELS:
        return embedded.folder(str(name))
    if not _is_hub_name(str(name)):
        raise CheckpointNotFound(
            f"A model is a folder or an `owner/model` name on the hub. Received: {str(name)!r}, and there is no such "
            "folder. Check the path."
        )
    return None


def _instead_of(path: Path) -> str:
    """What reads a file that was named in place of its folder."""
    file, folder = repr(str(path)), repr(str(path.parent))
    readers = {
        "config.json": f"AlbertConfig.from_json_file({file})",
        "tokenizer.json": f"AlbertTokenizerFast(tokenizer_file={file})",
        "vocab.txt": f"AlbertWordPieceTokenizer({file})",
        "spiece.model": f"AlbertTokenizer({file})",
    }
    if path.name not in readers:
        return f"Pass its folder: from_pretrained({folder})."
    own = f"{readers[path.name]} reads the file itself"
    return f"Pass its folder: {own}, and from_pretrained({folder}) what lies beside it."


def _download(
    name: str,
    patterns: list[str],
    *,
    cache_dir: PathLike | None,
    force_download: bool,
    local_files_only: bool,
    token: str | bool | None,
    revision: str,
) -> Path:
    """The folder of a model in the hub's cache, filled where that is allowed, or CheckpointNotFound."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(
            name,
            revision=revision,
            cache_dir=None if cache_dir is None else str(cache_dir),
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            allow_patterns=patterns,
        )
    except LocalEntryNotFoundError as error:
        raise CheckpointNotFound(
            f"{name!r} at revision {revision!r} is neither a folder nor in the local cache, and the hub could not be "
            "asked. Check the spelling, go online once, or give the path of a folder."
        ) from error
    except (HfHubHTTPError, HFValidationError) as error:
        raise CheckpointNotFound(
            f"{name!r} at revision {revision!r} is not a folder, and the hub does not give it: {error}. Check the "
            "spelling, log in with `hf auth login` if it is private, or give the path of a folder."
        ) from error
    return Path(folder)


def local_path(name: object) -> Path:
    """A model's name as a path. CheckpointNotFound for what is no name, and for one that no path can have."""
    rule = "A model is a folder or an `owner/model` name on the hub."
    if not isinstance(name, (str, os.PathLike)) or isinstance(os.fspath(name), bytes):
        given = f"{abbreviate(name, 80)}, a {type(name).__name__}"
        raise CheckpointNotFound(f"{rule} Received: {given}. Give its path or name.")
    path = Path(name)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a name that is too long or holds a zero byte, a folder that is closed
        why = getattr(error, "strerror", None) or error
        raise CheckpointNotFound(f"{rule} Received: {str(name)[:80]!r}: {why}. Check the path.") from None
    return path


def _is_hub_name(name: str) -> bool:
    """Whether `name` has the form of a hub name: `model` or `owner/model`, without path signs."""
    parts = name.split("/")
    return len(parts) <= 2 and all(part and not part.startswith((".", "~")) and "\\" not in part for part in parts)
