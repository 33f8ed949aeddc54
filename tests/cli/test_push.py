"""albertkit push: what its options become."""

from types import SimpleNamespace

from typer.testing import CliRunner

from albertkit.cli.app import app
from albertkit.training import push as training_push


def test_options_of_the_command_reach_the_upload(tmp_path, monkeypatch):
    asked = {}

    def push(folder, repo_id, options, **given):
        asked.update(folder=folder, repo_id=repo_id, **options, **given)
        return SimpleNamespace(repo_url="https://a.hub/me/mine", pr_url=None)

    monkeypatch.setattr(training_push, "push", push)
    options = ["--private", "--license", "mit", "--language", "en, ja", "--revision", "dev", "--message", "First"]
    shown = CliRunner().invoke(app, ["push", str(tmp_path), "me/mine", *options])
    assert (shown.exit_code, shown.output.strip()) == (0, "https://a.hub/me/mine")
    assert asked == {
        "folder": tmp_path,
        "repo_id": "me/mine",
        "private": True,
        "licence": "mit",
        "language": ["en", "ja"],
        "revision": "dev",
        "commit_message": "First",
        "create_pr": False,
        "overwrite": False,
    }


def test_a_pull_request_goes_to_a_repository_that_is_there(tmp_path, monkeypatch):
    asked = {}

    def push(folder, repo_id, options, **given):
        asked.update(**options, **given)
        return SimpleNamespace(repo_url="https://a.hub/me/mine", pr_url="https://a.hub/me/mine/discussions/1")

    monkeypatch.setattr(training_push, "push", push)
    shown = CliRunner().invoke(app, ["push", str(tmp_path), "mine", "--create-pr"])
    assert shown.output.strip() == "https://a.hub/me/mine/discussions/1"
    assert (asked["create_pr"], asked["overwrite"], asked["private"]) == (True, True, None)
