"""Refusals of requests whose bodies are not read: what is taken in of them first."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("fastapi")
httpx = pytest.importorskip("httpx")

from albertkit.serving import middleware, run  # noqa: E402
from albertkit.serving.limits import Limits  # noqa: E402
from albertkit.serving.middleware import Bounded, Keyed  # noqa: E402


async def never(scope, receive, send):
    raise AssertionError("A request that is refused has come through.")


REFUSING = {413: Bounded(never, max_body_bytes=10, deadline=5.0), 401: Keyed(never, ["a-key"])}


LENGTH = (b"content-length", b"1000")


def asked(app, parts, headers=(LENGTH,), wait=0.0):
    """The status, and how many parts of a body were taken in before it was sent."""
    sent, taken = answer(app, parts, headers, wait)
    return sent["status"], taken


def answer(app, parts, headers, wait=0.0):
    """The beginning of an answer, and how many parts of a body were taken in before it was sent."""
    taken, sent = [], []
    scope = {"type": "http", "method": "POST", "path": "/models/a", "headers": headers}

    async def receive():
        if len(taken) == len(parts):  # a client that waits for its answer
            await asyncio.sleep(60)
        await asyncio.sleep(wait)
        taken.append(parts[len(taken)])
        return {"type": "http.request", "body": taken[-1], "more_body": len(taken) < len(parts)}

    async def send(message):
        sent.append((message, len(taken)))

    asyncio.run(app(scope, receive, send))
    return sent[0]


@pytest.mark.parametrize("status", REFUSING)
def test_a_body_is_taken_in_before_it_is_refused(status):
    assert asked(REFUSING[status], [b"a" * 250] * 4) == (status, 4)


@pytest.mark.parametrize("status", REFUSING)
def test_a_client_that_waits_to_be_told_to_go_on_is_refused_at_once(status):
    assert asked(REFUSING[status], [b"a" * 1000], [LENGTH, (b"expect", b"100-continue")]) == (status, 0)


@pytest.mark.parametrize("status", REFUSING)
def test_of_a_body_without_end_a_bounded_part_is_taken_in(monkeypatch, status):
    monkeypatch.setattr(middleware, "PASSED_OVER", 600)
    assert asked(REFUSING[status], [b"a" * 250] * 100) == (status, 3)


@pytest.mark.parametrize("status", REFUSING)
def test_a_body_that_is_late_is_not_waited_for(monkeypatch, status):
    monkeypatch.setattr(middleware, "PATIENCE", 0.05)
    found, taken = asked(REFUSING[status], [b"a"] * 100, wait=0.04)
    assert found == status
    assert taken < 10


@pytest.mark.parametrize("parts", [[b"a" * 11], [b"a" * 10, b"a"], [b"a" * 20] * 3])
def test_a_large_body_without_its_length_is_refused_at_its_end_and_the_connection_goes_on(monkeypatch, parts):
    monkeypatch.setattr(middleware, "PATIENCE", 30)
    sent, taken = answer(REFUSING[413], parts, [(b"transfer-encoding", b"chunked")])
    assert (sent["status"], taken) == (413, len(parts))
    assert b"connection" not in dict(sent["headers"])


@pytest.mark.parametrize("status", REFUSING)
@pytest.mark.parametrize(("given", "left"), [((b"expect", b"100-continue"), 0), ((b"x", b"y"), 600)])
def test_a_connection_ends_where_more_of_a_body_may_come(monkeypatch, status, given, left):
    monkeypatch.setattr(middleware, "PASSED_OVER", left)
    sent, _ = answer(REFUSING[status], [b"a" * 250] * 4, [LENGTH, given])
    assert dict(sent["headers"])[b"connection"] == b"close"


def test_connections_are_kept_longer_than_clients_keep_them(monkeypatch):
    class Stopped(Exception):
        pass

    def config(app, **options):
        assert options["timeout_keep_alive"] > httpx.Limits().keepalive_expiry
        raise Stopped

    monkeypatch.setattr(run.uvicorn, "Config", config)
    monkeypatch.setattr(run, "_listen", lambda host, port: None)
    monkeypatch.setattr(run.signal, "signal", lambda *given: None)
    app = SimpleNamespace(state=SimpleNamespace(server=SimpleNamespace(limits=Limits())))
    with pytest.raises(Stopped):
        run.serve(app, "127.0.0.1", 0)
