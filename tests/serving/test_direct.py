"""Requests past FastAPI: those that a route takes, with the same answers, and no others."""

import asyncio
import json
import re

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("torch")

from fastapi.routing import APIRoute

from albertkit.serving.direct import Direct, targets
from albertkit.serving.embeddings import of_vectors

JSON, BESIDE = "application/json", "application/other+json"
"""What goes past FastAPI, and what it is asked for in its way."""


def asked(client, path, body, kind):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = client.post(path, content=content, headers={"content-type": kind})
    return found.status_code, found.json(), found.headers.get("albertkit-warnings")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/models/sequence", {"inputs": "A film."}),
        ("/models/sequence", {"inputs": ["A film.", " "], "parameters": {"top_k": 2}}),
        ("/", {"inputs": "A film."}),
        ("/embed", {"inputs": ["A text."]}),
        ("/v1/embeddings", {"input": "A text.", "model": "vectors"}),
        ("/models/masks", {"inputs": "Without one."}),
        ("/v1/embeddings", {"input": "a", "model": "none of these"}),
        ("/models/sequence", {"inputs": 3}),
        ("/models/sequence", b'{"inputs": '),
        ("/models/sequence", b"[" * 100_000),
    ],
)
def test_answers_and_refusals_are_the_same_on_both_ways(client, path, body):
    assert asked(client, path, body, JSON) == asked(client, path, body, BESIDE)


def test_what_a_route_takes_does_not_come_to_fastapi(client, monkeypatch):
    before = asked(client, "/models/sequence", {"inputs": "A film."}, JSON)

    async def closed(*given):
        raise AssertionError("A request came to FastAPI's routes.")

    monkeypatch.setattr(APIRoute, "handle", closed)
    assert asked(client, "/models/sequence", {"inputs": "A film."}, JSON) == before
    assert client.post("/models/sequence", json={"inputs": 3}).status_code == 500


def test_requests_of_both_ways_are_counted_for_the_same_route(client):
    for kind in (JSON, BESIDE):
        asked(client, "/models/tokens", {"inputs": "a"}, kind)
    assert re.search(r'requests_total\{route="/models/tokens",status="200"\} 2\.0', client.get("/metrics").text)


@pytest.mark.parametrize("kinds", [[], [b"text/plain"], [b"application/json", b"text/plain"]])
def test_a_body_that_is_not_said_to_be_json_goes_on_whole(models, kinds):
    seen = []

    async def app(scope, receive, send):
        seen.append(await receive())

    async def receive():
        return {"type": "http.request", "body": b'{"inputs": "a"}', "more_body": False}

    routes = of_vectors(models, None).routes
    scope = {"type": "http", "method": "POST", "path": "/embed", "headers": [(b"content-type", kind) for kind in kinds]}
    asyncio.run(Direct(app, targets(routes))(scope, receive, None))
    assert seen[0]["body"] == b'{"inputs": "a"}'
