"""Uploads, to a hub that only notes what it is given."""

from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub.errors import HFValidationError

from albertkit import hub_upload
from albertkit.errors import CheckpointError, InputError, WrongType


@pytest.fixture
def calls(monkeypatch):
    """What is asked of the hub, in order: the name of the method with its arguments."""
    made = []

    class Api:
        def __init__(self, token=None):
            made.append(("token", token))

        def create_repo(self, repo_id, **options):
            made.append(("create_repo", repo_id, options))
            return SimpleNamespace(repo_id=f"me/{repo_id}")

        def create_branch(self, repo_id, **options):
            made.append(("create_branch", repo_id, options))

        def upload_folder(self, **options):
            made.append(("upload_folder", options))
            return "done"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    return made


def test_files_go_up_as_one_commit_to_a_repository_of_the_folders_name(tmp_path, calls):
    assert hub_upload.upload(tmp_path, ["a.json"], "Upload it", token="t", private=True) == "done"
    assert calls[:2] == [("token", "t"), ("create_repo", tmp_path.name, {"private": True, "exist_ok": True})]
    ((_, options),) = calls[2:]
    assert (options["repo_id"], options["folder_path"]) == (f"me/{tmp_path.name}", tmp_path)
    assert (options["allow_patterns"], options["commit_message"]) == (["a.json"], "Upload it")


def test_a_branch_is_made_and_a_pull_request_is_not(tmp_path, calls):
    hub_upload.upload(tmp_path, [], "m", repo_id="r", revision="dev", commit_message="mine")
    assert ("create_branch", "me/r", {"branch": "dev", "exist_ok": True}) in calls
    assert calls[-1][1]["commit_message"] == "mine"
    calls.clear()
    hub_upload.upload(tmp_path, [], "m", repo_id="r", revision="refs/pr/3")
    assert [call[0] for call in calls] == ["token", "create_repo", "upload_folder"]


def test_a_refusal_of_the_hub_is_told(tmp_path, calls, monkeypatch):
    def refuse(*_, **__):
        raise HFValidationError("no such name")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(CheckpointError, match=r"refuses one to 'a b': no such name. Check the name, and log in"):
        hub_upload.upload(tmp_path, [], "m", repo_id="a b")


def test_options_are_those_of_an_upload_and_go_with_one():
    hub_upload.require_options(True, "r", {"private": True})
    with pytest.raises(WrongType, match=r"Received: 'repo'"):
        hub_upload.require_options(True, None, {"repo": "r"})
    hub_upload.require_options(False, None, {})
    for repo_id, options, name in (("r", {}, "repo_id"), (None, {"private": True}, "private")):
        with pytest.raises(InputError, match=rf"`{name}` goes with an upload. Received it without push_to_hub=True"):
            hub_upload.require_options(False, repo_id, options)
