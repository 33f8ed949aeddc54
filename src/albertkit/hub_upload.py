"""A local folder -> a repository on the hub, as one commit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from albertkit.errors import CheckpointError, InputError, WrongType


class UploadOptions(TypedDict, total=False):
    """The keywords of `upload`, which everything that is uploaded passes on."""

    commit_message: str | None
    commit_description: str | None
    private: bool | None
    token: str | bool | None
    create_pr: bool
    revision: str | None


def require_options(push_to_hub: bool, repo_id: str | None, options: Mapping[str, object]) -> None:
    """InputError for keywords that are none of `upload`, or that are given where nothing is uploaded."""
    for name in options:
        if name not in UploadOptions.__annotations__:
            known = ", ".join(UploadOptions.__annotations__)
            raise WrongType(f"The options of an upload are {known}. Received: {name!r}. Leave it out.")
    if not push_to_hub and (repo_id is not None or options):
        name = "repo_id" if repo_id is not None else next(iter(options))
        raise InputError(f"`{name}` goes with an upload. Received it without push_to_hub=True. Leave it out.")


def upload(
    folder: Path,
    names: Sequence[str],
    message: str,
    *,
    repo_id: str | None = None,
    commit_message: str | None = None,
    commit_description: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    create_pr: bool = False,
    revision: str | None = None,
) -> object:
    """Upload files of a folder as one commit, and return what the hub says of it.

    `repo_id` is `owner/name`, or the name alone for a repository of one's own, by default that of the folder; it is
    made where there is none, `private` if that is asked for. `message` is the commit's unless `commit_message` is.
    `revision` is a branch, made where there is none. CheckpointError where the hub does not take them.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi(token=token)
    try:
        name = api.create_repo(repo_id or folder.resolve().name, private=private, exist_ok=True).repo_id
        if revision is not None and not revision.startswith("refs/pr"):
            api.create_branch(name, branch=revision, exist_ok=True)
        return api.upload_folder(
            repo_id=name,
            folder_path=folder,
            allow_patterns=[*names],
            commit_message=commit_message or message,
            commit_description=commit_description,
            create_pr=create_pr,
            revision=revision,
        )
    except (HfHubHTTPError, HFValidationError) as error:
        raise CheckpointError(
            f"The hub must take an upload. It refuses one to {repo_id or folder.name!r}: {error!s:.500}. Check the "
            "name, and log in with `hf auth login`."
        ) from error
