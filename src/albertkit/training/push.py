"""The folder of a run -> a repository on the hub: the model with its card, and nothing that names this machine."""

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from albertkit import hub_upload, storage
from albertkit.errors import ConfigError, InputError
from albertkit.hub_upload import UploadOptions
from albertkit.tokenization import files as tokenizer_files
from albertkit.training import finetune_figures, reporter
from albertkit.typing import Json

CARD = "README.md"
PUSHED = (
    *("config.json", "model*.safetensors", "model.safetensors.index.json", *tokenizer_files.PATTERNS),
    *(finetune_figures.FILE, "figure_*.png", reporter.CURVES, reporter.TABLE),
)
"""What goes up beside the card. The recipe, the log and run.json stay: they name folders of the machine."""


def push(
    folder: Path,
    repo_id: str,
    options: UploadOptions,
    *,
    licence: str | None = None,
    language: Sequence[str] = (),
    overwrite: bool = False,
) -> object:
    """Upload the model of a finished run, its tokenizer, its card and its pictures, as one commit.

    The card gets the `licence` and the `language`s that are given, as codes such as apache-2.0 and en, and the name of
    the repository. Returns what the hub says. ConfigError where the folder holds no finished model, CheckpointError
    where the hub does not take it, or has a repository of that name, unless `overwrite`.
    """
    hub_upload.require_options(True, repo_id, options)
    if not folder.is_dir():
        raise ConfigError(f"What is uploaded is the folder of a finished run. There is no folder {folder}.")
    names = storage.Folder(folder).names()
    found = sorted({name for pattern in PUSHED for name in fnmatch.filter(names, pattern)})
    missing = [what for what in ("config.json", CARD) if what not in names]
    if missing or not any(name.endswith(".safetensors") for name in found):
        lacking = ", ".join(missing or ["the weights"])
        raise ConfigError(
            f"What is uploaded is the folder of a finished run. {folder} lacks {lacking}. Name the --output of "
            "`albertkit finetune` or `albertkit pretrain`; one that was cut off goes on with --resume."
        )
    card = described((folder / CARD).read_text(encoding="utf-8"), repo_id, licence, language)
    return hub_upload.upload(
        folder, found, "Upload model", repo_id=repo_id, contents={CARD: card.encode()}, is_new=not overwrite, **options
    )


def described(card: str, repo_id: str, licence: str | None, language: Sequence[str]) -> str:
    """A card with the licence and the languages in its head, and with the repository in place of the folder."""
    from huggingface_hub import ModelCard

    try:
        page = ModelCard(card.replace("path/to/this/folder", repo_id), ignore_metadata_errors=False)
    except ValueError as error:
        raise InputError(f"The head of a card must be YAML between two lines of ---. {error!s:.200}.") from error
    given: dict[str, Json] = {"license": licence, "language": list(language) or None}
    for name, value in given.items():
        if value is not None:
            setattr(page.data, name, value)
    return str(page)
