"""Local files -> a repository on the hub, as one commit: all of them come to be there, or none."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from albertkit.errors import CheckpointError, InputError, WrongType

if TYPE_CHECKING:
    from huggingface_hub import HfApi


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


def push_saved(save: Callable[[str], object], repo_id: str, message: str, options: UploadOptions) -> object:
    """Upload all files that `save` writes into a folder; see `upload`."""
    require_options(True, repo_id, options)
    with tempfile.TemporaryDirectory() as folder:
        save(folder)
        names = sorted(path.name for path in Path(folder).iterdir() if path.is_file())
        return upload(Path(folder), names, message, repo_id=repo_id, **options)


def upload(
    folder: Path,
    names: Sequence[str],
    message: str,
    *,
    repo_id: str | None = None,
    contents: Mapping[str, bytes] | None = None,
    is_new: bool = False,
    commit_message: str | None = None,
    commit_description: str | None = None,
    private: bool | None = None,
    token: str | bool | None = None,
    create_pr: bool = False,
    revision: str | None = None,
) -> object:
    """Upload files of a folder as one commit, and return what the hub says of it.

    `repo_id` is `owner/name`, or the name alone for a repository of one's own, by default that of the folder; it is
    made where there is none, `private` if that is asked for; with `is_new` one that is there is an error. `message` is
    the commit's unless `commit_message` is. `contents` are files by name that go up in place of, or beside, those of
    the folder. `revision` is a branch, made where there is none. CheckpointError where there is no token, where the hub
    does not take the files, and where the connection broke; then the repository is as it was.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    asked = repo_id or folder.resolve().name
    if token is False or (token in (None, True) and get_token() is None):
        raise CheckpointError(
            "An upload needs a token that may write. Received: none. Log in with `hf auth login`, set HF_TOKEN, or "
            "pass `token`; one is made at huggingface.co/settings/tokens."
        )
    api = HfApi(token=token)
    files: dict[str, Path | bytes] = {name: folder / name for name in names} | dict(contents or {})
    operations = [
        CommitOperationAdd(name, one if isinstance(one, bytes) else str(one)) for name, one in sorted(files.items())
    ]
    with _told(asked):
        name = _repository(api, asked, private, is_new)
        if revision is not None and not revision.startswith("refs/pr"):
            api.create_branch(name, branch=revision, exist_ok=True)
        return api.create_commit(
            name,
            operations,
            commit_message=commit_message or message,
            commit_description=commit_description,
            create_pr=create_pr,
            revision=revision,
        )


def _repository(api: "HfApi", asked: str, private: bool | None, is_new: bool) -> str:
    """The full name of a repository, which is made where there is none."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return api.create_repo(asked, private=private, exist_ok=not is_new).repo_id
    except HfHubHTTPError as error:
        if error.response is None or error.response.status_code != 409:
            raise
        raise CheckpointError(
            f"A new repository must have a name of its own. Received: {asked!r}, which is there already. Name another, "
            "or pass --overwrite to put a commit on top of what it holds; its history keeps that."
        ) from error


@contextlib.contextmanager
def _told(asked: str) -> Iterator[None]:
    """Say of errors of the hub what they mean, and what can be done."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        yield
    except (HfHubHTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        advice = {
            401: "The token is not one that the hub knows: log in anew with `hf auth login`, or pass another `token`.",
            403: "The token may not write there: take one with the right to write, or a name of your own.",
        }.get(status or 0, "Check the name, and log in with `hf auth login`.")
        raise CheckpointError(
            f"The hub must take an upload. It refuses one to {asked!r}: {error!s:.500}. {advice}"
        ) from error
    except Exception as error:
        if isinstance(error, CheckpointError) or not _is_of_network(error):
            raise
        raise CheckpointError(
            f"An upload needs a connection to its end. That to {asked!r} broke: {type(error).__name__} {error!s:.300}. "
            "An upload is one commit, so the repository holds all of it or is as it was. Repeat it."
        ) from error


def _is_of_network(error: Exception) -> bool:
    """Whether an error is one of the libraries that speak with the hub, of which its versions use different ones."""
    return isinstance(error, OSError) or type(error).__module__.startswith(("httpx", "httpcore", "requests"))
