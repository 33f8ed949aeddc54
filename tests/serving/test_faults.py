"""Bad requests over a socket, and clients that go in the middle: a part of benchmarks/serving_faults.py."""

import json
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")
schemathesis = pytest.importorskip("schemathesis")
httpx = pytest.importorskip("httpx")

from serving.live import KEY, Live  # noqa: E402

pytestmark = pytest.mark.torch
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def fuzzing():
    """What makes bad requests."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from fuzzing import leaving, requests

        yield requests, leaving
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture(scope="module", params=[(), (KEY,)], ids=["open", "keyed"])
def live(models, request):
    """A server of all tasks, without keys and with one."""
    started = Live(models, request.param)
    yield started
    started.stop()


def test_odd_and_damaged_requests_are_answered_or_refused_by_a_rule(live, fuzzing):
    requests, _ = fuzzing
    before = live.answers()
    known = requests.routes(live.client.get("/openapi.json").json())
    assert len(known) >= 16
    quick = [route for route in known if route.path != "/reload"]  # which loads six models each time
    assert requests.faults(live.client, requests.requests(quick), 200, seed=1) == []
    assert live.answers() == before


def test_requests_by_the_schema_and_against_it_are_answered_as_it_says(live, fuzzing):
    requests, _ = fuzzing
    before = live.answers()
    found, counts = requests.schema_faults(live.client, 5, seed=1)
    assert found == []
    assert counts[200] > 30
    assert counts[422] > 50
    assert live.answers() == before


def test_bytes_that_are_no_http_end_that_connection_alone(live, fuzzing):
    requests, _ = fuzzing
    before = live.answers()
    assert requests.raw_faults(live.address, seed=1, count=60) == []
    assert live.answers() == before


def test_without_a_key_nothing_odd_gets_beyond_401(models, fuzzing):
    requests, _ = fuzzing
    live = Live(models, (KEY,))
    try:
        known = requests.routes(live.client.get("/openapi.json").json())
        kept = [route for route in known if route.path not in ("/health", "/ready")]
        with httpx.Client(base_url=live.address, timeout=30) as stranger:
            assert requests.faults(stranger, requests.requests(kept), 100, seed=2, only=401) == []
    finally:
        live.stop()


@pytest.mark.parametrize("moment", ["upload", "waiting", "reading"])
def test_clients_that_go_leave_nothing_behind(live, fuzzing, moment):
    _, leaving = fuzzing
    headers = {"Authorization": f"Bearer {KEY}"}
    before = live.answers()
    for number in range(20):
        leaving.leave(live.address, "/embed", {"inputs": [f"Number {number} of many."] * 600}, moment, headers)
    assert live.tasks() == live.idle
    assert live.waiting() == ["albertkit_waiting_requests 0.0", "albertkit_waiting_tokens 0.0"]
    assert live.answers() == before


def test_what_waits_for_a_client_that_is_gone_is_not_computed(live, models, monkeypatch):
    gate, began, computed = threading.Event(), threading.Event(), []
    model = models.get("sequence")
    run = model.run

    def slow(features, most):
        computed.append(len(features))
        began.set()
        gate.wait(20)
        return run(features, most)

    monkeypatch.setattr(model, "run", slow)
    first = threading.Thread(target=live.client.post, args=("/models/sequence",), kwargs={"json": {"inputs": "a"}})
    first.start()
    assert began.wait(20)
    body = json.dumps({"inputs": ["One.", "Two.", "Three."]}).encode()
    host, port = live.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as gone:
        head = f"POST /models/sequence HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n"
        gone.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        scheduler = live.app.state.server.scheduler
        for _ in range(2000):
            if scheduler.waiting_requests:
                break
            time.sleep(0.01)
    jobs = list(scheduler._jobs)
    assert len(jobs) == 1
    for _ in range(2000):
        if jobs[0].is_cancelled:
            break
        time.sleep(0.01)
    gate.set()
    first.join(20)
    assert live.client.post("/models/sequence", json={"inputs": "b"}).status_code == 200
    assert computed == [1, 1]
