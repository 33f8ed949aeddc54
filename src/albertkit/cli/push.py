"""albertkit push: the model of a finished run to the Hugging Face hub."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from albertkit.cli import options


def command(
    folder: Annotated[Path, Argument(help="Folder of a finished run.")],
    repo_id: Annotated[str, Argument(metavar="NAME", help="owner/name, or a name for a repository of your own.")],
    private: Annotated[
        bool | None, Option("--private/--public", help="Who may see a new one.", show_default="the owner's setting")
    ] = None,
    licence: Annotated[
        str | None, Option("--license", help="Licence of the model, such as apache-2.0.", show_default=False)
    ] = None,
    language: Annotated[str | None, Option(help="Languages by commas, such as en,ja.", show_default=False)] = None,
    message: Annotated[str | None, Option(help="Message of the commit.", show_default="Upload model")] = None,
    revision: Annotated[str | None, Option(help="A branch, made where there is none.", show_default="main")] = None,
    create_pr: Annotated[bool, Option("--create-pr", help="Open a pull request in place of a commit.")] = False,
    overwrite: Annotated[
        bool, Option("--overwrite", help="Put a commit on top of a repository that is there.")
    ] = False,
) -> None:
    """Upload a model with its tokenizer, its evaluated card and its pictures. Prints where they are."""
    from albertkit.training.push import push

    is_known = overwrite or create_pr
    uploading = {"commit_message": message, "private": private, "revision": revision, "create_pr": create_pr}
    languages = options.split(language) or []
    done = push(folder, repo_id, uploading, licence=licence, language=languages, overwrite=is_known)  # type: ignore[arg-type]  # the keys are those of UploadOptions
    typer.echo(str(getattr(done, "pr_url", None) or getattr(done, "repo_url", done)))
