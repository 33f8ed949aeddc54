"""A server as a process: keys, addresses, signals, and clients of it."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")

from albertkit.cli import serve  # noqa: E402
from albertkit.client import AsyncClient, Client, ServerError  # noqa: E402
from albertkit.errors import CheckpointNotFound, InputError  # noqa: E402
from albertkit.kernels import library  # noqa: E402
from albertkit.serving import run  # noqa: E402
from albertkit.serving.limits import Limits  # noqa: E402
from albertkit.serving.models import Models, Source  # noqa: E402
from terminal import albertkit  # noqa: E402

pytestmark = pytest.mark.torch


def test_keys_come_from_a_file_or_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "keys.txt"
    file.write_text("# of the team\nfirst-key\n\n  second-key  \n")
    assert run.api_keys(file) == ["first-key", "second-key"]
    monkeypatch.setenv(run.KEYS, "one,two")
    assert run.api_keys(None) == ["one", "two"]
    monkeypatch.delenv(run.KEYS)
    assert run.api_keys(None) == []


@pytest.mark.parametrize(
    ("content", "rule"), [("# none\n", "one a line"), ("a key", "without blanks"), ("clé", "ASCII")]
)
def test_a_file_without_usable_keys_is_refused_without_showing_them(tmp_path, content, rule):
    file = tmp_path / "keys.txt"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rule) as raised:
        run.api_keys(file)
    assert content.strip() not in str(raised.value)


def test_a_file_of_keys_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for file in (tmp_path / "nothing", tmp_path, tmp_path / "bytes"):
        with pytest.raises(InputError, match=f"can be read. Received: {file}"):
            run.api_keys(file)


def test_origins_are_as_browsers_send_them():
    known = ["https://example.org", "http://localhost:3000", "http://[::1]:80", "chrome-extension://abc", "*"]
    assert run.origins(known) == known


@pytest.mark.parametrize(
    "given",
    ["https://example.org/", "example.org", "https://", "https://example.org/a", "https://Example.org", "", "null"],
)
def test_origins_that_no_page_has_are_refused(given):
    with pytest.raises(InputError, match="with nothing behind"):
        run.origins(["https://example.com", given])


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "86401"])
def test_a_deadline_is_a_number_of_seconds_of_a_day(tmp_path, seconds):
    with pytest.raises(ValueError, match="deadline"):
        Limits(deadline=float(seconds))
    done = albertkit("serve", tmp_path, "--deadline", seconds)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "--deadline" in done.stderr


def test_names_of_models_stand_in_addresses_and_differ(tmp_path):
    assert Source.of("some/where/my-model").name == "my-model"
    assert Source.of("other=some/where").name == "other"
    found = Source.of("vectors:sentence-embedding=some/where", task="auto", device="cpu")
    assert (found.name, found.model) == ("vectors", "some/where")
    assert dict(found.options) == {"task": "sentence-embedding", "device": "cpu"}
    folder = tmp_path / "lr=3e-5" / "model"
    folder.mkdir(parents=True)
    assert Source.of(str(folder)).model == Source.of(f"mine={folder}").model == str(folder)
    with pytest.raises(InputError, match="Give one in front, such as my-model="):
        Source.of("a b=folder")
    with pytest.raises(InputError, match="Received twice: 'folder'"):
        Models([Source.of("a/folder"), Source.of("b/folder")])
    with pytest.raises(InputError, match="needs a model"):
        Models([])


def test_an_address_that_is_taken_is_refused_with_the_way_out():
    with run._listen("127.0.0.1", 0) as taken, pytest.raises(InputError, match="--port"):
        run._listen("127.0.0.1", taken.getsockname()[1])


def test_small_parts_of_answers_are_sent_at_once():
    async def accepted(listening):
        made = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport):
                made.set_result(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        server = await asyncio.get_running_loop().create_server(Protocol, sock=listening)
        with socket.create_connection(listening.getsockname()):
            found = await asyncio.wait_for(made, 20)
        server.close()
        return found

    assert asyncio.run(accepted(run._listen("127.0.0.1", 0)))


def test_a_folder_without_a_model_ends_the_command_with_its_name(tmp_path):
    done = albertkit("serve", tmp_path / "nothing")
    assert done.returncode != 0
    assert "nothing" in done.stderr


@pytest.mark.parametrize("has_library", [True, False])
def test_a_server_keeps_few_products_and_lets_threads_sleep_where_the_library_computes(
    monkeypatch, tmp_path, has_library
):
    for name in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "of before")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(library, "has_precision", lambda precision: has_library)
    with pytest.raises(CheckpointNotFound):
        serve.command([str(tmp_path / "none")])
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "64"
    assert os.environ.get("OMP_WAIT_POLICY") == ("PASSIVE" if has_library else None)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address and the process of a server with keys."""
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    keys.write_text("a-key\n")
    command = [sys.executable, "-m", "albertkit", "serve", "albertkit/small-en", "--port", "0", "--api-keys", str(keys)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()
    found = re.search(r"(http://\S+:\d+)", first)
    assert found, first + process.stderr.read()
    yield found[1], process
    process.kill()
    process.wait(30)
    process.stderr.close()


@pytest.mark.parametrize(("key", "status"), [("a-key", 413), ("wrong", 401)])
def test_a_refusal_reaches_a_client_that_is_still_sending(server, key, status):
    address, _ = server
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for _ in range(5):  # each with a connection of its own
        found = httpx.post(f"{address}/models/small-en", content=b'"' + b"a" * 8_000_000, headers=headers, timeout=30)
        assert found.status_code == status


def test_a_server_answers_clients_reads_its_models_again_and_stops_once_what_it_took_is_answered(server):
    address, process = server
    with Client(address, api_key="a-key") as client:
        found = client.answer("A [MASK] of tea.", top_k=2)
        assert len(found) == 2
        assert client.answer(["A [MASK] of tea."] * 2, model="small-en", top_k=2) == [found] * 2
        assert client.info()["models"][0]["task"] == "fill-mask"
        with pytest.raises(ServerError, match="404") as refused:
            client.embed(["a"])
        assert refused.value.status == 404
    with Client(address, api_key="wrong") as client, pytest.raises(ServerError, match="401"):
        client.answer("A [MASK] of tea.")
    process.send_signal(signal.SIGHUP)
    assert "were loaded again: small-en" in _line_about(process, "loaded")

    async def ask():
        async with AsyncClient(address, api_key="a-key", retries=0) as client:
            tasks = [asyncio.create_task(client.answer([f"{n} [MASK]s."] * 64, top_k=1)) for n in range(6)]
            await asyncio.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            return await asyncio.gather(*tasks)

    assert [len(one) for one in asyncio.run(ask())] == [64] * 6
    assert _line_about(process, "Stopped")
    assert process.wait(30) == 0


def _line_about(process, word):
    """The next line of the log with a word, behind lines of JSON for each request."""
    for line in process.stderr:
        if word in line:
            return line
        assert line.startswith("No keys") or json.loads(line)["status"]
    raise AssertionError(f"nothing about {word}")


class Answers:
    """A transport that answers what it is told to, one after the other."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def client_of(monkeypatch, answers, **options):
    """A client of a stand-in for a server, and how long it has waited each time."""
    waited = []
    monkeypatch.setattr("albertkit.client.time.sleep", waited.append)
    client = Client("http://server", **options)
    client._http = httpx.Client(base_url="http://server", transport=httpx.MockTransport(answers))
    return client, waited


def test_a_client_asks_again_when_it_is_told_to_come_back(monkeypatch):
    busy = httpx.Response(429, headers={"Retry-After": "3"}, json={"error": "too much"})
    answers = Answers(busy, httpx.Response(503), httpx.ConnectError("refused"), httpx.Response(200, json=[1]))
    client, waited = client_of(monkeypatch, answers)
    assert client.answer("a") == [1]
    assert waited[0] == 3
    assert all(0 < seconds < 2 for seconds in waited[1:])
    assert len(answers.asked) == 4


def test_a_client_gives_up_and_says_what_the_server_said(monkeypatch):
    busy = [httpx.Response(429, json={"error": "too much"}) for _ in range(3)]
    client, waited = client_of(monkeypatch, Answers(*busy), retries=2)
    with pytest.raises(ServerError, match="429: too much"):
        client.answer("a")
    assert len(waited) == 2


def test_a_client_says_which_fields_were_refused_and_why(monkeypatch):
    fields = [{"where": ["parameters", "top_k"], "rule": "Input should be 1 or more"}, {"where": [], "rule": "Late"}]
    refused = httpx.Response(422, json={"error": "Not so.", "error_type": "422", "fields": fields})
    client, _ = client_of(monkeypatch, Answers(refused))
    with pytest.raises(ServerError) as raised:
        client.answer("a", top_k=0)
    told = "The server answered 422: Not so. (parameters.top_k: Input should be 1 or more) (: Late)"
    assert (str(raised.value), raised.value.status) == (told, 422)


def test_a_client_reads_the_message_of_routes_of_openai(monkeypatch):
    error = {"message": "Not so. (input: Input should be a text)", "type": "invalid_request_error", "code": "422"}
    client, _ = client_of(monkeypatch, Answers(httpx.Response(422, json={"error": error, "fields": [1]})))
    with pytest.raises(ServerError, match=r"answered 422: Not so. \(input: Input should be a text\)$"):
        client.embed(["a"])


@pytest.mark.parametrize("inputs", [float("nan"), "\ud83d", object(), {"text": b"bytes"}, {1j: "a"}])
def test_a_client_sends_nothing_that_has_no_json(monkeypatch, inputs):
    answers = Answers()
    client, _ = client_of(monkeypatch, answers)
    with pytest.raises(InputError, match="Pass plain values"):
        client.answer(inputs)
    assert answers.asked == []


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"url": "127.0.0.1:8080"}, "must begin with http://"),
        ({"url": "http://[::1"}, "must be an address"),
        ({"api_key": "clé"}, "must be of ASCII"),
        ({"api_key": "a\nb"}, "must be of ASCII"),
        ({"timeout": 0}, "must be above 0"),
        ({"timeout": float("nan")}, "must be above 0"),
        ({"retries": -1}, "0 or more"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_that_no_request_can_be_made_with_is_refused(kind, given, rule):
    with pytest.raises(InputError, match=rule) as raised:
        kind(**{"url": "http://127.0.0.1:8080", **given})
    assert given.get("api_key", "no key") not in str(raised.value)


def test_a_client_logs_what_speaks_against_an_answer(monkeypatch, caplog):
    warned = httpx.Response(200, headers={"Albertkit-Warnings": "truncated=2"}, json=[1])
    client, _ = client_of(monkeypatch, Answers(warned, httpx.Response(200, json=[1])))
    client.answer("a")
    client.answer("a")
    assert [record.getMessage() for record in caplog.records if record.name == "albertkit.client"] == [
        "Of the inputs that were sent some are not answered as they are: truncated=2."
    ]


def test_a_client_says_what_it_was_given_in_place_of_an_answer(monkeypatch):
    client, _ = client_of(monkeypatch, Answers(httpx.Response(200, text="<html>")))
    with pytest.raises(ServerError, match="200: no JSON"):
        client.info()
    with pytest.raises(InputError, match="Put it into a list"):
        client.embed("a text")


@pytest.mark.parametrize(
    "answer", [httpx.Response(422, json={"error": "no"}), httpx.Response(500), httpx.ReadTimeout("")]
)
def test_a_client_does_not_repeat_what_may_have_been_done_or_cannot_help(monkeypatch, answer):
    answers = Answers(answer)
    client, waited = client_of(monkeypatch, answers)
    with pytest.raises(ServerError):
        client.answer("a")
    assert waited == []
