"""Uploads, to a stand-in of the hub on this machine: it speaks the part of the hub's API that an upload needs."""

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
from huggingface_hub import constants

from albertkit import hub_upload
from albertkit.errors import CheckpointError, ConfigError, InputError, WrongType
from albertkit.tokenization.wordpiece import AlbertWordPieceTokenizer
from albertkit.training.push import described, push

OWNER = "me"
CARD = "---\nlibrary_name: albertkit\nmodel-index:\n- name: m\n  results: []\n---\n\n# A model\n\npath/to/this/folder\n"


class Hub:
    """The repositories of the stand-in: files by name, of each branch."""

    def __init__(self):
        self.repositories, self.private, self.asked = {}, {}, []
        self.breaks_at_commit, self.status, self.endpoint = False, None, ""

    def answer(self, method, path, body):
        """(status, what is answered as JSON), or None to break the connection."""
        self.asked.append(f"{method} {path}")
        if self.status:
            return self.status, {"error": "no"}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path.startswith("/api/validate-yaml"):
            return 200, {"errors": [], "warnings": []}
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return 200, {"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]}
        if "/branch/" in path:
            name, branch = path.removeprefix("/api/models/").split("/branch/")
            self.repositories[name].setdefault(branch, {})
            return 200, {}
        if "/commit/" in path:
            return None if self.breaks_at_commit else self._commit(path, body)
        return 404, {"error": f"no {path}"}

    def _create(self, asked):
        name = f"{asked.get('organization') or OWNER}/{asked['name']}"
        url = {"url": f"{self.endpoint}/{name}", "name": name}
        if name in self.repositories:
            return 409, {"error": "You already created this model repo", **url}
        self.repositories[name], self.private[name] = (
            {"main": {}},
            asked.get("private") or asked.get("visibility") == "private",
        )
        return 200, url

    def _commit(self, path, body):
        name, branch = path.split("?")[0].removeprefix("/api/models/").split("/commit/")
        lines = [json.loads(line) for line in body.splitlines()]
        for line in lines[1:]:
            self.repositories[name][branch][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        made = {"commitUrl": f"{self.endpoint}/{name}/commit/1", "commitOid": "1", "success": True}
        return 200, {
            **made,
            **({"pullRequestUrl": f"{self.endpoint}/{name}/discussions/1"} if "create_pr" in path else {}),
        }


@pytest.fixture
def hub(monkeypatch):
    made = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            found = made.answer("POST", self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            if found is None:
                self.connection.close()
                return
            status, content = found
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_):
            pass

        def handle(self):
            with contextlib.suppress(ConnectionError, ValueError):  # of the connection that was closed on purpose
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    made.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", made.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run, as far as an upload looks at it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    for name in ("config.json", "model.safetensors", "spiece.model", "figure_confusion.png", "curves.png"):
        (folder / name).write_bytes(name.encode())
    for name in ("run.json", "log.jsonl", "recipe.toml", "notes.txt"):
        (folder / name).write_text("of this machine")
    return folder


def test_a_run_goes_up_with_its_card_and_without_what_names_the_machine(hub, run):
    push(run, "mine", {"private": True}, licence="apache-2.0", language=["en", "ja"])
    files = hub.repositories["me/mine"]["main"]
    names = {"README.md", "config.json", "model.safetensors", "spiece.model", "figure_confusion.png", "curves.png"}
    assert files.keys() == names
    assert files["model.safetensors"] == b"model.safetensors"
    assert hub.private["me/mine"] is True
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert (card.data.license, card.data.language, card.data.library_name) == ("apache-2.0", ["en", "ja"], "albertkit")
    assert "# A model\n\nmine\n" in card.text
    assert sum("/commit/" in asked for asked in hub.asked) == 1


def test_a_repository_that_is_there_is_added_to_only_where_that_is_asked_for(hub, run):
    hub.repositories["me/mine"] = {"main": {"pytorch_model.bin": b"old"}}
    with pytest.raises(
        CheckpointError, match=r"^A new repository must have a name of its own. Received: 'mine'.*--overwrite"
    ):
        push(run, "mine", {})
    assert hub.repositories["me/mine"]["main"].keys() == {"pytorch_model.bin"}
    push(run, "mine", {}, overwrite=True)
    assert {"pytorch_model.bin", "config.json"} <= hub.repositories["me/mine"]["main"].keys()


def test_without_a_token_nothing_is_asked_of_the_hub(hub, run, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    for options in ({}, {"token": False}):
        with pytest.raises(
            CheckpointError, match=r"needs a token that may write. Received: none. Log in with `hf auth"
        ):
            push(run, "mine", options)
    assert hub.asked == []
    push(run, "mine", {"token": "hf_given"})
    assert "config.json" in hub.repositories["me/mine"]["main"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "The token is not one that the hub knows"), (403, "The token may not write there"), (400, "Check the name")],
)
def test_a_refusal_of_the_hub_is_told_with_what_to_do(hub, run, status, words):
    hub.status = status
    with pytest.raises(CheckpointError, match=rf"refuses one to 'mine'(?s:.*){words}"):
        push(run, "mine", {})


def test_an_upload_that_breaks_leaves_the_repository_as_it_was(hub, run):
    hub.breaks_at_commit = True
    with pytest.raises(CheckpointError, match=r"(?s)'mine' broke: .*all of it or is as it was\. Repeat it"):
        push(run, "mine", {})
    assert hub.repositories["me/mine"]["main"] == {}
    hub.breaks_at_commit = False
    push(run, "mine", {}, overwrite=True)
    assert "model.safetensors" in hub.repositories["me/mine"]["main"]


def test_a_branch_is_made_and_a_pull_request_opened_where_they_are_asked_for(hub, run):
    push(run, "mine", {"revision": "dev", "commit_message": "mine"})
    assert (hub.repositories["me/mine"]["main"], "config.json" in hub.repositories["me/mine"]["dev"]) == ({}, True)
    done = push(run, "mine", {"create_pr": True}, overwrite=True)
    assert done.pr_url == f"{hub.endpoint}/me/mine/discussions/1"


@pytest.mark.parametrize("lacking", ["config.json", "README.md", "model.safetensors"])
def test_a_folder_that_is_no_finished_run_is_refused(hub, run, lacking):
    (run / lacking).unlink()
    words = "the weights" if lacking == "model.safetensors" else lacking
    with pytest.raises(ConfigError, match=rf"lacks {words}. Name the --output"):
        push(run, "mine", {})
    with pytest.raises(ConfigError, match="There is no folder"):
        push(run / "none", "mine", {})
    assert hub.asked == []


def test_a_card_whose_head_is_no_yaml_is_refused():
    with pytest.raises(InputError, match="must be YAML between two lines"):
        described("---\n- a\n- b\n---\n# A model\n", "mine", None, [])


def test_a_name_that_no_repository_has_is_refused(hub, run):
    with pytest.raises(CheckpointError, match=r"refuses one to 'a b'(?s:.*)Check the name"):
        push(run, "a b", {})


def test_a_tokenizer_goes_up_by_itself(hub, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    tokenizer = AlbertWordPieceTokenizer(str(tmp_path / "vocab.txt"))
    tokenizer.push_to_hub("words")
    files = hub.repositories["me/words"]["main"]
    assert {"vocab.txt", "tokenizer_config.json"} <= files.keys()
    with pytest.raises(WrongType, match=r"Received: 'repo'"):
        tokenizer.push_to_hub("words", repo="r")


@pytest.mark.torch
def test_a_model_goes_up_by_itself(hub):
    pytest.importorskip("torch")
    from albertkit import AlbertConfig, AlbertModel

    sizes = {"hidden_size": 8, "embedding_size": 4, "num_attention_heads": 2, "intermediate_size": 8}
    AlbertModel(AlbertConfig(vocab_size=10, num_hidden_layers=1, **sizes)).push_to_hub("model", private=True)
    assert hub.repositories["me/model"]["main"].keys() == {"config.json", "model.safetensors"}
    assert hub.private["me/model"] is True


def test_options_are_those_of_an_upload_and_go_with_one():
    hub_upload.require_options(True, "r", {"private": True})
    with pytest.raises(WrongType, match=r"Received: 'repo'"):
        hub_upload.require_options(True, None, {"repo": "r"})
    hub_upload.require_options(False, None, {})
    for repo_id, options, name in (("r", {}, "repo_id"), (None, {"private": True}, "private")):
        with pytest.raises(InputError, match=rf"`{name}` goes with an upload. Received it without push_to_hub=True"):
            hub_upload.require_options(False, repo_id, options)
